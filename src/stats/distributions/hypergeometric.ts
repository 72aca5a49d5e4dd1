/**
 * The hypergeometric distribution: of `population` items `successes` are marked; X is the number of marked ones among
 * `draws` drawn without replacement. Populations up to 1e8.
 *
 * Single counts by Loader's saddle-point form, not by differences of log-gamma values; tails by summing from k outward,
 * away from the mode, until the terms vanish: relative accuracy 1e-11 down to 1e-300, at most some 1e5 terms.
 */
import { requireCount, requireFinite, requireProbability } from "../check-input.ts";
import { logBinomialTerm } from "./binomial.ts";
import { discreteQuantile } from "./discrete-quantile.ts";
import { normalQuantile } from "./normal.ts";
import { type Tail, toLogProbability, toProbability } from "./tail.ts";

/** P(X = k) for a whole k; 0 outside the support. @example hypergeometricPmf(2, 10, 5, 4) // 0.47619047619047616 */
export function hypergeometricPmf(k: number, population: number, successes: number, draws: number): number {
  return Math.exp(logHypergeometricPmf(k, population, successes, draws));
}

/** log P(X = k). */
export function logHypergeometricPmf(k: number, population: number, successes: number, draws: number): number {
  requireArguments(k, population, successes, draws);
  if (!Number.isInteger(k)) throw new RangeError(`k must be a whole number, got ${k}`);
  return logTerm(k, population, successes, draws);
}

/** P(X <= k), k any finite number. @example hypergeometricCdf(1, 10, 5, 4) // 0.2619047619047619 */
export function hypergeometricCdf(k: number, population: number, successes: number, draws: number): number {
  return toProbability(hypergeometricTail(k, population, successes, draws), false);
}

/** P(X > k), k any finite number. @example hypergeometricSf(2, 10, 5, 4) // 0.2619047619047619 */
export function hypergeometricSf(k: number, population: number, successes: number, draws: number): number {
  return toProbability(hypergeometricTail(k, population, successes, draws), true);
}

/** log P(X <= k). */
export function logHypergeometricCdf(k: number, population: number, successes: number, draws: number): number {
  return toLogProbability(hypergeometricTail(k, population, successes, draws), false);
}

/** log P(X > k). */
export function logHypergeometricSf(k: number, population: number, successes: number, draws: number): number {
  return toLogProbability(hypergeometricTail(k, population, successes, draws), true);
}

/** The smallest k with P(X <= k) >= p. @example hypergeometricQuantile(0.5, 10, 5, 4) // 2 */
export function hypergeometricQuantile(p: number, population: number, successes: number, draws: number): number {
  requireProbability("p", p);
  requireArguments(0, population, successes, draws);
  const low = Math.max(0, draws + successes - population);
  const high = Math.min(draws, successes);
  if (low === high) return low;
  const share = successes / population;
  const sd = Math.sqrt((draws * share * (1 - share) * (population - draws)) / (population - 1));
  const guess = p === 0 || p === 1 ? 0 : draws * share + normalQuantile(p) * sd;
  return discreteQuantile(
    p,
    guess,
    low,
    high,
    (k) => hypergeometricCdf(k, population, successes, draws),
    (k) => hypergeometricSf(k, population, successes, draws),
  );
}

/** log of a single term: a ratio of three binomial terms at the probability draws / population. */
function logTerm(k: number, population: number, successes: number, draws: number): number {
  const failures = population - successes;
  if (k < Math.max(0, draws - failures) || k > Math.min(draws, successes)) return -Infinity;
  if (draws === 0) return 0;
  const p = draws / population;
  const q = (population - draws) / population;
  return (
    logBinomialTerm(k, successes, p, q) +
    logBinomialTerm(draws - k, failures, p, q) -
    logBinomialTerm(draws, population, p, q)
  );
}

function hypergeometricTail(k: number, population: number, successes: number, draws: number): Tail {
  requireArguments(k, population, successes, draws);
  const count = Math.floor(k);
  if (count < Math.max(0, draws + successes - population)) return { log: -Infinity, upper: false };
  if (count >= Math.min(draws, successes)) return { log: -Infinity, upper: true };
  const failures = population - successes;
  const upper = (count + 0.5) * population > draws * successes;
  let sum = 1;
  let term = 1;
  if (upper) {
    // From count + 1 upward: term(x + 1) / term(x).
    for (let x = count + 1; term > 1e-17 * sum; x++) {
      term *= ((successes - x) * (draws - x)) / ((x + 1) * (failures - draws + x + 1));
      sum += term;
    }
    return { log: logTerm(count + 1, population, successes, draws) + Math.log(sum), upper };
  }
  for (let x = count; term > 1e-17 * sum; x--) {
    term *= (x * (failures - draws + x)) / ((successes - x + 1) * (draws - x + 1));
    sum += term;
  }
  return { log: logTerm(count, population, successes, draws) + Math.log(sum), upper };
}

function requireArguments(k: number, population: number, successes: number, draws: number): void {
  requireFinite("k", k);
  requireCount("population", population);
  requireCount("successes", successes);
  requireCount("draws", draws);
  if (successes > population)
    throw new RangeError(`successes must not exceed population, got ${successes} of ${population}`);
  if (draws > population) throw new RangeError(`draws must not exceed population, got ${draws} of ${population}`);
}
