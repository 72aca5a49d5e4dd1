import { requireNumbers } from "./check-input.ts";
import { studentTQuantileUpper } from "./distributions/student-t.ts";
import { effectiveSampleSize, type EffectiveSampleSize } from "./effective-sample-size.ts";

/** The variance of the mean of a series, with its degrees of freedom. */
export interface LongRunVariance {
  readonly variance: number;
  readonly df: number;
  readonly size: EffectiveSampleSize;
}

export interface LongRunVarianceOptions {
  /**
   * "larger" (default): the larger of both variances, with the degrees of freedom of the cosines. "wider": the one
   * whose 98 % interval is wider, each with its own degrees of freedom; more power on short series of little
   * autocorrelation, but up to 6 % instead of 5 % false alarms when noise hides a drift (docs/statistics/series.md).
   */
  readonly guard?: "larger" | "wider";
}

/** The tail at which the two intervals of "wider" are compared: looks of a sequential test ask for levels around it. */
const WIDER_TAIL = 0.01;

/**
 * How uncertain is the mean of an autocorrelated series?
 *
 * @param values  T >= 2 finite numbers in the order of time, evenly spaced. Not modified.
 * @returns `variance` of the mean: the equal-weighted cosine estimate, guarded from below by that of a first-order
 *          autoregression; `df`; `size`, whose `enough` says whether the two may be believed.
 * @throws RangeError when there are fewer than 2 values, or one is NaN or infinite.
 *
 * A constant series has variance 0, which proves nothing. The cosines alone are not safe under repeated looks (7-9 %
 * at nominal 5 %), since their few terms move between looks; the guard repairs that up to an autocorrelation of 0.7.
 * Source: Lazarus, Lewis, Stock & Watson (2018), J. Bus. Econ. Stat. 36, 541-559.
 * @example longRunVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).df // 1
 */
export function longRunVariance(values: ArrayLike<number>, options: LongRunVarianceOptions = {}): LongRunVariance {
  requireNumbers("values", values, 2);
  const { guard = "larger" } = options;
  const cosines = cosineVariance(values);
  const autoregression = autoregressiveVariance(values);
  const { size } = autoregression;
  if (guard === "larger") {
    return { variance: Math.max(cosines.variance, autoregression.variance), df: cosines.df, size };
  }
  const reach = ({ variance, df }: { variance: number; df: number }) =>
    Math.sqrt(variance) * studentTQuantileUpper(WIDER_TAIL, df);
  const wider = reach(cosines) > reach(autoregression) ? cosines : autoregression;
  return { variance: wider.variance, df: wider.df, size };
}

/**
 * The equal-weighted cosine estimate of the variance of a mean: the mean square of the B slowest cosine waves in the
 * series, over T.
 *
 * @returns `variance`; `df` = B = max(1, floor(0.4 T^(2/3))).
 * @throws RangeError when values are empty or hold a NaN or infinity.
 * @example cosineVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance // 3.61011
 */
export function cosineVariance(values: ArrayLike<number>): { readonly variance: number; readonly df: number } {
  requireNumbers("values", values);
  const steps = values.length;
  const waves = Math.max(1, Math.floor(WAVES_FACTOR * Math.cbrt(steps * steps)));
  const distances = fromMean(values);
  let squares = 0;
  for (let j = 1; j <= waves; j++) {
    // cos(angle (t + 1/2)), turned by one angle per step: as exact as a cosine per step and several times as fast.
    const angle = (Math.PI * j) / steps;
    const turnCos = Math.cos(angle);
    const turnSin = Math.sin(angle);
    let cos = Math.cos(angle / 2);
    let sin = Math.sin(angle / 2);
    let amplitude = 0;
    for (let t = 0; t < steps; t++) {
      amplitude += distances[t] * cos;
      const next = cos * turnCos - sin * turnSin;
      sin = sin * turnCos + cos * turnSin;
      cos = next;
    }
    squares += amplitude * amplitude;
  }
  return { variance: (2 * squares) / (waves * steps * steps), df: waves };
}

/**
 * Lazarus et al. recommend 0.4 T^(2/3) waves: the rate that is best for tests, whose factor weighs size against
 * power.
 */
const WAVES_FACTOR = 0.4;

/**
 * The variance of a mean if the series is a first-order autoregression: its variance over the effective steps.
 *
 * @returns `variance`; `df` = (effective steps - 1) / 2, at least 1: half, because the autocorrelation is estimated
 *          as well.
 * @example autoregressiveVariance([1, 3, 2, 5, 4, 6, 5, 7, 6, 8]).variance // 3.92101
 */
export function autoregressiveVariance(values: ArrayLike<number>): LongRunVariance {
  const size = effectiveSampleSize(values);
  const distances = fromMean(values);
  let squares = 0;
  for (const distance of distances) squares += distance * distance;
  const n = size.effectiveSteps;
  // A series of few effective steps lies near its own mean; below two the correction would be endless.
  const variance = squares / values.length / (1 - 1 / Math.max(2, n)) / n;
  return { variance, df: Math.max(1, (n - 1) / 2), size };
}

function fromMean(values: ArrayLike<number>): Float64Array {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] - values[0];
  const mean = sum / values.length;
  return Float64Array.from(values, (value) => value - values[0] - mean);
}
