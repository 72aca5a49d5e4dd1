import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import type { Answer } from "../model/samples.ts";
import { createFaultTally, readNumber } from "./cell.ts";
import { resetsOf } from "./counters.ts";
import { coarsest, layOut, onGrid, type ExponentialPoint } from "./exponential-buckets.ts";

/** One series of native histograms as a range query returns it: cumulative since the start of its process. */
export const NativeItem = z.object({
  metric: z.record(z.string(), z.string()),
  histograms: z.array(
    z.tuple([
      z.number(),
      z.object({
        count: z.string(),
        buckets: z.array(z.tuple([z.number(), z.string(), z.string(), z.string()])).optional(),
      }),
    ]),
  ),
});
export type NativeItem = z.infer<typeof NativeItem>;

/**
 * Observations per step and bucket from native (exponential) histograms, differenced series by series.
 *
 * Prometheus makes a histogram coarser when it grows wide; here everything is brought to the coarsest grid that occurs, whose edges are edges of all.
 *
 * @param toldUpTo  faults up to this time were counted before, in seconds since the epoch.
 * @throws TouchstoneError `source_malformed` when buckets are not on an exponential grid, or lie below zero.
 */
export function fromNativeHistograms(
  items: readonly NativeItem[],
  stepSeconds: number,
  source: string,
  warnings: readonly string[],
  toldUpTo = -Infinity,
): Answer {
  const series = items.map(({ histograms }) =>
    histograms.map(([at, { buckets = [] }]) => toPoint(at, buckets, source)),
  );
  const schemas = series.flat().flatMap(({ schema }) => (schema === null ? [] : [schema]));
  const schema = coarsest(series.flat(), schemas.length === 0 ? 0 : Math.min(...schemas));
  const faults = createFaultTally(toldUpTo);
  const growth = new Map<number, Map<number, number>>();
  const resets = new Set<number>();
  for (const points of series) {
    let before: ReadonlyMap<number, number> | null = null;
    for (const point of points) {
      const counts = onGrid(point, schema);
      if (before !== null) addGrowth(before, counts, point.at, growth, resets);
      before = counts;
    }
  }
  for (const step of resets) {
    growth.delete(step);
    faults.add("counter_reset", new Date(step * 1000).toISOString(), step);
  }
  return {
    samples: layOut(growth, schema, stepSeconds),
    faults: faults.list,
    warnings,
    ...resetsOf(resets),
  };
}

function toPoint(
  at: number,
  buckets: readonly (readonly [rule: number, left: string, right: string, count: string])[],
  source: string,
): ExponentialPoint {
  let schema: number | null = null;
  let zeros = 0;
  const counts = new Map<number, number>();
  for (const [, leftText, rightText, countText] of buckets) {
    const [left, right, count] = [leftText, rightText, countText].map(readNumber);
    if (typeof left !== "number" || typeof right !== "number" || typeof count !== "number")
      throw malformed(source, `a bucket from ${leftText} to ${rightText} with ${countText}`);
    if (left <= 0 && right >= 0) {
      zeros += count;
      continue;
    }
    if (left < 0) throw malformed(source, `a bucket below zero, from ${leftText} to ${rightText}`);
    const own = Math.round(-Math.log2(Math.log2(right / left)));
    const exponent = Math.round(Math.log2(right) * 2 ** own);
    // Edges are powers of 2^(2^-schema), printed with all their digits.
    if (Math.abs(2 ** (exponent * 2 ** -own) / right - 1) > 1e-9)
      throw malformed(source, `a bucket up to ${rightText}, which is on no exponential grid`);
    schema = own;
    counts.set(exponent, count);
  }
  return { at, schema, zeros, counts };
}

function addGrowth(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  step: number,
  growth: Map<number, Map<number, number>>,
  resets: Set<number>,
): void {
  const row = growth.get(step) ?? new Map<number, number>();
  growth.set(step, row);
  for (const exponent of new Set([...before.keys(), ...after.keys()])) {
    const grown = (after.get(exponent) ?? 0) - (before.get(exponent) ?? 0);
    if (grown < 0) resets.add(step);
    else if (grown > 0) row.set(exponent, (row.get(exponent) ?? 0) + grown);
  }
}

function malformed(source: string, what: string): TouchstoneError {
  return new TouchstoneError("source_malformed", `${source} answered with ${what}`);
}
