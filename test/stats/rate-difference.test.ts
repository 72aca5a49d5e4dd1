import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rateDifferenceInterval, rateDifferenceTest } from "../../src/stats/rate-difference.ts";
import { rates } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Arms = { candidate: { events: number; exposure: number }; baseline: { events: number; exposure: number } };
type Options = Parameters<typeof rateDifferenceTest>[2] & Parameters<typeof rateDifferenceInterval>[2];

describe("rateDifferenceTest", () => {
  test.each(goldenCases("counts", "rateDifferenceTest"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...rateDifferenceTest(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("swapping the arms negates the statistic", () => {
    fc.assert(
      fc.property(rates, rates, fc.double({ min: -5, max: 5, noNaN: true }), (a, b, d) => {
        const there = rateDifferenceTest(a, b, { nullDifference: d });
        const back = rateDifferenceTest(b, a, { nullDifference: -d });
        expect(there.statistic).toBeCloseTo(-back.statistic, 7);
      }),
    );
  });

  test("no events under a null difference of 0 prove nothing", () => {
    const none = { events: 0, exposure: 10 };
    expect(rateDifferenceTest(none, none, { alternative: "less" })).toMatchObject({ p: 1, statistic: 0 });
  });
});

describe("rateDifferenceInterval", () => {
  test.each(goldenCases("counts", "rateDifferenceInterval"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...rateDifferenceInterval(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("its ends are the differences at which the test has p = 1 - confidence", () => {
    fc.assert(
      fc.property(rates, rates, fc.constantFrom("two-sided", "greater", "less"), (a, b, alternative) => {
        const options = { alternative: alternative as "greater" };
        const { lower, upper } = rateDifferenceInterval(a, b, { ...options, confidence: 0.9 });
        const p = (nullDifference: number) => rateDifferenceTest(a, b, { ...options, nullDifference }).p;
        const ends = [lower, upper].filter(Number.isFinite);
        expect(ends.length).toBe(alternative === "two-sided" ? 2 : 1);
        for (const end of ends) expect(p(end)).toBeCloseTo(0.1, 6);
      }),
    );
  });
});
