import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { averageLogE, closedLogE, eBenjaminiHochberg } from "../../src/stats/e-value-combination.ts";
import { goldenCases } from "./golden.ts";

const logEs = fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 8 });

describe("combination of e-values", () => {
  test.each(goldenCases("sequential", "combination"))("agrees with the search through all sets: %s", (_, golden) => {
    const { logEs, weights } = golden.input as { logEs: number[]; weights: number[] };
    const { average, closed } = golden.expected as { average: number; closed: number[] };
    expect(averageLogE(logEs, weights)).toBeCloseTo(average, 10);
    closedLogE(logEs, weights).forEach((logE, i) => expect(logE).toBeCloseTo(closed[i], 10));
  });

  test("the average lies between the smallest and the largest, and moves with the order of nothing", () => {
    fc.assert(
      fc.property(logEs, (values) => {
        const average = averageLogE(values);
        expect(average).toBeGreaterThanOrEqual(Math.min(...values) - 1e-12);
        expect(average).toBeLessThanOrEqual(Math.max(...values) + 1e-12);
        expect(averageLogE(values.toReversed())).toBeCloseTo(average, 10);
      }),
    );
  });

  test("closed testing never exceeds a test's own e-value nor, for the largest, falls below the average", () => {
    fc.assert(
      fc.property(logEs, (values) => {
        const closed = closedLogE(values);
        closed.forEach((logE, i) => expect(logE).toBeLessThanOrEqual(values[i] + 1e-12));
        expect(Math.max(...closed)).toBeLessThanOrEqual(Math.max(...values) + 1e-12);
        expect(Math.min(...closed)).toBeCloseTo(Math.min(...values), 10);
      }),
    );
  });

  test("an e-value of 0 is allowed and huge ones do not overflow", () => {
    expect(averageLogE([-Infinity, 2000])).toBeCloseTo(2000 - Math.LN2, 10);
    expect(averageLogE([-Infinity, -Infinity])).toBe(-Infinity);
    expect(closedLogE([-Infinity, 2000])).toEqual([-Infinity, 2000 - Math.LN2]);
  });

  test("the e-Benjamini-Hochberg rule finds the largest set that pays for itself", () => {
    expect(eBenjaminiHochberg([Math.log(100), Math.log(15), 0], 0.1)).toEqual([true, true, false]);
    expect(eBenjaminiHochberg([Math.log(29), Math.log(14), 0], 0.1)).toEqual([false, false, false]);
    expect(eBenjaminiHochberg([Math.log(20)], 0.05)).toEqual([true]);
  });

  test("no e-values at all are refused by their own name, not by that of the weights", () => {
    expect(() => averageLogE([])).toThrow(new RangeError("logEs is empty"));
    expect(() => closedLogE([])).toThrow(new RangeError("logEs is empty"));
    expect(() => eBenjaminiHochberg([], 0.1)).toThrow(new RangeError("logEs is empty"));
  });

  test("bad input is refused by name", () => {
    expect(() => averageLogE([1, Number.NaN])).toThrow(/logEs\[1\] is NaN/);
    expect(() => averageLogE([1, 2], [1])).toThrow(RangeError);
    expect(() => averageLogE([])).toThrow(RangeError);
    expect(() => closedLogE([1, 2], [1, 0])).toThrow(/weights\[1\] is 0/);
    expect(() => eBenjaminiHochberg([1], 0)).toThrow(/level is 0/);
  });
});
