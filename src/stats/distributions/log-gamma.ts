/**
 * Logarithms of gamma, beta and binomial coefficients that keep their digits for large arguments.
 *
 * Differences of log-gamma values lose all digits when counts reach millions: log Gamma(1e7) is 1.5e8, so its last bit
 * is 3e-8. Stirling's error is computed instead (Loader 2000, "Fast and accurate computation of binomial probabilities").
 */
import gammaln from "@stdlib/math/base/special/gammaln/lib/index.js";
import log1pmx from "@stdlib/math/base/special/log1pmx/lib/index.js";
import { requireCount, requirePositive } from "../check-input.ts";

const LOG_SQRT_2_PI = 0.9189385332046728;

/** log Gamma(x), x > 0. @example logGamma(10) // 12.801827480081469 */
export function logGamma(x: number): number {
  requirePositive("x", x);
  return gammaln(x);
}

/** log B(a, b), a, b > 0. @example logBeta(2, 3) // -2.4849066497880004 */
export function logBeta(a: number, b: number): number {
  requirePositive("a", a);
  requirePositive("b", b);
  const small = Math.min(a, b);
  const large = Math.max(a, b);
  if (large < 10) return gammaln(a) + gammaln(b) - gammaln(a + b);
  if (small < 10) return gammaln(small) - logGammaRatio(large, small);
  const sum = a + b;
  return (
    LOG_SQRT_2_PI +
    0.5 * (Math.log(sum / large) - Math.log(small)) +
    small * Math.log(small / sum) +
    large * Math.log1p(-small / sum) +
    (stirlingError(small) + stirlingError(large) - stirlingError(sum))
  );
}

/**
 * log C(n, k) for counts 0 <= k <= n.
 *
 * @example logBinomialCoefficient(10, 3) // 4.787491742782046
 */
export function logBinomialCoefficient(n: number, k: number): number {
  requireCount("n", n);
  requireCount("k", k);
  if (k > n) throw new RangeError(`k must not exceed n, got k = ${k} and n = ${n}`);
  return k === 0 || k === n ? 0 : -Math.log(n + 1) - logBeta(n - k + 1, k + 1);
}

/**
 * log(Gamma(x + d) / Gamma(x)) for x >= 10 and d >= 0, without the cancellation of two log-gammas.
 */
export function logGammaRatio(x: number, d: number): number {
  const sum = x + d;
  return (x - 0.5) * Math.log1p(d / x) + d * (Math.log(sum) - 1) + (stirlingError(sum) - stirlingError(x));
}

/** What Stirling's formula lacks: log Gamma(x) - ((x - 1/2) log x - x + log sqrt(2 pi)), x > 0. */
export function stirlingError(x: number): number {
  if (x < 10) return gammaln(x) - ((x - 0.5) * Math.log(x) - x + LOG_SQRT_2_PI);
  const r = 1 / (x * x);
  const series =
    1 / 12 -
    r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360 - r * (1 / 156 - r * 0.02955))))));
  return series / x;
}

/**
 * The deviance term x log(x / mean) + mean - x of Loader, relatively accurate when x is near the mean.
 *
 * @param difference  mean - x, given apart because the caller may know it without rounding.
 */
export function deviance(x: number, mean: number, difference: number): number {
  // log1pmx(u) = log(1 + u) - u loses digits as u nears -1; there the plain form has nothing to cancel.
  return mean < 0.5 * x ? x * Math.log(x / mean) + difference : -x * log1pmx(difference / x);
}
