/**
 * Kolmogorov's distribution: the limit law of sqrt(n) D, D the largest distance between an empirical and the true
 * distribution function.
 *
 * Two series of theta functions (Kolmogorov 1933; Feller 1948, Ann. Math. Stat. 19, 177-189): the one in exp(-pi^2 / 8x^2)
 * below SWITCH, the alternating one in exp(-2x^2) above. Each tail has full relative accuracy where it is small.
 */
import { requireNumber, requireProbability } from "../check-input.ts";

/** At 0.82 both series need four terms. */
const SWITCH = 0.82;

/** P(sqrt(n) D <= x) in the limit. @example kolmogorovCdf(1.3580986393225505) // 0.95 */
export function kolmogorovCdf(x: number): number {
  requireNumber("x", x);
  if (x <= 0) return 0;
  return x < SWITCH ? lowerSeries(x) : 1 - upperSeries(x);
}

/** P(sqrt(n) D > x) in the limit. @example kolmogorovSf(1.3580986393225505) // 0.05 */
export function kolmogorovSf(x: number): number {
  requireNumber("x", x);
  if (x <= 0) return 1;
  return x < SWITCH ? 1 - lowerSeries(x) : upperSeries(x);
}

/** The x with P(sqrt(n) D > x) = q, q in [0, 1], good down to q = 1e-300. @example kolmogorovQuantileUpper(0.05) // 1.3580986393225505 */
export function kolmogorovQuantileUpper(q: number): number {
  requireProbability("q", q);
  if (q === 0) return Infinity;
  if (q === 1) return 0;
  // Both tails are monotone in x: bisect to the last bit, where Newton's method would need care near x = 0.
  const upper = q < 0.5;
  const target = upper ? q : 1 - q;
  let low = 0;
  let high = 30;
  for (;;) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return high;
    const beyond = upper ? kolmogorovSf(middle) > target : kolmogorovCdf(middle) < target;
    if (beyond) low = middle;
    else high = middle;
  }
}

/** sqrt(2 pi) / x sum exp(-(2k - 1)^2 pi^2 / (8 x^2)). */
function lowerSeries(x: number): number {
  const exponent = (Math.PI * Math.PI) / (8 * x * x);
  let sum = 0;
  for (let k = 9; k >= 1; k -= 2) sum += Math.exp(-k * k * exponent);
  return (Math.sqrt(2 * Math.PI) / x) * sum;
}

/** 2 sum (-1)^(k - 1) exp(-2 k^2 x^2). */
function upperSeries(x: number): number {
  const exponent = 2 * x * x;
  let sum = 0;
  for (let k = 6; k >= 1; k--) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-k * k * exponent);
  return 2 * sum;
}
