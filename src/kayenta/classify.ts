import { seeded, standardNormal } from "../stats/random.ts";
import { commonLanguageEffect, shiftEstimate, type ShiftEstimate } from "./mann-whitney.ts";
import type { KayentaConfiguration } from "./metric.ts";
import { meanRatio } from "./statistics.ts";

export type MetricLabel = "Pass" | "High" | "Low" | "Nodata" | "NodataFailMetric" | "Error";

export interface MetricClass {
  readonly classification: MetricLabel;
  readonly reason: string | null;
  /** mean(experiment) / mean(control), NaN when either is 0; 1 where no test was needed; null when the test failed. */
  readonly ratio: number | null;
  readonly critical: boolean;
  /** What decided, which Kayenta keeps to itself; null where no test was made. */
  readonly evidence: MetricEvidence | null;
}

export interface MetricEvidence extends ShiftEstimate {
  /** The interval must lie beyond this on the failing side: `tolerance` times the estimate's size. */
  readonly bound: number;
  /** By the configured measure; NaN when it cannot be computed, and then it vetoes nothing. */
  readonly effectSize: number;
}

/** Both are fixed in Kayenta's judge, whatever its configuration says. */
export const KAYENTA_TOLERANCE = 0.25;
export const KAYENTA_CONFIDENCE = 0.98;

export interface ClassifyOptions {
  readonly tolerance?: number;
  readonly confidence?: number;
}

/**
 * Kayenta's decision about one metric, its checks in its order.
 *
 * @param experiment, control  points after `transformPoints`, so none of them is NaN. Not modified.
 */
export function classify(
  name: string,
  experiment: Float64Array,
  control: Float64Array,
  configuration: KayentaConfiguration,
  { tolerance = KAYENTA_TOLERANCE, confidence = KAYENTA_CONFIDENCE }: ClassifyOptions = {},
): MetricClass {
  if (experiment.length === 0 || control.length === 0) return classifyMissing(name, configuration);
  if (isSame(experiment.toSorted(), control.toSorted()))
    return { ...PASS, reason: "The Canary and Baseline data are identical" };
  if (isConstant(experiment) && isConstant(control)) {
    if (experiment[0] === control[0]) return PASS;
    return classifyByTest(name, ...withNoise(experiment, control), configuration, tolerance, confidence);
  }
  return classifyByTest(name, experiment, control, configuration, tolerance, confidence);
}

const PASS: MetricClass = { classification: "Pass", reason: null, ratio: 1, critical: false, evidence: null };

/** With `replace` an empty side passes, and `mustHaveData` is not read. */
function classifyMissing(name: string, { nanStrategy, mustHaveData, critical }: KayentaConfiguration): MetricClass {
  if (nanStrategy === "replace") return PASS;
  const missing = { reason: `Missing data for ${name}`, ratio: 1, evidence: null };
  return mustHaveData && !critical
    ? { ...missing, classification: "NodataFailMetric", critical: false }
    : { ...missing, classification: "Nodata", critical };
}

function classifyByTest(
  name: string,
  experiment: Float64Array,
  control: Float64Array,
  { direction, critical, effectSize: limits }: KayentaConfiguration,
  tolerance: number,
  confidence: number,
): MetricClass {
  const shift = shiftEstimate(experiment, control, confidence);
  // Never critical: a metric that cannot be judged drops out of the score.
  if (shift === null)
    return {
      classification: "Error",
      reason: "Metric Classification Failed",
      ratio: null,
      critical: false,
      evidence: null,
    };
  const ratio = meanRatio(experiment, control);
  const effectSize = limits.measure === "cles" ? commonLanguageEffect(experiment, control) : ratio;
  const bound = tolerance * Math.abs(shift.estimate);
  const evidence: MetricEvidence = { ...shift, bound, effectSize };
  const isAtLeast = (limit: number) => Number.isNaN(effectSize) || effectSize >= limit;
  const isAtMost = (limit: number) => Number.isNaN(effectSize) || effectSize <= limit;
  if (direction !== "decrease" && shift.lower > bound && isAtLeast(limits.allowedIncrease))
    return failed(name, "High", critical && isAtLeast(limits.criticalIncrease), ratio, evidence);
  if (direction !== "increase" && shift.upper < -bound && isAtMost(limits.allowedDecrease))
    return failed(name, "Low", critical && isAtMost(limits.criticalDecrease), ratio, evidence);
  return { ...PASS, ratio, evidence };
}

function failed(
  name: string,
  classification: "High" | "Low",
  critical: boolean,
  ratio: number,
  evidence: MetricEvidence,
): MetricClass {
  const reason = critical
    ? `The metric ${name} was classified as ${classification} (Critical)`
    : `${name} was classified as ${classification}`;
  return { classification, reason, ratio, critical, evidence };
}

/** The noise that keeps two different constants from being ties: normal, of this share of the constant. Of 0 it is nothing. */
const NOISE_SHARE = 1e-5;
/** Kayenta seeds by chance, so that a constant metric at a threshold may be judged differently twice. Ours is judged alike. */
const NOISE_SEED = 1;

function withNoise(experiment: Float64Array, control: Float64Array): [Float64Array, Float64Array] {
  const random = seeded(NOISE_SEED);
  const noisy = (values: Float64Array): Float64Array => {
    const scale = (values[0] ?? 0) * NOISE_SHARE;
    return values.map((value) => value + (standardNormal(random) * scale + 0));
  };
  return [noisy(experiment), noisy(control)];
}

function isSame(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

function isConstant(values: Float64Array): boolean {
  return values.every((value) => value === values[0]);
}
