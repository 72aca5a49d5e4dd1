import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mostLikelyBaseline, twoProportionsInterval, twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Options = Parameters<typeof twoProportionsTest>[2] & Parameters<typeof twoProportionsInterval>[2];
type Arms = { candidate: { events: number; trials: number }; baseline: { events: number; trials: number } };
const alternatives = ["two-sided", "greater", "less"] as const;
const differences = fc.double({ min: -0.95, max: 0.95, noNaN: true });

describe("twoProportionsTest", () => {
  test.each(goldenCases("counts", "twoProportionsTest"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...twoProportionsTest(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("swapping the arms negates the statistic", () => {
    fc.assert(
      fc.property(proportions(300), proportions(300), differences, (a, b, s) => {
        const there = twoProportionsTest(a, b, { nullDifference: s });
        const back = twoProportionsTest(b, a, { nullDifference: -s });
        expect(there.statistic).toBeCloseTo(-back.statistic, 6);
        expect(there.p).toBeCloseTo(back.p, 9);
      }),
    );
  });

  test("the most likely probabilities are more likely than their neighbours and lie in [0, 1]", () => {
    fc.assert(
      fc.property(proportions(100), proportions(100), differences, (a, b, s) => {
        const log = (count: number, p: number) => (count === 0 ? 0 : count * Math.log(p));
        const likelihood = (p: number) =>
          log(a.events, p + s) +
          log(a.trials - a.events, 1 - p - s) +
          log(b.events, p) +
          log(b.trials - b.events, 1 - p);
        const p = mostLikelyBaseline(a, b, s);
        expect(p).toBeGreaterThanOrEqual(Math.max(0, -s));
        expect(p).toBeLessThanOrEqual(Math.min(1, 1 - s));
        for (const other of [p - 1e-4, p + 1e-4]) {
          if (other < Math.max(0, -s) || other > Math.min(1, 1 - s)) continue;
          expect(likelihood(other)).toBeLessThanOrEqual(likelihood(p) + 1e-9);
        }
      }),
    );
  });

  test("no events, or nothing but events, prove nothing about equality", () => {
    for (const events of [0, 50]) {
      for (const alternative of alternatives) {
        const arm = { events, trials: 50 };
        expect(twoProportionsTest(arm, arm, { alternative })).toMatchObject({ p: 1, statistic: 0, variance: 0 });
      }
    }
  });

  test("p is a number in the far tail, not 0", () => {
    const { p } = twoProportionsTest(
      { events: 300, trials: 1000 },
      { events: 20, trials: 1000 },
      { alternative: "greater" },
    );
    expect(p).toBeGreaterThan(0);
    expect(p).toBeLessThan(1e-60);
  });

  test("a null difference outside (-1, 1) is refused", () => {
    const one = { events: 0, trials: 1 };
    expect(() => twoProportionsTest(one, one, { nullDifference: 1 })).toThrow(/nullDifference is 1/);
  });
});

describe("twoProportionsInterval", () => {
  test.each(goldenCases("counts", "twoProportionsInterval"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...twoProportionsInterval(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("its ends are the null differences at which the test has p = 1 - confidence", () => {
    fc.assert(
      fc.property(proportions(200), proportions(200), fc.constantFrom(...alternatives), (a, b, alternative) => {
        const { lower, upper } = twoProportionsInterval(a, b, { alternative, confidence: 0.9 });
        const p = (nullDifference: number) => twoProportionsTest(a, b, { nullDifference, alternative }).p;
        const ends = [lower, upper].filter((end) => end > -1 && end < 1);
        for (const end of ends) expect(p(end)).toBeCloseTo(0.1, 6);
        expect(alternative !== "less" || lower === -1).toBe(true);
        expect(alternative !== "greater" || upper === 1).toBe(true);
      }),
    );
  });

  test("holds the estimate and narrows with more of the same data", () => {
    fc.assert(
      fc.property(proportions(50), proportions(50), (a, b) => {
        const tenfold = (p: typeof a) => ({ events: 10 * p.events, trials: 10 * p.trials });
        const small = twoProportionsInterval(a, b);
        const large = twoProportionsInterval(tenfold(a), tenfold(b));
        expect(small.lower).toBeLessThanOrEqual(small.estimate);
        expect(small.upper).toBeGreaterThanOrEqual(small.estimate);
        expect(large.upper - large.lower).toBeLessThan(small.upper - small.lower);
      }),
    );
  });
});
