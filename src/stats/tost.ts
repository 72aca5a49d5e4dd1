import { requireFraction } from "./check-input.ts";
import { inferEffect, type Effect } from "./effect.ts";

export interface EquivalenceTest {
  /** Against "the effect is at or below low" and "the effect is at or above high". */
  readonly pLow: number;
  readonly pHigh: number;
  /** The larger of the two: against "the effect is outside (low, high)". */
  readonly p: number;
  readonly equivalent: boolean;
}

/**
 * Two one-sided tests: is the effect proven to lie strictly between `low` and `high`?
 *
 * @param effect   an estimate with its variance and degrees of freedom, from any function of this folder.
 * @param options  `low` < `high`, on the scale of the estimate; `alpha`, the level of each one-sided test in (0, 1),
 *                 default 0.05.
 * @returns `pLow`, `pHigh` and `p` in [0, 1]; `equivalent`: p < alpha, that is, the interval of confidence 1 - 2
 *          alpha lies inside.
 * @throws RangeError when low is not below high, alpha is out of range, or the effect holds a NaN.
 *
 * Not significant is not equivalent: without evidence p is 1. Each test has the full alpha, since both must reject
 * (intersection-union).
 * Source: Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657-680.
 * @example tost({ estimate: 0.1, variance: 0.04, df: 30 }, { low: -0.5, high: 0.5 }).p // 0.0273125
 */
export function tost(
  effect: Effect,
  options: { readonly low: number; readonly high: number; readonly alpha?: number },
): EquivalenceTest {
  const { low, high, alpha = 0.05 } = options;
  requireFraction("alpha", alpha);
  if (!(low < high)) throw new RangeError(`low is ${low}, not below high, which is ${high}`);
  const pLow = inferEffect(effect, { nullEffect: low, alternative: "greater" }).p;
  const pHigh = inferEffect(effect, { nullEffect: high, alternative: "less" }).p;
  const p = Math.max(pLow, pHigh);
  return { pLow, pHigh, p, equivalent: p < alpha };
}
