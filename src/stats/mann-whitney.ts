import type { Alternative } from "./check-input.ts";
import { normalSf } from "./distributions/normal.ts";
import { exactTiedWork, exactUntiedWork, tiedTails, untiedTails, type ExactTails } from "./mann-whitney-exact.ts";
import { pFromTails } from "./p-from-tails.ts";
import { pooledTies, rankSummary, type RankSummary } from "./rank-summary.ts";
import { sortSample } from "./sort-sample.ts";

export interface MannWhitneyOptions {
  readonly alternative?: Alternative;
  /** `auto` is exact while that is cheap, see EXACT_UNTIED_WORK and EXACT_TIED_WORK. */
  readonly method?: "auto" | "exact" | "asymptotic";
  /** Moves U half a pair towards its mean before the normal approximation. */
  readonly continuity?: boolean;
}

export interface MannWhitney {
  readonly u: number;
  readonly p: number;
  readonly pGreater: number;
  readonly pLess: number;
  readonly superiority: number;
  readonly method: "exact" | "asymptotic";
}

/**
 * Mann–Whitney U test: does a candidate observation tend to be larger than a baseline one?
 *
 * @param candidate  n >= 1 finite numbers, any order, any one measurement unit. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    alternative ("greater": the candidate tends to be larger), method, continuity (default true).
 * @returns `u` in [0, n m], the pairs with the candidate larger plus half the equal ones; `p` for the alternative, and
 *          both one-sided `pGreater` and `pLess`, in (0, 1]; `superiority` = u / (n m) = P(candidate > baseline) +
 *          P(equal) / 2, in [0, 1].
 * @throws RangeError when a sample is empty or holds a NaN or infinity.
 *
 * Ties share mid-ranks. Exact over all orders without ties, exact given the ties with them (Streitberg-Roehmel), while
 * the work is small; else normal with tie and continuity correction. When all values are equal: p = 1, superiority =
 * 1/2. Two-sided p = min(1, 2 min(pGreater, pLess)). The null hypothesis is that both laws are equal: under unequal
 * spread it is not a level test of superiority = 1/2 (superiority.ts is). Not for paired samples
 * (wilcoxon-signed-rank.ts); repeated rows of a unit and autocorrelated series make p too small.
 * Source: Mann & Whitney (1947), Ann. Math. Stat. 18, 50-60; ties: Hollander, Wolfe & Chicken (2014), Nonparametric
 * Statistical Methods, 4.1.
 * @example mannWhitney([19, 22, 16, 29, 24], [20, 11, 17, 12]).u // 17
 */
export function mannWhitney(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: MannWhitneyOptions = {},
): MannWhitney {
  return mannWhitneySorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), options);
}

/** The same from samples that `sortSample` returned, and from their summary if there is one already. */
export function mannWhitneySorted(
  candidate: Float64Array,
  baseline: Float64Array,
  options: MannWhitneyOptions = {},
  summary: RankSummary = rankSummary(candidate, baseline),
): MannWhitney {
  const mayBeExact =
    options.method === "exact" || (options.method !== "asymptotic" && leastTiedWork(summary) <= EXACT_TIED_WORK);
  const ties = mayBeExact && summary.tieSum > 0 ? pooledTies(candidate, baseline) : undefined;
  return mannWhitneyFromSummary(summary, options, ties);
}

/**
 * The same from a summary alone, as histograms have it.
 *
 * @param ties  sizes of the groups of equal values in ascending order; without them tied data are judged
 *              asymptotically.
 * @throws RangeError when the method is "exact" and the data are tied, but `ties` is not given.
 */
export function mannWhitneyFromSummary(
  summary: RankSummary,
  options: MannWhitneyOptions = {},
  ties?: Uint32Array,
): MannWhitney {
  const { alternative = "two-sided", method = "auto", continuity = true } = options;
  const { n, m, u } = summary;
  const exact = method === "asymptotic" ? undefined : exactTails(summary, method, ties);
  const { atLeast: greater, atMost: less } = exact ?? normalTails(summary, continuity);
  return {
    u,
    p: pFromTails({ greater, less }, alternative),
    pGreater: pFromTails({ greater, less }, "greater"),
    pLess: pFromTails({ greater, less }, "less"),
    superiority: u / (n * m),
    method: exact ? "exact" : "asymptotic",
  };
}

/**
 * The variance of U under the null hypothesis, less what ties take away; 0 when all values are equal.
 *
 * @example mannWhitneyVariance(rankSummary(Float64Array.of(1, 2), Float64Array.of(2, 3))) // 1.5
 */
export function mannWhitneyVariance(summary: RankSummary): number {
  const { n, m, tieSum, distinct } = summary;
  if (distinct === 1) return 0;
  const total = n + m;
  return ((n * m) / 12) * (total + 1 - tieSum / (total * (total - 1)));
}

/**
 * Steps that `auto` spends on an exact p-value, for 200 + 200 values without ties about 10 ms. It pays at early looks:
 * where the exact p is near 1e-4 the normal approximation with continuity correction is 6 times too large at 8 + 8 and
 * 1.3 times at 50 + 50.
 */
export const EXACT_UNTIED_WORK = 8e6;
/** The same with ties: 40 + 40 values, 3 ms for five-point scores and 6 ms where most values are different. */
export const EXACT_TIED_WORK = 2e7;

function exactTails(
  summary: RankSummary,
  method: "auto" | "exact",
  ties: Uint32Array | undefined,
): ExactTails | undefined {
  const { n, m, u, tieSum } = summary;
  if (![n, m, tieSum === 0 ? u : 2 * u].every(Number.isInteger)) {
    if (method === "exact") throw new RangeError("an exact p-value needs whole counts");
    return undefined;
  }
  if (tieSum === 0) {
    return method === "exact" || exactUntiedWork(n, m) <= EXACT_UNTIED_WORK ? untiedTails(u, n, m) : undefined;
  }
  if (method === "exact") {
    if (ties === undefined) throw new RangeError("ties are needed for an exact p-value of tied data");
    return tiedTails(u, n, m, ties);
  }
  if (ties === undefined || exactTiedWork(n, m, ties) > EXACT_TIED_WORK) return undefined;
  return tiedTails(u, n, m, ties);
}

/** Less than the steps an exact p-value with ties takes: tells large samples apart without looking at their ties. */
function leastTiedWork(summary: RankSummary): number {
  const size = Math.min(summary.n, summary.m);
  return 2 * Math.max(summary.distinct, size) * size;
}

function normalTails(summary: RankSummary, continuity: boolean): ExactTails {
  const { n, m, u } = summary;
  const deviation = Math.sqrt(mannWhitneyVariance(summary));
  if (deviation === 0) return { atLeast: 1, atMost: 1 };
  const distance = u - (n * m) / 2;
  const half = continuity ? 0.5 : 0;
  return { atLeast: normalSf((distance - half) / deviation), atMost: normalSf((-distance - half) / deviation) };
}
