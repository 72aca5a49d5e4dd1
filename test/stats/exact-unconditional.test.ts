import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactUnconditional, type ExactNull } from "../../src/stats/exact-unconditional.ts";
import { twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = Parameters<typeof exactUnconditional>;

describe("exactUnconditional", () => {
  test.each(goldenCases("counts", "exactUnconditional"))("agrees with a brute-force region: %s", (_, golden) => {
    const { candidate, baseline, border, alternative } = golden.input as unknown as {
      candidate: Input[0];
      baseline: Input[1];
      border: ExactNull;
      alternative: "less";
    };
    expect(misses({ ...exactUnconditional(candidate, baseline, border, alternative) }, golden)).toEqual([]);
  });

  test("swapping the arms negates the difference and inverts the ratio", () => {
    fc.assert(
      fc.property(proportions(15), proportions(15), fc.double({ min: -0.5, max: 0.5, noNaN: true }), (a, b, s) => {
        const there = exactUnconditional(a, b, { difference: s }, "less").p;
        expect(there).toBeCloseTo(exactUnconditional(b, a, { difference: -s }, "greater").p, 6);
      }),
      { numRuns: 30 },
    );
  });

  test("the score statistic orders tables as a staircase, as the region assumes", () => {
    const [n, m] = [12, 17];
    for (const nullDifference of [-0.3, 0.02, 0.1]) {
      const z = (x: number, y: number) =>
        twoProportionsTest({ events: x, trials: n }, { events: y, trials: m }, { nullDifference }).statistic;
      for (let x = 0; x <= n; x++) {
        for (let y = 0; y <= m; y++) {
          expect(z(x, y)).toBeGreaterThanOrEqual(z(Math.max(0, x - 1), y) - 1e-12);
          expect(z(x, y)).toBeLessThanOrEqual(z(x, Math.max(0, y - 1)) + 1e-12);
        }
      }
    }
  });

  test("from no events nothing is learned about a ratio, but a difference is bounded", () => {
    const none = { events: 0, trials: 100 };
    expect(exactUnconditional(none, none, { ratio: 2 }, "less").p).toBe(1);
    expect(exactUnconditional(none, none, { difference: 0.05 }, "less").p).toBeLessThan(0.02);
  });

  test("a border out of range is refused", () => {
    const one = { events: 0, trials: 1 };
    expect(() => exactUnconditional(one, one, { difference: 1 }, "less")).toThrow(/border.difference is 1/);
    expect(() => exactUnconditional(one, one, { ratio: 0 }, "less")).toThrow(/border.ratio is 0/);
  });
});
