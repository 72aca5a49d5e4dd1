import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { proportionInterval, zeroEventBound } from "../../src/stats/proportion-interval.ts";
import { binomialSf } from "../../src/stats/distributions/binomial.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = { proportion: { events: number; trials: number } } & Parameters<typeof proportionInterval>[1];

describe("proportionInterval", () => {
  test.each(goldenCases("counts", "proportionInterval"))("agrees with 50 digits and scipy: %s", (_, golden) => {
    const { proportion, ...options } = golden.input as unknown as Input;
    expect(misses({ ...proportionInterval(proportion, options) }, golden)).toEqual([]);
  });

  test("counting failures mirrors the interval", () => {
    fc.assert(
      fc.property(proportions(500), fc.constantFrom("wilson", "clopper-pearson"), (p, method) => {
        const events = proportionInterval(p, { method: method as "wilson" });
        const failures = proportionInterval(
          { events: p.trials - p.events, trials: p.trials },
          { method: method as "wilson" },
        );
        expect(events.lower).toBeCloseTo(1 - failures.upper, 12);
        expect(events.upper).toBeCloseTo(1 - failures.lower, 12);
      }),
    );
  });

  test("a one-sided Clopper-Pearson bound is where the exact binomial test has p = 1 - confidence", () => {
    fc.assert(
      fc.property(proportions(200), (p) => {
        if (p.events === 0) return;
        const { lower } = proportionInterval(p, { method: "clopper-pearson", alternative: "greater", confidence: 0.9 });
        expect(binomialSf(p.events - 1, p.trials, lower)).toBeCloseTo(0.1, 9);
      }),
    );
  });

  test("confidence outside (0, 1) is refused by name", () => {
    expect(() => proportionInterval({ events: 1, trials: 2 }, { confidence: 1 })).toThrow(
      new RangeError("confidence is 1, not strictly between 0 and 1"),
    );
  });
});

describe("zeroEventBound", () => {
  test.each(goldenCases("counts", "zeroEventBound"))("agrees with its formula at 50 digits: %s", (_, golden) => {
    const { trials, confidence } = golden.input as { trials: number; confidence: number };
    expect(misses({ bound: zeroEventBound(trials, confidence) }, golden)).toEqual([]);
  });

  test("is the one-sided Clopper-Pearson bound of no events", () => {
    const exact = proportionInterval({ events: 0, trials: 77 }, { method: "clopper-pearson", alternative: "less" });
    expect(zeroEventBound(77)).toBeCloseTo(exact.upper, 13);
  });
});
