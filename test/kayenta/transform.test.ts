import { describe, expect, test } from "vitest";
import { extremes, mean, meanRatio, percentile, summarize } from "../../src/kayenta/statistics.ts";
import { removeOutliers, transformPoints } from "../../src/kayenta/transform.ts";

const of = (...values: number[]): Float64Array => Float64Array.from(values);
const KEEP = { strategy: "keep", outlierFactor: 3 } as const;

describe("missing points", () => {
  test("remove leaves NaN out and keeps infinities", () => {
    expect(transformPoints([1, NaN, Infinity, 3], { nanStrategy: "remove", outliers: KEEP })).toEqual(
      of(1, Infinity, 3),
    );
  });

  test("replace takes NaN for 0", () => {
    expect(transformPoints([1, NaN, 3], { nanStrategy: "replace", outliers: KEEP })).toEqual(of(1, 0, 3));
  });
});

describe("outliers", () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i);

  test("are kept unless removal is asked for", () => {
    const points = [...hundred, 1e6];
    expect(transformPoints(points, { nanStrategy: "remove", outliers: KEEP })).toHaveLength(101);
    const outliers = { strategy: "remove", outlierFactor: 3 } as const;
    expect(transformPoints(points, { nanStrategy: "remove", outliers })).toEqual(hundred);
  });

  test("go only beyond the fences and beyond the 1st or 99th percentile", () => {
    // Of 201 values the 199th is the 99th percentile: far beyond the fence, it stays.
    const far = [...Array.from({ length: 198 }, (_, i) => i / 198), 1e3, 1e4, 1e6];
    expect(extremes(removeOutliers(of(...far), 3)).max).toBe(1e3);
    expect(removeOutliers(of(1, 2, 3, 4, 100), 1.5)).toEqual(of(1, 2, 3, 4));
  });

  test("at a fence are kept", () => {
    expect(removeOutliers(of(0, 0, 0, 0), 3)).toHaveLength(4);
    // Quartiles 1 and 3; the upper fence at factor 1.5 is 6.
    expect(removeOutliers(of(0, 1, 2, 3, 6), 1.5)).toHaveLength(5);
  });

  test("are sought in any number of points, also none", () => {
    expect(removeOutliers(of(), 3)).toEqual(of());
    expect(removeOutliers(of(7), 3)).toEqual(of(7));
  });

  test("a factor that is not positive is a fault, but only where outliers are removed", () => {
    expect(() => removeOutliers(of(1), 0)).toThrow("outlierFactor is 0, not a positive number");
    const outliers = { strategy: "keep", outlierFactor: 0 } as const;
    expect(transformPoints([1], { nanStrategy: "remove", outliers })).toEqual(of(1));
  });
});

describe("statistics", () => {
  test("of no values are all 0", () => {
    expect(summarize(of())).toEqual({ min: 0, max: 0, mean: 0, std: 0, count: 0 });
  });

  test("the deviation divides by n - 1, and is 0 for one value", () => {
    expect(summarize(of(2, 4, 4, 4, 5, 5, 7, 9))).toEqual({
      min: 2,
      max: 9,
      mean: 5,
      std: Math.sqrt(32 / 7),
      count: 8,
    });
    expect(summarize(of(3))).toEqual({ min: 3, max: 3, mean: 3, std: 0, count: 1 });
  });

  test("percentiles interpolate between order statistics", () => {
    expect(percentile(of(1, 2, 3, 4), 0.25)).toBe(1.75);
    expect(percentile(of(1, 2, 3, 4, 5), 0.5)).toBe(3);
    expect(percentile(of(1, 2, 3, 4, 5), 1)).toBe(5);
    expect(percentile(of(8), 0.01)).toBe(8);
  });

  test("the mean of an infinity is NaN, for what is left of it is", () => {
    expect(mean(of(1, 2, Infinity))).toBeNaN();
  });

  test("the mean ratio is NaN when either mean is 0", () => {
    expect(meanRatio(of(3, 5), of(2, 2))).toBe(2);
    expect(meanRatio(of(0, 0), of(1, 2))).toBeNaN();
    expect(meanRatio(of(1, 2), of(-1, 1))).toBeNaN();
  });
});
