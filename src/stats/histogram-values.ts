import { requireFraction, requireNumber } from "./check-input.ts";
import { binomialQuantile } from "./distributions/binomial.ts";
import { requireHistogram, type Histogram } from "./histogram.ts";

/** What is known of a number when only buckets are: it lies in [lower, upper]. */
export interface Bounded {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * The mean of the values behind a histogram. Where the exporter has a sum, that divided by the count is exact and to be
 * preferred.
 *
 * @returns bounds with all values at their bucket's lower, at its upper edge; the estimate has them in the middle
 *          (geometric between positive edges), and at the finite edge of a bucket without end.
 * @throws RangeError when the histogram is faulty.
 * @example histogramMean({ edges: [0, 1, 2], counts: [1, 3] }).upper // 1.75
 */
export function histogramMean(histogram: Histogram): Bounded {
  const total = requireHistogram("histogram", histogram);
  let estimate = 0;
  let lower = 0;
  let upper = 0;
  for (let b = 0; b < histogram.counts.length; b++) {
    const count = histogram.counts[b];
    if (count === 0) continue;
    lower += count * histogram.edges[b];
    upper += count * histogram.edges[b + 1];
    estimate += count * middleOf(histogram.edges[b], histogram.edges[b + 1]);
  }
  return { estimate: estimate / total, lower: lower / total, upper: upper / total };
}

/**
 * How many values lie above a limit?
 *
 * @returns `total`; `lower` and `upper` for the number above, which are equal when the limit is an edge: prefer such
 *          limits.
 * @throws RangeError when the histogram is faulty or the limit is NaN.
 * @example histogramExceedance({ edges: [0, 1, 2], counts: [1, 3] }, 1) // { total: 4, lower: 3, upper: 3 }
 */
export function histogramExceedance(
  histogram: Histogram,
  limit: number,
): { readonly total: number; readonly lower: number; readonly upper: number } {
  const total = requireHistogram("histogram", histogram);
  requireNumber("limit", limit);
  let lower = 0;
  let upper = 0;
  for (let b = 0; b < histogram.counts.length; b++) {
    if (histogram.edges[b] >= limit) lower += histogram.counts[b];
    if (histogram.edges[b + 1] > limit) upper += histogram.counts[b];
  }
  return { total, lower, upper };
}

/**
 * In which bucket does a quantile lie, and between which edges with confidence?
 *
 * @param order    in (0, 1): 0.95 for the 95th percentile.
 * @param options  `confidence` also widens the bounds by the order statistics that hold the quantile of the population.
 * @returns bounds: edges of buckets; estimate within the bucket as if values spread evenly (geometrically between
 *          positive edges; Prometheus interpolates likewise).
 * @throws RangeError when the histogram is faulty, counts are not whole where a confidence is asked, or order or
 *         confidence are not in (0, 1).
 *
 * Source: order statistics, David & Nagaraja (2003), Order Statistics, 7.1.
 * @example histogramQuantile({ edges: [0, 1, 2, 4], counts: [50, 30, 20] }, 0.9).upper // 4
 */
export function histogramQuantile(
  histogram: Histogram,
  order: number,
  options: { readonly confidence?: number } = {},
): Bounded {
  const total = requireHistogram("histogram", histogram);
  requireFraction("order", order);
  const { edges, counts } = histogram;
  const at = bucketOfRank(counts, order * total);
  let below = 0;
  for (let b = 0; b < at; b++) below += counts[b];
  const share = (order * total - below) / counts[at];
  const estimate = within(edges[at], edges[at + 1], share);
  if (options.confidence === undefined) return { estimate, lower: edges[at], upper: edges[at + 1] };
  requireFraction("confidence", options.confidence);
  if (!Number.isInteger(total)) throw new RangeError(`histogram holds ${total} values, not a whole number`);
  // The quantile lies at or above the l-th value with P(Binomial(total, order) >= l), and at or below the u-th with
  // P(Binomial <= u - 1).
  const tail = (1 - options.confidence) / 2;
  const first = binomialQuantile(tail, total, order);
  const last = binomialQuantile(1 - tail, total, order) + 1;
  return {
    estimate,
    lower: first < 1 ? edges[0] : edges[bucketOfRank(counts, first)],
    upper: last > total ? edges[edges.length - 1] : edges[bucketOfRank(counts, last) + 1],
  };
}

/** The bucket that holds the value of this rank, counted from 1 (fractions round up). */
function bucketOfRank(counts: ArrayLike<number>, rank: number): number {
  let sum = 0;
  let last = 0;
  for (let b = 0; b < counts.length; b++) {
    if (counts[b] === 0) continue;
    last = b;
    sum += counts[b];
    if (sum >= rank) return b;
  }
  return last;
}

function middleOf(low: number, high: number): number {
  return within(low, high, 0.5);
}

function within(low: number, high: number, share: number): number {
  if (low === -Infinity) return high;
  if (high === Infinity) return low;
  return low > 0 ? low * (high / low) ** share : low + (high - low) * share;
}
