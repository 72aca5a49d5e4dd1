/**
 * The beta distribution with shapes a, b > 0 on [0, 1], and with it the tails of the binomial and Student laws.
 *
 * Relative accuracy 1e-11 in both tails, down to 1e-300 and on the log scale without a floor, for shapes from 1e-6 to 1e8.
 * The tail that lies beyond the mean is computed directly and the other one is its complement, so neither cancels.
 *
 * Methods (DiDonato & Morris 1992, ACM TOMS 18, 360-373): the continued fraction BFRAC, which takes at most 10^3 terms up to
 * shapes of 1e7, and the power series for a shape below 1. The prefix x^a (1 - x)^b / B(a, b) is put together from deviances (Loader 2000), which do not lose digits at large shapes.
 */
import { requireNumber, requirePositive, requireProbability } from "../check-input.ts";
import { deviance, logBeta, stirlingError } from "./log-gamma.ts";
import { normalQuantileLogUpper } from "./normal.ts";
import { invertLogTail, type Tail, toLogProbability, toProbability } from "./tail.ts";

const LOG_2_PI = 1.8378770664093453;

/** P(X <= x). @example betaCdf(0.5, 2, 3) // 0.6875 */
export function betaCdf(x: number, a: number, b: number): number {
  return toProbability(betaTail(x, a, b), false);
}

/** P(X > x). @example betaSf(0.5, 2, 3) // 0.3125 */
export function betaSf(x: number, a: number, b: number): number {
  return toProbability(betaTail(x, a, b), true);
}

/** log P(X <= x). */
export function logBetaCdf(x: number, a: number, b: number): number {
  return toLogProbability(betaTail(x, a, b), false);
}

/** log P(X > x). */
export function logBetaSf(x: number, a: number, b: number): number {
  return toLogProbability(betaTail(x, a, b), true);
}

/** The x with P(X <= x) = p, p in [0, 1]. @example betaQuantile(0.6875, 2, 3) // 0.5 */
export function betaQuantile(p: number, a: number, b: number): number {
  requireProbability("p", p);
  return betaInverse(p, a, b, false);
}

/** The x with P(X > x) = q, q in [0, 1], good down to q = 1e-300. */
export function betaQuantileUpper(q: number, a: number, b: number): number {
  requireProbability("q", q);
  return betaInverse(q, a, b, true);
}

function betaTail(x: number, a: number, b: number): Tail {
  requireNumber("x", x);
  requirePositive("a", a);
  requirePositive("b", b);
  return incompleteBeta(a, b, x, 1 - x);
}

/**
 * The smaller tail of the beta law at x, as its logarithm. `y` is 1 - x, given apart because the caller may know it
 * without rounding.
 */
export function incompleteBeta(a: number, b: number, x: number, y: number): Tail {
  if (x <= 0) return { log: -Infinity, upper: false };
  if (y <= 0) return { log: -Infinity, upper: true };
  const lambda = a * y - b * x;
  const upper = lambda < 0;
  const tail = upper ? tailBeyondMean(b, a, y, x, -lambda) : tailBeyondMean(a, b, x, y, lambda);
  return { log: tail.log, upper: tail.upper !== upper };
}

/** I_x(a, b) where x lies at or below the mean, lambda = (a + b) (mean - x) >= 0. */
function tailBeyondMean(a: number, b: number, x: number, y: number, lambda: number): Tail {
  if (a < 1 && x <= 0.9) return powerSeries(a, b, x);
  return { log: logBetaPrefix(a, b, x, y, lambda) - Math.log(continuedFraction(a, b, x, y, lambda)), upper: false };
}

/** log(x^a y^b / B(a, b)), the log density of log(x / y); lambda = a y - b x. */
export function logBetaPrefix(a: number, b: number, x: number, y: number, lambda: number): number {
  const n = a + b;
  return (
    0.5 * (Math.log(a) + Math.log(b / n) - LOG_2_PI) +
    (stirlingError(n) - stirlingError(b) - stirlingError(a)) -
    deviance(a, n * x, -lambda) -
    deviance(b, n * y, lambda)
  );
}

/** The K with I_x(a, b) = x^a y^b / B(a, b) / K, by the modified Lentz algorithm. */
function continuedFraction(a: number, b: number, x: number, y: number, lambda: number): number {
  let f = (a * (lambda + 1)) / (a + 1);
  let c = f;
  let d = 0;
  for (let n = 1; n < MAX_TERMS; n++) {
    const s = a + 2 * n - 1;
    const r = (n * x) / s;
    const alpha = (((a + n - 1) * (a + b + n - 1)) / s) * (b - n) * r * x;
    const beta = n + (b - n) * r + ((a + n) * (lambda + 1 + n * (1 + y))) / (s + 2);
    d = 1 / (beta + alpha * d);
    c = beta + alpha / c;
    const factor = c * d;
    f *= factor;
    if (Math.abs(factor - 1) < 1e-15) break;
  }
  return f;
}

/** A shape below 1: the tail may be the larger one, so both are kept. */
function powerSeries(a: number, b: number, x: number): Tail {
  const log = a * Math.log(x) - (Math.log(a) + logBeta(a, b));
  let term = 1;
  let sum = 0;
  for (let n = 1; n < MAX_TERMS; n++) {
    term *= ((n - b) * x) / n;
    const part = term / (a + n);
    sum += part;
    if (Math.abs(part) <= 1e-17 * Math.abs(sum)) break;
  }
  const rest = a * sum;
  const upper = -Math.expm1(log) - Math.exp(log) * rest;
  return upper < 0.5 ? { log: Math.log(upper), upper: true } : { log: log + Math.log1p(rest), upper: false };
}

/** The continued fraction takes 900 terms at a = b = 5e6 and the mean; the limit only keeps a mistake from looping for ever. */
const MAX_TERMS = 100_000;

function betaInverse(p: number, a: number, b: number, upper: boolean): number {
  requirePositive("a", a);
  requirePositive("b", b);
  if (p === 0) return upper ? 1 : 0;
  if (p === 1) return upper ? 0 : 1;
  // Solve on the smaller tail, so that the target keeps its digits.
  const swap = p > 0.5;
  const target = swap ? Math.log1p(-p) : Math.log(p);
  if (upper === swap) return inverseIncompleteBeta(a, b, target).x;
  return inverseIncompleteBeta(b, a, target).y;
}

/** The x, and y = 1 - x, with log I_x(a, b) = target <= -log 2. Solved in w = log(x / y), where the density is log-concave. */
function inverseIncompleteBeta(a: number, b: number, target: number): { readonly x: number; readonly y: number } {
  const leading = (target + Math.log(a) + logBeta(a, b)) / a;
  if (leading + Math.log1p(b) < TINY_LOG) return { x: Math.exp(leading), y: 1 };
  const z = normalQuantileLogUpper(target);
  const w = invertLogTail(
    target,
    Math.log(a / b) - z * Math.sqrt(1 / a + 1 / b),
    (w) => toLogProbability(incompleteBeta(a, b, logistic(w), logistic(-w)), false),
    (w) => logBetaPrefix(a, b, logistic(w), logistic(-w), a * logistic(-w) - b * logistic(w)),
    1,
  );
  return { x: logistic(w), y: logistic(-w) };
}

function logistic(w: number): number {
  return 1 / (1 + Math.exp(-w));
}

/** Where x (1 + b) is below exp(-40) the lower tail is x^a / (a B(a, b)) to the last bit. */
const TINY_LOG = -40;
