import { describe, expect, test } from "vitest";
import { obrienFlemingSpending, pocockSpending, powerSpending } from "../../src/stats/alpha-spending.ts";
import { normalCdf } from "../../src/stats/distributions/normal.ts";
import { costOfLooks, crossingProbabilities, plannedBoundaries } from "../../src/stats/group-sequential.ts";
import { goldenCases } from "./golden.ts";

const even = (k: number): number[] => Array.from({ length: k }, (_, i) => (i + 1) / k);

describe("crossingProbabilities", () => {
  test.each(goldenCases("sequential", "crossingProbabilities"))(
    "agrees with tables and another recursion: %s",
    (_, golden) => {
      const { information, boundaries, drift } = golden.input as {
        information: number[];
        boundaries: number[];
        drift: number;
      };
      const { probabilities = [], total } = golden.expected as { probabilities?: number[]; total: number };
      const { abs, rel } = golden.tolerance;
      const got = crossingProbabilities(
        boundaries.map((boundary, i) => ({ boundary, information: information[i] })),
        drift,
      );
      probabilities.forEach((p, i) => expect(Math.abs(got[i] - p)).toBeLessThanOrEqual(abs + rel * p));
      expect(Math.abs(got.reduce((sum, p) => sum + p, 0) - total)).toBeLessThanOrEqual(abs * 8 + rel * total);
    },
  );

  test("one look is the normal tail, under any drift and information", () => {
    expect(crossingProbabilities([{ information: 4, boundary: 1.5 }], 0.7)[0]).toBeCloseTo(
      normalCdf(2 * 0.7 - 1.5),
      12,
    );
  });

  test("a look without a boundary changes nothing", () => {
    const looks = [
      { information: 1, boundary: 2.5 },
      { information: 3, boundary: 2 },
    ];
    const [first, second] = crossingProbabilities(looks, 0.4);
    const [a, b, c] = crossingProbabilities([looks[0], { information: 2, boundary: Infinity }, looks[1]], 0.4);
    expect(a).toBe(first);
    expect(b).toBe(0);
    expect(c).toBeCloseTo(second, 9);
  });

  test("information that does not rise is refused by name", () => {
    expect(() =>
      crossingProbabilities(
        [
          { information: 2, boundary: 2 },
          { information: 2, boundary: 2 },
        ],
        0,
      ),
    ).toThrow(new RangeError("looks[1].information does not rise"));
    expect(() => crossingProbabilities([], Number.NaN)).toThrow(RangeError);
  });
});

describe("costOfLooks", () => {
  /** Section 3.6 of the specification: measured by simulation there, with two digits. */
  test.each([
    ["O'Brien-Fleming type", obrienFlemingSpending, 0.05, 1.06, 0.77],
    ["O'Brien-Fleming type", obrienFlemingSpending, 0.01, 1.04, 0.8],
    ["power 1.5", powerSpending, 0.05, 1.13, 0.74],
    ["power 1.5", powerSpending, 0.01, 1.13, 0.76],
    ["Pocock type", pocockSpending, 0.05, 1.28, 0.76],
    ["Pocock type", pocockSpending, 0.01, 1.25, 0.79],
  ])("20 looks with %s spending at %s cost what the simulations said", (_, spend, alpha, inflation, expected) => {
    const cost = costOfLooks({ times: even(20), spend: (t) => spend(t, alpha) }, { alpha, power: 0.8 });
    expect(cost.inflation).toBeCloseTo(inflation, 1.9);
    expect(cost.expected).toBeCloseTo(expected, 1.9);
  });

  test("a single look costs nothing", () => {
    const cost = costOfLooks({ times: [1], spend: (t) => powerSpending(t, 0.05) }, { alpha: 0.05, power: 0.9 });
    expect(cost.inflation).toBeCloseTo(1, 7);
    expect(cost.expected).toBeCloseTo(1, 7);
  });

  test("the drift gives the power that was asked for", () => {
    const plan = { times: even(7), spend: (t: number) => pocockSpending(t, 0.05) };
    const { drift } = costOfLooks(plan, { alpha: 0.05, power: 0.9 });
    const power = crossingProbabilities(plannedBoundaries(plan), drift).reduce((sum, p) => sum + p, 0);
    expect(power).toBeCloseTo(0.9, 7);
  });

  test("a power at or below the level is refused", () => {
    expect(() => costOfLooks({ times: [1], spend: () => 0.05 }, { alpha: 0.05, power: 0.05 })).toThrow(
      new RangeError("power is 0.05, not above alpha (0.05)"),
    );
  });
});
