import { requireFraction, requireNonNegatives, requirePositive, type Alternative } from "./check-input.ts";
import { studentTQuantileUpper, studentTSf } from "./distributions/student-t.ts";
import { findRoot } from "./find-root.ts";
import { moments, type Moments } from "./moments.ts";
import { pFromTails } from "./p-from-tails.ts";
import type { Interval, IntervalOptions } from "./proportion-interval.ts";
import { differenceOfMeans } from "./welch.ts";

/**
 * Is the ratio of two means, candidate / baseline, something else than `nullRatio`? The score form, for skewed costs
 * and small arms.
 *
 * @param candidate  n >= 1 finite numbers of at least 0, one per unit. Not modified.
 * @param baseline   m >= 1 finite numbers of at least 0 in the same measurement unit.
 * @param options    `nullRatio` > 0, default 1: `{ nullRatio: 1.15, alternative: "less" }` asks whether the candidate
 *                   is proven to cost less than 15 % more.
 * @returns `estimate` = ratio of the means, 1 when both are 0; `statistic`, Student's t on `df`; `p` in (0, 1].
 * @throws RangeError when a sample is empty or holds a NaN, an infinity or a negative number, or nullRatio is not
 * positive.
 *
 * Compares the candidate with nullRatio times the baseline on the natural scale, by the larger of Welch's and the
 * pooled variance. Without the logarithm no bent scale makes low means look certain: from 10 units per arm on, up to
 * lognormal sigma 1.5 and at any split of the units, it keeps 5 % where `logRatioOfMeans` has 9-11 % with 10 to 30
 * units per arm. In exchange it finds less when a small arm is much cheaper. An arm of one value, an arm of zeros, or
 * arms without any variance prove nothing: p = 1. Not for several values per user.
 * Source: Fieller (1954), J. R. Stat. Soc. B 16, 175-185.
 * @example ratioOfMeansTest([2, 4, 0, 6], [1, 2, 3, 2]).p // 0.498598
 */
export function ratioOfMeansTest(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: { readonly nullRatio?: number; readonly alternative?: Alternative } = {},
): { readonly estimate: number; readonly statistic: number; readonly df: number; readonly p: number } {
  const [c, b] = requireArms(candidate, baseline);
  const { nullRatio = 1, alternative = "two-sided" } = options;
  requirePositive("nullRatio", nullRatio);
  const { statistic, df, known } = score(c, b, nullRatio);
  const tails = { greater: studentTSf(statistic, df), less: studentTSf(-statistic, df) };
  return { estimate: ratioOf(c, b), statistic, df, p: known ? pFromTails(tails, alternative) : 1 };
}

/**
 * Between which values does the ratio of two means lie? The inversion of `ratioOfMeansTest`.
 *
 * @returns `estimate`; `lower` and `upper` in [0, Infinity], the ratios that the test with the same alternative does
 *          not reject at 1 - confidence; upper is Infinity where the baseline's mean may be 0.
 * @throws RangeError as `ratioOfMeansTest`, and when confidence is outside (0, 1).
 * @example ratioOfMeansInterval([2, 4, 0, 6], [1, 2, 3, 2]).upper // 4.56762
 */
export function ratioOfMeansInterval(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: IntervalOptions = {},
): Interval {
  const [c, b] = requireArms(candidate, baseline);
  const { alternative = "two-sided", confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  const estimate = ratioOf(c, b);
  if (!score(c, b, 1).known) return { estimate, lower: 0, upper: Infinity };
  const tail = alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence;
  const critical = studentTQuantileUpper(tail, score(c, b, 1).df);
  // How far the statistic, which falls with the ratio, is above the critical value or its negative.
  const beyond = (logRatio: number, sign: 1 | -1) => score(c, b, Math.exp(logRatio)).statistic - sign * critical;
  const bound = (sign: 1 | -1) => Math.exp(findRoot((x) => beyond(x, sign), -LOG_RATIO_REACH, LOG_RATIO_REACH));
  const hasLower = alternative !== "less" && beyond(-LOG_RATIO_REACH, 1) > 0;
  const hasUpper = alternative !== "greater" && beyond(LOG_RATIO_REACH, -1) < 0;
  return { estimate, lower: hasLower ? bound(1) : 0, upper: hasUpper ? bound(-1) : Infinity };
}

/** Ratios from e^-100 to e^100; a bound beyond is no bound. */
const LOG_RATIO_REACH = 100;

function requireArms(candidate: ArrayLike<number>, baseline: ArrayLike<number>): [Moments, Moments] {
  requireNonNegatives("candidate", candidate);
  requireNonNegatives("baseline", baseline);
  return [moments(candidate), moments(baseline)];
}

function ratioOf(candidate: Moments, baseline: Moments): number {
  return candidate.mean === 0 && baseline.mean === 0 ? 1 : candidate.mean / baseline.mean;
}

/**
 * The statistic as a function of the ratio. The degrees of freedom are those at the estimated ratio, for all ratios: if they moved with it, the
 * ratios that are not rejected would not always make an interval.
 */
function score(candidate: Moments, baseline: Moments, ratio: number) {
  const { estimate, variance } = against(candidate, baseline, ratio);
  const known = variance > 0 && variance < Infinity && candidate.mean > 0 && baseline.mean > 0;
  const { df } = against(candidate, baseline, ratioOf(candidate, baseline));
  return { statistic: known ? estimate / Math.sqrt(variance) : 0, df, known };
}

function against(candidate: Moments, baseline: Moments, ratio: number) {
  const scaled = { n: baseline.n, mean: ratio * baseline.mean, variance: ratio * ratio * baseline.variance };
  return differenceOfMeans(candidate, scaled, { pooledFloor: true });
}
