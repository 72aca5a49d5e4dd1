import { describe, expect, test } from "vitest";
import { positionBias } from "../../src/stats/position-bias.ts";
import { goldenCases, misses } from "./golden.ts";

describe("positionBias", () => {
  test.each(goldenCases("llm-judges", "positionBias"))("agrees with numpy: %s", (_, golden) => {
    const { candidateFirst, candidateSecond } = golden.input as Record<string, number[]>;
    const { bias, winRate, consistency } = positionBias(candidateFirst, candidateSecond);
    const flat = {
      biasEstimate: bias.estimate,
      biasLower: bias.lower,
      biasUpper: bias.upper,
      winRateEstimate: winRate.estimate,
      winRateLower: winRate.lower,
      winRateUpper: winRate.upper,
      consistency,
    };
    expect(misses(flat, golden)).toEqual([]);
  });

  test("a judge who always takes the first answer has bias 1/2 and a win rate of 1/2", () => {
    const always = Array.from({ length: 50 }, () => 1);
    const never = always.map(() => 0);
    const { bias, winRate, consistency, notable, scores } = positionBias(always, never);
    expect([bias.estimate, winRate.estimate, consistency, notable]).toEqual([0.5, 0.5, 0, true]);
    expect(scores.every((score) => score === 0.5)).toBe(true);
    // Fifty judgements of one kind leave room for others with a probability of 7 %.
    expect(bias.lower).toBeCloseTo(0.5 - (1 - 0.025 ** (1 / 50)), 12);
    expect(bias.upper).toBe(0.5);
  });

  test("naming the other version the candidate mirrors the win rate and keeps the bias", () => {
    const first = [1, 1, 0.5, 0, 1, 1, 0];
    const second = [1, 0, 0.5, 0, 0, 1, 1];
    const there = positionBias(first, second);
    const back = positionBias(
      second.map((score) => 1 - score),
      first.map((score) => 1 - score),
    );
    expect(back.bias.estimate).toBeCloseTo(there.bias.estimate, 12);
    expect(back.winRate.estimate).toBeCloseTo(1 - there.winRate.estimate, 12);
  });

  test("faults are named", () => {
    expect(() => positionBias([1], [1, 0])).toThrow(/candidateFirst has 1 values/);
    expect(() => positionBias([2], [1])).toThrow(/candidateFirst\[0\] is 2, outside \[0, 1\]/);
  });
});
