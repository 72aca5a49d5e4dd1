import { requireFraction, type Alternative } from "./check-input.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import { exactUntiedWork, untiedQuantile } from "./mann-whitney-exact.ts";
import { EXACT_UNTIED_WORK, mannWhitneyVariance } from "./mann-whitney.ts";
import { orderStatistics, pairsBetween, type Pairs } from "./pair-order-statistics.ts";
import { rankSummary, type RankSummary } from "./rank-summary.ts";
import { sortSample } from "./sort-sample.ts";

export interface HodgesLehmannOptions {
  readonly confidence?: number;
  /** "greater" gives a lower limit only, "less" an upper one. */
  readonly alternative?: Alternative;
  /** `auto` takes the rank of the limits from the exact law of U while that is cheap and there are no ties. */
  readonly method?: "auto" | "exact" | "asymptotic";
  /** `ratio` asks by which factor instead of by how much, for numbers >= 0. */
  readonly scale?: "difference" | "ratio";
}

export interface HodgesLehmann {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  readonly method: "exact" | "asymptotic";
}

/**
 * By how much (or by which factor) are candidate values typically larger than baseline ones?
 *
 * @param candidate  n >= 1 finite numbers, any order. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit, which is that of the answer (no unit for a
 *                   ratio).
 * @param options    confidence (default 0.95), alternative, method, scale.
 * @returns `estimate`, the median of all n m differences candidate - baseline, and its interval [D(q), D(n m + 1 - q)],
 *          differences in ascending order. A limit is infinite (0 or Infinity for a ratio) where so few values can give
 *          none at this confidence.
 * @throws RangeError when a sample is empty or holds a NaN or infinity, a ratio is asked of negative numbers, or
 *         confidence is not in (0, 1).
 *
 * For the scale "ratio" the pairs are quotients; two equal numbers have ratio 1, also two zeros, and the middle of two
 * is their geometric mean. The interval inverts `mannWhitney`: it holds what shift the test would not reject, q being
 * exact without ties and from the normal law with tie and continuity correction else. It is right when the candidate is
 * a shifted baseline; `shiftInterval` does not need that. The median of differences is not the difference of medians.
 * Not for paired samples (wilcoxon-signed-rank.ts). O(N log N) time and O(N) memory, see pair-order-statistics.ts.
 * Source: Hodges & Lehmann (1963), Ann. Math. Stat. 34, 598-611; interval: Moses (1965), Technometrics 7, 257-260;
 * Hollander, Wolfe & Chicken (2014), 4.3.
 * @example hodgesLehmann([19, 22, 16, 29, 24], [20, 11, 17, 12]).estimate // 7
 */
export function hodgesLehmann(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: HodgesLehmannOptions = {},
): HodgesLehmann {
  return hodgesLehmannSorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), options);
}

/** The same from samples that `sortSample` returned, and from their summary if there is one already. */
export function hodgesLehmannSorted(
  candidate: Float64Array,
  baseline: Float64Array,
  options: HodgesLehmannOptions = {},
  summary: RankSummary = rankSummary(candidate, baseline),
): HodgesLehmann {
  const { confidence = 0.95, alternative = "two-sided", method = "auto", scale = "difference" } = options;
  requireFraction("confidence", confidence);
  if (scale === "ratio") requireRatioScale(candidate, baseline);
  const pairs = pairsBetween(candidate, baseline, scale);
  const estimate = middleOf(pairs, scale);

  const { n, m } = summary;
  const exact =
    method === "exact" || (method === "auto" && summary.tieSum === 0 && exactUntiedWork(n, m) <= EXACT_UNTIED_WORK);
  const level = alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence;
  const q = exact ? untiedQuantile(level, n, m) : normalRank(level, summary);
  const none = scale === "ratio" ? 0 : -Infinity;
  return {
    estimate,
    lower: q < 1 || alternative === "less" ? none : orderStatistics(pairs, q)[0],
    upper: q < 1 || alternative === "greater" ? Infinity : orderStatistics(pairs, pairs.total + 1 - q)[0],
    method: exact ? "exact" : "asymptotic",
  };
}

/**
 * The estimate alone, in a third of the time: what stands beside an interval that was made by other means.
 *
 * @param candidate  n >= 1 values from `sortSample`. Not modified.
 * @param baseline   m >= 1 values from `sortSample`, same measurement unit.
 * @throws RangeError when a sample is empty or a ratio is asked of negative numbers.
 * @example typicalShift(Float64Array.of(16, 19, 22, 24, 29), Float64Array.of(11, 12, 17, 20)) // 7
 */
export function typicalShift(
  candidate: Float64Array,
  baseline: Float64Array,
  scale: "difference" | "ratio" = "difference",
): number {
  if (candidate.length === 0) throw new RangeError("candidate is empty");
  if (baseline.length === 0) throw new RangeError("baseline is empty");
  if (scale === "ratio") requireRatioScale(candidate, baseline);
  return middleOf(pairsBetween(candidate, baseline, scale), scale);
}

function middleOf(pairs: Pairs, scale: "difference" | "ratio"): number {
  const middle = Math.ceil(pairs.total / 2);
  const [below, above] = orderStatistics(pairs, middle, pairs.total % 2 === 0 ? middle + 1 : middle);
  return scale === "ratio" ? geometricMiddle(below, above) : arithmeticMiddle(below, above);
}

/** @throws RangeError when a value is negative: a factor then has no order. */
export function requireRatioScale(candidate: Float64Array, baseline: Float64Array): void {
  if (candidate[0] < 0) throw new RangeError(`candidate holds ${candidate[0]}, and ratios need numbers >= 0`);
  if (baseline[0] < 0) throw new RangeError(`baseline holds ${baseline[0]}, and ratios need numbers >= 0`);
}

/**
 * The largest q at which U <= q - 1 has at most this probability, by the normal law with tie and continuity correction.
 */
function normalRank(level: number, summary: RankSummary): number {
  const half = (summary.n * summary.m) / 2;
  const rank = Math.floor(half + 0.5 - normalQuantileUpper(level) * Math.sqrt(mannWhitneyVariance(summary)));
  return Math.min(rank, Math.floor(half) + 1);
}

function arithmeticMiddle(below: number, above: number): number {
  return below === above ? below : below / 2 + above / 2;
}

function geometricMiddle(below: number, above: number): number {
  return below === above ? below : Math.sqrt(below) * Math.sqrt(above);
}
