import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rateRatioInterval, rateRatioTest } from "../../src/stats/rate-ratio.ts";
import { rates } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Arms = { candidate: { events: number; exposure: number }; baseline: { events: number; exposure: number } };
type Options = Parameters<typeof rateRatioTest>[2] & Parameters<typeof rateRatioInterval>[2];
const alternatives = ["two-sided", "greater", "less"] as const;

describe("rateRatioTest", () => {
  test.each(goldenCases("counts", "rateRatioTest"))("agrees with the rational binomial: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...rateRatioTest(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("swapping the arms inverts the ratio and swaps the sides", () => {
    fc.assert(
      fc.property(rates, rates, fc.double({ min: 0.1, max: 10, noNaN: true }), (a, b, r) => {
        const there = rateRatioTest(a, b, { nullRatio: r, alternative: "greater" }).p;
        const back = rateRatioTest(b, a, { nullRatio: 1 / r, alternative: "less" }).p;
        expect(there).toBeCloseTo(back, 9);
      }),
    );
  });

  test("mid-p lies below the exact p, by half the probability of what was observed", () => {
    fc.assert(
      fc.property(rates, rates, fc.constantFrom(...alternatives), (a, b, alternative) => {
        const exact = rateRatioTest(a, b, { alternative }).p;
        expect(rateRatioTest(a, b, { alternative, method: "mid-p" }).p).toBeLessThanOrEqual(exact);
      }),
    );
  });

  test("no events at all: ratio 1, p 1", () => {
    const none = { events: 0, exposure: 10 };
    expect(rateRatioTest(none, none)).toEqual({ p: 1, estimate: 1 });
  });
});

describe("rateRatioInterval", () => {
  test.each(goldenCases("counts", "rateRatioInterval"))("agrees with 50 digits: %s", (_, golden) => {
    const { candidate, baseline, ...options } = golden.input as unknown as Arms & Options;
    expect(misses({ ...rateRatioInterval(candidate, baseline, options) }, golden)).toEqual([]);
  });

  test("its ends are the ratios at which the test has p = 1 - confidence", () => {
    fc.assert(
      fc.property(
        rates,
        rates,
        fc.constantFrom("exact", "score"),
        fc.constantFrom(...alternatives),
        (a, b, method, alternative) => {
          const options = { method: method as "exact", alternative };
          const { lower, upper } = rateRatioInterval(a, b, { ...options, confidence: 0.9 });
          if (a.events + b.events === 0) return;
          const p = (nullRatio: number) => rateRatioTest(a, b, { ...options, nullRatio }).p;
          const ends = [lower, upper].filter((end) => end > 0 && end < Infinity);
          for (const end of ends) expect(p(end)).toBeCloseTo(0.1, 7);
        },
      ),
    );
  });

  test("without any event nothing is known", () => {
    const none = { events: 0, exposure: 10 };
    expect(rateRatioInterval(none, none)).toEqual({ estimate: 1, lower: 0, upper: Infinity });
  });
});
