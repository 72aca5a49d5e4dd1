import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { moments } from "../../src/stats/moments.ts";
import { welch } from "../../src/stats/welch.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

const samples = fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), { minLength: 2, maxLength: 30 });

describe("welch", () => {
  test.each(goldenCases("means", "welch"))("agrees with scipy: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input;
    expect(misses({ ...welch(goldenSample(candidate), goldenSample(baseline), options) }, golden)).toEqual([]);
  });

  test.each(goldenCases("means", "welchPooledFloor"))("takes the larger variance when asked to: %s", (_, golden) => {
    const { candidate, baseline } = golden.input;
    const got = welch(goldenSample(candidate), goldenSample(baseline), { pooledFloor: true });
    expect(misses({ ...got }, golden)).toEqual([]);
  });

  test("swapping the arms negates the estimate and keeps p", () => {
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const there = welch(a, b);
        const back = welch(b, a);
        expect(there.estimate).toBeCloseTo(-back.estimate, 9);
        expect(there.p).toBeCloseTo(back.p, 9);
        expect(there.lower).toBeCloseTo(-back.upper, 6);
      }),
    );
  });

  test("shifting and scaling both arms changes the measurement unit, not p", () => {
    const whole = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        const moved = (values: number[]) => values.map((value) => 3 * value + 7);
        expect(welch(moved(a), moved(b)).p).toBeCloseTo(welch(a, b).p, 9);
      }),
    );
  });

  test("the interval holds a null effect exactly when p >= 1 - confidence", () => {
    const nulls = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        samples,
        samples,
        nulls,
        fc.constantFrom("two-sided", "greater", "less"),
        (a, b, nullEffect, side) => {
          const { p, lower, upper } = welch(a, b, { nullEffect, alternative: side as "less", confidence: 0.9 });
          if (Math.abs(p - 0.1) < 1e-9) return;
          expect(p >= 0.1).toBe(lower <= nullEffect && nullEffect <= upper);
        },
      ),
    );
  });

  test("constant arms prove nothing, even when their common value has no exact double", () => {
    const constant = Array.from({ length: 30 }, () => 0.1);
    const other = Array.from({ length: 30 }, () => 0.3);
    expect(moments(constant).variance).toBe(0);
    expect(welch(constant, other)).toMatchObject({ p: 1, statistic: 0, lower: -Infinity, upper: Infinity });
    expect(welch([5], [1, 2, 3])).toMatchObject({ p: 1, lower: -Infinity });
  });

  test("p keeps its digits far in the tail", () => {
    const arm = (level: number) => Array.from({ length: 500 }, (_, i) => level + (i % 2));
    const { p } = welch(arm(1), arm(0));
    expect(p).toBeGreaterThan(1e-200);
    expect(p).toBeLessThan(1e-100);
    // A t of 3162 on 998 degrees of freedom is beyond what a double can hold.
    expect(welch(arm(100), arm(0)).p).toBe(Number.MIN_VALUE);
  });

  test("faults are named", () => {
    expect(() => welch([], [1])).toThrow(new RangeError("candidate is empty"));
    expect(() => welch([1], [1, 2, 3, NaN])).toThrow(new RangeError("baseline[3] is NaN"));
    expect(() => welch([Infinity], [1])).toThrow(new RangeError("candidate[0] is Infinity"));
    expect(() => welch([1, 2], [1, 2], { confidence: 95 })).toThrow(/confidence is 95/);
  });
});
