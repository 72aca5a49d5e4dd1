import { describe, expect, test } from "vitest";
import { clusterBootstrap, stationaryBootstrap, type ResampledArm } from "../../src/stats/bootstrap.ts";
import { longRunVariance } from "../../src/stats/long-run-variance.ts";
import { moments } from "../../src/stats/moments.ts";
import { seeded } from "../../src/stats/random.ts";
import { differenceOfMeans, welch } from "../../src/stats/welch.ts";
import { autoregression } from "./autoregression.ts";
import { goldenSample } from "./golden.ts";

const rows = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);
const difference = (c: ResampledArm, b: ResampledArm) => differenceOfMeans(moments(c.values), moments(b.values));
const candidate = { values: goldenSample({ seed: 51, n: 60, law: "uniform" }), units: rows(60) };
const baseline = { values: goldenSample({ seed: 52, n: 50, law: "uniform" }), units: rows(50, 100) };

describe("clusterBootstrap", () => {
  test("comes close to Welch's interval for a difference of means", () => {
    const { lower, upper, variance, estimate } = clusterBootstrap(
      candidate,
      baseline,
      difference,
      { resamples: 4999 },
      seeded(1),
    );
    const t = welch(candidate.values, baseline.values);
    expect(estimate).toBeCloseTo(t.estimate, 12);
    // 5000 resamples know an end of the interval to about 4 % of its half-width.
    const half = t.upper - t.estimate;
    expect(Math.abs(lower - t.lower)).toBeLessThan(0.1 * half);
    expect(Math.abs(upper - t.upper)).toBeLessThan(0.1 * half);
    expect(variance / t.variance).toBeGreaterThan(0.9);
    expect(variance / t.variance).toBeLessThan(1.1);
  });

  test("the same generator gives the same interval, another one another", () => {
    const run = (seed: number) => clusterBootstrap(candidate, baseline, difference, { resamples: 99 }, seeded(seed));
    expect(run(5)).toEqual(run(5));
    expect(run(5).lower).not.toBe(run(6).lower);
  });

  test("whole units are drawn, and a unit of both arms brings its rows to both", () => {
    const shared = { values: [1, 1, 2, 3], units: [1, 1, 2, 3] };
    const mirror = { values: [-1, -2, -3], units: [1, 2, 3] };
    clusterBootstrap(
      shared,
      mirror,
      (c, b) => {
        // Unit 1 has two rows of value 1 in the candidate and one of -1 in the baseline; 2 and 3 one each.
        const count = (arm: ResampledArm, value: number) => arm.values.filter((v) => v === value).length;
        expect(count(c, 1)).toBe(2 * count(b, -1));
        expect(count(c, 2)).toBe(count(b, -2));
        expect(new Set(c.units).size).toBe(3);
        return { estimate: 0, variance: 1 };
      },
      { resamples: 50 },
      seeded(2),
    );
  });

  test("a statistic that often fails gives an infinite interval and says how often", () => {
    let call = 0;
    const flaky = () => ({ estimate: call++ % 2 === 0 ? 1 : NaN, variance: 1 });
    const { lower, upper, failed } = clusterBootstrap(candidate, baseline, flaky, { resamples: 100 }, seeded(3));
    expect([lower, upper, failed]).toEqual([-Infinity, Infinity, 50]);
  });

  test("without studentising no variance is asked for", () => {
    const median = (c: ResampledArm, b: ResampledArm) => ({
      estimate: c.values.slice().sort()[30] - b.values.slice().sort()[25],
      variance: Infinity,
    });
    const { lower, upper } = clusterBootstrap(candidate, baseline, median, { studentised: false }, seeded(4));
    expect(upper - lower).toBeGreaterThan(0.05);
    expect(upper - lower).toBeLessThan(0.8);
  });

  test("constant arms have no interval", () => {
    const constant = { values: [2, 2, 2], units: [1, 2, 3] };
    const result = clusterBootstrap(constant, { values: [2, 2], units: [4, 5] }, difference, {}, seeded(5));
    expect(result).toMatchObject({ estimate: 0, lower: -Infinity, upper: Infinity });
  });

  test("too few resamples for the confidence give an infinite interval, not a narrow one", () => {
    const { lower, upper } = clusterBootstrap(candidate, baseline, difference, { resamples: 19 }, seeded(6));
    expect([lower, upper]).toEqual([-Infinity, Infinity]);
  });
});

describe("stationaryBootstrap", () => {
  const series = autoregression({ innovations: { seed: 61, n: 300, law: "uniform", offset: -0.5 }, rho: 0.5 });
  const mean = ([column]: readonly Float64Array[]) => ({
    estimate: moments(column).mean,
    variance: longRunVariance(column).variance,
  });

  test("knows the variance of the mean of an autocorrelated series", () => {
    const { variance } = stationaryBootstrap([series], mean, {}, seeded(7));
    const naive = moments(series).variance / series.length;
    // For rho 1/2 the variance of the mean is three times the naive one.
    expect(variance / naive).toBeGreaterThan(1.8);
    expect(variance / naive).toBeLessThan(4.5);
  });

  test("pairs stay pairs", () => {
    const twin = series.map((value) => 2 * value);
    stationaryBootstrap(
      [series, twin],
      ([a, b]) => {
        expect(a.every((value, i) => b[i] === 2 * value)).toBe(true);
        return { estimate: 0, variance: 1 };
      },
      { resamples: 20 },
      seeded(8),
    );
  });

  test("with endless blocks every resample is the series turned round its circle", () => {
    const { variance } = stationaryBootstrap([series], mean, { blockLength: 1e12, studentised: false }, seeded(9));
    expect(variance).toBeLessThan(1e-20);
  });

  test("faults are named", () => {
    expect(() => stationaryBootstrap([], mean, {}, seeded(1))).toThrow(new RangeError("columns is empty"));
    expect(() => stationaryBootstrap([series], mean, { blockLength: 0.5 }, seeded(1))).toThrow(/blockLength is 0.5/);
    expect(() => stationaryBootstrap([series, [1]], mean, {}, seeded(1))).toThrow(/columns\[1\] has 1 values/);
  });
});
