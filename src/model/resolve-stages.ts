import type { Issue } from "../errors.ts";
import type { Analysis, AnalysisDocument } from "./analysis.ts";
import { resolveAnalysis } from "./resolve-analysis.ts";
import type { Stage, StageInput } from "./stage.ts";

/**
 * An analysis with its stages: each is resolved as the analysis that its runs are judged under, so that a stage which could never decide is refused as such an
 * analysis would be.
 */
export function resolveWithStages(document: AnalysisDocument): { analysis: Analysis } | { issues: Issue[] } {
  const resolved = resolveAnalysis(document);
  const { stages } = document.spec;
  if ("issues" in resolved || stages === undefined) return resolved;
  const issues = [...placeIssues(stages), ...stages.flatMap((stage, index) => argumentIssues(stage, index, document))];
  const inForce = stages.map((stage, index): Stage | null => {
    const own = resolveAnalysis(documentOfStage(document, stage));
    const reason = stage.carry === true ? cannotCarry(resolved.analysis) : null;
    if (reason !== null) issues.push({ pointer: `/spec/stages/${index}/carry`, detail: `is true, but ${reason}` });
    const weight = readWeight(stage.weight, `/spec/stages/${index}/weight`, issues);
    if ("issues" in own) {
      issues.push(...own.issues.map((issue) => atStage(issue, index)));
      return null;
    }
    return toStage(stage, own.analysis, weight, stages.length, index);
  });
  const complete = inForce.filter((stage) => stage !== null);
  if (issues.length > 0) return { issues };
  return { analysis: { ...resolved.analysis, stages: complete } };
}

/**
 * The analysis that runs of one stage are judged under; it keeps the list of all stages.
 *
 * @param name  of a stage that the analysis declares.
 */
export function analysisOfStage(document: AnalysisDocument, { stages }: Analysis, name: string): Analysis {
  const stage = document.spec.stages?.find((one) => one.name === name);
  if (stage === undefined || stages === undefined) throw new RangeError(`no stage is named ${name}`);
  const resolved = resolveAnalysis(documentOfStage(document, stage));
  if ("issues" in resolved) throw new RangeError(`stage ${name} was not checked`);
  return { ...resolved.analysis, stages };
}

function documentOfStage(document: AnalysisDocument, stage: StageInput): AnalysisDocument {
  const { spec } = document;
  const { duration, minDuration, every, minUnits, policy, args } = stage;
  const plan = spec.plan ?? { mode: "once" as const };
  const length = duration === undefined ? {} : plan.mode === "continuous" ? { maxDuration: duration } : { duration };
  return {
    ...document,
    spec: {
      ...spec,
      plan: {
        ...plan,
        ...length,
        ...(minDuration === undefined ? {} : { minDuration }),
        ...(every === undefined ? {} : { every }),
        ...(minUnits === undefined ? {} : { minUnits }),
      },
      ...(policy === undefined ? {} : { policy }),
      args: { ...spec.args, ...args },
    },
  };
}

/** Why no stage of this analysis can go on from the evidence of another; null where it can. */
function cannotCarry({ judge, metrics }: Analysis): string | null {
  if (judge === "kayenta") return "Kayenta's judge keeps no evidence";
  return metrics.some(({ design }) => design === "paired") ? "items of a paired design are judged once" : null;
}

function toStage(stage: StageInput, own: Analysis, weight: number | null, count: number, index: number): Stage {
  const { plan, policy, metrics } = own;
  const mayCarry = index > 0 && stage.group === undefined && cannotCarry(own) === null;
  return {
    name: stage.name,
    weight,
    group: stage.group ?? null,
    durationSeconds: plan.durationSeconds,
    minDurationSeconds: plan.minDurationSeconds,
    everySeconds: plan.everySeconds,
    minUnits: plan.minUnits,
    policy,
    args: { ...stage.args },
    // Users move from the baseline to the candidate as its share grows; what they did before would stand in both arms.
    carry: mayCarry && (stage.carry ?? metrics.every(({ unit }) => unit !== "user")),
    // Each stage is where a fault may show first, and none is known to be likelier: docs/decisions/0012.
    rollbackShare: 1 / count,
  };
}

/** Keys of a plan that a stage writes as its own; the rest of the plan is the analysis's. */
const OF_STAGE: Readonly<Record<string, string>> = {
  "/spec/plan/duration": "duration",
  "/spec/plan/maxDuration": "duration",
  "/spec/plan/minDuration": "minDuration",
  "/spec/plan/every": "every",
  "/spec/plan/minUnits": "minUnits",
  "/spec/policy": "policy",
};

function atStage({ pointer, detail }: Issue, index: number): Issue {
  const own = OF_STAGE[pointer];
  return own === undefined
    ? { pointer: `/spec/stages/${index}`, detail: `makes ${pointer} faulty: it ${detail}` }
    : { pointer: `/spec/stages/${index}/${own}`, detail };
}

function placeIssues(stages: readonly StageInput[]): Issue[] {
  const issues: Issue[] = [];
  for (const [index, { name, group, carry }] of stages.entries()) {
    const at = `/spec/stages/${index}`;
    if (stages.findIndex((one) => one.name === name) !== index)
      issues.push({ pointer: `${at}/name`, detail: `another stage is named ${name}` });
    if (group === undefined) continue;
    const before = stages.slice(0, index).findLastIndex((one) => one.group === group);
    if (before >= 0 && before !== index - 1)
      issues.push({ pointer: `${at}/group`, detail: `stages of the group ${group} must stand next to each other` });
    if (carry === true)
      issues.push({ pointer: `${at}/carry`, detail: "is true, but stages of a group never carry evidence" });
  }
  return issues;
}

function argumentIssues({ args = {} }: StageInput, index: number, { spec }: AnalysisDocument): Issue[] {
  return Object.keys(args).flatMap((name) =>
    spec.args !== undefined && name in spec.args
      ? []
      : [{ pointer: `/spec/stages/${index}/args/${name}`, detail: "is not an argument that spec.args declares" }],
  );
}

function readWeight(text: string | undefined, pointer: string, issues: Issue[]): number | null {
  if (text === undefined) return null;
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const weight = match === null ? Number.NaN : Number(match[1]) / 100;
  if (weight > 0 && weight <= 1) return weight;
  issues.push({ pointer, detail: `${text} is not a percentage above 0% and up to 100%` });
  return null;
}
