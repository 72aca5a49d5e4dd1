import { describe, expect, test } from "vitest";
import { inferEffect, type Effect } from "../../src/stats/effect.ts";
import { goldenCases, misses } from "./golden.ts";

describe("inferEffect", () => {
  test.each(goldenCases("means", "inferEffect"))("agrees with 40 digits: %s", (_, golden) => {
    const { effect, ...options } = golden.input as { effect: Effect; nullEffect: number; alternative: "less" };
    expect(misses({ ...inferEffect(effect, options) }, golden)).toEqual([]);
  });

  test("infinite degrees of freedom are the normal law", () => {
    const { p, lower } = inferEffect({ estimate: 1.959963984540054, variance: 1, df: Infinity });
    expect(p).toBeCloseTo(0.05, 12);
    expect(lower).toBeCloseTo(0, 12);
  });

  test("no variance and an unknown variance prove nothing", () => {
    for (const variance of [0, Infinity]) {
      for (const alternative of ["two-sided", "greater", "less"] as const) {
        expect(inferEffect({ estimate: 3, variance, df: 5 }, { alternative })).toMatchObject({
          p: 1,
          statistic: 0,
          lower: -Infinity,
          upper: Infinity,
        });
      }
    }
  });

  test("faults are named", () => {
    expect(() => inferEffect({ estimate: NaN, variance: 1, df: 1 })).toThrow(new RangeError("estimate is NaN"));
    expect(() => inferEffect({ estimate: 0, variance: -1, df: 1 })).toThrow(/variance is -1/);
    expect(() => inferEffect({ estimate: 0, variance: 1, df: 0 })).toThrow(/df is 0/);
    expect(() => inferEffect({ estimate: 0, variance: 1, df: 1 }, { nullEffect: Infinity })).toThrow(/nullEffect/);
  });
});
