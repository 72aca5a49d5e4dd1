import { describe, expect, test } from "vitest";
import { judgeByKayenta } from "../../src/kayenta/judge.ts";
import { kayentaMetricOf, kayentaWeightsOf } from "../../src/kayenta/metric-of.ts";
import type { Metric } from "../../src/model/analysis.ts";
import type { Counts, Histogram, SampleRows, Series } from "../../src/model/samples.ts";
import { analysisWith } from "../judge/samples.ts";

const of = (...values: number[]): Float64Array => Float64Array.from(values);

const METRICS = `
- { name: latency, kind: latency, source: f, query: { value: v } }
- { name: quality, kind: score, source: f, query: { value: v }, scale: [1, 5] }
- { name: errors, kind: errors, source: f, query: { value: v } }
- { name: queue, kind: gauge, source: f, query: { value: v }, worse: either, tier: advisory }
- { name: cost, kind: cost, source: f, query: { value: v }, weight: 4 }
`;
const analysis = analysisWith(METRICS);

function metricOf(name: string): Metric {
  return analysis.metrics.find((metric) => metric.name === name) ?? expect.fail(`no metric ${name}`);
}

const rows = (values: readonly number[], at: readonly number[] | null, units: readonly number[] | null = null) =>
  ({
    shape: "samples",
    values: of(...values),
    units: units === null ? null : Int32Array.from(units),
    unitNames: units === null ? [] : [...new Set(units)].map(String),
    at: at === null ? null : of(...at),
    strata: null,
    stratumNames: [],
  }) satisfies SampleRows;
const series = (at: readonly number[], values: readonly number[], stepSeconds = 60) =>
  ({ shape: "series", stepSeconds, at: of(...at), values: of(...values) }) satisfies Series;

describe("points", () => {
  test("of rows with times are their mean per minute, and NaN in minutes that only the other side has", () => {
    const { control, experiment } = kayentaMetricOf(metricOf("latency"), {
      baseline: rows([1, 3, 10], [0, 59.9, 60]),
      candidate: rows([7, 5], [130, 30]),
    });
    expect(control).toEqual(of(2, 10, NaN));
    expect(experiment).toEqual(of(5, NaN, 7));
  });

  test("of rows without times are units, for there are no steps", () => {
    const { control, experiment } = kayentaMetricOf(metricOf("latency"), {
      baseline: rows([1, 3, 10], null, [0, 0, 1]),
      candidate: rows([4, 5], null),
    });
    expect(control).toEqual(of(2, 10));
    expect(experiment).toEqual(of(4, 5));
  });

  test("of a series are its steps, averaged where they are finer than a minute", () => {
    const { control, experiment } = kayentaMetricOf(metricOf("latency"), {
      baseline: series([30, 60, 90, 120], [1, 3, 5, 7], 30),
      candidate: series([60, 120], [2, 4]),
    });
    expect(control).toEqual(of(2, 6));
    expect(experiment).toEqual(of(2, 4));
  });

  test("of counts are events / exposure, pooled within a minute, and missing without exposure", () => {
    const counts = (at: number[], events: number[], exposure: number[], stepSeconds: number): Counts => ({
      shape: "counts",
      stepSeconds,
      at: of(...at),
      events: of(...events),
      exposure: of(...exposure),
    });
    const { control, experiment } = kayentaMetricOf(metricOf("errors"), {
      baseline: counts([30, 60, 120], [1, 0, 2], [10, 30, 4], 30),
      candidate: counts([60, 120], [0, 1], [0, 4], 60),
    });
    expect(control).toEqual(of(1 / 40, 0.5));
    expect(experiment).toEqual(of(NaN, 0.25));
    const untimed = kayentaMetricOf(metricOf("errors"), {
      baseline: counts([0, 1], [1, 0], [4, 0], 0),
      candidate: { ...counts([0, 30, 70], [1, 1, 0], [4, 4, 5], 0), timed: true },
    });
    expect(untimed.control).toEqual(of(0.25, NaN));
    expect(untimed.experiment).toEqual(of(0.25, 0));
  });

  test("of a histogram are the means of its bucket middles per minute", () => {
    const histogram = (at: number[], counts: number[]): Histogram => ({
      shape: "histogram",
      stepSeconds: 60,
      at: of(...at),
      upperEdges: of(2, 4, Infinity),
      counts: of(...counts),
    });
    const { control, experiment } = kayentaMetricOf(metricOf("latency"), {
      baseline: histogram([60, 120], [3, 0, 0, 0, 0, 5]),
      candidate: histogram([60, 120], [1, 0, 1, 0, 0, 0]),
    });
    expect(control).toEqual(of(1, 4));
    expect(experiment).toEqual(of(2.5, NaN));
  });

  test("of a source without an answer are none, which Kayenta calls Nodata", () => {
    const metric = kayentaMetricOf(metricOf("latency"), { baseline: series([60, 120], [1, 2]), candidate: null });
    expect(metric.experiment).toHaveLength(0);
    expect(judgeByKayenta([metric]).judgeResult.results[0]?.classification).toBe("Nodata");
  });

  test("come per step of another length when asked", () => {
    const arms = { baseline: rows([1, 3], [0, 90]), candidate: rows([2], [200]) };
    const { control, experiment } = kayentaMetricOf(metricOf("latency"), arms, { stepSeconds: 120 });
    expect(control).toEqual(of(2, NaN));
    expect(experiment).toEqual(of(NaN, 2));
    expect(() => kayentaMetricOf(metricOf("latency"), arms, { stepSeconds: 0 })).toThrow("stepSeconds is 0");
  });
});

describe("configuration", () => {
  const arms = { baseline: null, candidate: null };
  const configurationOf = (name: string) => kayentaMetricOf(metricOf(name), arms).analysisConfiguration;

  test("has the direction in which worse lies", () => {
    expect(configurationOf("latency")?.direction).toBe("increase");
    expect(configurationOf("quality")?.direction).toBe("decrease");
    expect(configurationOf("queue")?.direction).toBe("either");
  });

  test("makes a critical metric critical and mutes an advisory one", () => {
    expect(configurationOf("errors")).toMatchObject({ critical: true, muted: false });
    expect(configurationOf("latency")).toMatchObject({ critical: false, muted: false });
    expect(configurationOf("queue")).toMatchObject({ critical: false, muted: true });
  });

  test("leaves the rest to Kayenta unless told otherwise", () => {
    expect(Object.keys(configurationOf("latency") ?? {}).sort()).toEqual(["critical", "direction", "muted"]);
    const configuration = { mustHaveData: true, effectSize: { allowedIncrease: 1.05 } };
    expect(kayentaMetricOf(metricOf("latency"), arms, { configuration }).analysisConfiguration).toEqual({
      direction: "increase",
      critical: false,
      muted: false,
      ...configuration,
    });
  });
});

test("each metric is a group of its own, weighted by its share among those that decide", () => {
  expect(kayentaMetricOf(metricOf("cost"), { baseline: null, candidate: null }).groups).toEqual(["cost"]);
  const weights = kayentaWeightsOf(analysis.metrics);
  expect(Object.keys(weights)).toEqual(["latency", "quality", "errors", "cost"]);
  expect(Object.values(weights).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(100, 10);
  expect((weights["cost"] ?? NaN) / (weights["latency"] ?? NaN)).toBeCloseTo(4, 10);
});
