import { requireCount, requireNumbers } from "./check-input.ts";

/**
 * Cuts both samples into bins of about equal traffic, by the quantiles of both together.
 *
 * @param candidate  n >= 1 finite numbers. Not modified.
 * @param baseline   m >= 1 finite numbers.
 * @param bins       at most so many bins, at least 2; fewer where values are tied, 1 when all are equal.
 * @returns `edges`, ascending: a value belongs to the first bin whose edge it does not exceed, or to the last bin,
 *          which has none; the counts of both arms per bin.
 * @throws RangeError when a sample is empty or holds a NaN or infinity, or bins is not a whole number of at least 2.
 * @example quantileBins([1, 2, 3, 4], [3, 4, 5, 6], 2).candidate[0] // 3
 */
export function quantileBins(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  bins: number,
): { readonly edges: Float64Array; readonly candidate: Float64Array; readonly baseline: Float64Array } {
  requireNumbers("candidate", candidate);
  requireNumbers("baseline", baseline);
  requireCount("bins", bins, 2);
  const pooled = new Float64Array(candidate.length + baseline.length);
  pooled.set(candidate);
  pooled.set(baseline, candidate.length);
  pooled.sort();
  const highest = pooled[pooled.length - 1];
  const edges: number[] = [];
  for (let k = 1; k < bins; k++) {
    const edge = pooled[Math.ceil((k * pooled.length) / bins) - 1];
    // An edge at the highest value would leave the last bin empty.
    if (edge < highest && edge !== edges[edges.length - 1]) edges.push(edge);
  }
  return {
    edges: Float64Array.from(edges),
    candidate: binned(candidate, edges),
    baseline: binned(baseline, edges),
  };
}

function binned(values: ArrayLike<number>, edges: readonly number[]): Float64Array {
  const counts = new Float64Array(edges.length + 1);
  for (let i = 0; i < values.length; i++) {
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[i] <= edges[middle]) high = middle;
      else low = middle + 1;
    }
    counts[low]++;
  }
  return counts;
}
