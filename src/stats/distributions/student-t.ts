/**
 * Student's t distribution with df > 0 degrees of freedom (any real number; Infinity is the normal law).
 *
 * Relative accuracy 1e-11 in both tails for df from 0.1 to 1e8 and beyond: tails by the incomplete beta function of
 * x = df / (df + t^2), with 1 - x computed apart, so that neither large df nor small t cancels.
 */
import { requireNumber, requireProbability } from "../check-input.ts";
import { incompleteBeta, logBetaPrefix } from "./beta.ts";
import { logBeta } from "./log-gamma.ts";
import { logNormalSf, normalQuantileUpper, normalSf } from "./normal.ts";
import { invertLogTail, log1mExp, type Tail, toLogProbability } from "./tail.ts";

/** P(T <= t). @example studentTCdf(2.015048373333024, 5) // 0.95 */
export function studentTCdf(t: number, df: number): number {
  return studentTSf(-t, df);
}

/** P(T > t), never by 1 - cdf. @example studentTSf(2.015048373333024, 5) // 0.05 */
export function studentTSf(t: number, df: number): number {
  requireArguments(t, df);
  if (df === Infinity) return normalSf(t);
  if (t < 0) return 1 - Math.exp(logUpperTail(-t, df));
  return Math.exp(logUpperTail(t, df));
}

/** log P(T > t). @example logStudentTSf(1e10, 5) // -112.879 */
export function logStudentTSf(t: number, df: number): number {
  requireArguments(t, df);
  if (df === Infinity) return logNormalSf(t);
  return t < 0 ? log1mExp(logUpperTail(-t, df)) : logUpperTail(t, df);
}

/** The t with P(T <= t) = p, p in [0, 1]. @example studentTQuantile(0.95, 5) // 2.015048373333024 */
export function studentTQuantile(p: number, df: number): number {
  requireProbability("p", p);
  return p <= 0.5 ? -studentTQuantileUpper(p, df) : studentTQuantileUpper(1 - p, df);
}

/**
 * The t with P(T > t) = q, q in [0, 1], good down to q = 1e-300; Infinity where it exceeds every double (df 0.3 at 1e-300).
 *
 * @example studentTQuantileUpper(0.05, 5) // 2.015048373333024
 */
export function studentTQuantileUpper(q: number, df: number): number {
  requireArguments(0, df);
  requireProbability("q", q);
  if (df === Infinity) return normalQuantileUpper(q);
  if (q > 0.5) return -studentTQuantileUpper(1 - q, df);
  if (q === 0.5) return 0;
  if (q === 0) return Infinity;
  const a = df / 2;
  const leading = (Math.log(2 * q) + Math.log(a) + logBeta(a, 0.5)) / a;
  if (leading < TINY_LOG) return Math.sqrt(df) * Math.exp(-leading / 2);
  // The tail is solved where it is small, the central probability where t may be near 0; both in w = log t.
  const start = Math.log(normalQuantileUpper(q));
  const w =
    q < 0.25
      ? invertLogTail(
          Math.log(q),
          start,
          (w) => logUpperTail(Math.exp(w), df),
          (w) => logDensity(w, df) - Math.LN2,
          -1,
        )
      : invertLogTail(
          Math.log1p(-2 * q),
          start,
          (w) => logCentral(Math.exp(w), df),
          (w) => logDensity(w, df),
          1,
        );
  return Math.exp(w);
}

function requireArguments(t: number, df: number): void {
  requireNumber("t", t);
  if (!(df > 0)) throw new RangeError(`df must be positive, got ${df}`);
}

/** log P(T > t) for t >= 0: half of I_x(df / 2, 1 / 2) at x = 1 / (1 + t^2 / df). */
function logUpperTail(t: number, df: number): number {
  const ratio = t / Math.sqrt(df);
  const a = df / 2;
  if (ratio > 1e8) {
    // x is below 1e-16 and may vanish: the tail is x^a / (2 a B(a, 1/2)).
    const logX = -2 * Math.log(ratio) - Math.log1p(1 / (ratio * ratio));
    return a * logX - Math.log(2 * a) - logBeta(a, 0.5);
  }
  return toLogProbability(twoSidedTail(ratio, a), false) - Math.LN2;
}

/** log P(|T| <= t). */
function logCentral(t: number, df: number): number {
  return toLogProbability(twoSidedTail(t / Math.sqrt(df), df / 2), true);
}

function twoSidedTail(ratio: number, a: number): Tail {
  const square = ratio * ratio;
  return incompleteBeta(a, 0.5, 1 / (1 + square), square / (1 + square));
}

/** log of the density of w = log |T|. */
function logDensity(w: number, df: number): number {
  const square = Math.exp(2 * w) / df;
  const x = 1 / (1 + square);
  const y = square / (1 + square);
  return Math.LN2 + logBetaPrefix(df / 2, 0.5, x, y, (df / 2) * y - 0.5 * x);
}

/** Where x is below exp(-40) the tail is x^a / (2 a B(a, 1/2)) to the last bit. */
const TINY_LOG = -40;
