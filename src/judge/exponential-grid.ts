import type { HistogramState } from "../model/look-state.ts";
import type { Histogram } from "../model/samples.ts";

/**
 * What was taken in and what is new on one grid, where both are native histograms: these only list the buckets that hold something, so that two looks rarely list the
 * same, and a wider range is kept in coarser buckets. Nothing is guessed: buckets of the finer grid add up to those of the coarser one.
 *
 * @returns null where one of them is no native histogram.
 */
export function onOneGrid(
  before: HistogramState,
  added: Histogram,
): { readonly before: HistogramState; readonly added: Histogram } | null {
  if (before.schema === undefined || added.schema === undefined) return null;
  // Where nothing but zeros was seen any grid will do.
  const seen = [before, added].filter(({ upperEdges }) => upperEdges.length > 2);
  const schema = Math.min(...(seen.length === 0 ? [before] : seen).map((one) => one.schema ?? 0));
  const exponents = (seen.length === 0 ? [before] : seen).flatMap((one) => exponentsOf(one, schema));
  const [low, high] = [Math.min(...exponents), Math.max(...exponents)];
  const upperEdges = Float64Array.of(
    ...Array.from({ length: high - low + 1 }, (_, index) => 2 ** ((low + index) * 2 ** -schema)),
    Infinity,
  );
  return { before: regroup(before, schema, low, upperEdges), added: regroup(added, schema, low, upperEdges) };
}

/** The exponent of an edge on the coarser grid that its bucket is part of. */
function exponentOf(edge: number, schema: number, wanted: number): number {
  return Math.ceil(Math.round(Math.log2(edge) * 2 ** schema) / 2 ** (schema - wanted));
}

/** Of the first and the last finite edge. The first bucket holds zeros only, so that it ends where the next begins. */
function exponentsOf({ upperEdges, schema = 0 }: Histogram, wanted: number): [first: number, last: number] {
  const last = exponentOf(upperEdges.at(-2) ?? 1, schema, wanted);
  return upperEdges.length > 2 ? [exponentOf(upperEdges[1] ?? 1, schema, wanted) - 1, last] : [last, last];
}

function regroup<T extends Histogram>(arm: T, schema: number, low: number, upperEdges: Float64Array): T {
  const last = upperEdges.length - 1;
  const own = arm.upperEdges.length;
  const target = Array.from(arm.upperEdges, (edge, bucket) =>
    bucket === 0 ? 0 : edge === Infinity ? last : exponentOf(edge, arm.schema ?? schema, schema) - low,
  );
  const counts = new Float64Array(arm.at.length * upperEdges.length);
  for (let step = 0; step < arm.at.length; step++)
    for (let bucket = 0; bucket < own; bucket++) {
      const place = step * upperEdges.length + (target[bucket] ?? last);
      counts[place] = (counts[place] ?? 0) + (arm.counts[step * own + bucket] ?? 0);
    }
  return { ...arm, schema, upperEdges, counts };
}
