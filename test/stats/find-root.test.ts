import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findRoot } from "../../src/stats/find-root.ts";

describe("findRoot", () => {
  test("finds roots of smooth functions to the last digits", () => {
    expect(findRoot((x) => x * x - 2, 0, 2)).toBe(1.4142135623730954);
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), (root) => {
        const found = findRoot((x) => Math.expm1((x - root) / 10), -60, 60);
        expect(Math.abs(found - root)).toBeLessThan(1e-13 * Math.max(1, Math.abs(root)));
      }),
    );
  });

  test("steps, poles and infinite values are only signs", () => {
    expect(findRoot((x) => (x < 0.3 ? -1 : 1), 0, 1)).toBeCloseTo(0.3, 14);
    expect(findRoot((x) => (x <= 0 ? Infinity : 1 / x - 3), 0, 10)).toBeCloseTo(1 / 3, 14);
  });

  test("an interval without a change of sign and a NaN are refused", () => {
    expect(() => findRoot(() => 1, 0, 1)).toThrow(new RangeError("f has the same sign at 0 and 1"));
    expect(() => findRoot((x) => (x === 0.5 ? NaN : x - 0.4), 0, 1)).toThrow(/f is NaN/);
  });
});
