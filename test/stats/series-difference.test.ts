import { describe, expect, test } from "vitest";
import { cosineVariance } from "../../src/stats/long-run-variance.ts";
import type { PairedSteps } from "../../src/stats/pair-by-step.ts";
import { seriesDifference, type SeriesDifferenceOptions } from "../../src/stats/series-difference.ts";
import { goldenCases, misses } from "./golden.ts";

function paired(
  candidate: readonly number[],
  baseline: readonly number[],
  candidateWeights = candidate.map(() => 1),
  baselineWeights = candidateWeights,
): PairedSteps {
  return {
    steps: Float64Array.from(candidate, (_, i) => i),
    candidate: Float64Array.from(candidate),
    baseline: Float64Array.from(baseline),
    candidateWeights: Float64Array.from(candidateWeights),
    baselineWeights: Float64Array.from(baselineWeights),
    unmatched: { candidate: 0, baseline: 0 },
    gaps: 0,
  };
}

const shock = Array.from({ length: 40 }, (_, i) => 200 * (1 + 0.5 * Math.sin(i / 5)));
const wobble = (i: number) => 1 + 0.01 * ((i * 7) % 5) - 0.02;

describe("seriesDifference", () => {
  test.each(goldenCases("series", "seriesDifference"))("agrees with numpy: %s", (_, golden) => {
    const { candidate, baseline, candidateWeights, baselineWeights, ...options } = golden.input as Record<
      string,
      number[]
    >;
    const pairs = paired(candidate, baseline, candidateWeights, baselineWeights);
    expect(misses({ ...seriesDifference(pairs, options as SeriesDifferenceOptions) }, golden)).toEqual([]);
  });

  test("a shock that both arms share disappears in the pairs", () => {
    const candidate = shock.map((value, i) => value * wobble(i) * 1.05);
    const { estimate, lower, size } = seriesDifference(paired(candidate, shock));
    expect(estimate).toBeCloseTo(Math.log(1.05), 2);
    expect(lower).toBeGreaterThan(0.02);
    expect(size.enough).toBe(true);
  });

  test("swapping the arms negates the estimate, and another measurement unit changes no log ratio", () => {
    const candidate = shock.map((value, i) => value * wobble(i));
    const there = seriesDifference(paired(candidate, shock));
    const back = seriesDifference(paired(shock, candidate));
    expect(back.estimate).toBeCloseTo(-there.estimate, 12);
    expect(back.p).toBeCloseTo(there.p, 9);
    const inSeconds = (values: readonly number[]) => values.map((value) => value / 1000);
    expect(seriesDifference(paired(inSeconds(candidate), inSeconds(shock))).p).toBeCloseTo(there.p, 9);
  });

  test("steps weigh by traffic: a step without partner's traffic hardly counts", () => {
    const baseline = [100, 100, 100, 100];
    const candidate = [101, 99, 102, 400];
    const busy = [1000, 1000, 1000, 1];
    const weighted = seriesDifference(paired(candidate, baseline, busy));
    const equal = seriesDifference(paired(candidate, baseline, busy), { weights: "equal" });
    expect(weighted.estimate).toBeLessThan(0.02);
    expect(equal.estimate).toBeGreaterThan(0.3);
  });

  test("a known long-run variance takes the place of the estimate", () => {
    const candidate = shock.map((value, i) => value * wobble(i));
    const known = seriesDifference(paired(candidate, shock), { history: { stepVariance: 0.004, df: 200 } });
    expect(known.variance).toBeCloseTo(0.004 / 40, 15);
    expect(known.df).toBe(200);
  });

  test("steps that vary far more than their history, or not at all, are taken by their own variance", () => {
    const candidate = shock.map((value, i) => value * wobble(i));
    const own = seriesDifference(paired(candidate, shock));
    expect(own.byHistory).toBe(false);
    const least = { stepVariance: own.variance * 40 * 1e-3, df: 30 };
    expect(seriesDifference(paired(candidate, shock), { history: least })).toEqual(own);
    const still = seriesDifference(paired(shock, shock), { history: { stepVariance: 0.004, df: 30 } });
    expect(still).toMatchObject({ byHistory: false, variance: 0, p: 1 });
  });

  // F with 4 and 30 degrees of freedom (40 steps have 4 waves) has its upper 1 % at 4.0179 (scipy.stats.f.isf(0.01, 4, 30)).
  test.each([
    [4.01, true],
    [4.03, false],
  ])("own cosine variance %d times that of the history: by history %s", (ratio, byHistory) => {
    const candidate = shock.map((value, i) => value * wobble(i));
    const differences = candidate.map((value, i) => Math.log(value / (shock[i] ?? 1)));
    const { variance, df } = cosineVariance(differences);
    expect(df).toBe(4);
    const history = { stepVariance: (variance * 40) / ratio, df: 30 };
    expect(seriesDifference(paired(candidate, shock), { history }).byHistory).toBe(byHistory);
  });

  test("identical series prove nothing", () => {
    expect(seriesDifference(paired(shock, shock))).toMatchObject({ estimate: 0, p: 1, upper: Infinity });
  });

  test("zero has no logarithm; a difference takes it", () => {
    expect(() => seriesDifference(paired([1, 0], [1, 1]))).toThrow(/pairs.candidate\[1\] is 0, not a positive number/);
    expect(seriesDifference(paired([1, 0], [1, 1]), { scale: "difference" }).estimate).toBe(-0.5);
  });
});
