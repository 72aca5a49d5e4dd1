import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boschloo, BOSCHLOO_MAX_CELLS } from "../../src/stats/boschloo.ts";
import { fisherExact } from "../../src/stats/fisher.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = Parameters<typeof boschloo>;

describe("boschloo", () => {
  test.each(goldenCases("counts", "boschloo"))("agrees with a supremum over 20001 levels: %s", (_, golden) => {
    const { candidate, baseline, alternative } = golden.input as unknown as {
      candidate: Input[0];
      baseline: Input[1];
      alternative: "two-sided";
    };
    expect(misses({ ...boschloo(candidate, baseline, { alternative }) }, golden)).toEqual([]);
  });

  test("never exceeds Fisher's one-sided p and never rejects less", () => {
    fc.assert(
      fc.property(proportions(20), proportions(20), (a, b) => {
        const fisher = fisherExact(a, b, { alternative: "greater" }).p;
        const { p, fisherP } = boschloo(a, b, { alternative: "greater" });
        expect(fisherP).toBeCloseTo(fisher, 10);
        expect(p).toBeLessThanOrEqual(fisher * (1 + 1e-9));
      }),
      { numRuns: 50 },
    );
  });

  test("swapping the arms swaps the sides", () => {
    fc.assert(
      fc.property(proportions(20), proportions(20), (a, b) => {
        expect(boschloo(a, b, { alternative: "greater" }).p).toBe(boschloo(b, a, { alternative: "less" }).p);
      }),
      { numRuns: 30 },
    );
  });

  test("its size is at most the nominal one at every common level", () => {
    // Literal enumeration: the probability that p <= 0.05 when both arms have the same level.
    const [n, m] = [6, 14];
    const rejected: [number, number][] = [];
    for (let x = 0; x <= n; x++) {
      for (let y = 0; y <= m; y++) {
        const { p } = boschloo({ events: x, trials: n }, { events: y, trials: m }, { alternative: "greater" });
        if (p <= 0.05) rejected.push([x, y]);
      }
    }
    const binomial = (k: number, size: number, q: number) => {
      let ways = 1;
      for (let i = 0; i < k; i++) ways = (ways * (size - i)) / (i + 1);
      return ways * q ** k * (1 - q) ** (size - k);
    };
    let largest = 0;
    for (let level = 0.001; level < 1; level += 0.001) {
      const size = rejected.reduce((sum, [x, y]) => sum + binomial(x, n, level) * binomial(y, m, level), 0);
      largest = Math.max(largest, size);
    }
    expect(largest).toBeLessThanOrEqual(0.05 + 1e-9);
    expect(largest).toBeGreaterThan(0.03);
  });

  test("more cells than the limit are refused", () => {
    expect(() => boschloo({ events: 0, trials: 1000 }, { events: 0, trials: 1000 })).toThrow(
      new RangeError(`candidate.trials * baseline.trials is 1000000, more than ${BOSCHLOO_MAX_CELLS}`),
    );
  });
});
