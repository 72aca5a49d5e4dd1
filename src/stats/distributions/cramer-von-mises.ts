import { requireNumber } from "../check-input.ts";

/**
 * The limit law of the Cramer-von Mises statistic n W^2, for one sample as for two.
 *
 * @param x  a number >= 0.
 * @returns P(W^2 > x), in [0, 1], to ten digits of its own size.
 *
 * The law is that of sum of Z_k^2 / (k pi)^2. Up to NEAR the series of Bessel functions converges fastest; beyond,
 * Smirnov's integrals over the bands where sin(v) < 0 are all of one leading sign, so the far tail keeps its digits.
 * Source: Anderson & Darling (1952), Ann. Math. Stat. 23, 193-212 (the Bessel series); Smirnov (1937), Mat. Sbornik 2,
 * 973-993.
 * @example cramerVonMisesSf(0.2) // 0.2674704305407752
 */
export function cramerVonMisesSf(x: number): number {
  requireNumber("x", x);
  if (x <= 0) return 1;
  return x < NEAR ? 1 - besselSeries(x) : smirnovSeries(x);
}

/** The median lies near 0.12: below it the tail is at least 1/2 and may be taken from 1. */
const NEAR = 0.12;

/**
 * P(W^2 <= x) = 1 / (pi sqrt x) sum_k c_k sqrt(4 k + 1) exp(-y) K_{1/4}(y), y = (4 k + 1)^2 / (16 x), c_k = (2k choose
 * k) / 4^k.
 */
function besselSeries(x: number): number {
  let sum = 0;
  let coefficient = 1;
  for (let k = 0; k < 20; k++) {
    const y = (4 * k + 1) ** 2 / (16 * x);
    const term = coefficient * Math.sqrt(4 * k + 1) * Math.exp(-2 * y) * scaledBesselQuarter(y);
    sum += term;
    if (term < sum * Number.EPSILON) break;
    coefficient *= (2 * k + 1) / (2 * k + 2);
  }
  return sum / (Math.PI * Math.sqrt(x));
}

/**
 * exp(y) K_{1/4}(y): the integral of exp(-y (cosh t - 1)) cosh(t / 4) by the trapezoidal rule, which errs less than a
 * rounding here.
 */
function scaledBesselQuarter(y: number): number {
  const end = Math.acosh(1 + 40 / y);
  const steps = 200;
  let sum = 0.5;
  for (let i = 1; i <= steps; i++) {
    const t = (end * i) / steps;
    sum += Math.exp(-y * (Math.cosh(t) - 1)) * Math.cosh(t / 4);
  }
  return (sum * end) / steps;
}

/** P(W^2 > x) = 2 / pi sum_j (-1)^(j+1) integral over [(2j-1) pi, 2 j pi] of exp(-v^2 x / 2) / sqrt(v |sin v|) dv. */
function smirnovSeries(x: number): number {
  let sum = 0;
  for (let j = 1; j <= 50; j++) {
    const term = band((2 * j - 1) * Math.PI, x);
    sum += j % 2 === 1 ? term : -term;
    if (term < sum * 1e-17) break;
  }
  return (2 / Math.PI) * sum;
}

/**
 * One band, by Gauss-Chebyshev nodes: they take the roots at both ends exactly. The larger x, the narrower the part
 * that counts.
 */
function band(from: number, x: number): number {
  const nodes = 64 + 32 * Math.ceil(Math.sqrt(x));
  let sum = 0;
  for (let i = 0; i < nodes; i++) {
    const cosine = Math.cos(((2 * i + 1) * Math.PI) / (2 * nodes));
    const offset = ((1 + cosine) * Math.PI) / 2;
    const v = from + offset;
    const smooth = Math.sqrt(((Math.PI / 2) ** 2 * (1 - cosine * cosine)) / (v * Math.sin(offset)));
    sum += smooth * Math.exp((-v * v * x) / 2);
  }
  return (sum * Math.PI) / nodes;
}
