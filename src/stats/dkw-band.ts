/**
 * Bands around an empirical distribution function: half-widths that hold for all values at once, at one look or at all looks.
 *
 * For pictures (any quantile, any time) and for a stochastic-order monitor of two arms. They assume nothing about the
 * distribution, ties included, but independent values; averages per unit first.
 */
import { requireCount, requireFraction, requireProbability } from "./check-input.ts";
import { findRoot } from "./find-root.ts";

/**
 * How far can an empirical distribution function of n values lie from the true one, at one look?
 *
 * @param n  values, at least 1.
 * @returns sqrt(log(2 / (1 - confidence)) / 2n), at most 1: the largest distance, with the stated confidence.
 * @throws RangeError when n is not a count of at least 1 or confidence is outside (0, 1).
 *
 * Source: Massart (1990), Ann. Prob. 18, 1269-1283. @example dkwHalfWidth(1000) // 0.0429
 */
export function dkwHalfWidth(n: number, { confidence = 0.95 }: { readonly confidence?: number } = {}): number {
  requireCount("n", n, 1);
  requireFraction("confidence", confidence);
  return Math.min(1, Math.sqrt(Math.log(2 / (1 - confidence)) / (2 * n)));
}

/** From which number of values the looks count: the band is narrowest soon after. */
const FIRST_LOOK = 30;

/**
 * The same at all looks from `from` values on: P(ever, anywhere, farther away) <= 1 - confidence.
 *
 * @param n        values so far; below `from` the band is everything (1).
 * @param options  `from`: the smallest n at which one looks, at least 1, fixed beforehand; default 30.
 * @returns 0.85 sqrt((log(1 + log(n / from)) + C) / n), at most 1; some 1.8 times as wide as `dkwHalfWidth`.
 * @throws RangeError as `dkwHalfWidth`.
 *
 * Source: Howard & Ramdas (2022), Bernoulli 28, 1704-1728, theorem 2. @example uniformDkwHalfWidth(1000, { from: 100 }) // 0.08204779
 */
export function uniformDkwHalfWidth(
  n: number,
  { confidence = 0.95, from = FIRST_LOOK }: { readonly confidence?: number; readonly from?: number } = {},
): number {
  requireCount("n", n, 1);
  requireCount("from", from, 1);
  requireFraction("confidence", confidence);
  if (n < from) return 1;
  const c = constantOf(1 - confidence);
  return Math.min(1, SCALE * Math.sqrt((Math.log1p(Math.log(n / from)) + c) / n));
}

/** What the two-arm monitor says at one look. */
export interface OrderMonitor {
  /** A distance above this is significant, at whatever look. */
  readonly threshold: number;
  /** The candidate's values are proven larger somewhere (at some value it has a smaller share at or below). */
  readonly larger: boolean;
  /** The candidate's values are proven smaller somewhere. */
  readonly smaller: boolean;
}

/**
 * Is one arm proven larger or smaller than the other anywhere in the distribution, at any look?
 *
 * @param distances  `plus` = sup(F_candidate - F_baseline), `minus` = sup(F_baseline - F_candidate) over all values, as of the
 *                   two-sample Kolmogorov-Smirnov test.
 * @param sizes      values of the candidate and of the baseline so far.
 * @param options    `confidence`: default 0.95, split evenly over the arms; `from` as in `uniformDkwHalfWidth`, per arm.
 * @returns threshold = sum of the two half-widths.
 * @throws RangeError as `uniformDkwHalfWidth`, or when a distance is outside [0, 1].
 *
 * Sequential two-sample Kolmogorov-Smirnov test; conservative: no false alarm in simulations at 5 %.
 * Source: Howard & Ramdas (2022), section 7; Lindon, Sanden & Shirikian (2022), KDD '22 (canary monitoring).
 * @example orderMonitor({ plus: 0.01, minus: 0.2 }, { candidate: 2000, baseline: 2000 }).larger // true
 */
export function orderMonitor(
  { plus, minus }: { readonly plus: number; readonly minus: number },
  { candidate, baseline }: { readonly candidate: number; readonly baseline: number },
  { confidence = 0.95, from = FIRST_LOOK }: { readonly confidence?: number; readonly from?: number } = {},
): OrderMonitor {
  requireProbability("plus", plus);
  requireProbability("minus", minus);
  requireFraction("confidence", confidence);
  const each = { confidence: (1 + confidence) / 2, from };
  const threshold = uniformDkwHalfWidth(candidate, each) + uniformDkwHalfWidth(baseline, each);
  return { threshold, larger: minus > threshold, smaller: plus > threshold };
}

/** The factor A of the theorem; above 1 / sqrt(2), nearer to it C grows. */
const SCALE = 0.85;

/** C with the smallest bound over eta equal to alpha; between 5 and 800 for alpha from 0.9 to 1e-300. */
function constantOf(alpha: number): number {
  return findRoot((c) => logCrossing(c) - Math.log(alpha), 3, 1200, 1e-12);
}

/** log of min over eta > 1 of 4 exp(-g C) (1 + 1 / ((g - 1) log eta)), g = (2 / eta) (A - sqrt(2 (eta - 1) / C))^2. */
function logCrossing(c: number): number {
  const bound = (eta: number): number => {
    const room = SCALE - Math.sqrt((2 * (eta - 1)) / c);
    const g = (2 / eta) * room * room;
    return room > 0 && g > 1 ? Math.log(4) - g * c + Math.log1p(1 / ((g - 1) * Math.log(eta))) : Infinity;
  };
  // Golden section in log(eta - 1): the bound is infinite at both ends and has one minimum.
  const highest = Math.min(SCALE * SCALE * 2 - 1, (c * SCALE * SCALE) / 2);
  let low = Math.log(1e-12);
  let high = Math.log(highest);
  for (let i = 0; i < 120; i++) {
    const a = high - GOLDEN * (high - low);
    const b = low + GOLDEN * (high - low);
    if (bound(1 + Math.exp(a)) <= bound(1 + Math.exp(b))) high = b;
    else low = a;
  }
  return bound(1 + Math.exp((low + high) / 2));
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;
