/**
 * The Poisson distribution: counts with a mean >= 0, up to 1e8.
 *
 * Single counts by Loader's saddle-point form (Loader 2000), tails by the incomplete gamma function; relative accuracy
 * 1e-11 in both tails down to 1e-300, where `@stdlib`'s cdf is 0.9 % off at mean 1100.
 */
import { requireFinite, requireNonNegative, requireProbability } from "../check-input.ts";
import { discreteQuantile } from "./discrete-quantile.ts";
import { gammaCdf, gammaLogCdf, gammaLogSf, gammaSf } from "./gamma.ts";
import { deviance, stirlingError } from "./log-gamma.ts";
import { normalQuantile } from "./normal.ts";

const LOG_2_PI = 1.8378770664093453;

/** P(X = k) for a whole k; 0 below 0. @example poissonPmf(3, 2) // 0.1804470443154836 */
export function poissonPmf(k: number, mean: number): number {
  return Math.exp(logPoissonPmf(k, mean));
}

/** log P(X = k). */
export function logPoissonPmf(k: number, mean: number): number {
  requireArguments(k, mean);
  if (!Number.isInteger(k)) throw new RangeError(`k must be a whole number, got ${k}`);
  if (k < 0) return -Infinity;
  if (mean === 0) return k === 0 ? 0 : -Infinity;
  if (k === 0) return -mean;
  return -stirlingError(k) - deviance(k, mean, mean - k) - 0.5 * (LOG_2_PI + Math.log(k));
}

/** P(X <= k), k any finite number. @example poissonCdf(1000, 1100) // 0.00117523 */
export function poissonCdf(k: number, mean: number): number {
  requireArguments(k, mean);
  if (k < 0) return 0;
  return mean === 0 ? 1 : gammaSf(mean, Math.floor(k) + 1);
}

/** P(X > k), k any finite number. @example poissonSf(3, 2) // 0.1428765395014529 */
export function poissonSf(k: number, mean: number): number {
  requireArguments(k, mean);
  if (k < 0) return 1;
  return mean === 0 ? 0 : gammaCdf(mean, Math.floor(k) + 1);
}

/** log P(X <= k). */
export function logPoissonCdf(k: number, mean: number): number {
  requireArguments(k, mean);
  if (k < 0) return -Infinity;
  return mean === 0 ? 0 : gammaLogSf(mean, Math.floor(k) + 1);
}

/** log P(X > k). */
export function logPoissonSf(k: number, mean: number): number {
  requireArguments(k, mean);
  if (k < 0) return 0;
  return mean === 0 ? -Infinity : gammaLogCdf(mean, Math.floor(k) + 1);
}

/** The smallest k with P(X <= k) >= p; Infinity at p = 1. @example poissonQuantile(0.5, 2) // 2 */
export function poissonQuantile(p: number, mean: number): number {
  requireProbability("p", p);
  requireArguments(0, mean);
  if (mean === 0 || p === 0) return 0;
  if (p === 1) return Infinity;
  return discreteQuantile(
    p,
    mean + normalQuantile(p) * Math.sqrt(mean),
    0,
    Number.MAX_SAFE_INTEGER,
    (k) => poissonCdf(k, mean),
    (k) => poissonSf(k, mean),
  );
}

function requireArguments(k: number, mean: number): void {
  requireFinite("k", k);
  requireNonNegative("mean", mean);
}
