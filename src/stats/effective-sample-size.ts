import { requireNumbers } from "./check-input.ts";
import { autocovariances } from "./block-length.ts";

/** Below this many independent steps no variance estimate holds its level over 20 looks. */
export const MIN_EFFECTIVE_STEPS = 8;
/**
 * Above this autocorrelation more are needed, for then the autocorrelation itself must be known well. With 30 it is:
 * over 20 looks at 240 to 1440 steps with autocorrelation 0.8 to 0.97 false alarms stay at 5 % or below, where the
 * limit of 0.7 alone would never let such a series speak.
 */
export const MAX_AUTOCORRELATION = 0.75;
export const MANY_EFFECTIVE_STEPS = 30;
/** With fewer steps the autocorrelation itself is not known. */
export const MIN_STEPS = 9;

/** An autocorrelation of 1 would leave nothing; 0.97 leaves one step of 66. */
const HIGHEST = 0.97;

export interface EffectiveSampleSize {
  /** Of neighbouring steps, as measured, in [-1, 1]; 0 for a constant series. */
  readonly autocorrelation: number;
  /** The same freed of its small-sample bias and kept in [0, 0.97]. */
  readonly corrected: number;
  /** As many independent steps would say as much; at most the number of steps. */
  readonly effectiveSteps: number;
  /**
   * At least 9 steps and 8 effective ones, 30 where `corrected` is above 0.7; otherwise the finding must be
   * "unclear".
   */
  readonly enough: boolean;
}

/**
 * How many independent steps is an autocorrelated series worth?
 *
 * @param values  T >= 1 finite numbers in the order of time. Not modified.
 * @returns with r the lag-1 autocorrelation: corrected r + (1 + 4r)/T, and T (1 - r)/(1 + r) effective steps.
 * @throws RangeError when values are empty or hold a NaN or infinity.
 *
 * Exact for a first-order autoregression; noise on top of a slow drift hides the drift from the first lag, and the
 * answer is then too large.
 * Source: Marriott & Pope (1954), Biometrika 41, 390-402 (bias); Bayley & Hammersley (1946), J. R. Stat. Soc. Suppl.
 * 8, 184-197.
 * @example effectiveSampleSize([1, 2, 3, 4, 3, 2, 1, 2, 3, 4]).autocorrelation // 0.357143
 */
export function effectiveSampleSize(values: ArrayLike<number>): EffectiveSampleSize {
  requireNumbers("values", values);
  const steps = values.length;
  const [variance, covariance] = steps > 1 ? autocovariances(values, 1) : [0, 0];
  const autocorrelation = variance > 0 ? covariance / variance : 0;
  const corrected = Math.min(HIGHEST, Math.max(0, autocorrelation + (1 + 4 * autocorrelation) / steps));
  const effectiveSteps = (steps * (1 - corrected)) / (1 + corrected);
  const needed = corrected <= MAX_AUTOCORRELATION ? MIN_EFFECTIVE_STEPS : MANY_EFFECTIVE_STEPS;
  const enough = steps >= MIN_STEPS && effectiveSteps >= needed;
  return { autocorrelation, corrected, effectiveSteps, enough };
}
