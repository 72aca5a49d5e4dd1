import { describe, expect, test } from "vitest";
import { cosineVariance, longRunVariance } from "../../src/stats/long-run-variance.ts";
import { autoregression } from "./autoregression.ts";
import { goldenCases, misses } from "./golden.ts";

const series = (n: number, rho: number) =>
  autoregression({ innovations: { seed: 71, n, law: "uniform", offset: -0.5 }, rho });

describe("cosineVariance", () => {
  test.each(goldenCases("series", "cosineVariance"))("agrees with numpy: %s", (_, golden) => {
    expect(misses({ ...cosineVariance(autoregression(golden.input)) }, golden)).toEqual([]);
  });
});

describe("longRunVariance", () => {
  test.each(goldenCases("series", "longRunVariance"))("is the larger of both: %s", (_, golden) => {
    expect(misses({ ...longRunVariance(autoregression(golden.input)) }, golden)).toEqual([]);
  });

  test.each(goldenCases("series", "longRunVarianceWider"))("is the one of the wider interval: %s", (_, golden) => {
    expect(misses({ ...longRunVariance(autoregression(golden.input), { guard: "wider" }) }, golden)).toEqual([]);
  });

  test("grows with the square of the measurement unit and not with the level", () => {
    const values = series(60, 0.5);
    const moved = longRunVariance(values.map((value) => 1e6 + 4 * value)).variance;
    expect(moved / (16 * longRunVariance(values).variance)).toBeCloseTo(1, 6);
  });

  test("a constant series has no variance, and that is said by 0", () => {
    expect(longRunVariance(new Float64Array(20).fill(0.1)).variance).toBe(0);
  });

  test("comes close to the truth on a long series", () => {
    const values = series(20_000, 0.8);
    // Uniform innovations of variance 1/12; the long-run variance is 1/12 / (1 - 0.8)^2.
    const truth = 1 / 12 / 0.04 / values.length;
    const { variance } = longRunVariance(values);
    expect(variance / truth).toBeGreaterThan(0.8);
    expect(variance / truth).toBeLessThan(1.3);
  });

  test("one step and a NaN are refused", () => {
    expect(() => longRunVariance([1])).toThrow(/values has 1 values, fewer than the 2 needed/);
    expect(() => longRunVariance([1, NaN])).toThrow(new RangeError("values[1] is NaN"));
    // By itself it once answered NaN.
    expect(() => cosineVariance([])).toThrow(new RangeError("values is empty"));
    expect(() => cosineVariance([1, NaN])).toThrow(new RangeError("values[1] is NaN"));
  });
});
