import { expect, test } from "vitest";
import { createBucketCollector, type BucketRow } from "../../src/sources/bucket-rows.ts";

const WINDOW = { start: "2026-11-20T08:00:00.000Z", end: "2026-11-20T08:03:00.000Z" };
const EIGHT = Date.parse(WINDOW.start) / 1000;

function collect(columns: "edges" | "exponents", rows: readonly BucketRow[], window = WINDOW) {
  const collector = createBucketCollector(columns, window, 60, "evals");
  for (const row of rows) collector.add(row);
  return collector.finish([]);
}

test("rows of edges are added up by the step that holds their time, a step named by its end", () => {
  const { samples, faults } = collect("edges", [
    { at: "2026-11-20T08:00:00Z", le: "1", count: "5" },
    { at: "2026-11-20T08:00:59.999Z", le: "1", count: "2" },
    { at: "2026-11-20T08:01:00Z", le: "0.5", count: "3" },
    { at: "2026-11-20T08:02:30Z", le: "Infinity", count: "1" },
  ]);
  expect(faults).toEqual([]);
  expect(samples).toEqual({
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.of(EIGHT + 60, EIGHT + 120, EIGHT + 180),
    upperEdges: Float64Array.of(0.5, 1, Infinity),
    counts: Float64Array.of(0, 7, 0, 3, 0, 0, 0, 0, 1),
  });
});

test("steps are counted back from the end, so that a window that begins in the middle of one changes none", () => {
  const rows = [{ at: "2026-11-20T08:01:30Z", le: "1", count: "4" }];
  const from = (start: string) => collect("edges", rows, { ...WINDOW, start }).samples;
  expect(from("2026-11-20T08:00:00.000Z")).toEqual(from("2026-11-20T08:00:17.000Z"));
});

test("a time that is the start of a step to the millisecond lies in it, wherever the window ends", () => {
  for (let k = 0; k < 1000; k += 1) {
    const end = 1_763_541_000.123 + 0.777 * k;
    const window = { start: new Date((end - 600) * 1000).toISOString(), end: new Date(end * 1000).toISOString() };
    const exact = Date.parse(window.end) / 1000;
    const { samples } = collect("edges", [{ at: String(exact - 120), le: "1", count: "1" }], window);
    if (samples.shape !== "histogram") throw new Error("not a histogram");
    expect(samples.at[0]).toBeCloseTo(exact - 60, 6);
  }
});

test("exponents become the whole grid between the smallest and the largest, zeros first", () => {
  const { samples } = collect("exponents", [
    { at: "2026-11-20T08:00:10Z", bucket: "-2", schema: "1", count: "4" },
    { at: "2026-11-20T08:00:10Z", bucket: null, schema: "1", count: "9" },
    { at: "2026-11-20T08:01:10Z", bucket: "1", schema: "1", count: "2" },
  ]);
  if (samples.shape !== "histogram") throw new Error("not a histogram");
  expect(samples.schema).toBe(1);
  expect(Array.from(samples.upperEdges)).toEqual([2 ** -1.5, 0.5, 2 ** -0.5, 1, 2 ** 0.5, Infinity]);
  expect(Array.from(samples.counts)).toEqual([9, 4, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]);
});

test("a grid of too many buckets is made coarser, and nothing is lost", () => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({
    at: String(EIGHT),
    bucket: String(i),
    schema: "8",
    count: "1",
  }));
  const { samples } = collect("exponents", rows);
  if (samples.shape !== "histogram") throw new Error("not a histogram");
  expect(samples.schema).toBe(6);
  expect(samples.upperEdges.length).toBeLessThan(640);
  expect(samples.counts.reduce((sum, count) => sum + count, 0)).toBe(2000);
});

test("what is no count, no bucket or no time is told by kind and never counted", () => {
  const at = String(EIGHT);
  const { samples, faults } = collect("edges", [
    { at, le: "1", count: "-1" },
    { at, le: "1", count: null },
    { at, le: "NaN", count: "1" },
    { at, le: "-Infinity", count: "1" },
    { at: "yesterday", le: "1", count: "1" },
    { at: String(EIGHT - 1), le: "1", count: "1" },
    { at: String(EIGHT + 180), le: "1", count: "1" },
  ]);
  expect(samples).toMatchObject({ at: new Float64Array(0), upperEdges: new Float64Array(0) });
  expect(faults.map(({ kind, count }) => [kind, count])).toEqual([
    ["bad_time", 1],
    ["infinite", 1],
    ["missing", 1],
    ["nan", 1],
    ["negative", 1],
  ]);
  expect(collect("exponents", [{ at, bucket: "1.5", schema: "3", count: "1" }]).faults).toMatchObject([
    { kind: "not_a_number" },
  ]);
});

test("a schema that is none, or two of them, is no answer to trust", () => {
  const row = (schema: unknown) => ({ at: String(EIGHT), bucket: "1", schema, count: "1" });
  for (const schema of ["9", "-5", "2.5", null, "fine"])
    expect(() => collect("exponents", [row(schema)])).toThrow(/answered with schema .*whole number from -4 to 8/);
  expect(() => collect("exponents", [row("3"), row("4")])).toThrow(/schema 4 beside 3/);
});
