import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ratioOfMeansInterval, ratioOfMeansTest } from "../../src/stats/ratio-of-means.ts";
import { welch } from "../../src/stats/welch.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

const costs = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 2, maxLength: 30 });

describe("the ratio of means", () => {
  test.each(goldenCases("means", "ratioOfMeans"))("agrees with a search in numpy: %s", (_, golden) => {
    const { candidate, baseline, nullRatio } = golden.input;
    const arms = [goldenSample(candidate), goldenSample(baseline)] as const;
    const got = { ...ratioOfMeansTest(...arms, { nullRatio: nullRatio as number }), ...ratioOfMeansInterval(...arms) };
    expect(misses({ ...got }, golden)).toEqual([]);
  });

  test("at ratio 1 its statistic is that of the difference with the larger variance", () => {
    fc.assert(
      fc.property(costs, costs, (a, b) => {
        fc.pre(a.some((value) => value > 0) && b.some((value) => value > 0));
        expect(ratioOfMeansTest(a, b).statistic).toBeCloseTo(welch(a, b, { pooledFloor: true }).statistic, 9);
      }),
    );
  });

  test("swapping the arms inverts the ratio, and the measurement unit does not matter", () => {
    fc.assert(
      fc.property(costs, costs, fc.double({ min: 0.2, max: 5, noNaN: true }), (a, b, nullRatio) => {
        const inMills = (values: number[]) => values.map((value) => value * 1024);
        const there = ratioOfMeansTest(a, b, { nullRatio, alternative: "less" });
        expect(ratioOfMeansTest(b, a, { nullRatio: 1 / nullRatio, alternative: "greater" }).p).toBeCloseTo(there.p, 8);
        expect(ratioOfMeansTest(inMills(a), inMills(b), { nullRatio, alternative: "less" }).p).toBeCloseTo(there.p, 8);
      }),
    );
  });

  test("the interval holds the ratios that are not rejected", () => {
    fc.assert(
      fc.property(costs, costs, fc.double({ min: 0.05, max: 20, noNaN: true }), (a, b, nullRatio) => {
        const { p } = ratioOfMeansTest(a, b, { nullRatio });
        const { lower, upper } = ratioOfMeansInterval(a, b, { confidence: 0.9 });
        const margin = 1e-6 * nullRatio;
        fc.pre(Math.abs(nullRatio - lower) > margin && Math.abs(nullRatio - upper) > margin);
        expect(p >= 0.1).toBe(lower < nullRatio && nullRatio < upper);
      }),
    );
  });

  test("arms without variance, and arms of zeros, prove nothing", () => {
    expect(ratioOfMeansTest([0, 0], [0, 0])).toMatchObject({ estimate: 1, p: 1 });
    expect(ratioOfMeansInterval([0, 0], [0, 0])).toEqual({ estimate: 1, lower: 0, upper: Infinity });
    expect(ratioOfMeansTest([3], [1, 2])).toMatchObject({ estimate: 2, p: 1 });
    expect(ratioOfMeansInterval([3], [1, 2]).upper).toBe(Infinity);
    expect(ratioOfMeansTest([0, 0, 0], [1, 2, 3])).toMatchObject({ estimate: 0, p: 1 });
  });

  test("a baseline whose mean may be 0 leaves the ratio without an upper bound", () => {
    expect(ratioOfMeansInterval([5, 6, 7, 5], [0, 0, 9, 0]).upper).toBe(Infinity);
  });

  test("a negative cost is refused by name", () => {
    expect(() => ratioOfMeansTest([1], [2, -1])).toThrow(new RangeError("baseline[1] is -1, less than 0"));
  });
});
