import { requireFraction, requireNumbers, requireSameLength } from "./check-input.ts";
import { sparsity, typeSevenQuantile } from "./quantile-difference.ts";

/**
 * A statistic of one arm with its influence values: how much each row moves it. They are scaled so that the
 * estimate's error is about their sum, so they add up to 0 over the arm, and the sum of their squares estimates the
 * variance when rows are independent.
 */
export interface Influence {
  readonly estimate: number;
  readonly psi: Float64Array;
}

/** The same for an effect between two arms: the influence of each row on candidate - baseline. */
export interface EffectInfluence {
  readonly estimate: number;
  readonly candidate: ArrayLike<number>;
  readonly baseline: ArrayLike<number>;
}

/**
 * The difference of two arms' statistics, as an effect with influence values.
 *
 * @example differenceInfluence(meanInfluence([1, 3]), meanInfluence([2, 2])).estimate // 0
 */
export function differenceInfluence(candidate: Influence, baseline: Influence): EffectInfluence {
  return {
    estimate: candidate.estimate - baseline.estimate,
    candidate: candidate.psi,
    baseline: baseline.psi.map((psi) => -psi),
  };
}

/**
 * The mean, for scores, durations, and shares of rows that are 0 or 1.
 *
 * @param values  n >= 1 finite numbers, one per row.
 * @returns psi = (value - mean) / n.
 * @throws RangeError when values are empty or hold a NaN or infinity.
 * @example meanInfluence([1, 2, 6]).psi[2] // 1
 */
export function meanInfluence(values: ArrayLike<number>): Influence {
  requireNumbers("values", values);
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i] - values[0];
  const estimate = values[0] + sum / n;
  const psi = new Float64Array(n);
  for (let i = 0; i < n; i++) psi[i] = (values[i] - estimate) / n;
  return { estimate, psi };
}

/**
 * The logarithm of the mean: the difference of two is the log ratio of means.
 *
 * @param values  n >= 1 finite numbers with a positive mean.
 * @returns psi = (value / mean - 1) / n.
 * @throws RangeError when values are empty, not finite, or their mean is not positive.
 * @example logMeanInfluence([1, 1, 4]).estimate // 0.693147
 */
export function logMeanInfluence(values: ArrayLike<number>): Influence {
  const { estimate, psi } = meanInfluence(values);
  if (!(estimate > 0)) throw new RangeError(`the mean of values is ${estimate}, which has no logarithm`);
  return { estimate: Math.log(estimate), psi: psi.map((value) => value / estimate) };
}

/**
 * A ratio metric, sum of numerators over sum of denominators: errors per request, cost per thousand tokens.
 *
 * @param numerators    n >= 1 finite numbers, one per row (a step, a session).
 * @param denominators  as many finite numbers with a positive sum.
 * @returns psi = (numerator - ratio * denominator) / sum of denominators.
 * @throws RangeError when lengths differ, a number is not finite, or the denominators' sum is not positive.
 * @example ratioInfluence([1, 2], [10, 20]).estimate // 0.1
 */
export function ratioInfluence(numerators: ArrayLike<number>, denominators: ArrayLike<number>): Influence {
  requireNumbers("numerators", numerators);
  requireNumbers("denominators", denominators);
  requireSameLength("numerators", numerators, "denominators", denominators);
  let top = 0;
  let bottom = 0;
  for (let i = 0; i < numerators.length; i++) {
    top += numerators[i];
    bottom += denominators[i];
  }
  if (!(bottom > 0)) throw new RangeError(`the sum of denominators is ${bottom}, not positive`);
  const estimate = top / bottom;
  const psi = new Float64Array(numerators.length);
  for (let i = 0; i < psi.length; i++) psi[i] = (numerators[i] - estimate * denominators[i]) / bottom;
  return { estimate, psi };
}

/**
 * The logarithm of a ratio metric.
 *
 * @throws RangeError as `ratioInfluence`, and when the ratio is not positive.
 * @example logRatioInfluence([1, 2], [10, 20]).estimate // -2.30259
 */
export function logRatioInfluence(numerators: ArrayLike<number>, denominators: ArrayLike<number>): Influence {
  const { estimate, psi } = ratioInfluence(numerators, denominators);
  if (!(estimate > 0)) throw new RangeError(`the ratio is ${estimate}, which has no logarithm`);
  return { estimate: Math.log(estimate), psi: psi.map((value) => value / estimate) };
}

/**
 * A quantile, by the density at it (quantile-difference.ts says when this is to be trusted).
 *
 * @param values    n >= 2 finite numbers.
 * @param quantile  the order in (0, 1).
 * @returns psi = (quantile - [value <= estimate]) / (density * n), centred to add up to 0.
 * @throws RangeError when there are fewer than 2 values, one is not finite, or the order is outside (0, 1).
 * @example quantileInfluence([1, 2, 3, 4, 5], 0.5).estimate // 3
 */
export function quantileInfluence(values: ArrayLike<number>, quantile: number): Influence {
  requireNumbers("values", values, 2);
  requireFraction("quantile", quantile);
  const sorted = Float64Array.from(values).sort();
  const estimate = typeSevenQuantile(sorted, quantile);
  const slope = sparsity(sorted, quantile);
  const n = values.length;
  let below = 0;
  for (let i = 0; i < n; i++) if (values[i] <= estimate) below++;
  const psi = new Float64Array(n);
  for (let i = 0; i < n; i++) psi[i] = (slope * (below / n - (values[i] <= estimate ? 1 : 0))) / n;
  return { estimate, psi };
}
