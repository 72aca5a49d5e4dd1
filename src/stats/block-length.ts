import { requireNumbers } from "./check-input.ts";

/**
 * Lags in a row that must look uncorrelated, and how large an autocorrelation of noise may be, in units of sqrt(log10
 * n / n).
 */
const QUIET_LAGS = 5;
const QUIET_WIDTH = 2;

/**
 * How long should the blocks of a stationary bootstrap be? The rule of Politis and White for the variance of the mean.
 *
 * @param values  n >= 9 finite numbers in the order of time. Not modified.
 * @returns the mean block length, between 1 and min(3 sqrt(n), n / 3); 1 for a constant series.
 * @throws RangeError when there are fewer than 9 values, or one is NaN or infinite.
 *
 * Source: Politis & White (2004), Econometric Reviews 23, 53-70; corrected by Patton, Politis & White (2009),
 * Econometric Reviews 28, 372-375.
 * @example blockLength([1, 2, 1, 2, 1, 2, 1, 2, 1]) // 3
 */
export function blockLength(values: ArrayLike<number>): number {
  requireNumbers("values", values, 9);
  const n = values.length;
  const longest = Math.min(3 * Math.sqrt(n), n / 3);
  const maxLag = Math.min(n - 1, Math.ceil(Math.sqrt(n)) + QUIET_LAGS);
  const covariances = autocovariances(values, maxLag);
  if (covariances[0] === 0) return 1;

  const width = QUIET_WIDTH * Math.sqrt(Math.log10(n) / n) * covariances[0];
  let quietFrom = 1;
  for (let lag = 1; lag <= maxLag && lag < quietFrom + QUIET_LAGS; lag++) {
    if (Math.abs(covariances[lag]) >= width) quietFrom = lag + 1;
  }
  // Twice the last lag that is loud; the whole range when none of the tried lags is followed by enough quiet ones.
  const loud = Math.max(1, quietFrom - 1);
  const m = quietFrom + QUIET_LAGS - 1 > maxLag ? maxLag : Math.min(maxLag, 2 * loud);
  let slope = 0;
  let spectrum = covariances[0];
  for (let lag = 1; lag <= m; lag++) {
    const taper = 2 * lag <= m ? 1 : 2 * (1 - lag / m);
    slope += 2 * taper * lag * covariances[lag];
    spectrum += 2 * taper * covariances[lag];
  }
  const best = Math.cbrt(((slope * slope) / (spectrum * spectrum)) * n);
  return Math.min(longest, Math.max(1, best));
}

/**
 * Autocovariances at lags 0 to maxLag, each with n in the denominator.
 *
 * @throws RangeError when values are empty or hold a NaN or infinity.
 */
export function autocovariances(values: ArrayLike<number>, maxLag: number): Float64Array {
  requireNumbers("values", values);
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i] - values[0];
  const mean = values[0] + sum / n;
  const covariances = new Float64Array(maxLag + 1);
  for (let lag = 0; lag <= maxLag; lag++) {
    let products = 0;
    for (let i = lag; i < n; i++) products += (values[i] - mean) * (values[i - lag] - mean);
    covariances[lag] = products / n;
  }
  return covariances;
}
