/**
 * The chi-square distribution with df > 0 degrees of freedom (any real number): the gamma law with shape df / 2, rate 1 / 2.
 *
 * Relative accuracy 1e-12 in both tails; `@stdlib` has no survival function, so that its upper tail at 1000 on 4 df is 0
 * instead of 3.6e-215, and its cdf errs in the fifth digit from df 2000 on.
 */
import { gammaCdf, gammaLogSf, gammaQuantile, gammaQuantileUpper, gammaSf } from "./gamma.ts";

/** P(X <= x). @example chiSquareCdf(3.841458820694124, 1) // 0.95 */
export function chiSquareCdf(x: number, df: number): number {
  return gammaCdf(x, df / 2, 0.5);
}

/** P(X > x). @example chiSquareSf(1000, 4) // 3.57e-215 */
export function chiSquareSf(x: number, df: number): number {
  return gammaSf(x, df / 2, 0.5);
}

/** log P(X > x). */
export function chiSquareLogSf(x: number, df: number): number {
  return gammaLogSf(x, df / 2, 0.5);
}

/** The x with P(X <= x) = p, p in [0, 1]. @example chiSquareQuantile(0.95, 1) // 3.841458820694124 */
export function chiSquareQuantile(p: number, df: number): number {
  return gammaQuantile(p, df / 2, 0.5);
}

/** The x with P(X > x) = q, q in [0, 1], good down to q = 1e-300. */
export function chiSquareQuantileUpper(q: number, df: number): number {
  return gammaQuantileUpper(q, df / 2, 0.5);
}
