/**
 * The standard normal distribution, with relative accuracy about 1e-12 in both tails down to 1e-300 and, on the log
 * scale, without a floor.
 *
 * `@stdlib`'s own `normal.quantile` is -Infinity below 1.1e-16 and `1 - cdf` cancels above z = 8; alpha spending asks
 * for such numbers at early looks. Built on the complementary error function of `@stdlib/math`.
 */
import { requireNumber, requireProbability } from "../check-input.ts";
import erf from "@stdlib/math/base/special/erf/lib/index.js";
import erfc from "@stdlib/math/base/special/erfc/lib/index.js";
import erfcinv from "@stdlib/math/base/special/erfcinv/lib/index.js";
import erfcx from "@stdlib/math/base/special/erfcx/lib/index.js";

const LOG_SQRT_2_PI = 0.9189385332046728;
const SQRT_2_OVER_PI = 0.7978845608028654;

/** Density at z. @example normalPdf(0) // 0.3989422804014327 */
export function normalPdf(z: number): number {
  requireNumber("z", z);
  return Math.exp(-0.5 * z * z - LOG_SQRT_2_PI);
}

/** P(Z <= z). @example normalCdf(-1.959963984540054) // 0.025 */
export function normalCdf(z: number): number {
  requireNumber("z", z);
  return 0.5 * erfc(-z * Math.SQRT1_2);
}

/** P(Z > z), never by 1 - cdf. @example normalSf(10) // 7.61985302416e-24 */
export function normalSf(z: number): number {
  requireNumber("z", z);
  return 0.5 * erfc(z * Math.SQRT1_2);
}

/** log P(Z <= z). @example logNormalCdf(-40) // -804.608442 */
export function logNormalCdf(z: number): number {
  return logNormalSf(-z);
}

/** log P(Z > z), in [-Infinity, 0]. @example logNormalSf(40) // -804.608442 */
export function logNormalSf(z: number): number {
  requireNumber("z", z);
  if (z > 1) return z === Infinity ? -Infinity : Math.log(0.5 * erfcx(z * Math.SQRT1_2)) - 0.5 * z * z;
  if (z < -1) return Math.log1p(-0.5 * erfc(-z * Math.SQRT1_2));
  return Math.log(0.5 * erfc(z * Math.SQRT1_2));
}

/** The z with P(Z <= z) = p, p in [0, 1]; -Infinity at 0 and Infinity at 1. @example normalQuantile(0.975) // 1.959963984540054 */
export function normalQuantile(p: number): number {
  requireProbability("p", p);
  return p <= 0.5 ? -normalQuantileUpper(p) : normalQuantileUpper(1 - p);
}

/**
 * The z with P(Z > z) = q, q in [0, 1]: the critical value of a one-sided level, good down to q = 1e-300.
 *
 * @example normalQuantileUpper(1e-30) // 11.464024688443615
 */
export function normalQuantileUpper(q: number): number {
  requireProbability("q", q);
  if (q === 0) return Infinity;
  if (q === 1) return -Infinity;
  if (q > 0.5) return -normalQuantileUpper(1 - q);
  if (q < 0.15) return normalQuantileLogUpper(Math.log(q));
  // One Newton step on the central probability, which is relatively accurate near z = 0.
  const z = Math.SQRT2 * erfcinv(2 * q);
  return z - (0.5 * erf(z * Math.SQRT1_2) - (0.5 - q)) / normalPdf(z);
}

/**
 * The z with log P(Z > z) = logQ, logQ <= 0: for tails that a double cannot hold.
 *
 * @example normalQuantileLogUpper(-1000) // 44.6
 */
export function normalQuantileLogUpper(logQ: number): number {
  if (!(logQ <= 0)) throw new RangeError(`logQ must be at most 0, got ${logQ}`);
  if (logQ > -1.8) return normalQuantileUpper(Math.exp(logQ));
  if (logQ === -Infinity) return Infinity;
  // Hastings' start, 4.5e-4 off; each Newton step on the log scale squares the error.
  const t = Math.sqrt(-2 * logQ);
  let z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (let i = 0; i < 4; i++) {
    // The hazard pdf / sf is sqrt(2 / pi) / erfcx.
    const tail = erfcx(z * Math.SQRT1_2);
    const step = ((Math.log(0.5 * tail) - 0.5 * z * z - logQ) * tail) / SQRT_2_OVER_PI;
    z += step;
    if (Math.abs(step) < 1e-9 * z) break;
  }
  return z;
}
