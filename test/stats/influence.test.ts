import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  differenceInfluence,
  logMeanInfluence,
  logRatioInfluence,
  meanInfluence,
  quantileInfluence,
  ratioInfluence,
  type Influence,
} from "../../src/stats/influence.ts";
import { seeded } from "../../src/stats/random.ts";
import { goldenCases } from "./golden.ts";

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
const positives = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 40 });

/**
 * What the statistic really changes by when row i weighs a little more, over that little: the definition of an
 * influence value.
 */
function derivative(statistic: (values: number[]) => Influence, values: readonly number[], i: number): number {
  const many = Array.from({ length: 400 }, () => values).flat();
  const moved = statistic([...many, values[i]]).estimate - statistic(many).estimate;
  return (moved * many.length) / values.length;
}

describe("influence values", () => {
  test.each(goldenCases("means", "ratioInfluence"))("of a ratio metric agree with numpy: %s", (_, golden) => {
    const { numerators, denominators } = golden.input as Record<string, number[]>;
    const { estimate, psi } = ratioInfluence(numerators, denominators);
    const expected = golden.expected["psi"] as number[];
    expect(estimate).toBeCloseTo(golden.expected["estimate"] as number, 12);
    expected.forEach((value, i) => expect(psi[i]).toBeCloseTo(value, 12));
  });

  test("add up to 0 over the arm", () => {
    fc.assert(
      fc.property(positives, (values) => {
        expect(sum(meanInfluence(values).psi)).toBeCloseTo(0, 9);
        expect(sum(logMeanInfluence(values).psi)).toBeCloseTo(0, 9);
        expect(sum(quantileInfluence(values, 0.7).psi)).toBeCloseTo(0, 9);
        const ones = values.map(() => 2);
        expect(sum(logRatioInfluence(values, ones).psi)).toBeCloseTo(0, 9);
      }),
    );
  });

  test("are the derivatives of the statistics", () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    for (const i of [0, 3, 5]) {
      expect(derivative(meanInfluence, values, i)).toBeCloseTo(meanInfluence(values).psi[i], 2);
      expect(derivative(logMeanInfluence, values, i)).toBeCloseTo(logMeanInfluence(values).psi[i], 2);
    }
  });

  test("give a quantile the variance of its sampling distribution", () => {
    const random = seeded(17);
    const estimates: number[] = [];
    let predicted = 0;
    const runs = 400;
    for (let run = 0; run < runs; run++) {
      const { estimate, psi } = quantileInfluence(
        Array.from({ length: 400 }, () => random() ** 2),
        0.9,
      );
      estimates.push(estimate);
      predicted += psi.reduce((total, value) => total + value * value, 0) / runs;
    }
    const mean = estimates.reduce((total, value) => total + value, 0) / runs;
    const variance = estimates.reduce((total, value) => total + (value - mean) ** 2, 0) / (runs - 1);
    // The sampling variance of 400 runs is known to 7 %, the density estimate is biased by a few per cent more.
    expect(predicted / variance).toBeGreaterThan(0.75);
    expect(predicted / variance).toBeLessThan(1.35);
  });

  test("of a difference have the baseline's sign turned", () => {
    const effect = differenceInfluence(meanInfluence([1, 3]), meanInfluence([2, 6]));
    expect(effect.estimate).toBe(-2);
    expect(Array.from(effect.candidate)).toEqual([-0.5, 0.5]);
    expect(Array.from(effect.baseline)).toEqual([1, -1]);
  });

  test("what has no logarithm is refused", () => {
    expect(() => logMeanInfluence([0, 0])).toThrow(/the mean of values is 0/);
    expect(() => logRatioInfluence([0], [1])).toThrow(/the ratio is 0/);
    expect(() => ratioInfluence([1], [0])).toThrow(/the sum of denominators is 0/);
  });
});
