/**
 * Does our reading of Kayenta's judge agree with the vectors of Kayenta's own unit tests?
 *
 *   npm run bench kayenta-oracle [folder]        default ../shared/data/oracle_kayenta
 *
 * The folder holds `classifier_cases.jsonl`. Each case has its own tolerance and confidence, unlike the judge, in which both
 * are fixed. Cases of classifiers that the judge does not use are named and left out.
 */
import { readFileSync } from "node:fs";
import { stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { classify } from "../src/kayenta/classify.ts";
import { resolveConfiguration, type KayentaConfigurationInput } from "../src/kayenta/metric.ts";
import { transformPoints } from "../src/kayenta/transform.ts";

const DEFAULT_FOLDER = fileURLToPath(new URL("../../shared/data/oracle_kayenta", import.meta.url));
/** The classifier that the judge uses, and the defaults of its constructor. */
const CLASSIFIER = "MannWhitneyClassifier";
const DEFAULT_TOLERANCE = 0.25;
const DEFAULT_CONFIDENCE = 0.95;

/** [decrease, increase] */
const Thresholds = z.tuple([z.number(), z.number()]);
const Case = z.object({
  case_id: z.string(),
  test: z.string(),
  control: z.array(z.number()),
  experiment: z.array(z.number()),
  classifier: z.string(),
  params: z.object({
    tolerance: z.number().default(DEFAULT_TOLERANCE),
    confLevel: z.number().default(DEFAULT_CONFIDENCE),
    effectSizeThresholds: Thresholds.default([1, 1]),
    criticalThresholds: Thresholds.default([1, 1]),
    effectSizeMeasure: z.enum(["meanRatio", "cles"]).default("meanRatio"),
  }),
  direction: z.enum(["Increase", "Decrease", "Either"]),
  nan_strategy: z.string(),
  is_critical_metric: z.boolean(),
  expected_classification: z.string(),
  expected_critical: z.boolean().nullable(),
});
type Case = z.infer<typeof Case>;

export async function run(args: string[]): Promise<void> {
  const folder = args[0] ?? DEFAULT_FOLDER;
  const lines = readFileSync(`${folder}/classifier_cases.jsonl`, "utf8").split("\n");
  const cases = lines.filter((line) => line.trim() !== "").map((line) => Case.parse(JSON.parse(line)));
  let agreed = 0;
  let judged = 0;
  for (const one of cases) {
    if (one.classifier !== CLASSIFIER) {
      stdout.write(`left out  ${one.case_id}  ${one.test}: the judge does not use ${one.classifier}\n`);
      continue;
    }
    judged += 1;
    const { classification, critical, evidence } = classifyCase(one);
    const agrees =
      classification === one.expected_classification &&
      (one.expected_critical === null || critical === one.expected_critical);
    if (agrees) agreed += 1;
    const got = `${classification}${critical ? ", critical" : ""}`;
    const wanted = `${one.expected_classification}${one.expected_critical === true ? ", critical" : ""}`;
    const interval = evidence === null ? "" : `  [${evidence.lower}, ${evidence.upper}] estimate ${evidence.estimate}`;
    stdout.write(
      `${agrees ? "agrees  " : "DIFFERS "}  ${one.case_id}  ${got}${agrees ? "" : ` instead of ${wanted}`}${interval}\n`,
    );
  }
  stdout.write(`agreement ${agreed} of ${judged}, ${cases.length - judged} left out\n`);
}

function classifyCase({ params, ...one }: Case) {
  const [allowedDecrease, allowedIncrease] = params.effectSizeThresholds;
  const [criticalDecrease, criticalIncrease] = params.criticalThresholds;
  const configuration = resolveConfiguration({
    direction: one.direction.toLowerCase() as KayentaConfigurationInput["direction"],
    nanStrategy: one.nan_strategy.startsWith("Replace") ? "replace" : "remove",
    critical: one.is_critical_metric,
    effectSize: {
      measure: params.effectSizeMeasure,
      allowedDecrease,
      allowedIncrease,
      criticalDecrease,
      criticalIncrease,
    },
  });
  const [experiment, control] = [one.experiment, one.control].map((points) => transformPoints(points, configuration));
  return classify("Test Metric", experiment, control, configuration, {
    tolerance: params.tolerance,
    confidence: params.confLevel,
  });
}
