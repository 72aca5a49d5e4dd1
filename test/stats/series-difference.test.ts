import { describe, expect, test } from "vitest";
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

  test("identical series prove nothing", () => {
    expect(seriesDifference(paired(shock, shock))).toMatchObject({ estimate: 0, p: 1, upper: Infinity });
  });

  test("zero has no logarithm; a difference takes it", () => {
    expect(() => seriesDifference(paired([1, 0], [1, 1]))).toThrow(/pairs.candidate\[1\] is 0, not a positive number/);
    expect(seriesDifference(paired([1, 0], [1, 1]), { scale: "difference" }).estimate).toBe(-0.5);
  });
});
