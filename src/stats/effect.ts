import { requireFinite, requireFraction, requireNumber, type Alternative } from "./check-input.ts";
import { studentTQuantileUpper, studentTSf } from "./distributions/student-t.ts";
import { pFromTails } from "./p-from-tails.ts";

/**
 * An estimated effect with the variance of the estimate and the degrees of freedom of that variance (Infinity =
 * normal).
 */
export interface Effect {
  readonly estimate: number;
  readonly variance: number;
  readonly df: number;
}

/** An effect with its t test and its interval. */
export interface Inference extends Effect {
  readonly p: number;
  readonly statistic: number;
  readonly lower: number;
  readonly upper: number;
}

export interface InferenceOptions {
  /** The effect under the null hypothesis. */
  readonly nullEffect?: number;
  readonly alternative?: Alternative;
  readonly confidence?: number;
}

/**
 * Is the effect different from `nullEffect`, by Student's t, and where may it lie?
 *
 * @param effect  estimate, its variance (0 and Infinity allowed), df > 0 or Infinity.
 * @returns `statistic` = (estimate - nullEffect) / sqrt(variance); `p` in (0, 1]; the interval holds the null effects
 *          that the test with the same alternative does not reject at 1 - confidence, so "greater" gives a lower
 *          bound and upper = Infinity.
 * @throws RangeError when the estimate or variance is NaN, the variance is negative, df is not positive, or
 * confidence is outside (0, 1).
 *
 * A variance that is 0, or infinite because it is unknown, proves nothing: statistic 0, p = 1, interval (-Infinity,
 * Infinity). Thirty identical scores do not show that the next one is the same; counts have exact tests for that
 * case.
 * @example inferEffect({ estimate: 1, variance: 0.25, df: 10 }).p // 0.073388
 */
export function inferEffect(effect: Effect, options: InferenceOptions = {}): Inference {
  const { estimate, variance, df } = effect;
  const { nullEffect = 0, alternative = "two-sided", confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  requireNumber("estimate", estimate);
  requireFinite("nullEffect", nullEffect);
  if (!(variance >= 0)) throw new RangeError(`variance is ${variance}, not zero or more`);
  if (!(df > 0)) throw new RangeError(`df is ${df}, not a positive number`);
  if (variance === 0 || variance === Infinity || !Number.isFinite(estimate)) {
    return { estimate, variance, df, statistic: 0, p: 1, lower: -Infinity, upper: Infinity };
  }

  const error = Math.sqrt(variance);
  const statistic = (estimate - nullEffect) / error;
  const p = pFromTails({ greater: studentTSf(statistic, df), less: studentTSf(-statistic, df) }, alternative);
  const reach = error * studentTQuantileUpper(alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence, df);
  return {
    estimate,
    variance,
    df,
    statistic,
    p,
    lower: alternative === "less" ? -Infinity : estimate - reach,
    upper: alternative === "greater" ? Infinity : estimate + reach,
  };
}
