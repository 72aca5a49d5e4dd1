import { requireNumbers } from "./check-input.ts";
import { inferEffect, type Effect, type Inference, type InferenceOptions } from "./effect.ts";
import { moments, type Moments } from "./moments.ts";
import { satterthwaite } from "./satterthwaite.ts";

/**
 * Welch's t test: do two means differ, when the arms may vary differently?
 *
 * @param candidate  n >= 1 finite numbers, one per unit, any one measurement unit. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    `nullEffect`, the difference under the null hypothesis, default 0; `alternative`; `confidence`.
 * @returns `estimate` = difference of the means, candidate - baseline; its `variance`, `df` (Satterthwaite),
 *          `statistic`, `p` in [0, 1], and the interval.
 * @throws RangeError when a sample is empty or holds a NaN or infinity, or confidence is outside (0, 1).
 *
 * Two constant arms, or an arm of one value, prove nothing: p = 1, interval (-Infinity, Infinity). Skewed values in
 * arms of unequal size mislead it: of 5 values against 95 (lognormal sigma 1.5) it finds "less" in 30 % of cases at
 * nominal 5 %, since a small arm's mean and variance are low together; `pooledFloor: true` brings that below 5 %. Not
 * for paired samples, autocorrelated series (series-difference.ts), or several values per user (cluster-robust.ts).
 * Source: Welch (1947), Biometrika 34, 28-35; Satterthwaite (1946), Biometrics Bull. 2, 110-114.
 * @example welch([19, 22, 16, 29, 24], [20, 11, 17, 12]).p // 0.0567509
 */
export function welch(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: InferenceOptions & MeanOptions = {},
): Inference {
  requireNumbers("candidate", candidate);
  requireNumbers("baseline", baseline);
  return inferEffect(differenceOfMeans(moments(candidate), moments(baseline), options), options);
}

export interface MeanOptions {
  /** Default false. True takes the larger of Welch's and the pooled variance. */
  readonly pooledFloor?: boolean;
}

/**
 * With equally many units both variances are the same but for rounding, which must not choose the degrees of freedom.
 */
const LARGER = 1 + 1e-9;

/** The difference of two means as an effect, candidate - baseline, from the moments of the arms. */
export function differenceOfMeans(candidate: Moments, baseline: Moments, options: MeanOptions = {}): Effect {
  const estimate = candidate.mean - baseline.mean;
  const dfs = [candidate.n - 1, baseline.n - 1];
  const a = candidate.variance / candidate.n;
  const b = baseline.variance / baseline.n;
  if (options.pooledFloor === true && dfs[0] > 0 && dfs[1] > 0) {
    const df = dfs[0] + dfs[1];
    const spread = (dfs[0] * candidate.variance + dfs[1] * baseline.variance) / df;
    const pooled = spread * (1 / candidate.n + 1 / baseline.n);
    if (pooled > (a + b) * LARGER) return { estimate, variance: pooled, df };
  }
  return { estimate, variance: a + b, df: satterthwaite([a, b], dfs) };
}
