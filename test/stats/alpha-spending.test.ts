import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hwangShihDeCaniSpending,
  nextBoundary,
  obrienFlemingSpending,
  pocockSpending,
  powerSpending,
  type SpendingState,
} from "../../src/stats/alpha-spending.ts";
import { normalQuantileUpper, normalSf } from "../../src/stats/distributions/normal.ts";
import { crossingProbabilities } from "../../src/stats/group-sequential.ts";
import { goldenCases, misses } from "./golden.ts";

/** All boundaries of a plan, the state passing through JSON between looks as it does between machines. */
function boundariesOf(spent: readonly number[], information: readonly number[]): number[] {
  let state: SpendingState | null = null;
  return spent.map((s, i) => {
    const look = nextBoundary(state, { spent: s, information: information[i] });
    state = JSON.parse(JSON.stringify(look.state)) as SpendingState | null;
    return look.boundary;
  });
}

describe("nextBoundary", () => {
  test.each(goldenCases("sequential", "nextBoundary"))("agrees with another recursion: %s", (_, golden) => {
    const { spent, information } = golden.input as { spent: number[]; information: number[] };
    const { boundaries } = golden.expected as { boundaries: number[] };
    const { abs, rel } = golden.tolerance;
    const got = boundariesOf(spent, information);
    const off = got.map((c, i) => Math.abs(c - boundaries[i]) - abs - rel * Math.abs(boundaries[i]));
    expect(Math.max(...off), `${got.join(" ")} against ${boundaries.join(" ")}`).toBeLessThanOrEqual(0);
  });

  test("the boundary of the first of 20 O'Brien-Fleming looks at 0.01 lies above z = 11", () => {
    expect(boundariesOf([obrienFlemingSpending(0.05, 0.01)], [1])[0]).toBeCloseTo(11.459577, 6);
  });

  test("whatever the looks, the test crosses with exactly the probability that was spent", () => {
    const look = fc.record({
      share: fc.double({ min: 1e-12, max: 0.02, noNaN: true }),
      growth: fc.double({ min: 1e-4, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 12 }), (looks) => {
        const spent: number[] = [];
        const information: number[] = [];
        for (const { share, growth } of looks) {
          spent.push((spent.at(-1) ?? 0) + share);
          information.push((information.at(-1) ?? 1) * (1 + growth));
        }
        const boundaries = boundariesOf(spent, information);
        const total = crossingProbabilities(
          boundaries.map((boundary, i) => ({ boundary, information: information[i] })),
          0,
        ).reduce((sum, p) => sum + p, 0);
        expect(Math.abs(total - (spent.at(-1) as number))).toBeLessThan(1e-8);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  test("only ratios of information count", () => {
    const spent = [0.001, 0.01, 0.02];
    const once = boundariesOf(spent, [1, 2, 5]);
    const scaled = boundariesOf(spent, [1e-9, 2e-9, 5e-9]);
    scaled.forEach((c, i) => expect(c).toBeCloseTo(once[i], 10));
  });

  test("a look that spends nothing, or brings no information, is not tested and leaves its share to the next", () => {
    const first = nextBoundary(null, { spent: 0.01, information: 10 });
    for (const look of [
      nextBoundary(first.state, { spent: 0.01, information: 20 }),
      nextBoundary(first.state, { spent: 0.02, information: 10 }),
      nextBoundary(first.state, { spent: 0.02, information: 4 }),
    ]) {
      expect(look).toEqual({ boundary: Infinity, level: 0, state: first.state });
    }
    expect(nextBoundary(null, { spent: 0, information: 10 })).toEqual({ boundary: Infinity, level: 0, state: null });
    const skipped = boundariesOf([0.01, 0.02, 0.03], [10, 10, 30]);
    expect(skipped[2]).toBe(boundariesOf([0.01, 0.03], [10, 30])[1]);
  });

  test("a first look is the single test of its share; one with tiny information before it nearly so", () => {
    expect(nextBoundary(null, { spent: 0.05, information: 7 })).toMatchObject({
      boundary: normalQuantileUpper(0.05),
      level: 0.05,
    });
    expect(boundariesOf([0.01, 0.05], [1e-9, 1])[1]).toBeCloseTo(normalQuantileUpper(0.04 / 0.99), 4);
  });

  test("what is spent late after next to nothing early is the quantile of the whole", () => {
    expect(boundariesOf([1e-12, 0.3], [1, 2])[1]).toBeCloseTo(normalQuantileUpper(0.3), 8);
  });

  test("the level is the tail beyond the boundary", () => {
    const { state } = nextBoundary(null, { spent: 0.001, information: 1 });
    const { boundary, level } = nextBoundary(state, { spent: 0.01, information: 2 });
    expect(level).toBe(normalSf(boundary));
  });

  test("the state stays below 6 kB over a thousand looks", () => {
    let state: SpendingState | null = null;
    for (let k = 1; k <= 1000; k++) {
      state = nextBoundary(state, { spent: powerSpending(k / 1000, 0.05), information: k }).state;
    }
    expect(state?.looks).toBe(1000);
    expect(JSON.stringify(state).length).toBeLessThan(6000);
    expect(state?.boundary).toBeGreaterThan(normalQuantileUpper(0.05));
  });

  test("a spend that falls, reaches 1 or is NaN is refused, and so is information that is not positive", () => {
    const { state } = nextBoundary(null, { spent: 0.01, information: 1 });
    expect(() => nextBoundary(state, { spent: 0.009, information: 2 })).toThrow(
      new RangeError("spent is 0.009, not between what was spent before (0.01) and 1"),
    );
    for (const spent of [1, Number.NaN, -0.1]) {
      expect(() => nextBoundary(null, { spent, information: 1 })).toThrow(RangeError);
    }
    for (const information of [0, -1, Number.NaN, Infinity]) {
      expect(() => nextBoundary(null, { spent: 0.01, information })).toThrow(RangeError);
    }
  });
});

describe("spending functions", () => {
  const functions = {
    power: powerSpending,
    obrienFleming: obrienFlemingSpending,
    pocock: pocockSpending,
    hwangShihDeCani: (time: number, alpha: number) => hwangShihDeCaniSpending(time, alpha, -4),
  };
  describe.each(Object.entries(functions))("%s", (name, spend) => {
    test.each(goldenCases("sequential", `${name}Spending`))("agrees with its formula: %s", (_, golden) => {
      const { time, alpha } = golden.input as { time: number; alpha: number };
      expect(misses({ spent: spend(time, alpha) }, golden)).toEqual([]);
    });

    test("rises from 0 to the whole budget and stays there", () => {
      expect(spend(0, 0.05)).toBe(0);
      expect(spend(1, 0.05)).toBeCloseTo(0.05, 15);
      expect(spend(1.7, 0.05)).toBe(spend(1, 0.05));
      let before = 0;
      for (let t = 0.01; t <= 1; t += 0.01) {
        expect(spend(t, 0.05)).toBeGreaterThanOrEqual(before);
        before = spend(t, 0.05);
      }
    });

    test("refuses a time that is negative or NaN and a budget outside (0, 1)", () => {
      expect(() => spend(-0.1, 0.05)).toThrow(RangeError);
      expect(() => spend(Number.NaN, 0.05)).toThrow(RangeError);
      expect(() => spend(0.5, 0)).toThrow(RangeError);
      expect(() => spend(0.5, 1)).toThrow(RangeError);
    });
  });

  test("Hwang, Shih and DeCani's family is linear at gamma 0 and nearly so beside it", () => {
    expect(hwangShihDeCaniSpending(0.3, 0.05, 0)).toBeCloseTo(0.015, 15);
    expect(hwangShihDeCaniSpending(0.3, 0.05, 1e-9)).toBeCloseTo(0.015, 10);
    expect(() => hwangShihDeCaniSpending(0.3, 0.05, Infinity)).toThrow(RangeError);
  });
});
