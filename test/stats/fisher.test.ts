import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fisherExact } from "../../src/stats/fisher.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = Parameters<typeof fisherExact>;

describe("fisherExact", () => {
  test.each(goldenCases("counts", "fisherExact"))("agrees with rational arithmetic: %s", (_, golden) => {
    const { candidate, baseline, alternative } = golden.input as unknown as {
      candidate: Input[0];
      baseline: Input[1];
      alternative: "two-sided";
    };
    expect(misses({ ...fisherExact(candidate, baseline, { alternative }) }, golden)).toEqual([]);
  });

  test("swapping the arms swaps the sides and keeps the two-sided p", () => {
    fc.assert(
      fc.property(proportions(60), proportions(60), (a, b) => {
        expect(fisherExact(a, b, { alternative: "greater" }).p).toBeCloseTo(
          fisherExact(b, a, { alternative: "less" }).p,
          11,
        );
        expect(fisherExact(a, b).p).toBeCloseTo(fisherExact(b, a).p, 11);
      }),
    );
  });

  test("counting the failures instead of the events swaps the sides", () => {
    fc.assert(
      fc.property(proportions(60), proportions(60), (a, b) => {
        const failures = (p: typeof a) => ({ events: p.trials - p.events, trials: p.trials });
        expect(fisherExact(a, b, { alternative: "greater" }).p).toBeCloseTo(
          fisherExact(failures(a), failures(b), { alternative: "less" }).p,
          11,
        );
      }),
    );
  });

  test("p is never 0, even where a double cannot hold it", () => {
    // 1 / C(1200, 600) is about 1e-360.
    const { p } = fisherExact({ events: 600, trials: 600 }, { events: 0, trials: 600 });
    expect(p).toBe(Number.MIN_VALUE);
  });

  test("the odds ratio of nothing against nothing is 1, of something against nothing infinite", () => {
    expect(fisherExact({ events: 0, trials: 9 }, { events: 0, trials: 5 }).oddsRatio).toBe(1);
    expect(fisherExact({ events: 9, trials: 9 }, { events: 0, trials: 5 }).oddsRatio).toBe(Infinity);
    expect(fisherExact({ events: 8, trials: 10 }, { events: 1, trials: 6 }).oddsRatio).toBe(20);
  });

  test("a hundred thousand trials per arm take milliseconds and agree with the score test", () => {
    const { p } = fisherExact({ events: 1100, trials: 100_000 }, { events: 1000, trials: 100_000 });
    expect(p).toBeGreaterThan(0.02);
    expect(p).toBeLessThan(0.04);
  });

  test("impossible counts are refused by name", () => {
    expect(() => fisherExact({ events: 3, trials: 2 }, { events: 0, trials: 1 })).toThrow(
      new RangeError("candidate.events is 3, more than its 2 trials"),
    );
    expect(() => fisherExact({ events: 0, trials: 1 }, { events: 0.5, trials: 1 })).toThrow(/baseline.events is 0.5/);
    expect(() => fisherExact({ events: 0, trials: 0 }, { events: 0, trials: 1 })).toThrow(/candidate.trials is 0/);
  });
});

test("the mid-p counts the observed table half", () => {
  const [candidate, baseline] = [
    { events: 8, trials: 10 },
    { events: 1, trials: 6 },
  ];
  // Of the C(16, 9) tables with 9 events, C(10, 8) C(6, 1) = 270 are as observed and C(10, 9) = 10 lie beyond.
  const [observed, beyond, all] = [270, 10, 11440];
  expect(fisherExact(candidate, baseline, { alternative: "greater" }).p).toBeCloseTo((observed + beyond) / all, 12);
  expect(fisherExact(candidate, baseline, { alternative: "greater", midP: true }).p).toBeCloseTo(
    (observed / 2 + beyond) / all,
    12,
  );
});
