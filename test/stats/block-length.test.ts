import { describe, expect, test } from "vitest";
import { autocovariances, blockLength } from "../../src/stats/block-length.ts";
import { autoregression } from "./autoregression.ts";
import { goldenCases, misses } from "./golden.ts";

describe("blockLength", () => {
  test.each(goldenCases("means", "blockLength"))("agrees with Politis and White in numpy: %s", (_, golden) => {
    expect(misses({ length: blockLength(autoregression(golden.input)) }, golden)).toEqual([]);
  });

  test("does not depend on level or measurement unit", () => {
    const series = autoregression({ innovations: { seed: 9, n: 100, law: "uniform", offset: -0.5 }, rho: 0.6 });
    expect(blockLength(series.map((value) => 8 * value + 100))).toBeCloseTo(blockLength(series), 6);
  });

  test("autocovariances refuse a NaN: once they were NaN themselves", () => {
    expect(() => autocovariances([1, NaN], 1)).toThrow(new RangeError("values[1] is NaN"));
  });

  test("is 1 for a constant series, and refuses fewer than 9 steps", () => {
    expect(blockLength(new Float64Array(20).fill(0.1))).toBe(1);
    expect(() => blockLength([1, 2, 3])).toThrow(/values has 3 values, fewer than the 9 needed/);
  });
});
