import { describe, expect, test } from "vitest";
import { addToMeanGrid, meanGridInterval, startMeanGrid } from "../../src/stats/bounded-mean-sequence.ts";
import { bet, startBetting } from "../../src/stats/e-value-bounded.ts";
import { seeded } from "../../src/stats/random.ts";

describe("meanGridInterval", () => {
  test("holds exactly the grid means that the bets do not reject, rounded outward", () => {
    const random = seeded(9);
    const values = Array.from({ length: 400 }, () => 0.5 + random() ** 3 / 2);
    const state = addToMeanGrid(startMeanGrid(), values);
    const { lower, upper } = meanGridInterval(state);
    const threshold = Math.log(40);
    const at = (mean: number) => bet(startBetting(), values, { mean, level: 0.025 });
    expect(at(lower).logGreater).toBeGreaterThanOrEqual(threshold);
    expect(at(lower + 1 / 200).logGreater).toBeLessThan(threshold);
    expect(at(upper).logLess).toBeGreaterThanOrEqual(threshold);
    expect(at(upper - 1 / 200).logLess).toBeLessThan(threshold);
  });

  test("is everything before the first value and one end for constants at that end", () => {
    expect(meanGridInterval(startMeanGrid())).toEqual({ estimate: 0.5, lower: 0, upper: 1 });
    const ones = meanGridInterval(
      addToMeanGrid(
        startMeanGrid(),
        Array.from({ length: 1000 }, () => 1),
      ),
    );
    expect([ones.estimate, ones.upper]).toEqual([1, 1]);
    expect(ones.lower).toBeGreaterThan(0.95);
  });

  test("goes on from a stored state", () => {
    const random = seeded(4);
    const values = Array.from({ length: 100 }, () => random());
    const half = JSON.parse(JSON.stringify(addToMeanGrid(startMeanGrid(), values.slice(0, 37)))) as ReturnType<
      typeof startMeanGrid
    >;
    expect(addToMeanGrid(half, values.slice(37))).toEqual(addToMeanGrid(startMeanGrid(), values));
  });
});
