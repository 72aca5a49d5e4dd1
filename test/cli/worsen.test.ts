import { expect, test } from "vitest";
import { worseningOf } from "../../src/cli/worsen.ts";
import type { Histogram, SampleRows, Samples } from "../../src/model/samples.ts";
import { analysisOf } from "../fixtures.ts";
import { analysisText } from "./recordings.ts";

const metricOf = (text: string) => {
  const [metric] = analysisOf(
    analysisText("{ mode: once }", `{ name: m, source: s, query: { value: v }, ${text} }`),
  ).metrics;
  if (metric === undefined) throw new Error("the analysis has a metric");
  return metric;
};

const rows = (values: readonly number[], units: readonly number[] | null = null): SampleRows => ({
  shape: "samples",
  values: Float64Array.from(values),
  units: units === null ? null : Int32Array.from(units),
  unitNames: units === null ? [] : [...new Set(units)].map((unit) => `u${unit}`),
  at: null,
  strata: null,
  stratumNames: [],
});
const valuesOf = (samples: Samples) => ("values" in samples ? [...samples.values] : []);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test("amounts grow by a factor, or by a difference where the margin is one", () => {
  expect(valuesOf(worseningOf(metricOf("kind: cost, margin: 5%"), rows([1, 2])).apply(rows([1, 2]), 0.1, 1))).toEqual([
    1.1, 2.2,
  ]);
  const falling = worseningOf(metricOf("kind: gauge, worse: lower, measurementUnit: W, margin: 3W"), rows([10]));
  expect(falling).toMatchObject({ scale: "difference", direction: -1, margin: 3 });
  expect(valuesOf(falling.apply(rows([10]), 4, 1))).toEqual([6]);
});

test("whole scores move by whole steps, on average as far as asked, and not beyond the scale", () => {
  const scores = rows(Array.from({ length: 4000 }, (_, i) => 1 + (i % 5)));
  const moved = valuesOf(worseningOf(metricOf("kind: score, scale: [1, 5]"), scores).apply(scores, 0.4, 3));
  expect(new Set(moved)).toEqual(new Set([1, 2, 3, 4, 5]));
  // Four fifths of them can move; 4000 draws of 0 or 1 have a standard error below 0.008.
  expect(mean(valuesOf(scores)) - mean(moved)).toBeCloseTo(0.8 * 0.4, 1);
});

test("errors are added by unit, successes taken away, and a larger change hits the same units and more", () => {
  const units = Array.from({ length: 6000 }, (_, row) => row >> 1);
  const few = rows(
    units.map((unit) => (unit % 10 === 0 ? 1 : 0)),
    units,
  );
  const more = worseningOf(metricOf("kind: errors"), few);
  const small = valuesOf(more.apply(few, 0.1, 5));
  const large = valuesOf(more.apply(few, 0.2, 5));
  // Of 3000 units 10 % were bad; the standard error of a share is below 0.01.
  expect(mean(small)).toBeCloseTo(0.2, 1);
  expect(mean(large)).toBeCloseTo(0.3, 1);
  expect(small.every((value, row) => value <= (large[row] ?? 0))).toBe(true);
  const good = rows(
    units.map((unit) => (unit % 10 === 0 ? 0 : 1)),
    units,
  );
  expect(
    mean(valuesOf(worseningOf(metricOf("kind: errors, worse: lower, margin: 2pp"), good).apply(good, 0.3, 5))),
  ).toBeCloseTo(0.6, 1);
});

test("events are added to counts by the same share, and never exceed the exposure", () => {
  const counts: Samples = {
    shape: "counts",
    stepSeconds: 60,
    at: Float64Array.from({ length: 50 }, (_, i) => 60 * i),
    events: new Float64Array(50).fill(5),
    exposure: Float64Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 10 : 2000)),
  };
  const after = worseningOf(metricOf("kind: errors"), counts).apply(counts, 0.1, 2);
  if (after.shape !== "counts") throw new Error("counts stay counts");
  const total = (column: Float64Array) => column.reduce((sum, value) => sum + value, 0);
  expect((total(after.events) - total(counts.events)) / total(counts.exposure)).toBeCloseTo(0.1, 2);
  expect(after.events.every((events, step) => events <= (counts.exposure[step] ?? 0))).toBe(true);
});

test("a histogram keeps its observations and moves them up the buckets", () => {
  const histogram: Histogram = {
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.of(60),
    upperEdges: Float64Array.of(1, 2, 4, Infinity),
    counts: Float64Array.of(100, 100, 100, 0),
  };
  const doubled = worseningOf(metricOf("kind: latency"), histogram).apply(histogram, 1, 1);
  // What lay in (1, 2] lies in (2, 4]; of what lay in (0, 1] the upper half lies in (1, 2].
  expect(doubled).toMatchObject({ counts: Float64Array.of(50, 50, 100, 100) });
});
