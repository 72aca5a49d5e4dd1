import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  meanThreshold,
  proportionThreshold,
  quantileThreshold,
  rateThreshold,
  type ThresholdFinding,
} from "../../src/stats/threshold.ts";
import { proportions, rates } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

/**
 * Breached when the bound on the good side lies beyond the limit, holds when the other lies inside, and neither
 * otherwise.
 */
function agreesWithBounds(finding: ThresholdFinding, limit: number): boolean {
  const slack = 1e-9 * Math.max(1, Math.abs(limit));
  const breached = finding.breached ? finding.lower > limit - slack : finding.lower <= limit + slack;
  return breached && (finding.holds ? finding.upper < limit + slack : finding.upper >= limit - slack);
}

describe("proportionThreshold", () => {
  test.each(goldenCases("counts", "proportionThreshold"))("agrees with 50 digits: %s", (_, golden) => {
    const { proportion, limit } = golden.input as unknown as {
      proportion: Parameters<typeof proportionThreshold>[0];
      limit: number;
    };
    expect(misses({ ...proportionThreshold(proportion, limit) }, golden)).toEqual([]);
  });

  test("decisions agree with bounds", () => {
    fc.assert(
      fc.property(proportions(300), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (p, limit) => {
        expect(agreesWithBounds(proportionThreshold(p, limit, { alphaBreached: 0.01, alphaHolds: 0.1 }), limit)).toBe(
          true,
        );
      }),
    );
  });

  test("a limit that values may not fall below is the mirror image", () => {
    fc.assert(
      fc.property(proportions(300), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (p, limit) => {
        const failures = { events: p.trials - p.events, trials: p.trials };
        const max = proportionThreshold(p, limit);
        const min = proportionThreshold(failures, 1 - limit, { limitIs: "min" });
        expect(min.pBreached).toBeCloseTo(max.pBreached, 9);
        expect(min.lower).toBeCloseTo(1 - max.upper, 9);
      }),
    );
  });
});

describe("rateThreshold", () => {
  test.each(goldenCases("counts", "rateThreshold"))("agrees with 50 digits: %s", (_, golden) => {
    const { rate, limit } = golden.input as unknown as { rate: Parameters<typeof rateThreshold>[0]; limit: number };
    expect(misses({ ...rateThreshold(rate, limit) }, golden)).toEqual([]);
  });

  test("decisions agree with bounds", () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0.001, max: 5, noNaN: true }), (rate, limit) => {
        expect(agreesWithBounds(rateThreshold(rate, limit), limit)).toBe(true);
      }),
    );
  });
});

describe("quantileThreshold", () => {
  const latencies = (n: number, slow: number) => Array.from({ length: n }, (_, i) => (i < slow ? 9 : 1));

  test("a p95 is proven from 59 values without an exceedance on", () => {
    expect(quantileThreshold(latencies(59, 0), 4, { quantile: 0.95 }).holds).toBe(true);
    expect(quantileThreshold(latencies(58, 0), 4, { quantile: 0.95 }).holds).toBe(false);
  });

  test("a value equal to the limit is within it", () => {
    expect(quantileThreshold([4, 4, 5], 4, { quantile: 0.5 }).exceedances).toBe(1);
    expect(quantileThreshold([4, 4, 3], 4, { quantile: 0.5, limitIs: "min" }).exceedances).toBe(1);
  });

  test("it is the test of the share beyond the limit, on either side", () => {
    const values = latencies(200, 31);
    const { estimate, lower, upper, breached, allowed } = quantileThreshold(values, 4, { quantile: 0.95 });
    expect(estimate).toBe(31 / 200);
    expect(allowed).toBeCloseTo(0.05, 12);
    expect(lower).toBeGreaterThan(0.05);
    expect(upper).toBeLessThan(0.25);
    expect(breached).toBe(true);
    const low = quantileThreshold(
      values.map((value) => -value),
      -4,
      { quantile: 0.05, limitIs: "min" },
    );
    expect(low.pBreached).toBeCloseTo(quantileThreshold(values, 4, { quantile: 0.95 }).pBreached, 12);
  });

  test("the two levels are kept apart", () => {
    const values = latencies(100, 9);
    expect(quantileThreshold(values, 4, { quantile: 0.95, alphaBreached: 0.07 }).breached).toBe(true);
    expect(quantileThreshold(values, 4, { quantile: 0.95, alphaBreached: 0.05 }).breached).toBe(false);
  });

  test("no values, a NaN and a quantile outside (0, 1) are refused", () => {
    expect(() => quantileThreshold([], 1, { quantile: 0.5 })).toThrow(new RangeError("values is empty"));
    expect(() => quantileThreshold([1, NaN], 1, { quantile: 0.5 })).toThrow(new RangeError("values[1] is NaN"));
    expect(() => quantileThreshold([1], 1, { quantile: 1 })).toThrow(/options.quantile is 1/);
  });
});

describe("meanThreshold", () => {
  test.each(goldenCases("counts", "meanThreshold"))("agrees with scipy: %s", (_, golden) => {
    const { values, limit, limitIs } = golden.input as { values: number[]; limit: number; limitIs: "max" | "min" };
    expect(misses({ ...meanThreshold(values, limit, { limitIs }) }, golden)).toEqual([]);
  });

  test("decisions agree with bounds, also for constant scores of a known range", () => {
    const scores = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(scores, fc.double({ min: 0.5, max: 5.5, noNaN: true }), (values, limit) => {
        expect(agreesWithBounds(meanThreshold(values, limit, { range: [1, 5] }), limit)).toBe(true);
      }),
    );
  });

  test("thirty identical scores prove little: the unseen rest may lie at the end of the range", () => {
    const scores = Array.from({ length: 30 }, () => 5);
    const close = meanThreshold(scores, 4.75, { limitIs: "min", range: [1, 5] });
    // Others than 5 may still have a probability of 1 - 0.05^(1/30) = 9.5 %, and be 1.
    expect(close.lower).toBeCloseTo(5 - 4 * (1 - 0.05 ** (1 / 30)), 12);
    expect(close.holds).toBe(false);
    expect(meanThreshold(scores, 4.5, { limitIs: "min", range: [1, 5] }).holds).toBe(true);
  });

  test("without a range, constant values and a single value prove nothing", () => {
    expect(meanThreshold([0.1, 0.1, 0.1], 0.2)).toMatchObject({
      pBreached: 1,
      pHolds: 1,
      lower: -Infinity,
      upper: Infinity,
    });
    expect(meanThreshold([7], 3, { range: [0, 9] })).toMatchObject({ breached: false, holds: false });
  });

  test("a value outside the stated range is refused", () => {
    expect(() => meanThreshold([1, 6], 3, { range: [1, 5] })).toThrow(
      /values run from 1 to 6, outside the range 1 to 5/,
    );
  });
});
