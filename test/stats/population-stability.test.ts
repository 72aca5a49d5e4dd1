import { describe, expect, test } from "vitest";
import { populationStability } from "../../src/stats/population-stability.ts";
import { quantileBins } from "../../src/stats/quantile-bins.ts";
import { goldenCases, misses } from "./golden.ts";

describe("populationStability", () => {
  test.each(goldenCases("drift", "populationStability"))("agrees with 40 digits: %s", (_, golden) => {
    const { candidate, baseline } = golden.input as Record<string, number[]>;
    expect(misses({ ...populationStability(candidate, baseline) }, golden)).toEqual([]);
  });

  test("swapping the arms changes nothing, and bins empty in both do not count", () => {
    const there = populationStability([10, 40, 50], [30, 30, 40]);
    expect(populationStability([30, 30, 40], [10, 40, 50]).psi).toBeCloseTo(there.psi, 12);
    expect(populationStability([10, 0, 40, 50], [30, 0, 30, 40])).toEqual(there);
  });

  test("the folklore limit of 0.1 is chance at 100 units per arm, and a finding at 10,000", () => {
    const candidate = [16, 4, 13, 7, 10, 12, 8, 11, 9, 10];
    const baseline = [10, 10, 10, 10, 10, 10, 10, 10, 10, 10];
    expect(populationStability(candidate, baseline)).toMatchObject({ shifted: false });
    expect(populationStability(candidate, baseline).psi).toBeGreaterThan(0.1);
    const hundredfold = (counts: number[]) => counts.map((count) => 100 * count);
    expect(populationStability(hundredfold(candidate), hundredfold(baseline)).shifted).toBe(true);
  });

  test("a certain but tiny shift is no alarm", () => {
    const { p, shifted } = populationStability([500_000, 500_000], [505_000, 495_000]);
    expect(p).toBeLessThan(1e-9);
    expect(shifted).toBe(false);
  });

  test("an arm without units is refused", () => {
    expect(() => populationStability([0, 0], [1, 2])).toThrow(new RangeError("candidate holds no units"));
  });
});

describe("quantileBins", () => {
  test("bins hold about equal traffic and every value", () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1000);
    const { candidate, baseline, edges } = quantileBins(values.slice(0, 400), values.slice(400), 10);
    expect(edges.length).toBe(9);
    candidate.forEach((count, j) => expect(count + baseline[j]).toBe(100));
  });

  test("ties share a bin, and equal values make one", () => {
    expect(quantileBins([1, 1, 1, 1], [1, 1, 2, 3], 4)).toEqual({
      edges: Float64Array.of(1),
      candidate: Float64Array.of(4, 0),
      baseline: Float64Array.of(2, 2),
    });
    expect(quantileBins([5, 5], [5], 10).candidate).toEqual(Float64Array.of(2));
  });

  test("a value on an edge belongs below it", () => {
    expect(quantileBins([1, 2, 3, 4], [3, 4, 5, 6], 2)).toEqual({
      edges: Float64Array.of(3),
      candidate: Float64Array.of(3, 1),
      baseline: Float64Array.of(1, 3),
    });
  });

  test("fewer than two bins are refused", () => {
    expect(() => quantileBins([1], [2], 1)).toThrow(/bins is 1/);
  });
});
