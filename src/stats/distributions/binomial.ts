/**
 * The binomial distribution: k events in n independent trials of probability p, n up to 1e8.
 *
 * Probabilities of single counts by Loader's saddle-point form (Loader 2000), which keeps 12 digits where differences of
 * log-gamma values lose all; tails by the incomplete beta function. Both tails have relative accuracy 1e-11 down to 1e-300.
 */
import { requireCount, requireFinite, requireProbability } from "../check-input.ts";
import { incompleteBeta } from "./beta.ts";
import { discreteQuantile } from "./discrete-quantile.ts";
import { deviance, stirlingError } from "./log-gamma.ts";
import { normalQuantile } from "./normal.ts";
import { type Tail, toLogProbability, toProbability } from "./tail.ts";

const LOG_2_PI = 1.8378770664093453;

/** P(X = k) for a whole k; 0 outside [0, n]. @example binomialPmf(3, 10, 0.5) // 0.1171875 */
export function binomialPmf(k: number, n: number, p: number): number {
  return Math.exp(logBinomialPmf(k, n, p));
}

/** log P(X = k). @example logBinomialPmf(3, 10, 0.5) // -2.1439800628174073 */
export function logBinomialPmf(k: number, n: number, p: number): number {
  requireArguments(k, n, p);
  if (!Number.isInteger(k)) throw new RangeError(`k must be a whole number, got ${k}`);
  return logBinomialTerm(k, n, p, 1 - p);
}

/** P(X <= k), k any finite number. @example binomialCdf(3, 10, 0.5) // 0.171875 */
export function binomialCdf(k: number, n: number, p: number): number {
  return toProbability(binomialTail(k, n, p), false);
}

/** P(X > k), k any finite number. @example binomialSf(3, 10, 0.5) // 0.828125 */
export function binomialSf(k: number, n: number, p: number): number {
  return toProbability(binomialTail(k, n, p), true);
}

/** log P(X <= k). */
export function logBinomialCdf(k: number, n: number, p: number): number {
  return toLogProbability(binomialTail(k, n, p), false);
}

/** log P(X > k). */
export function logBinomialSf(k: number, n: number, p: number): number {
  return toLogProbability(binomialTail(k, n, p), true);
}

/** The smallest k with P(X <= k) >= probability. @example binomialQuantile(0.171875, 10, 0.5) // 3 */
export function binomialQuantile(probability: number, n: number, p: number): number {
  requireProbability("probability", probability);
  requireArguments(0, n, p);
  if (probability === 0 || probability === 1) return probability * n;
  const guess = n * p + normalQuantile(probability) * Math.sqrt(n * p * (1 - p));
  return discreteQuantile(
    probability,
    guess,
    0,
    n,
    (k) => binomialCdf(k, n, p),
    (k) => binomialSf(k, n, p),
  );
}

/**
 * log of C(n, k) p^k q^(n - k), for p and q = 1 - p given apart; -Infinity outside [0, n]. Arguments are not checked.
 */
export function logBinomialTerm(k: number, n: number, p: number, q: number): number {
  if (k < 0 || k > n) return -Infinity;
  if (p === 0) return k === 0 ? 0 : -Infinity;
  if (q === 0) return k === n ? 0 : -Infinity;
  if (k === 0) return n * (p < 0.5 ? Math.log1p(-p) : Math.log(q));
  if (k === n) return n * (q < 0.5 ? Math.log1p(-q) : Math.log(p));
  const rest = n - k;
  const excess = k * q - rest * p; // k - n p without its rounding
  return (
    stirlingError(n) -
    stirlingError(k) -
    stirlingError(rest) -
    deviance(k, n * p, -excess) -
    deviance(rest, n * q, excess) -
    0.5 * (LOG_2_PI + Math.log(k) + Math.log(rest / n))
  );
}

function binomialTail(k: number, n: number, p: number): Tail {
  requireArguments(k, n, p);
  const count = Math.floor(k);
  if (count < 0) return { log: -Infinity, upper: false };
  if (count >= n) return { log: -Infinity, upper: true };
  // P(X > k) = I_p(k + 1, n - k).
  const tail = incompleteBeta(count + 1, n - count, p, 1 - p);
  return { log: tail.log, upper: !tail.upper };
}

function requireArguments(k: number, n: number, p: number): void {
  requireFinite("k", k);
  requireCount("n", n);
  requireProbability("p", p);
}
