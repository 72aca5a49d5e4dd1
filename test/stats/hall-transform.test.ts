import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hallInverse, hallTransform } from "../../src/stats/hall-transform.ts";

const statistics = fc.double({ min: -20, max: 20, noNaN: true });
const skewnesses = fc.double({ min: -3, max: 3, noNaN: true });

describe("hallTransform", () => {
  test("rises with t, is turned back by its inverse, and mirrors with the skewness", () => {
    fc.assert(
      fc.property(statistics, skewnesses, (t, skewness) => {
        expect(hallTransform(t + 0.01, skewness)).toBeGreaterThanOrEqual(hallTransform(t, skewness));
        expect(hallTransform(-t, -skewness)).toBeCloseTo(-hallTransform(t, skewness), 9);
        // Near its flat point, t = -3 / skewness, the cube root turns rounding into 1e-5.
        expect(Math.abs(hallInverse(hallTransform(t, skewness), skewness) - t)).toBeLessThan(1e-4);
      }),
    );
  });

  test("changes nothing without skewness, and hardly anything with hardly any", () => {
    expect(hallTransform(1.7, 0)).toBe(1.7);
    expect(hallInverse(1.7, 0)).toBe(1.7);
    for (const skewness of [1e-12, 1e-8, 5e-8, 1e-7, 1e-5]) {
      expect(hallInverse(hallTransform(-2.3, skewness), skewness)).toBeCloseTo(-2.3, 8);
    }
  });

  test("makes a low mean of values skewed to the right less certain", () => {
    expect(hallTransform(-2, 0.3)).toBeCloseTo(-1.576667, 5);
    expect(hallTransform(2, 0.3)).toBeGreaterThan(2);
  });
});
