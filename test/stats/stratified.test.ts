import { describe, expect, test } from "vitest";
import { clusterRobust } from "../../src/stats/cluster-robust.ts";
import { differenceInfluence, meanInfluence } from "../../src/stats/influence.ts";
import { seeded } from "../../src/stats/random.ts";
import { isSimpson, postStratified, postStratifiedInfluence, strataOf } from "../../src/stats/stratified.ts";
import { welch } from "../../src/stats/welch.ts";
import { goldenCases, misses } from "./golden.ts";

type Arm = Parameters<typeof postStratified>[0];

/** Two classes of prompts, the hard one four times as slow; `hardShare` of the units are hard. */
function arm(seed: number, n: number, hardShare: number, factor: number): Arm {
  const random = seeded(seed);
  const strata = Float64Array.from({ length: n }, () => (random() < hardShare ? 1 : 0));
  return { strata, values: strata.map((hard) => (hard === 1 ? 600 : 150) * factor * (0.5 + random())) };
}

describe("postStratified", () => {
  test.each(goldenCases("means", "postStratified"))("agrees with numpy: %s", (_, golden) => {
    const { candidate, baseline, minUnits } = golden.input as { candidate: Arm; baseline: Arm; minUnits: number };
    expect(misses({ ...postStratified(candidate, baseline, (c, b) => welch(c, b), { minUnits }) }, golden)).toEqual([]);
  });

  test("a drifted mix without any change is no effect once it is adjusted", () => {
    const { estimate, variance, unadjusted } = postStratified(arm(1, 4000, 0.36, 1), arm(2, 4000, 0.3, 1), (c, b) =>
      welch(c, b),
    );
    expect(unadjusted.estimate / Math.sqrt(unadjusted.variance)).toBeGreaterThan(4);
    expect(Math.abs(estimate) / Math.sqrt(variance)).toBeLessThan(3);
  });

  test("Simpson's paradox is reported", () => {
    // Slower in both classes, but the candidate got far fewer hard prompts.
    const result = postStratified(arm(3, 3000, 0.1, 1.1), arm(4, 3000, 0.5, 1), (c, b) => welch(c, b));
    expect(result.estimate).toBeGreaterThan(0);
    expect(result.unadjusted.estimate).toBeLessThan(0);
    expect(result.simpson).toBe(true);
    expect(isSimpson({ estimate: 1, variance: 0, df: 1 }, { estimate: -1, variance: 1e-9, df: 1 })).toBe(false);
  });

  test("the influence form gives the same estimate and, with single rows as units, nearly the same variance", () => {
    const candidate = arm(5, 700, 0.4, 1.05);
    const baseline = arm(6, 500, 0.3, 1);
    const direct = postStratified(candidate, baseline, (c, b) => welch(c, b));
    const influence = postStratifiedInfluence(candidate, baseline, (c, b) =>
      differenceInfluence(meanInfluence(c), meanInfluence(b)),
    );
    const rows = (length: number, from: number) => Array.from({ length }, (_, i) => from + i);
    const robust = clusterRobust(influence, { candidate: rows(700, 0), baseline: rows(500, 1000) });
    expect(robust.estimate).toBeCloseTo(direct.estimate, 9);
    expect(robust.variance / direct.variance).toBeCloseTo(1, 1);
  });
});

describe("strataOf", () => {
  const codes = (counts: readonly number[]) => counts.flatMap((n, code) => Array.from({ length: n }, () => code));
  const merge = (candidate: readonly number[], baseline: readonly number[]) => {
    const make = (counts: readonly number[]) => ({ strata: codes(counts), values: codes(counts) });
    return strataOf(make(candidate), make(baseline), 10).map((stratum) => stratum.codes);
  };

  test("keeps large strata and merges small ones", () => {
    expect(merge([20, 30, 6, 7], [20, 30, 9, 8])).toEqual([[0], [1], [2, 3]]);
  });

  test("a merged stratum that is still too small takes in the smallest of the rest", () => {
    expect(merge([20, 30, 3], [20, 30, 50])).toEqual([[0, 2], [1]]);
  });

  test("a stratum that only one arm has is merged too; small arms end up in one stratum", () => {
    expect(merge([40, 0], [40, 30])).toEqual([[0, 1]]);
    expect(merge([2, 3], [4, 1])).toEqual([[0, 1]]);
  });

  test("weights are shares of pooled traffic and add up to 1; every value lands in one stratum", () => {
    const candidate = arm(7, 90, 0.5, 1);
    const baseline = arm(8, 210, 0.2, 1);
    const strata = strataOf(candidate, baseline, 10);
    expect(strata.reduce((sum, stratum) => sum + stratum.weight, 0)).toBeCloseTo(1, 12);
    expect(strata.reduce((sum, stratum) => sum + stratum.candidate.length, 0)).toBe(90);
  });

  test("lengths that differ are refused by name", () => {
    const fine = { values: [1], strata: [1] };
    expect(() => strataOf({ values: [1, 2], strata: [1] }, fine, 10)).toThrow(/candidate.values has 2 values/);
  });
});
