import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { proportionRatioInterval, proportionRatioTest } from "../../src/stats/proportion-ratio.ts";
import { twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Options = Parameters<typeof proportionRatioTest>[2] & Parameters<typeof proportionRatioInterval>[2];
type Arms = { candidate: { events: number; trials: number }; baseline: { events: number; trials: number } };

describe("proportionRatioTest", () => {
  test.each(goldenCases("counts", "proportionRatioTest"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...proportionRatioTest(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("at ratio 1 it is the score test of difference 0", () => {
    fc.assert(
      fc.property(proportions(200), proportions(200), (a, b) => {
        expect(proportionRatioTest(a, b).p).toBeCloseTo(twoProportionsTest(a, b).p, 9);
      }),
    );
  });

  test("swapping the arms inverts the ratio", () => {
    fc.assert(
      fc.property(proportions(200), proportions(200), fc.double({ min: 0.1, max: 10, noNaN: true }), (a, b, r) => {
        const there = proportionRatioTest(a, b, { nullRatio: r });
        const back = proportionRatioTest(b, a, { nullRatio: 1 / r });
        expect(there.statistic).toBeCloseTo(-back.statistic, 6);
      }),
    );
  });

  test("no events at all: ratio 1, p 1", () => {
    const none = { events: 0, trials: 40 };
    expect(proportionRatioTest(none, none, { nullRatio: 3, alternative: "less" })).toMatchObject({ p: 1, estimate: 1 });
  });

  test("a ratio that is not positive is refused", () => {
    const one = { events: 0, trials: 1 };
    expect(() => proportionRatioTest(one, one, { nullRatio: 0 })).toThrow(/nullRatio is 0/);
  });
});

describe("proportionRatioInterval", () => {
  test.each(goldenCases("counts", "proportionRatioInterval"))("agrees with 50-digit root finding: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...proportionRatioInterval(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("its ends are the ratios at which the test has p = 1 - confidence", () => {
    fc.assert(
      fc.property(proportions(200), proportions(200), (a, b) => {
        const { lower, upper } = proportionRatioInterval(a, b, { confidence: 0.9 });
        const p = (nullRatio: number) => proportionRatioTest(a, b, { nullRatio }).p;
        const ends = [lower, upper].filter((end) => end > 0 && end < Infinity);
        for (const end of ends) expect(p(end)).toBeCloseTo(0.1, 6);
      }),
    );
  });

  test("without candidate events the lower end is 0, without baseline events the upper is infinite", () => {
    const none = { events: 0, trials: 40 };
    const some = { events: 4, trials: 40 };
    expect(proportionRatioInterval(none, some).lower).toBe(0);
    expect(proportionRatioInterval(some, none).upper).toBe(Infinity);
    expect(proportionRatioInterval(none, none)).toEqual({ estimate: 1, lower: 0, upper: Infinity });
  });
});
