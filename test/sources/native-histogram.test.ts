import { expect, test } from "vitest";
import { fromNativeHistograms, type NativeItem } from "../../src/sources/native-histogram.ts";

const START = 1795161600;

/** A series of cumulative histograms a minute apart: zeros, and counts by exponent on the grid of a schema. */
function item(
  ...points: readonly { schema?: number; zeros?: number; counts: Readonly<Record<number, number>> }[]
): NativeItem {
  return {
    metric: {},
    histograms: points.map(({ schema = 3, zeros = 0, counts }, step) => {
      const edge = (exponent: number) => String(2 ** (exponent * 2 ** -schema));
      const buckets: [number, string, string, string][] = Object.entries(counts).map(([exponent, count]) => [
        0,
        edge(Number(exponent) - 1),
        edge(Number(exponent)),
        String(count),
      ]);
      if (zeros > 0) buckets.unshift([3, "-0.000001", "0.000001", String(zeros)]);
      return [START + 60 * step, { count: "1", ...(buckets.length === 0 ? {} : { buckets }) }];
    }),
  };
}

const read = (...items: NativeItem[]) => fromNativeHistograms(items, 60, "prom", []);
const edge = (exponent: number, schema = 3) => 2 ** (exponent * 2 ** -schema);

test("exponential buckets are differenced per step on one grid without gaps", () => {
  const { samples, faults } = read(
    item({ counts: { 1: 5, 3: 5 } }, { counts: { 1: 7, 3: 5, 4: 2 } }, { zeros: 1, counts: { 1: 7, 3: 9, 4: 2 } }),
  );
  expect(faults).toEqual([]);
  expect(samples).toEqual({
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.of(START + 60, START + 120),
    upperEdges: Float64Array.of(edge(0), edge(1), edge(2), edge(3), edge(4), Infinity),
    counts: Float64Array.of(0, 2, 0, 0, 2, 0, 1, 0, 0, 4, 0, 0),
    schema: 3,
  });
});

test("replicas add up, and one that began during the window counts from there", () => {
  const { samples } = read(
    item({ counts: { 1: 100 } }, { counts: { 1: 103 } }),
    item({ counts: {} }, { counts: { 1: 2 } }),
  );
  expect(samples).toMatchObject({ at: Float64Array.of(START + 60), counts: Float64Array.of(0, 5, 0) });
});

test("a histogram that was made coarser on the way is compared on the coarser grid", () => {
  // Exponents 3 and 4 of schema 1 are exponent 2 of schema 0.
  const { samples } = read(item({ schema: 1, counts: { 3: 2, 4: 3 } }, { schema: 0, counts: { 2: 9 } }));
  expect(samples).toMatchObject({
    upperEdges: Float64Array.of(edge(1, 0), edge(2, 0), Infinity),
    counts: Float64Array.of(0, 4, 0),
  });
});

test("a reset is left out with its step, a histogram without values is none", () => {
  const { samples, faults } = read(item({ counts: { 1: 9 } }, { counts: { 1: 2 } }, { counts: { 1: 6 } }));
  expect(samples).toMatchObject({ at: Float64Array.of(START + 120), counts: Float64Array.of(0, 4, 0) });
  expect(faults).toEqual([{ kind: "counter_reset", count: 1, example: '"2026-11-20T08:01:00.000Z"' }]);
  expect(read(item({ counts: {} }, { counts: {} })).samples).toMatchObject({ counts: Float64Array.of(0, 0) });
  expect(read().samples).toMatchObject({ at: new Float64Array(0) });
});

test("a grid that would be too fine for its range is made coarser", () => {
  const { samples } = read(item({ schema: 8, counts: {} }, { schema: 8, counts: { 1: 1, 4000: 1 } }));
  if (samples.shape !== "histogram") throw new Error("not a histogram");
  expect(samples.upperEdges.length).toBeLessThanOrEqual(642);
  expect(samples.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect(samples.upperEdges.at(-2)).toBeGreaterThanOrEqual(edge(4000, 8) * (1 - 1e-12));
});

test.each([
  ["below zero", [0, "-2", "-1", "3"], /a bucket below zero/],
  ["off the grid", [0, "1", "1.3", "3"], /on no exponential grid/],
  ["without numbers", [0, "1", "abc", "3"], /a bucket from 1 to abc/],
] as const)("a bucket %s is refused", (_, bucket, message) => {
  expect(() => read({ metric: {}, histograms: [[START, { count: "3", buckets: [[...bucket]] }]] })).toThrow(message);
});
