import { cramerVonMisesSf } from "./distributions/cramer-von-mises.ts";
import { greatestCommonDivisor } from "./greatest-common-divisor.ts";
import { pooledTies } from "./rank-summary.ts";
import { sortSample } from "./sort-sample.ts";

export interface CramerVonMises {
  readonly statistic: number;
  readonly p: number;
  readonly method: "exact" | "asymptotic";
}

/**
 * Two-sample Cramer-von Mises test: do candidate and baseline follow the same distribution, looking at all of it rather
 * than the widest gap?
 *
 * @param candidate  n >= 1 finite numbers, any order, any measurement unit. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    method; `auto` is exact while the work is below EXACT_WORK.
 * @returns `statistic` T = n m / (n + m)^2 times the sum over all pooled values of (F - G)^2, F and G the shares of
 *          values up to each; `p` in (0, 1].
 * @throws RangeError when a sample is empty or holds a NaN or infinity.
 *
 * Exact given the ties in small samples. Else T is carried to the limit law by its mean and variance given the ties
 * (Anderson's without ties). scipy's statistic is the same without ties; with them it takes mid-ranks and keeps the
 * moments of untied data. Like Kolmogorov-Smirnov it finds any difference in large samples and must not decide alone.
 * Not for series.
 * Source: Anderson (1962), Ann. Math. Stat. 33, 1148-1159; exact: Burr (1964), Ann. Math. Stat. 35, 1091-1098.
 * @example cramerVonMises([19, 22, 16, 29, 24], [20, 11, 17, 12]).statistic // 0.3425925925925926
 */
export function cramerVonMises(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: { readonly method?: "auto" | "exact" | "asymptotic" } = {},
): CramerVonMises {
  return cramerVonMisesSorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), options);
}

/** The same from samples that `sortSample` returned. */
export function cramerVonMisesSorted(
  candidate: Float64Array,
  baseline: Float64Array,
  options: { readonly method?: "auto" | "exact" | "asymptotic" } = {},
): CramerVonMises {
  const { method = "auto" } = options;
  const n = candidate.length;
  const m = baseline.length;
  if (n === 0) throw new RangeError("candidate is empty");
  if (m === 0) throw new RangeError("baseline is empty");
  const ties = pooledTies(candidate, baseline);
  const squares = sumOfSquares(candidate, baseline);
  const statistic = squares / (n * m) / (n + m) ** 2;
  const divisor = greatestCommonDivisor(n, m);
  const exact = method === "exact" || (method === "auto" && exactWork(n, m, divisor) <= EXACT_WORK);
  const p = exact
    ? exactP(Math.round(squares / divisor ** 2), n, m, divisor, ties)
    : cramerVonMisesSf(towardsLimit(statistic, n, m, ties));
  return { statistic, p: Math.min(1, Math.max(Number.MIN_VALUE, p)), method: exact ? "exact" : "asymptotic" };
}

/** Steps that `auto` spends on an exact p-value: 30 + 30 values, or 15 + 16. */
export const EXACT_WORK = 2e7;

/** Sum over pooled values of (n m (F - G))^2, a whole number. */
function sumOfSquares(x: Float64Array, y: Float64Array): number {
  const n = x.length;
  const m = y.length;
  let i = 0;
  let j = 0;
  let sum = 0;
  while (i < n || j < m) {
    const value = Math.min(x[i] ?? Infinity, y[j] ?? Infinity);
    const start = i + j;
    while (x[i] === value) i += 1;
    while (y[j] === value) j += 1;
    sum += (i + j - start) * (i * m - j * n) ** 2;
  }
  return sum;
}

/**
 * The statistic with the mean and variance of its limit, 1/6 and 1/45, in place of its own.
 *
 * The mean given the ties is exact. The variance is Anderson's (1962) for untied data, times what ties change in that
 * of the Brownian bridge B that F - G follows: Cov(B(s)^2, B(t)^2) = 2 (s (1 - t))^2 for s <= t.
 */
function towardsLimit(statistic: number, n: number, m: number, ties: Uint32Array): number {
  const total = n + m;
  if (ties.length === 1) return 0;
  const untied = ((total + 1) * (4 * n * m * total - 3 * (n * n + m * m) - 2 * n * m)) / (45 * total ** 2 * 4 * n * m);
  let mean = 0;
  let end = 0;
  for (const size of ties) {
    end += size;
    mean += ((size / total) * (end / total) * (total - end)) / (total - 1);
  }
  const variance = (untied * bridgeVariance(ties, total)) / bridgeVariance(new Uint32Array(total).fill(1), total);
  return 1 / 6 + (statistic - mean) / Math.sqrt(45 * variance);
}

/** The variance of the sum of shares times B^2 at the ends of the groups. */
function bridgeVariance(ties: Uint32Array, total: number): number {
  let variance = 0;
  let before = 0;
  let end = 0;
  for (const size of ties) {
    end += size;
    const share = size / total;
    const s = end / total;
    variance += 2 * share * (1 - s) ** 2 * (share * s * s + 2 * before);
    before += share * s * s;
  }
  return variance;
}

function exactWork(n: number, m: number, divisor: number): number {
  return n * m * (largestSquares(n, m, divisor) + 1);
}

/** The sum when all candidate values come first. */
function largestSquares(n: number, m: number, divisor: number): number {
  const [a, b] = [n / divisor, m / divisor];
  const sum = (k: number) => (k * (k + 1) * (2 * k + 1)) / 6;
  return b * b * sum(n) + a * a * sum(m - 1);
}

/**
 * The chance of a sum at least as large as observed when all orders of the pooled values are equally likely. Point (i,
 * j) of the lattice of orders holds the law of the sum so far; a step adds (i m - j n)^2 / divisor^2 where a group of
 * ties ends, once for each member.
 */
function exactP(observed: number, n: number, m: number, divisor: number, ties: Uint32Array): number {
  if (observed === 0) return 1;
  const groupEndingAt = new Float64Array(n + m + 1);
  let end = 0;
  for (const size of ties) {
    end += size;
    groupEndingAt[end] = size;
  }
  // Sums of `observed` and more are one state, the last.
  const width = observed + 1;
  let row = Array.from({ length: m + 1 }, () => new Float64Array(width));
  for (let i = 0; i <= n; i++) {
    const next = Array.from({ length: m + 1 }, () => new Float64Array(width));
    for (let j = 0; j <= m; j++) {
      const law = next[j];
      if (i + j === 0) law[0] = 1;
      const jump = groupEndingAt[i + j] * ((i * m - j * n) / divisor) ** 2;
      if (i > 0) move(row[j], law, jump, i / (i + j));
      if (j > 0) move(next[j - 1], law, jump, j / (i + j));
    }
    row = next;
  }
  return row[m][observed];
}

function move(from: Float64Array, to: Float64Array, jump: number, weight: number): void {
  const last = from.length - 1;
  for (let sum = 0; sum <= last; sum++) {
    if (from[sum] !== 0) to[Math.min(last, sum + jump)] += weight * from[sum];
  }
}
