import { describe, expect, test } from "vitest";
import {
  predictionPoweredDifference,
  predictionPoweredMean,
  type JudgedArm,
} from "../../src/stats/prediction-powered.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { goldenCases, misses } from "./golden.ts";

/** Truth around `mean`; the judge adds `bias` and noise. */
function arm(seed: number, labelled: number, judged: number, mean: number, bias: number, noise: number): JudgedArm {
  const random = seeded(seed);
  const truth = () => mean + standardNormal(random);
  const judge = (value: number) => value + bias + noise * standardNormal(random);
  const labels = Float64Array.from({ length: labelled }, truth);
  return {
    labels,
    judgedLabelled: labels.map(judge),
    judgedOnly: Float64Array.from({ length: judged }, () => judge(truth())),
  };
}

describe("predictionPoweredMean", () => {
  test.each(goldenCases("llm-judges", "predictionPoweredMean"))("agrees with numpy: %s", (_, golden) => {
    const { lambda, ...input } = golden.input as unknown as JudgedArm & { lambda: "tuned" | number };
    expect(misses({ ...predictionPoweredMean(input, { lambda }) }, golden)).toEqual([]);
  });

  test("a good judge shrinks the variance towards that of all items, a bad one does no harm", () => {
    const good = predictionPoweredMean(arm(1, 100, 5000, 3, 0.7, 0.2));
    const bad = predictionPoweredMean(arm(2, 100, 5000, 3, 0.7, 10));
    const alone = predictionPoweredMean(arm(2, 100, 5000, 3, 0.7, 10), { lambda: 0 });
    expect(good.lambda).toBeGreaterThan(0.9);
    expect(good.variance).toBeLessThan(0.1 * alone.variance);
    expect(bad.lambda).toBeLessThan(0.1);
    expect(bad.variance).toBeLessThan(1.1 * alone.variance);
  });

  test("the judge's bias does not reach the estimate", () => {
    const { estimate, variance, bias } = predictionPoweredMean(arm(3, 400, 5000, 3, 1.5, 0.5));
    expect(Math.abs(estimate - 3)).toBeLessThan(4 * Math.sqrt(variance));
    expect(bias.estimate).toBeCloseTo(-1.5, 0);
  });

  test("influence values add up to 0 and carry the variance", () => {
    const { influence, variance } = predictionPoweredMean(arm(4, 200, 1000, 3, 0, 0.5));
    const all = [...influence.labelled, ...influence.judgedOnly];
    expect(all.reduce((sum, psi) => sum + psi, 0)).toBeCloseTo(0, 12);
    expect(all.reduce((sum, psi) => sum + psi * psi, 0) / variance).toBeCloseTo(1, 1);
  });

  test("constant labels and scores prove nothing by themselves: the variance is 0", () => {
    const same = { labels: [1, 1, 1], judgedLabelled: [1, 1, 1], judgedOnly: [1, 1] };
    expect(predictionPoweredMean(same)).toMatchObject({ estimate: 1, variance: 0, lambda: 0 });
    expect(predictionPoweredDifference(same, same)).toMatchObject({ p: 1, lower: -Infinity, differential: false });
  });

  test("too few labels, lengths that differ and a lambda out of range are refused", () => {
    const few = { labels: [1, 2], judgedLabelled: [1, 2], judgedOnly: [1] };
    expect(() => predictionPoweredMean(few)).toThrow(/labels has 2 values, fewer than the 3 needed/);
    const uneven = { labels: [1, 2, 3], judgedLabelled: [1, 2, 3, 4], judgedOnly: [1] };
    expect(() => predictionPoweredMean(uneven)).toThrow(/labels has 3 values and judgedLabelled has 4/);
    const fine = { labels: [1, 2, 3], judgedLabelled: [1, 2, 3], judgedOnly: [1] };
    expect(() => predictionPoweredMean(fine, { lambda: 2 })).toThrow(/lambda is 2/);
  });
});

describe("predictionPoweredDifference", () => {
  test("a judge who favours the candidate is found out, and corrected", () => {
    const result = predictionPoweredDifference(arm(5, 300, 4000, 3, 0.6, 0.4), arm(6, 300, 4000, 3, 0, 0.4));
    expect(result.differential).toBe(true);
    expect(result.biasDifference.estimate).toBeLessThan(-0.4);
    expect(result.lower).toBeLessThan(0);
    expect(result.upper).toBeGreaterThan(0);
  });

  test("a bias common to both arms is no differential bias", () => {
    const result = predictionPoweredDifference(arm(7, 300, 4000, 3, 0.6, 0.4), arm(8, 300, 4000, 3, 0.6, 0.4));
    expect(result.differential).toBe(false);
  });
});
