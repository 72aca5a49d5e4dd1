import type { MetricLabel } from "./classify.ts";

/** What the score needs of a metric that is not muted. */
export interface ScoredMetric {
  readonly classification: MetricLabel;
  readonly classificationReason: string | null;
  readonly groups: readonly string[];
  readonly critical: boolean;
}

export interface GroupScore {
  readonly name: string;
  /** 0 to 100; 0 also where nothing in the group could be judged, although the sum then takes it for 100. */
  readonly score: number;
  readonly classification: "";
  readonly classificationReason: "";
}

export type ScoreLabel = "Pass" | "Marginal" | "Fail";

export interface Score {
  readonly score: number;
  readonly classification: ScoreLabel;
  readonly classificationReason: string;
}

export interface KayentaThresholds {
  readonly pass: number;
  readonly marginal: number;
}

/** Percent of metrics without data from which on the score is 0. Fixed in Kayenta. */
const NODATA_PERCENT = 50;

/**
 * From classes to one number.
 *
 * @param metrics  those that are not muted.
 * @param weights  percent per group; groups without one share what is left of 100, which may be nothing or less.
 * @returns the groups in the order in which metrics first name them; the score rounded half away from 0 to two decimals.
 */
export function scoreMetrics(
  metrics: readonly ScoredMetric[],
  weights: Readonly<Record<string, number>>,
  thresholds: KayentaThresholds,
): { score: Score; groupScores: GroupScore[] } {
  const groups = scoreGroups(metrics);
  const { score, reason } = summaryScore(metrics, groups, new Map(Object.entries(weights)));
  return {
    score: { score, classification: labelOf(score, thresholds), classificationReason: reason },
    groupScores: groups.map(({ name, score }) => ({ name, score, classification: "", classificationReason: "" })),
  };
}

/** Of a score: the thresholds themselves belong to the better side. */
export function labelOf(score: number, { pass, marginal }: KayentaThresholds): ScoreLabel {
  if (score >= pass) return "Pass";
  return score >= marginal ? "Marginal" : "Fail";
}

export interface Group {
  readonly name: string;
  readonly score: number;
  readonly hasNoData: boolean;
}

/** The share of passes among the metrics that could be judged, or must have data and had none. */
export function scoreGroups(metrics: readonly Pick<ScoredMetric, "classification" | "groups">[]): Group[] {
  const labels = new Map<string, MetricLabel[]>();
  for (const { groups, classification } of metrics) {
    for (const group of groups) labels.set(group, [...(labels.get(group) ?? []), classification]);
  }
  return [...labels].map(([name, own]) => {
    const passed = own.filter((label) => label === "Pass").length;
    const judged = own.filter((label) => label !== "Nodata" && label !== "Error").length;
    return { name, score: judged === 0 ? 0 : (passed / judged) * 100, hasNoData: judged === 0 };
  });
}

function summaryScore(
  metrics: readonly ScoredMetric[],
  groups: readonly Group[],
  weights: ReadonlyMap<string, number>,
): { score: number; reason: string } {
  const failure = metrics.find(({ critical, classification }) => critical && classification !== "Pass");
  if (failure !== undefined) return { score: 0, reason: `Canary Failed: ${failure.classificationReason ?? ""}` };
  const missing = metrics.filter(({ classification }) => classification === "Nodata").length;
  if ((missing / metrics.length) * 100 >= NODATA_PERCENT)
    return { score: 0, reason: `Canary Failed: ${NODATA_PERCENT}% or more metrics returned NODATA` };
  const given = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const unweighted = groups.filter(({ name }) => !weights.has(name)).length;
  const shared = unweighted > 0 ? (100 - given) / unweighted : 0;
  const sum = groups.reduce(
    (sum, { name, score, hasNoData }) => sum + (hasNoData ? 100 : score) * ((weights.get(name) ?? shared) / 100),
    0,
  );
  return { score: roundToHundredths(sum), reason: "" };
}

/**
 * Rounds the decimal number that a double is written as, half away from 0, as Java's BigDecimal does: 1.005 becomes 1.01,
 * although the double lies below.
 */
export function roundToHundredths(value: number): number {
  const text = String(Math.abs(value));
  const [whole = "", fraction = ""] = text.split(".");
  // Below 1e-6 doubles are written with an exponent, and round to 0; from 1e21 on they are whole.
  if (text.includes("e") && Math.abs(value) < 1) return value < 0 ? -0 : 0;
  if (text.includes("e")) return value;
  if (!Number.isFinite(value)) return value;
  const hundredths = BigInt(whole + fraction.slice(0, 2).padEnd(2, "0")) + (Number(fraction[2] ?? 0) >= 5 ? 1n : 0n);
  return Math.sign(value) * Number(`${hundredths}e-2`);
}
