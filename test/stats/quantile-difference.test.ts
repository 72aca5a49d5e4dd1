import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { quantileDifference, quantileInterval } from "../../src/stats/quantile-difference.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

type Options = Parameters<typeof quantileDifference>[2];

describe("quantileDifference", () => {
  test.each(goldenCases("means", "quantileDifference"))("agrees with numpy: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input;
    const got = quantileDifference(goldenSample(candidate), goldenSample(baseline), options as unknown as Options);
    expect(misses({ ...got }, golden)).toEqual([]);
  });

  test("does not depend on the order of values and mirrors when the arms are swapped", () => {
    const samples = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const there = quantileDifference(a, b, { quantile: 0.5 });
        const back = quantileDifference(b.toReversed(), a, { quantile: 0.5 });
        expect(back.estimate).toBeCloseTo(-there.estimate, 10);
        expect(back.lower).toBeCloseTo(-there.upper, 10);
        expect(there.lower).toBeLessThanOrEqual(there.estimate);
        expect(there.upper).toBeGreaterThanOrEqual(there.estimate);
      }),
    );
  });

  test("too few values for the quantile give an infinite end, and enough says so", () => {
    const values = Array.from({ length: 40 }, (_, i) => i);
    const few = quantileDifference(values, values, { quantile: 0.99 });
    expect(few).toMatchObject({ upper: Infinity, variance: Infinity, enough: false });
    const many = Array.from({ length: 600 }, (_, i) => i);
    expect(quantileDifference(many, many, { quantile: 0.95 }).enough).toBe(true);
  });

  test("constant arms have no density: nothing is proven by it", () => {
    const constant = Array.from({ length: 100 }, () => 0.1);
    const { lower, upper, variance } = quantileDifference(constant, constant, { quantile: 0.5, method: "density" });
    expect([lower, upper, variance]).toEqual([-Infinity, Infinity, 0]);
  });

  test("faults are named", () => {
    expect(() => quantileDifference([1], [1, 2], { quantile: 0.5 })).toThrow(/candidate has 1 values/);
    expect(() => quantileDifference([1, 2], [1, 2], { quantile: 0 })).toThrow(/options.quantile is 0/);
  });
});

describe("quantileInterval", () => {
  test.each(goldenCases("means", "quantileInterval"))("has the ranks of an exhaustive search: %s", (_, golden) => {
    const { n, quantile, confidence } = golden.input as { n: number; quantile: number; confidence: number };
    const ranks = Float64Array.from({ length: n }, (_, i) => i + 1);
    expect(misses({ ...quantileInterval(ranks, quantile, confidence) }, golden)).toEqual([]);
  });

  test("names a quantile outside (0, 1)", () => {
    expect(() => quantileInterval(Float64Array.of(1, 2), NaN, 0.95)).toThrow(/quantile is NaN/);
  });
});
