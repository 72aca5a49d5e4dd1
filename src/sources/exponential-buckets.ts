import type { Histogram } from "../model/samples.ts";

/** Buckets are merged pairwise until there are at most this many: 20 octaves at 9 % width are 160. */
const MAX_BUCKETS = 640;

/** Counts by exponent: bucket i holds (2^((i − 1) / 2^schema), 2^(i / 2^schema)]. */
export interface ExponentialPoint {
  readonly at: number;
  /** Null for a histogram without any value, which fits every grid. */
  readonly schema: number | null;
  readonly zeros: number;
  readonly counts: ReadonlyMap<number, number>;
}

/** Stands for the bucket around zero among the exponents. */
export const ZERO = -Infinity;

/** The finest schema, not above the given one, on which all buckets together are few enough. */
export function coarsest(points: readonly ExponentialPoint[], start: number): number {
  let schema = start;
  for (;;) {
    let first = Infinity;
    let last = -Infinity;
    for (const point of points) {
      for (const exponent of onGrid(point, schema).keys()) {
        if (exponent === ZERO) continue;
        first = Math.min(first, exponent);
        last = Math.max(last, exponent);
      }
    }
    if (!(last - first >= MAX_BUCKETS)) return schema;
    schema -= 1;
  }
}

/** Each step down merges two buckets into one, whose upper edge is the upper edge of the higher one. */
export function onGrid({ schema, zeros, counts }: ExponentialPoint, wanted: number): Map<number, number> {
  const merged = new Map<number, number>();
  if (zeros > 0) merged.set(ZERO, zeros);
  const factor = 2 ** ((schema ?? wanted) - wanted);
  for (const [exponent, count] of counts) {
    const target = Math.ceil(exponent / factor);
    merged.set(target, (merged.get(target) ?? 0) + count);
  }
  return merged;
}

/**
 * A histogram with every bucket of the grid between the smallest and the largest that occurs.
 *
 * @param byStep  counts by exponent, by the end of their step in seconds since the epoch.
 */
export function layOut(
  byStep: ReadonlyMap<number, ReadonlyMap<number, number>>,
  schema: number,
  stepSeconds: number,
): Histogram {
  const steps = [...byStep.keys()].sort((a, b) => a - b);
  const exponents = [...new Set(steps.flatMap((step) => [...(byStep.get(step)?.keys() ?? [])]))].filter(
    (exponent) => exponent !== ZERO,
  );
  const first = exponents.length === 0 ? 0 : Math.min(...exponents);
  const last = exponents.length === 0 ? -1 : Math.max(...exponents);
  const grid = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  // The first bucket takes the zeros, the last one, without end, takes nothing: the grid reaches up to the largest value.
  const upperEdges = [first - 1, ...grid].map((exponent) => 2 ** (exponent * 2 ** -schema));
  const rows = steps.map((step) => [ZERO, ...grid].map((exponent) => byStep.get(step)?.get(exponent) ?? 0));
  return {
    shape: "histogram",
    stepSeconds,
    at: Float64Array.from(steps),
    upperEdges: Float64Array.from([...upperEdges, Infinity]),
    counts: Float64Array.from(rows.flatMap((row) => [...row, 0])),
    schema,
  };
}
