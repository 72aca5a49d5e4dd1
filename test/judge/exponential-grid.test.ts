import { expect, test } from "vitest";
import { onOneGrid } from "../../src/judge/exponential-grid.ts";
import type { HistogramState } from "../../src/model/look-state.ts";

/** One step of a native histogram as the source gives it: zeros, then counts from an exponent on. */
function native(schema: number, zeros: number, first: number, counts: readonly number[]): HistogramState {
  const edges = [first - 1, ...counts.map((_, index) => first + index)].map((i) => 2 ** (i * 2 ** -schema));
  return {
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.of(60),
    upperEdges: Float64Array.of(...edges, Infinity),
    counts: Float64Array.of(zeros, ...counts, 0),
    schema,
    rows: 1,
    invalid: 0,
    faults: [],
    lastAt: 60,
  };
}

test("two ranges of one grid become their union, with every value in its own bucket", () => {
  const both = onOneGrid(native(3, 1, 5, [7, 0, 9]), native(3, 2, 2, [4, 5]));
  expect(both?.before).toEqual(native(3, 1, 2, [0, 0, 0, 7, 0, 9]));
  expect(both?.added).toEqual(native(3, 2, 2, [4, 5, 0, 0, 0, 0]));
});

test("a finer grid adds up to the coarser one", () => {
  // Exponents 3 and 4 of schema 1 are exponent 2 of schema 0, exponent 5 is part of 3.
  const both = onOneGrid(native(1, 1, 3, [2, 3, 4]), native(0, 0, 2, [9]));
  expect(both?.before).toEqual(native(0, 1, 2, [5, 4]));
  expect(both?.added).toEqual(native(0, 0, 2, [9, 0]));
});

test("a slice in which nothing but zeros was seen coarsens nothing", () => {
  const idle = native(0, 5, 0, []);
  const both = onOneGrid(native(3, 1, 5, [7]), idle);
  expect(both?.before).toEqual(native(3, 1, 5, [7]));
  expect(both?.added).toEqual(native(3, 5, 5, [0]));
  expect(onOneGrid(idle, native(3, 1, 5, [7]))?.before).toEqual(native(3, 5, 5, [0]));
  expect(onOneGrid(idle, native(3, 2, 0, []))).toMatchObject({ added: { counts: Float64Array.of(2, 0) } });
});

test("classic buckets are what they are: other ones cannot be brought together", () => {
  const { schema: _, ...classic } = native(0, 0, 1, [1, 2]);
  expect(onOneGrid(classic, native(0, 0, 1, [1, 2]))).toBe(null);
});
