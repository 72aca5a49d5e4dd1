import { z } from "zod";
import { Arg, type Judged } from "./doctor-argo.ts";
import { readPart, trapsIn, type AddTrap, type Manifest, type Trap } from "./doctor-manifest.ts";

const TemplateRefs = z.array(z.looseObject({ templateName: z.string() })).default([]);
const Analysis = z.looseObject({ templates: TemplateRefs, args: z.array(Arg).default([]) });
const ExperimentSpec = z.looseObject({
  duration: z.string().optional(),
  analyses: z
    .array(
      z.looseObject({
        templateName: z.string(),
        requiredForCompletion: z.boolean().default(false),
        args: z.array(Arg).default([]),
      }),
    )
    .default([]),
});
const Step = z.looseObject({ analysis: Analysis.optional(), experiment: ExperimentSpec.optional() });
const Rollout = z.looseObject({
  spec: z.looseObject({
    strategy: z
      .looseObject({
        canary: z.looseObject({ analysis: Analysis.optional(), steps: z.array(Step).default([]) }).optional(),
        blueGreen: z
          .looseObject({ prePromotionAnalysis: Analysis.optional(), postPromotionAnalysis: Analysis.optional() })
          .optional(),
      })
      .default({}),
  }),
});

/** @param templates  those of the same command that ask Touchstone, by name. */
export function checkRollout(manifest: Manifest, templates: ReadonlyMap<string, Judged>): Trap[] {
  const { canary, blueGreen } = readPart(Rollout, manifest.value, manifest.file).spec.strategy;
  const { found, add } = trapsIn(manifest);
  let hasGate = false;
  const inline = (analysis: z.infer<typeof Analysis> | undefined, at: string): void => {
    for (const { templateName } of analysis?.templates ?? []) {
      const judged = templates.get(templateName);
      if (judged === undefined) continue;
      if (judged.mode === "background")
        add(
          "guard-as-gate",
          at,
          `${templateName} is a guard without an end, which Argo refuses in a step; use touchstone-step or touchstone-kayenta`,
        );
      else hasGate = true;
      checkGiven(judged, analysis?.args ?? [], at, add);
    }
    checkHashes(analysis?.args ?? [], at, add);
  };
  inline(blueGreen?.prePromotionAnalysis, "/spec/strategy/blueGreen/prePromotionAnalysis");
  inline(blueGreen?.postPromotionAnalysis, "/spec/strategy/blueGreen/postPromotionAnalysis");
  for (const [index, { analysis, experiment }] of (canary?.steps ?? []).entries()) {
    const at = `/spec/strategy/canary/steps/${index}`;
    inline(analysis, `${at}/analysis`);
    if (experiment === undefined) continue;
    hasGate ||= experiment.analyses.some(({ templateName }) => templates.has(templateName));
    checkAnalyses(experiment, `${at}/experiment`, templates, add);
  }
  const guard = canary?.analysis;
  const inGuard = "/spec/strategy/canary/analysis";
  const guards = (guard?.templates ?? []).flatMap(({ templateName }) => {
    const judged = templates.get(templateName);
    return judged === undefined ? [] : [{ templateName, judged }];
  });
  for (const { templateName, judged } of guards) {
    if (judged.mode === "step")
      add(
        "gate-as-guard",
        inGuard,
        `${templateName} answers 425 until it has a verdict: in the background that is an error every 10 s, and an abort at the limit; use touchstone-background`,
      );
    checkGiven(judged, guard?.args ?? [], inGuard, add);
  }
  checkHashes(guard?.args ?? [], inGuard, add);
  if (guards.length > 0 && !hasGate)
    add(
      "guard-without-gate",
      inGuard,
      "a guard can stop a rollout and never promote one: without a gate in a step an undecided candidate gets all traffic",
    );
  return found;
}

/** An Experiment of its own. */
export function checkExperiment(manifest: Manifest, templates: ReadonlyMap<string, Judged>): Trap[] {
  const { found, add } = trapsIn(manifest);
  const { spec } = readPart(z.looseObject({ spec: ExperimentSpec }), manifest.value, manifest.file);
  checkAnalyses(spec, "/spec", templates, add);
  return found;
}

function checkAnalyses(
  { duration, analyses }: z.infer<typeof ExperimentSpec>,
  at: string,
  templates: ReadonlyMap<string, Judged>,
  add: AddTrap,
): void {
  for (const [index, { templateName, requiredForCompletion, args }] of analyses.entries()) {
    const judged = templates.get(templateName);
    const here = `${at}/analyses/${index}`;
    if (judged !== undefined) {
      checkGiven(judged, args, here, add);
      if (duration === undefined && !requiredForCompletion)
        add(
          "experiment-never-ends",
          here,
          "without a duration the experiment ends only by an analysis with requiredForCompletion: true",
        );
    }
    for (const { name, valueFrom } of args)
      if (valueFrom?.podTemplateHashValue !== undefined)
        add(
          "rollout-hash-in-experiment",
          here,
          `${name} is the hash of the rollout's pods, not of the experiment's; write "{{templates.<name>.podTemplateHash}}"`,
        );
  }
}

function checkGiven(judged: Judged, args: readonly Arg[], at: string, add: AddTrap): void {
  const given = new Set(args.map(({ name }) => name));
  for (const name of judged.required)
    if (!given.has(name))
      add("argument-missing", at, `the template wants the argument ${name}, and without it no run is created`);
}

function checkHashes(args: readonly Arg[], at: string, add: AddTrap): void {
  const wanted: Readonly<Record<string, string>> = { "baseline-hash": "Stable", "candidate-hash": "Latest" };
  for (const { name, valueFrom } of args) {
    const want = wanted[name];
    if (want !== undefined && valueFrom?.podTemplateHashValue !== undefined && valueFrom.podTemplateHashValue !== want)
      add(
        "arms-swapped",
        at,
        `${name} is ${valueFrom.podTemplateHashValue} and must be ${want}, or the arms are judged the wrong way round`,
      );
  }
}
