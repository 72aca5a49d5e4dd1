import { requireFraction, requireNumbers } from "./check-input.ts";
import { binomialCdf, binomialQuantile, binomialSf } from "./distributions/binomial.ts";
import { normalPdf, normalQuantile, normalQuantileUpper } from "./distributions/normal.ts";
import type { Effect } from "./effect.ts";
import type { Interval } from "./proportion-interval.ts";

/** A density at a quantile needs about this many values on the thinner side of it. */
const ENOUGH_IN_TAIL = 30;

/**
 * By how much do the quantiles of two arms differ, for example the p95 of a latency?
 *
 * @param candidate  n >= 2 finite numbers, one per unit. Not modified. Logarithms give a log ratio, since quantiles
 *                   follow any increasing map.
 * @param baseline   m >= 2 finite numbers in the same measurement unit.
 * @param options    `quantile` in (0, 1); `method`: "order-statistics" (default) takes the spread of each quantile
 *                   from its exact binomial interval; "density" from the distance between neighbouring quantiles.
 * @returns `estimate` = difference of the quantiles (interpolated, numpy's default); `variance`, `df` = Infinity;
 *          `lower` and `upper`, two-sided, infinite when an arm has too few values for the quantile's interval;
 *          `enough`: both arms have 30 values on the thinner side of the quantile.
 * @throws RangeError when an arm has fewer than 2 values or a NaN or infinity, or quantile or confidence is outside
 * (0, 1).
 *
 * Without `enough` take the interval by order statistics only, or test a limit instead (threshold.ts), which needs no
 * density at all. For one fixed look, of independent units.
 * Source: Price & Bonett (2002), J. Stat. Comput. Simul. 72, 119-124; Zou & Donner (2008), Stat. Med. 27, 1693-1702;
 * Hall & Sheather (1988), JRSS B 50, 381-391.
 * @example quantileDifference([1, 2, 3, 4, 5], [1, 1, 2, 3, 3], { quantile: 0.5 }).estimate // 1
 */
export function quantileDifference(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: {
    readonly quantile: number;
    readonly confidence?: number;
    readonly method?: "order-statistics" | "density";
  },
): Effect & Interval & { readonly enough: boolean } {
  requireNumbers("candidate", candidate, 2);
  requireNumbers("baseline", baseline, 2);
  const { quantile, confidence = 0.95, method = "order-statistics" } = options;
  requireFraction("options.quantile", quantile);
  requireFraction("confidence", confidence);
  const c = Float64Array.from(candidate).sort();
  const b = Float64Array.from(baseline).sort();
  const qc = typeSevenQuantile(c, quantile);
  const qb = typeSevenQuantile(b, quantile);
  const estimate = qc - qb;
  const enough = Math.min(c.length, b.length) * Math.min(quantile, 1 - quantile) >= ENOUGH_IN_TAIL;

  if (method === "density") {
    const variance = densityVariance(c, quantile) + densityVariance(b, quantile);
    const reach = variance > 0 ? normalQuantileUpper((1 - confidence) / 2) * Math.sqrt(variance) : Infinity;
    return { estimate, variance, df: Infinity, lower: estimate - reach, upper: estimate + reach, enough };
  }
  const ic = quantileInterval(c, quantile, confidence);
  const ib = quantileInterval(b, quantile, confidence);
  // The distances from the estimates to their bounds, squared and added; each side with its own, since tails are
  // skewed.
  const lower = estimate - Math.hypot(qc - ic.lower, ib.upper - qb);
  const upper = estimate + Math.hypot(ic.upper - qc, qb - ib.lower);
  const variance = spreadVariance(ic) + spreadVariance(ib);
  return { estimate, variance, df: Infinity, lower, upper, enough };
}

/**
 * Between which order statistics does a quantile lie? Exact for any distribution.
 *
 * @param sorted  n >= 1 numbers in ascending order.
 * @returns `lower` and `upper`, order statistics or infinite, covering at least `confidence`; `coverage`, the exact
 *          probability for a continuous distribution.
 * @example quantileInterval(Float64Array.of(1, 2, 3, 4, 5, 6), 0.5, 0.95).coverage // 0.96875
 */
export function quantileInterval(
  sorted: Float64Array,
  quantile: number,
  confidence: number,
): { readonly lower: number; readonly upper: number; readonly coverage: number } {
  requireFraction("quantile", quantile);
  const n = sorted.length;
  const tail = (1 - confidence) / 2;
  // The count below the quantile is binomial. The l-th smallest is above the quantile when fewer than l values are
  // below it.
  let l = binomialQuantile(tail, n, quantile);
  while (l > 0 && binomialCdf(l - 1, n, quantile) > tail) l--;
  let u = binomialQuantile(1 - tail, n, quantile) + 1;
  while (u <= n && binomialSf(u - 1, n, quantile) > tail) u++;
  const missed = (l > 0 ? binomialCdf(l - 1, n, quantile) : 0) + (u <= n ? binomialSf(u - 1, n, quantile) : 0);
  return {
    lower: l > 0 ? sorted[l - 1] : -Infinity,
    upper: u <= n ? sorted[u - 1] : Infinity,
    coverage: 1 - missed,
  };
}

/** The variance of a normal estimate with this interval. */
function spreadVariance({ lower, upper, coverage }: { lower: number; upper: number; coverage: number }): number {
  const width = upper - lower;
  return width === Infinity ? Infinity : (width / (2 * normalQuantileUpper((1 - coverage) / 2))) ** 2;
}

function densityVariance(sorted: Float64Array, quantile: number): number {
  return (quantile * (1 - quantile) * sparsity(sorted, quantile) ** 2) / sorted.length;
}

/**
 * One over the density at a quantile: the slope of the quantile function over Hall and Sheather's bandwidth, narrowed
 * near the ends.
 */
export function sparsity(sorted: Float64Array, quantile: number): number {
  const z = normalQuantile(quantile);
  const shape = Math.cbrt((1.5 * normalPdf(z) ** 2) / (2 * z * z + 1));
  const optimal = sorted.length ** (-1 / 3) * BANDWIDTH_Z ** (2 / 3) * shape;
  const h = Math.min(optimal, NARROWED * quantile, NARROWED * (1 - quantile));
  return (typeSevenQuantile(sorted, quantile + h) - typeSevenQuantile(sorted, quantile - h)) / (2 * h);
}

/** The bandwidth is best for intervals of 95 %. */
const BANDWIDTH_Z = 1.959963984540054;
const NARROWED = 0.9;

/** The quantile by linear interpolation between order statistics, numpy's default (type 7 of Hyndman and Fan). */
export function typeSevenQuantile(sorted: Float64Array, quantile: number): number {
  const position = (sorted.length - 1) * quantile;
  const below = Math.floor(position);
  const low = sorted[below];
  const high = sorted[Math.min(below + 1, sorted.length - 1)];
  return low + (position - below) * (high - low);
}
