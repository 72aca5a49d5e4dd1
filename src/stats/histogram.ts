/** Counts between edges: bucket b holds the values in (edges[b], edges[b + 1]]. */
export interface Histogram {
  /** One more than there are buckets, ascending; the first may be -Infinity and the last Infinity. */
  readonly edges: ArrayLike<number>;
  /** Per bucket, not cumulated; finite numbers >= 0. */
  readonly counts: ArrayLike<number>;
}

/**
 * The edges of a Prometheus classic or OpenTelemetry explicit histogram from its upper bounds (`le`, without or with
 * the last, Infinity).
 *
 * @param upperBounds  at least one ascending number.
 * @param lowest       what no value lies below: 0 for durations, sizes and costs.
 * @throws RangeError when bounds are none, not ascending, NaN, or not above `lowest`.
 * @example classicEdges([0.1, 0.5, 1], 0) // [0, 0.1, 0.5, 1, Infinity]
 */
export function classicEdges(upperBounds: ArrayLike<number>, lowest = -Infinity): Float64Array {
  const bounds = Array.from(upperBounds);
  if (bounds[bounds.length - 1] !== Infinity) bounds.push(Infinity);
  const edges = Float64Array.of(lowest, ...bounds);
  requireEdges("upperBounds", edges);
  return edges;
}

/**
 * The edges of a native or exponential histogram: powers of 2^(2^-scale) from the first exponent to the last.
 *
 * @param scale  whole number from -10 to 20: Prometheus' schema, OpenTelemetry's scale. 3 makes buckets 9.05 % wide.
 * @throws RangeError when a number is not whole or last <= first.
 * @example exponentialEdges(0, -1, 2) // [0.5, 1, 2, 4]
 */
export function exponentialEdges(scale: number, first: number, last: number): Float64Array {
  for (const [name, value] of Object.entries({ scale, first, last })) {
    if (!Number.isInteger(value)) throw new RangeError(`${name} is ${value}, not a whole number`);
  }
  if (last <= first) throw new RangeError(`last is ${last}, not above first, ${first}`);
  return Float64Array.from({ length: last - first + 1 }, (_, i) => 2 ** ((first + i) * 2 ** -scale));
}

/**
 * The smallest margin that a bucket layout can judge at a value: half the width of the bucket there, absolute and as a
 * share of its lower edge.
 *
 * @returns `difference` in the measurement unit of the edges, `relative` as a fraction; Infinity in a bucket without
 *          end or from 0.
 * @throws RangeError when edges are not ascending or the value lies in no bucket.
 * @example resolvableMargin([1, 2, 4], 3).relative // 0.5
 */
export function resolvableMargin(
  edges: ArrayLike<number>,
  at: number,
): { readonly difference: number; readonly relative: number } {
  requireEdges("edges", edges);
  for (let b = 0; b + 1 < edges.length; b++) {
    if (at > edges[b] && at <= edges[b + 1]) {
      const half = (edges[b + 1] - edges[b]) / 2;
      return { difference: half, relative: edges[b] > 0 ? half / edges[b] : Infinity };
    }
  }
  throw new RangeError(`at is ${at}, outside the edges`);
}

/** @throws RangeError when there are fewer than two edges, or they do not ascend. */
export function requireEdges(name: string, edges: ArrayLike<number>): void {
  if (edges.length < 2) throw new RangeError(`${name} has ${edges.length} edges, fewer than 2`);
  for (let b = 0; b < edges.length; b++) {
    if (Number.isNaN(edges[b])) throw new RangeError(`${name}[${b}] is NaN`);
    if (b > 0 && !(edges[b] > edges[b - 1])) {
      throw new RangeError(`${name}[${b}] is ${edges[b]}, not above ${edges[b - 1]}`);
    }
  }
}

/** @throws RangeError when there is no bucket, a count is negative or not finite, or all are 0. Returns their sum. */
export function requireBucketCounts(name: string, counts: ArrayLike<number>): number {
  if (counts.length === 0) throw new RangeError(`${name} is empty`);
  let total = 0;
  for (let b = 0; b < counts.length; b++) {
    if (!(counts[b] >= 0 && counts[b] < Infinity)) throw new RangeError(`${name}[${b}] is ${counts[b]}`);
    total += counts[b];
  }
  if (total === 0) throw new RangeError(`${name} holds no values`);
  return total;
}

/** @throws RangeError when edges or counts are faulty, or their lengths do not fit. Returns the number of values. */
export function requireHistogram(name: string, histogram: Histogram): number {
  requireEdges(`${name}.edges`, histogram.edges);
  if (histogram.counts.length !== histogram.edges.length - 1) {
    throw new RangeError(`${name} has ${histogram.edges.length} edges and ${histogram.counts.length} buckets`);
  }
  return requireBucketCounts(`${name}.counts`, histogram.counts);
}
