import { describe, expect, test } from "vitest";
import type { Proportion } from "../../src/stats/counts.ts";
import { roganGladen, roganGladenDifference } from "../../src/stats/rogan-gladen.ts";
import { goldenCases, misses } from "./golden.ts";

const share = (events: number, trials: number): Proportion => ({ events, trials });

describe("roganGladen", () => {
  test.each(goldenCases("llm-judges", "roganGladen"))("agrees with fractions and 40 digits: %s", (_, golden) => {
    const { judged, sensitivity, specificity } = golden.input as unknown as Record<string, Proportion>;
    expect(misses({ ...roganGladen(judged, { sensitivity, specificity }) }, golden)).toEqual([]);
  });

  test("a perfect judge of many known items is believed", () => {
    const accuracy = { sensitivity: share(1e6, 1e6), specificity: share(1e6, 1e6) };
    const { estimate, lower, upper, attenuation } = roganGladen(share(30, 100), accuracy);
    expect(estimate).toBeCloseTo(0.3, 15);
    expect(attenuation).toBe(1);
    expect(lower).toBeCloseTo(0.218, 2);
    expect(upper).toBeCloseTo(0.397, 2);
  });

  test("more positives than the judge can produce are cut at 1", () => {
    const accuracy = { sensitivity: share(60, 100), specificity: share(99, 100) };
    expect(roganGladen(share(90, 100), accuracy)).toMatchObject({ estimate: 1, upper: 1 });
  });

  test("a judge no better than chance is refused", () => {
    const accuracy = { sensitivity: share(5, 10), specificity: share(5, 10) };
    expect(() => roganGladen(share(1, 2), accuracy)).toThrow(/sensitivity \+ specificity - 1 is 0/);
  });
});

describe("roganGladenDifference", () => {
  const accuracy = { sensitivity: share(800, 1000), specificity: share(800, 1000) };

  test("undoes the attenuation of a difference", () => {
    const { estimate, attenuation } = roganGladenDifference(share(320, 1000), share(290, 1000), accuracy);
    expect(attenuation).toBeCloseTo(0.6, 12);
    expect(estimate).toBeCloseTo(0.05, 12);
  });

  test("a poorly known judge widens the interval of a real difference, not of none", () => {
    const poor = { sensitivity: share(8, 10), specificity: share(8, 10) };
    const width = (known: typeof accuracy, events: number) => {
      const { lower, upper } = roganGladenDifference(share(events, 1000), share(300, 1000), known);
      return upper - lower;
    };
    expect(width(poor, 600)).toBeGreaterThan(1.5 * width(accuracy, 600));
    expect(width(poor, 300)).toBeCloseTo(width(accuracy, 300), 9);
  });
});
