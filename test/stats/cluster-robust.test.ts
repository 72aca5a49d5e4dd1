import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterRobust } from "../../src/stats/cluster-robust.ts";
import { differenceInfluence, logMeanInfluence, meanInfluence } from "../../src/stats/influence.ts";
import { logRatioOfMeans } from "../../src/stats/log-ratio-of-means.ts";
import { welch } from "../../src/stats/welch.ts";
import { goldenCases, misses } from "./golden.ts";

const meanDifference = (candidate: readonly number[], baseline: readonly number[]) =>
  differenceInfluence(meanInfluence(candidate), meanInfluence(baseline));
const numbered = (length: number, from = 0) => Array.from({ length }, (_, i) => i + from);

describe("clusterRobust", () => {
  test.each(goldenCases("means", "clusterRobust"))("agrees with sums within units: %s", (_, golden) => {
    const { candidate, baseline, candidateUnits, baselineUnits } = golden.input as Record<string, number[]>;
    const units = { candidate: candidateUnits, baseline: baselineUnits };
    expect(misses({ ...clusterRobust(meanDifference(candidate, baseline), units) }, golden)).toEqual([]);
  });

  test("single rows are Welch's test, and log means with the pooled floor are the log ratio of means", () => {
    const samples = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 2, maxLength: 25 });
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const units = { candidate: numbered(a.length), baseline: numbered(b.length, 1000) };
        const { variance, df, designEffect } = clusterRobust(meanDifference(a, b), units);
        const expected = welch(a, b);
        expect(variance).toBeCloseTo(expected.variance, 8);
        expect(df).toBeCloseTo(variance > 0 ? expected.df : a.length + b.length - 1, 6);
        expect(designEffect).toBeCloseTo(1, 9);
        const logs = differenceInfluence(logMeanInfluence(a), logMeanInfluence(b));
        expect(clusterRobust(logs, units, { pooledFloor: true }).variance).toBeCloseTo(
          logRatioOfMeans(a, b).variance,
          10,
        );
      }),
    );
  });

  test("writing every row twice leaves the inference as it was", () => {
    const samples = fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(samples, samples, (a, b) => {
        const twice = (values: readonly number[]) => [...values, ...values];
        const units = { candidate: numbered(a.length), baseline: numbered(b.length, 1000) };
        const once = clusterRobust(meanDifference(a, b), units);
        const doubled = clusterRobust(meanDifference(twice(a), twice(b)), {
          candidate: twice(units.candidate),
          baseline: twice(units.baseline),
        });
        expect(doubled.variance).toBeCloseTo(once.variance, 8);
        expect(doubled.p).toBeCloseTo(once.p, 8);
        expect(doubled.effectiveRows.candidate).toBeGreaterThan(0);
      }),
    );
  });

  test("identical rows in a unit count once: the design effect is about the size of the unit", () => {
    const sessions = numbered(40).map((i) => (i * 37) % 11);
    const rows = sessions.flatMap((value) => Array.from({ length: 6 }, () => value));
    const units = (from: number) => sessions.flatMap((_, i) => Array.from({ length: 6 }, () => from + i));
    const result = clusterRobust(meanDifference(rows, rows), { candidate: units(0), baseline: units(100) });
    expect(result.units).toEqual({ candidate: 40, baseline: 40, shared: 0 });
    expect(result.designEffect).toBeGreaterThan(5.9);
    expect(result.effectiveRows.candidate).toBeCloseTo(40, -1);
  });

  test("a user in both arms whose rows agree takes his own level out of the variance", () => {
    const users = numbered(30);
    const level = users.map((u) => (u * 7) % 13);
    const candidate = level.map((l, u) => l + (u % 3));
    const paired = clusterRobust(meanDifference(candidate, level), { candidate: users, baseline: users });
    const unpaired = clusterRobust(meanDifference(candidate, level), { candidate: users, baseline: numbered(30, 100) });
    expect(paired.units.shared).toBe(30);
    expect(paired.variance).toBeLessThan(unpaired.variance / 5);
  });

  test("one unit in an arm proves nothing", () => {
    const result = clusterRobust(meanDifference([1, 2, 3], [1, 2, 9]), { candidate: [7, 7, 7], baseline: [1, 2, 3] });
    expect(result).toMatchObject({ p: 1, variance: Infinity, lower: -Infinity });
  });

  test("faults are named", () => {
    const effect = meanDifference([1, 2], [1, 2]);
    expect(() => clusterRobust(effect, { candidate: [1], baseline: [1, 2] })).toThrow(
      new RangeError("effect.candidate has 2 values and unitCodes.candidate has 1"),
    );
    expect(() => clusterRobust(effect, { candidate: [1, NaN], baseline: [1, 2] })).toThrow(
      /unitCodes.candidate\[1\] is NaN/,
    );
  });
});
