import { requireFinite, requirePositive } from "./check-input.ts";
import { requireHistogram, type Histogram } from "./histogram.ts";
import type { Deflation } from "./rank-summary.ts";

/** Two histograms on one set of edges. */
export interface AlignedHistograms {
  readonly edges: Float64Array;
  readonly candidate: Float64Array;
  readonly baseline: Float64Array;
}

/**
 * Puts two histograms on the edges they have in common by merging buckets: nothing is guessed, some detail is lost.
 *
 * @param candidate  a histogram. Not modified.
 * @param baseline   a histogram, on any edges.
 * @returns both on common edges, or undefined when these cannot tell values apart any more: fewer than two buckets, or
 *          an arm that had its values in several buckets has them all in one. A finding for the caller to report: the
 *          arms are instrumented differently.
 * @throws RangeError when a histogram is faulty.
 *
 * Edges that agree to nine digits are one (exporters print and parse them). An edge beyond the other histogram's range
 * is common to both: there is nothing to split there. Schemas of exponential histograms nest, so the coarser one is the
 * result.
 * @example mergeToCommonEdges({ edges: [0, 1, 2, 4], counts: [1, 2, 3] }, { edges: [0, 2, 3, 4], counts: [4, 5, 6] })?.candidate // [3, 3]
 */
export function mergeToCommonEdges(candidate: Histogram, baseline: Histogram): AlignedHistograms | undefined {
  requireHistogram("candidate", candidate);
  requireHistogram("baseline", baseline);
  const edges = unionOfEdges(candidate.edges, baseline.edges).filter(
    (edge) => splitsNoBucket(edge, candidate.edges) && splitsNoBucket(edge, baseline.edges),
  );
  if (edges.length < 3) return undefined;
  const merged = { candidate: regroup(candidate, edges), baseline: regroup(baseline, edges) };
  const lost = [
    [candidate.counts, merged.candidate],
    [baseline.counts, merged.baseline],
  ].some(([before, after]) => occupied(before) > 1 && occupied(after) === 1);
  return lost ? undefined : { edges, ...merged };
}

/**
 * Puts two histograms on all edges of both by splitting buckets: values are supposed to spread evenly within a bucket,
 * on a logarithmic scale where it lies between positive edges.
 *
 * @returns both on the union of the edges; counts may be fractions. The values of a bucket without end stay in the part
 *          without end.
 * @throws RangeError when a histogram is faulty.
 *
 * For an estimate only: what can be said for certain is in `superiorityBounds`.
 * @example refineToAllEdges({ edges: [0, 2], counts: [4] }, { edges: [0, 1, 2], counts: [1, 1] }).candidate // [2, 2]
 */
export function refineToAllEdges(candidate: Histogram, baseline: Histogram): AlignedHistograms {
  requireHistogram("candidate", candidate);
  requireHistogram("baseline", baseline);
  const edges = unionOfEdges(candidate.edges, baseline.edges);
  return { edges, candidate: split(candidate, edges), baseline: split(baseline, edges) };
}

/**
 * The histogram of value / divisor - shift: a candidate with its margin forgiven. Only edges move; compare it by
 * `superiorityBounds` and `refineToAllEdges`.
 *
 * @throws RangeError when divisor is not positive and finite or shift is not finite.
 * @example deflateHistogram({ edges: [1, 2, Infinity], counts: [3, 4] }, { divisor: 2 }).edges // [0.5, 1, Infinity]
 */
export function deflateHistogram(histogram: Histogram, deflation: Deflation): Histogram {
  const { divisor = 1, shift = 0 } = deflation;
  requirePositive("divisor", divisor);
  requireFinite("shift", shift);
  return { edges: Float64Array.from(histogram.edges, (edge) => edge / divisor - shift), counts: histogram.counts };
}

/** Edges written to nine digits and read back are still the same edge. */
const EDGE_TOLERANCE = 1e-9;

function isSameEdge(a: number, b: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= EDGE_TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

function unionOfEdges(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const all = Float64Array.of(...Array.from(a), ...Array.from(b)).sort();
  return all.filter((edge, i) => i === 0 || !isSameEdge(edge, all[i - 1]));
}

function splitsNoBucket(edge: number, edges: ArrayLike<number>): boolean {
  const last = edges[edges.length - 1];
  if (edge <= edges[0] || edge >= last) return true;
  for (let b = 0; b < edges.length; b++) if (isSameEdge(edge, edges[b])) return true;
  return false;
}

/** Adds each bucket to the one of `edges` that holds it. */
function regroup(histogram: Histogram, edges: Float64Array): Float64Array {
  const counts = new Float64Array(edges.length - 1);
  let target = 0;
  for (let b = 0; b < histogram.counts.length; b++) {
    const upper = histogram.edges[b + 1];
    while (edges[target + 1] < upper && !isSameEdge(edges[target + 1], upper)) target += 1;
    counts[target] += histogram.counts[b];
  }
  return counts;
}

function split(histogram: Histogram, edges: Float64Array): Float64Array {
  const counts = new Float64Array(edges.length - 1);
  for (let b = 0; b < histogram.counts.length; b++) {
    const from = histogram.edges[b];
    const to = histogram.edges[b + 1];
    for (let c = 0; c < counts.length; c++) {
      const low = isSameEdge(edges[c], from) ? from : edges[c];
      const high = isSameEdge(edges[c + 1], to) ? to : edges[c + 1];
      if (low >= from && high <= to) counts[c] += histogram.counts[b] * shareOf(low, high, from, to);
    }
  }
  return counts;
}

/** The share of a bucket's values in a part of it. */
function shareOf(low: number, high: number, from: number, to: number): number {
  if (low === from && high === to) return 1;
  if (to === Infinity) return high === Infinity ? 1 : 0;
  if (from === -Infinity) return low === -Infinity ? 1 : 0;
  return from > 0 ? Math.log(high / low) / Math.log(to / from) : (high - low) / (to - from);
}

function occupied(counts: ArrayLike<number>): number {
  let buckets = 0;
  for (let b = 0; b < counts.length; b++) if (counts[b] > 0) buckets += 1;
  return buckets;
}
