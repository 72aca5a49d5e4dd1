import { describe, expect, test } from "vitest";
import { dkwHalfWidth, orderMonitor, uniformDkwHalfWidth } from "../../src/stats/dkw-band.ts";
import { goldenCases, misses } from "./golden.ts";

describe("bands of a distribution function", () => {
  test.each(goldenCases("sequential", "dkwHalfWidth"))("one look: %s", (_, golden) => {
    const { n, confidence } = golden.input as Record<string, number>;
    expect(misses({ width: dkwHalfWidth(n, { confidence }) }, golden)).toEqual([]);
  });

  test.each(goldenCases("sequential", "uniformDkwHalfWidth"))("all looks: %s", (_, golden) => {
    const { n, from, confidence } = golden.input as Record<string, number>;
    expect(misses({ width: uniformDkwHalfWidth(n, { from, confidence }) }, golden)).toEqual([]);
  });

  test("the band for all looks is wider, everything before the first, and narrows from there", () => {
    expect(uniformDkwHalfWidth(29)).toBe(1);
    let before = 1;
    for (let n = 30; n < 1e6; n = Math.ceil(n * 1.3)) {
      const width = uniformDkwHalfWidth(n);
      expect(width).toBeGreaterThan(dkwHalfWidth(n));
      expect(width).toBeLessThan(before);
      before = width;
    }
  });

  test("any confidence gives a finite width", () => {
    for (const confidence of [0.01, 0.5, 0.9, 1 - 1e-12, 1 - 2 ** -53]) {
      expect(uniformDkwHalfWidth(1e7, { confidence })).toBeLessThan(0.004);
    }
  });

  test("the monitor speaks when a distance exceeds both half-widths together, and names the direction", () => {
    const sizes = { candidate: 2000, baseline: 3000 };
    const { threshold } = orderMonitor({ plus: 0, minus: 0 }, sizes);
    expect(threshold).toBeCloseTo(
      uniformDkwHalfWidth(2000, { confidence: 0.975 }) + uniformDkwHalfWidth(3000, { confidence: 0.975 }),
      12,
    );
    expect(orderMonitor({ plus: 0, minus: threshold + 1e-9 }, sizes)).toMatchObject({ larger: true, smaller: false });
    expect(orderMonitor({ plus: threshold + 1e-9, minus: 0 }, sizes)).toMatchObject({ larger: false, smaller: true });
    expect(orderMonitor({ plus: threshold, minus: threshold }, sizes)).toMatchObject({ larger: false, smaller: false });
    expect(orderMonitor({ plus: 1, minus: 1 }, { candidate: 20, baseline: 3000 })).toMatchObject({ larger: false });
  });

  test("bad input is refused by name", () => {
    expect(() => dkwHalfWidth(0)).toThrow(/n is 0/);
    expect(() => uniformDkwHalfWidth(10, { from: 0 })).toThrow(/from is 0/);
    expect(() => uniformDkwHalfWidth(10, { confidence: 1 })).toThrow(/confidence is 1/);
    expect(() => orderMonitor({ plus: 1.1, minus: 0 }, { candidate: 9, baseline: 9 })).toThrow(/plus is 1.1/);
  });
});
