import type { Alternative } from "./check-input.ts";
import { kolmogorovSf } from "./distributions/kolmogorov.ts";
import { pooledTies, rankSummary, type RankSummary } from "./rank-summary.ts";
import { sortSample } from "./sort-sample.ts";

export interface KolmogorovSmirnovOptions {
  /** "greater": the candidate tends to be larger, that is, its share of values up to some point is smaller. */
  readonly alternative?: Alternative;
  /** `auto` is exact while n m <= EXACT_PAIRS. */
  readonly method?: "auto" | "exact" | "asymptotic";
}

export interface KolmogorovSmirnov {
  readonly statistic: number;
  readonly p: number;
  /**
   * The value at which the distance is reached first, and which sample is the larger there: 1 the candidate, -1 the
   * baseline.
   */
  readonly location: number;
  readonly sign: 1 | -1;
  readonly method: "exact" | "asymptotic";
}

/**
 * Two-sample Kolmogorov-Smirnov test: do candidate and baseline follow the same distribution, in any respect?
 *
 * @param candidate  n >= 1 finite numbers, any order, any measurement unit. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    alternative, method.
 * @returns `statistic` = D in [0, 1], the largest distance between the shares of values up to a point (for "greater"
 *          and "less" in one direction only); `p` in (0, 1]; `location` and `sign` of the distance.
 * @throws RangeError when a sample is empty or holds a NaN or infinity.
 *
 * Exact given the ties while n m <= EXACT_PAIRS, else the limit law at a corrected argument, which ignores ties (p then
 * is too large, never too small). A detector of changed shape: without margin it finds any nothing in large samples, so
 * it must not decide alone. Not for series. "greater" here is about values; R and scipy name the alternative after the
 * distribution functions and call it "less".
 * Source: Hodges (1958), Arkiv foer Matematik 3, 469-486; ties: Schroeer & Trenkler (1995), CSDA 20, 185-202; argument:
 * Vrbik (2018), Pioneer Journal of Theoretical and Applied Statistics 15, 15-23; one-sided: Hodges, equation 5.3.
 * @example kolmogorovSmirnov([19, 22, 16, 29, 24], [20, 11, 17, 12]).statistic // 0.6
 */
export function kolmogorovSmirnov(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: KolmogorovSmirnovOptions = {},
): KolmogorovSmirnov {
  return kolmogorovSmirnovSorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), options);
}

/** The same from samples that `sortSample` returned, and from their summary if there is one already. */
export function kolmogorovSmirnovSorted(
  candidate: Float64Array,
  baseline: Float64Array,
  options: KolmogorovSmirnovOptions = {},
  summary: RankSummary = rankSummary(candidate, baseline),
): KolmogorovSmirnov {
  const ties = summary.tieSum > 0 && isExact(summary, options) ? pooledTies(candidate, baseline) : undefined;
  return kolmogorovSmirnovFromSummary(summary, options, ties);
}

/**
 * The same from a summary alone, as histograms have it.
 *
 * @param ties  sizes of the groups of equal values in ascending order. Without them an exact p of tied data takes every
 *              order as possible, which makes it too large, never too small.
 */
export function kolmogorovSmirnovFromSummary(
  summary: RankSummary,
  options: KolmogorovSmirnovOptions = {},
  ties?: Uint32Array,
): KolmogorovSmirnov {
  const { alternative = "two-sided" } = options;
  const { n, m } = summary;
  const larger = alternative === "greater" || (alternative === "two-sided" && summary.hMinus > summary.hPlus);
  const h = larger ? summary.hMinus : summary.hPlus;
  const location = larger ? summary.hMinusAt : summary.hPlusAt;
  const exact = isExact(summary, options);
  const p = exact ? exactP(h, n, m, alternative, ties) : asymptoticP(h, n, m, alternative);
  return {
    statistic: h / (n * m),
    p: Math.min(1, Math.max(Number.MIN_VALUE, p)),
    location,
    sign: larger ? 1 : -1,
    method: exact ? "exact" : "asymptotic",
  };
}

/** `auto` follows all paths through a lattice of at most this many points, 1000 + 1000 values: about 5 ms. */
export const EXACT_PAIRS = 1e6;

function isExact(summary: RankSummary, options: KolmogorovSmirnovOptions): boolean {
  const { method = "auto" } = options;
  const whole = [summary.n, summary.m, summary.hPlus, summary.hMinus].every(Number.isInteger);
  if (method === "exact" && !whole) throw new RangeError("an exact p-value needs whole counts");
  return method === "exact" || (method === "auto" && whole && summary.n * summary.m <= EXACT_PAIRS);
}

/**
 * The chance that n m times the distance reaches h when all orders of the pooled values are equally likely.
 *
 * An order is a path of n steps right and m steps up. The chance that a random path to (i, j) has left the band is 1
 * where (i, j) is outside it, else the mean over the two points before, weighted i : j. Only points where a group of
 * equal values ends can be outside. All terms are positive, so the far tail keeps its digits.
 */
function exactP(h: number, n: number, m: number, alternative: Alternative, ties: Uint32Array | undefined): number {
  if (h === 0) return 1;
  if (n > m) return exactP(h, m, n, mirror(alternative), ties);
  const upper = alternative === "greater" ? Infinity : h;
  const lower = alternative === "less" ? -Infinity : -h;
  const ends = endsOfGroups(n + m, ties);
  const left = new Float64Array(m + 1);
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= m; j++) {
      const lead = i * m - j * n;
      if ((lead >= upper || lead <= lower) && ends[i + j] === 1) left[j] = 1;
      else if (i === 0) left[j] = j === 0 ? 0 : left[j - 1];
      else if (j > 0) left[j] = (i * left[j] + j * left[j - 1]) / (i + j);
    }
  }
  return left[m];
}

/** For each number of pooled values whether a group of equal values ends there. */
function endsOfGroups(total: number, ties: Uint32Array | undefined): Uint8Array {
  const ends = new Uint8Array(total + 1);
  if (ties === undefined) return ends.fill(1);
  let end = 0;
  for (const size of ties) {
    end += size;
    ends[end] = 1;
  }
  return ends;
}

function mirror(alternative: Alternative): Alternative {
  if (alternative === "two-sided") return alternative;
  return alternative === "greater" ? "less" : "greater";
}

function asymptoticP(h: number, n: number, m: number, alternative: Alternative): number {
  if (h === 0) return 1;
  const effective = (n * m) / (n + m);
  const root = Math.sqrt(effective);
  const z = root * (h / (n * m));
  if (alternative === "two-sided") return kolmogorovSf(z + 1 / (6 * root) + (z - 1) / (4 * effective));
  const large = Math.max(n, m);
  const small = Math.min(n, m);
  return Math.exp(-2 * z * z - (2 * z * (large + 2 * small)) / (3 * Math.sqrt(n * m * (n + m))));
}
