import { describe, expect, test } from "vitest";
import { effectiveSampleSize } from "../../src/stats/effective-sample-size.ts";
import { autoregression } from "./autoregression.ts";
import { goldenCases, misses } from "./golden.ts";

describe("effectiveSampleSize", () => {
  test.each(goldenCases("series", "effectiveSampleSize"))("agrees with numpy: %s", (_, golden) => {
    expect(misses({ ...effectiveSampleSize(autoregression(golden.input)) }, golden)).toEqual([]);
  });

  test("alternating steps are not worth more than they are", () => {
    const alternating = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? 1 : -1));
    expect(effectiveSampleSize(alternating)).toMatchObject({ corrected: 0, effectiveSteps: 30, enough: true });
  });

  test("a slow drift is worth next to nothing, and eight steps are too few to tell", () => {
    const drift = Array.from({ length: 60 }, (_, i) => i);
    expect(effectiveSampleSize(drift)).toMatchObject({ corrected: 0.97, enough: false });
    expect(effectiveSampleSize([1, 5, 2, 4, 1, 5, 2, 4]).enough).toBe(false);
  });

  test("a constant series and a single step have no autocorrelation", () => {
    expect(effectiveSampleSize(new Float64Array(12).fill(0.1)).autocorrelation).toBe(0);
    expect(effectiveSampleSize([3]).autocorrelation).toBe(0);
  });
});
