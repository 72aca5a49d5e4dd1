import { describe, expect, test } from "vitest";
import type { Effect } from "../../src/stats/effect.ts";
import { inferEffect } from "../../src/stats/effect.ts";
import { tost } from "../../src/stats/tost.ts";
import { goldenCases, misses } from "./golden.ts";

describe("tost", () => {
  test.each(goldenCases("means", "tost"))("agrees with scipy: %s", (_, golden) => {
    const { effect, low, high } = golden.input as { effect: Effect; low: number; high: number };
    expect(misses({ ...tost(effect, { low, high }) }, golden)).toEqual([]);
  });

  test("is equivalent exactly when the interval of confidence 1 - 2 alpha lies inside", () => {
    for (let estimate = -0.6; estimate <= 0.6; estimate += 0.05) {
      const effect = { estimate, variance: 0.04, df: 12 };
      const { lower, upper } = inferEffect(effect, { confidence: 0.9 });
      expect(tost(effect, { low: -0.5, high: 0.5 }).equivalent).toBe(lower > -0.5 && upper < 0.5);
    }
  });

  test("thirty identical scores are not equivalent to anything", () => {
    expect(tost({ estimate: 0, variance: 0, df: 58 }, { low: -0.25, high: 0.25 })).toEqual({
      pLow: 1,
      pHigh: 1,
      p: 1,
      equivalent: false,
    });
  });

  test("limits in the wrong order are refused", () => {
    expect(() => tost({ estimate: 0, variance: 1, df: 1 }, { low: 1, high: -1 })).toThrow(/low is 1, not below high/);
  });
});
