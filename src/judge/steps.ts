import type { CountsState, HistogramState, SeriesState } from "../model/look-state.ts";
import type { Counts, Histogram, Series } from "../model/samples.ts";

/** Samples that come per step of time. */
export type Steps = Series | Counts | Histogram;

/** An arm that came per step. */
export type StepsState = SeriesState | CountsState | HistogramState;

/** Times of steps are compared with this much slack in seconds. */
export const TOUCH = 1e-3;

/** The entries of a column at these places. */
export const take = (column: Float64Array, keep: readonly number[]): Float64Array =>
  Float64Array.from(keep, (step) => column[step] ?? 0);

/** The same with these steps only, in this order. */
export function pickSteps<T extends Steps>(steps: T, keep: readonly number[]): T {
  const at = take(steps.at, keep);
  switch (steps.shape) {
    case "series":
      return { ...steps, at, values: take(steps.values, keep) };
    case "counts":
      return { ...steps, at, events: take(steps.events, keep), exposure: take(steps.exposure, keep) };
    case "histogram": {
      const buckets = steps.upperEdges.length;
      const counts = new Float64Array(keep.length * buckets);
      for (const [place, step] of keep.entries())
        counts.set(steps.counts.subarray(step * buckets, (step + 1) * buckets), place * buckets);
      return { ...steps, at, counts };
    }
  }
}

/** The same with those steps only whose time is wanted. */
export function stepsWhere<T extends Steps>(steps: T, wanted: (at: number) => boolean): T {
  const keep = Array.from(steps.at, (_, step) => step).filter((step) => wanted(steps.at[step] ?? 0));
  return keep.length === steps.at.length ? steps : pickSteps(steps, keep);
}

/** The numbers of one step, column by column. */
export function rowOf(steps: Steps, step: number): Float64Array {
  switch (steps.shape) {
    case "series":
      return steps.values.subarray(step, step + 1);
    case "counts":
      return Float64Array.of(steps.events[step] ?? 0, steps.exposure[step] ?? 0);
    case "histogram": {
      const buckets = steps.upperEdges.length;
      return steps.counts.subarray(step * buckets, (step + 1) * buckets);
    }
  }
}

/** Both, one after the other; null when the shapes differ. */
export function joinSteps(before: StepsState, added: Steps): StepsState | null {
  const at = concat(before.at, added.at);
  if (before.shape === "series" && added.shape === "series")
    return { ...before, at, values: concat(before.values, added.values) };
  if (before.shape === "counts" && added.shape === "counts")
    return {
      ...before,
      at,
      events: concat(before.events, added.events),
      exposure: concat(before.exposure, added.exposure),
    };
  if (before.shape === "histogram" && added.shape === "histogram")
    return { ...before, at, counts: concat(before.counts, added.counts) };
  return null;
}

export function concat(a: Float64Array, b: Float64Array): Float64Array {
  if (b.length === 0) return a;
  const both = new Float64Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
