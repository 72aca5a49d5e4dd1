/**
 * Dunnett's test: several candidates against one baseline, at one error for all of them.
 *
 * With z_j = (mean_j - mean_0) / (s sqrt(1 / n_j + 1 / n_0)) the statistics share the baseline: their correlation is
 * lambda_j lambda_k, lambda_j = sqrt(n_j / (n_0 + n_j)). So P(all T_j <= c) is a double integral of a product, over the baseline's
 * part z and the scale s of the variance estimate; both by the trapezoidal rule, which converges exponentially on such
 * integrands. The complement is integrated, not the probability, so that small p-values keep their digits.
 */
import {
  requireFraction,
  requireNumbers,
  requirePositive,
  requireSameLength,
  type Alternative,
} from "./check-input.ts";
import { normalCdf, normalQuantileUpper, normalSf } from "./distributions/normal.ts";
import { stirlingError } from "./distributions/log-gamma.ts";
import { studentTQuantileUpper } from "./distributions/student-t.ts";
import { findRoot } from "./find-root.ts";

/** Units per arm: of the baseline, and of each candidate. */
export interface DunnettSizes {
  readonly baseline: number;
  readonly candidates: readonly number[];
}

export interface DunnettOptions {
  /** Degrees of freedom of the pooled variance; default Infinity (known variance, large samples). */
  readonly df?: number;
  readonly alternative?: Alternative;
}

/**
 * p-value of each candidate, adjusted for all of them.
 *
 * @param statistics  t or z of each candidate against the baseline, candidate - baseline.
 * @param sizes       units of each arm, positive; any numbers proportional to 1 / variance of the arm's mean will do.
 * @returns P(the largest of all statistics is at least as extreme) in [0, 1], one for each candidate. Relative error about 1e-8.
 * @throws RangeError when lengths differ, a statistic is not finite, or a size or df is not positive.
 *
 * Source: Dunnett (1955), J. Am. Stat. Assoc. 50, 1096-1121. @example dunnettP([2.5, 1.2], { baseline: 20, candidates: [20, 20] }, { df: 57 }) // [0.0287, 0.3847]
 */
export function dunnettP(statistics: readonly number[], sizes: DunnettSizes, options: DunnettOptions = {}): number[] {
  const { df = Infinity, alternative = "two-sided" } = options;
  requireNumbers("statistics", statistics);
  requireSameLength("statistics", statistics, "sizes.candidates", sizes.candidates);
  const law = lawOf(sizes, df);
  return statistics.map((t) => {
    if (alternative === "two-sided") return exceedance(law, Math.abs(t), true);
    return exceedance(law, alternative === "greater" ? t : -t, false);
  });
}

/**
 * The critical value of Dunnett's test: which t must be reached so that P(any false rejection) = level?
 *
 * @param level  the error for all candidates together, in (0, 1). "less" needs -c.
 * @throws RangeError as `dunnettP`, or when level is outside (0, 1).
 * @example dunnettCritical(0.05, { baseline: 11, candidates: [11, 11, 11] }, { df: 40 }) // 2.44 (Dunnett 1964, table II)
 */
export function dunnettCritical(level: number, sizes: DunnettSizes, options: DunnettOptions = {}): number {
  const { df = Infinity, alternative = "two-sided" } = options;
  requireFraction("level", level);
  const law = lawOf(sizes, df);
  const twoSided = alternative === "two-sided";
  const tail = twoSided ? level / 2 : level;
  // One comparison needs at least this, Bonferroni at most that.
  const quantile = (q: number): number => (df === Infinity ? normalQuantileUpper(q) : studentTQuantileUpper(q, df));
  const low = quantile(tail);
  const high = quantile(tail / sizes.candidates.length);
  if (sizes.candidates.length === 1) return low;
  return findRoot((c) => exceedance(law, c, twoSided) / level - 1, low - 1e-6, high + 1e-6, 1e-10);
}

interface DunnettLaw {
  readonly lambda: readonly number[];
  /** sqrt(1 - lambda^2). */
  readonly own: readonly number[];
  /** Step of the trapezoidal rule over the baseline's part. */
  readonly step: number;
  /** Scales s of the variance estimate with their probabilities; a single 1 when it is known. */
  readonly scales: readonly { readonly s: number; readonly weight: number }[];
}

function lawOf({ baseline, candidates }: DunnettSizes, df: number): DunnettLaw {
  requirePositive("sizes.baseline", baseline);
  requireNumbers("sizes.candidates", candidates);
  candidates.forEach((n, i) => requirePositive(`sizes.candidates[${i}]`, n));
  if (!(df > 0)) throw new RangeError(`df is ${df}, not positive`);
  const lambda = candidates.map((n) => Math.sqrt(n / (baseline + n)));
  const own = candidates.map((n) => Math.sqrt(baseline / (baseline + n)));
  // The factors change over own / lambda in z; a quarter of that, and of 1, leaves errors below 1e-10.
  const step = Math.min(0.25, ...own.map((o, j) => (0.3 * o) / lambda[j]));
  return { lambda, own, step, scales: df === Infinity ? [{ s: 1, weight: 1 }] : scalesOf(df) };
}

/** The law of s = sqrt(chi-square / df) in u = log s: density 2 (df/2)^(df/2) / Gamma(df/2) exp(df (u - exp(2u) / 2)). */
function scalesOf(df: number): { readonly s: number; readonly weight: number }[] {
  const half = df / 2;
  const sd = 1 / Math.sqrt(2 * df);
  const step = Math.min(0.25 * sd, 0.1);
  // log of 2 half^half / Gamma(half) exp(-half): what the density is at its mode u = 0.
  const peak = Math.LN2 + 0.5 * Math.log(half / (2 * Math.PI)) - stirlingError(half);
  const scales: { s: number; weight: number }[] = [];
  const add = (u: number): boolean => {
    const log = df * (u + 0.5 - 0.5 * Math.exp(2 * u));
    scales.push({ s: Math.exp(u), weight: step * Math.exp(peak + log) });
    return log > FADED;
  };
  for (let i = 0; add(i * step); i++);
  for (let i = -1; add(i * step); i--);
  return scales;
}

/** exp(-80) of the peak: far tails at few degrees of freedom come from small s. */
const FADED = -80;

/** P(max T_j > c), or P(max |T_j| > c). */
function exceedance({ lambda, own, step, scales }: DunnettLaw, c: number, twoSided: boolean): number {
  let sum = 0;
  for (const { s, weight } of scales) sum += weight * exceedanceAt(lambda, own, step, c * s, twoSided);
  return Math.min(1, sum);
}

/** The same for a known scale: the integral over z of 1 - product of the factors. */
function exceedanceAt(
  lambda: readonly number[],
  own: readonly number[],
  step: number,
  c: number,
  twoSided: boolean,
): number {
  // The product's complement is largest near z = -lambda c or lambda c: reach beyond both.
  const reach = REACH + Math.min(Math.abs(c), 40);
  const count = Math.ceil(reach / step);
  let sum = 0;
  for (let i = -count; i <= count; i++) {
    const z = i * step;
    let log = 0;
    for (let j = 0; j < lambda.length && log > -Infinity; j++) {
      // T_j = lambda_j z + own_j e_j with e_j standard normal.
      const upper = (c - lambda[j] * z) / own[j];
      const outside = twoSided ? normalSf(upper) + normalCdf((-c - lambda[j] * z) / own[j]) : normalSf(upper);
      log += Math.log1p(-Math.min(1, outside));
    }
    sum += Math.exp(-0.5 * z * z) * -Math.expm1(log);
  }
  return (sum * step) / SQRT_2_PI;
}

const REACH = 9;
const SQRT_2_PI = 2.5066282746310002;
