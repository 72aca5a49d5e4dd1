import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bet, startBetting, type BettingState } from "../../src/stats/e-value-bounded.ts";
import { seeded } from "../../src/stats/random.ts";
import { goldenCases, misses } from "./golden.ts";

/** How the golden script shapes uniform numbers. */
const shapes: Readonly<Record<string, (u: number) => number>> = {
  "uniform values": (u) => u,
  "scores on five points": (u) => Math.min(4, Math.floor(u * 6)) / 4,
  "zeros and ones": (u) => (u < 0.8 ? 1 : 0),
  "one value": () => 1,
};
const scores = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 60 });

describe("bet", () => {
  test.each(goldenCases("sequential", "bet"))("agrees with the product written out: %s", (_, golden) => {
    const { seed, n, shape, mean, level, values } = golden.input as {
      seed: number;
      n: number;
      shape: string;
      mean: number;
      level: number;
      values?: number[];
    };
    const random = values === undefined ? seeded(seed) : null;
    const sample = values ?? Array.from({ length: n }, () => shapes[shape]((random as () => number)()));
    expect(misses({ ...bet(startBetting(), sample, { mean, level }) }, golden)).toEqual([]);
  });

  test("value by value, through JSON, gives what all at once gives", () => {
    fc.assert(
      fc.property(scores, (values) => {
        let state: BettingState = startBetting();
        for (const value of values) {
          state = JSON.parse(JSON.stringify(bet(state, [value], { mean: 0.3 }))) as BettingState;
        }
        expect(state).toEqual(bet(startBetting(), values, { mean: 0.3 }));
      }),
    );
  });

  test("turning the scale round swaps the directions", () => {
    fc.assert(
      fc.property(scores, (values) => {
        const there = bet(startBetting(), values, { mean: 0.3 });
        const back = bet(
          startBetting(),
          values.map((v) => 1 - v),
          { mean: 0.7 },
        );
        expect(back.logLess).toBeCloseTo(there.logGreater, 8);
        expect(back.logGreater).toBeCloseTo(there.logLess, 8);
      }),
    );
  });

  test("the expected wealth over all sequences of a fair coin is 1", () => {
    let greater = 0;
    let less = 0;
    for (let bits = 0; bits < 1024; bits++) {
      const values = Array.from({ length: 10 }, (_, i) => (bits >> i) & 1);
      const state = bet(startBetting(), values, { mean: 0.5 });
      greater += Math.exp(state.logGreater) / 1024;
      less += Math.exp(state.logLess) / 1024;
    }
    expect(greater).toBeCloseTo(1, 12);
    expect(less).toBeCloseTo(1, 12);
  });

  test("wealth stays positive on the worst values, and constants at the null mean leave it at 1", () => {
    const worst = bet(
      startBetting(),
      Array.from({ length: 500 }, () => 0),
      { mean: 0.99 },
    );
    expect(Number.isFinite(worst.logGreater)).toBe(true);
    const constant = bet(
      startBetting(),
      Array.from({ length: 50 }, () => 0.25),
      { mean: 0.25 },
    );
    expect([constant.logGreater, constant.logLess]).toEqual([0, 0]);
  });

  test("a value outside [0, 1] and a mean at an end are refused by name", () => {
    expect(() => bet(startBetting(), [0.5, 1.01], { mean: 0.5 })).toThrow(/values\[1\] is 1.01/);
    expect(() => bet(startBetting(), [Number.NaN], { mean: 0.5 })).toThrow(/values\[0\] is NaN/);
    expect(() => bet(startBetting(), [0.5], { mean: 0 })).toThrow(/mean is 0/);
    expect(() => bet(startBetting(), [0.5], { mean: 0.5, level: 1 })).toThrow(/level is 1/);
  });
});
