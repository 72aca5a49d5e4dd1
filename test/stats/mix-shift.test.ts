import { describe, expect, test } from "vitest";
import { mixShift, numericMixShift } from "../../src/stats/mix-shift.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

describe("mixShift", () => {
  test.each(goldenCases("drift", "mixShift"))("agrees with scipy: %s", (_, golden) => {
    const { candidate, baseline } = golden.input as Record<string, number[]>;
    expect(misses({ ...mixShift(candidate, baseline) }, golden)).toEqual([]);
  });

  test("equal mixes do not differ, whatever the sizes of the arms", () => {
    expect(mixShift([50, 30, 20], [500, 300, 200])).toMatchObject({ statistic: 0, p: 1, totalVariation: 0 });
  });

  test("says which category gained", () => {
    const { shareDifferences, totalVariation } = mixShift([64, 36], [70, 30]);
    expect(shareDifferences[0]).toBeCloseTo(-0.06, 12);
    expect(totalVariation).toBeCloseTo(0.06, 12);
  });

  test("when all categories are rare, nothing can be told", () => {
    expect(mixShift([1, 1, 1], [1, 1, 1])).toMatchObject({ p: 1, df: 0, merged: [0, 1, 2] });
  });

  test("the order of categories does not matter", () => {
    const there = mixShift([640, 360, 2, 1], [700, 300, 1, 3]);
    expect(mixShift([1, 2, 360, 640], [3, 1, 300, 700]).p).toBeCloseTo(there.p, 12);
  });

  test("an arm without units is refused", () => {
    expect(() => mixShift([1], [0])).toThrow(new RangeError("baseline holds no units"));
  });
});

describe("numericMixShift", () => {
  test("sees a shifted length of prompts and not a shuffled one", () => {
    const a = goldenSample({ seed: 81, n: 2000, law: "uniform", scale: 100 });
    const b = goldenSample({ seed: 82, n: 3000, law: "uniform", scale: 100 });
    expect(numericMixShift(a, b).p).toBeGreaterThan(0.01);
    const longer = a.map((value) => value + 8);
    const shifted = numericMixShift(longer, b);
    expect(shifted.p).toBeLessThan(1e-6);
    expect(shifted.edges.length).toBe(9);
  });
});
