import { expect, test } from "vitest";
import { readRecordings } from "../../src/sources/replay-records.ts";
import type { Samples } from "../../src/model/samples.ts";
import { analysisOf } from "../fixtures.ts";
import { useFolder, type Line } from "../cli/recordings.ts";

const file = useFolder();

const METRIC = {
  session: "{ name: m, kind: cost, unit: session, source: s, query: { value: v } }",
  step: "{ name: m, kind: cost, unit: step, source: s, query: { value: v } }",
};

async function read(
  unit: keyof typeof METRIC,
  records: readonly Line[],
  start: number | null = null,
): Promise<Samples | undefined> {
  const { metrics } = analysisOf(
    `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  metrics:\n  - ${METRIC[unit]}\n`,
  );
  const path = await file(
    "records.ndjson",
    records.map((record) => ({ arm: "a", metric: "m", ...record })),
  );
  const request = { path, by: null, metrics, arms: ["a"], stepSeconds: 60, start };
  for await (const { recording } of readRecordings(request, () => undefined)) return recording.get("a")?.get("m");
  return undefined;
}

const floats = (...values: number[]) => Float64Array.from(values);

test("values become rows in the order of time, with units and strata as codes", async () => {
  const rows = await read("session", [
    { value: 3, at: 30, unit: "x", stratum: "eu" },
    { value: 1, at: 10, unit: 7, stratum: "us" },
    { value: 2, at: 20, unit: "x", stratum: "eu" },
  ]);
  expect(rows).toEqual({
    shape: "samples",
    values: floats(1, 2, 3),
    at: floats(10, 20, 30),
    units: Int32Array.from([1, 0, 0]),
    unitNames: ["x", "7"],
    strata: Int32Array.from([1, 0, 0]),
    stratumNames: ["eu", "us"],
  });
});

test("values of a metric whose unit is the step become a series with the mean of each step, unless they carry units", async () => {
  const records = [
    { value: 1, at: 0 },
    { value: 3, at: 59 },
    { value: 5, at: 120 },
  ];
  expect(await read("step", records)).toEqual({
    shape: "series",
    stepSeconds: 60,
    at: floats(60, 180),
    values: floats(2, 5),
  });
  expect(
    await read(
      "step",
      records.map((record) => ({ ...record, unit: "u" })),
    ),
  ).toMatchObject({ shape: "samples" });
});

test("events and exposure add up per step, from the start of the run on", async () => {
  const records = [
    { events: 1, exposure: 10, at: 100 },
    { events: 2, exposure: 20, at: 130 },
    { events: 4, exposure: 40, at: 161 },
  ];
  expect(await read("session", records)).toEqual({
    shape: "counts",
    stepSeconds: 60,
    at: floats(160, 220),
    events: floats(3, 4),
    exposure: floats(30, 40),
  });
  expect(await read("session", records, 120)).toMatchObject({ at: floats(180), events: floats(6) });
});

test("buckets add up per step, and a bucket that is left out held nothing", async () => {
  const histogram = await read("step", [
    { buckets: { "1": 1, "+Inf": 2 }, at: 0 },
    { buckets: { "1": 3, "2.5": 4 }, at: 30 },
    { buckets: { "2.5": 5 }, at: 60 },
  ]);
  expect(histogram).toEqual({
    shape: "histogram",
    stepSeconds: 60,
    at: floats(60, 120),
    upperEdges: floats(1, 2.5, Infinity),
    counts: floats(4, 4, 2, 0, 5, 0),
  });
});

test("records of a few milliseconds before a step belong to it", async () => {
  expect(
    await read("step", [
      { value: 1, at: 0 },
      { value: 2, at: 59.9995 },
    ]),
  ).toMatchObject({ at: floats(60, 120) });
});
