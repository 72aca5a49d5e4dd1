import { describe, expect, test } from "vitest";
import { studentTSf } from "../../src/stats/distributions/student-t.ts";
import { dunnettCritical, dunnettP } from "../../src/stats/dunnett.ts";
import { goldenCases, misses } from "./golden.ts";

const sides = ["two-sided", "greater"] as const;
const repeated = (n: number, k: number): number[] => Array.from({ length: k }, () => n);

describe("dunnettP", () => {
  test.each(goldenCases("multiplicity", "dunnettP"))("agrees with another quadrature: %s", (_, golden) => {
    const { t, baseline, candidates, df } = golden.input as {
      t: number;
      baseline: number;
      candidates: number[];
      df: number | "Infinity";
    };
    const got = Object.fromEntries(
      sides.map((alternative) => [
        alternative,
        dunnettP(repeated(t, candidates.length), { baseline, candidates }, { df: Number(df), alternative })[0],
      ]),
    );
    expect(misses(got, golden)).toEqual([]);
  });

  test.each(goldenCases("multiplicity", "dunnettSamples"))("agrees with scipy on samples: %s", (_, golden) => {
    const { statistics, sizes, df } = golden.input as { statistics: number[]; sizes: number[]; df: number };
    const [baseline, ...candidates] = sizes;
    const { abs, rel } = golden.tolerance;
    for (const [alternative, expected] of Object.entries(golden.expected) as ["two-sided", number[]][]) {
      dunnettP(statistics, { baseline, candidates }, { df, alternative }).forEach((p, i) =>
        expect(Math.abs(p - expected[i])).toBeLessThanOrEqual(abs + rel * expected[i]),
      );
    }
  });

  test.each([3, 1.5, 40, 1e5])(
    "with one candidate is Student's t at %s degrees of freedom, far into the tail",
    (df) => {
      for (const t of [-2, 0, 1, 5, 12]) {
        const [p] = dunnettP([t], { baseline: 7, candidates: [30] }, { df, alternative: "greater" });
        expect(p / studentTSf(t, df)).toBeCloseTo(1, 8);
        const [two] = dunnettP([t], { baseline: 7, candidates: [30] }, { df });
        expect(two / (2 * studentTSf(Math.abs(t), df))).toBeCloseTo(1, 8);
      }
    },
  );

  test("lies between the single p-value and Bonferroni's, and 'less' is 'greater' turned round", () => {
    const sizes = { baseline: 50, candidates: [20, 35, 50] };
    const statistics = [2.1, -0.4, 3.2];
    const adjusted = dunnettP(statistics, sizes, { df: 151 });
    adjusted.forEach((p, i) => {
      const single = 2 * studentTSf(Math.abs(statistics[i]), 151);
      expect(p).toBeGreaterThanOrEqual(single);
      expect(p).toBeLessThanOrEqual(Math.min(1, 3 * single));
    });
    expect(
      dunnettP(
        statistics.map((t) => -t),
        sizes,
        { alternative: "less" },
      ),
    ).toEqual(dunnettP(statistics, sizes, { alternative: "greater" }));
  });

  test("bad input is refused by name", () => {
    const sizes = { baseline: 10, candidates: [10, 10] };
    expect(() => dunnettP([1], sizes)).toThrow(RangeError);
    expect(() => dunnettP([1, Number.NaN], sizes)).toThrow(/statistics\[1\] is NaN/);
    expect(() => dunnettP([1, 2], { baseline: 0, candidates: [1, 1] })).toThrow(/sizes.baseline is 0/);
    expect(() => dunnettP([1, 2], sizes, { df: 0 })).toThrow(/df is 0/);
    expect(() => dunnettCritical(1, sizes)).toThrow(/level is 1/);
  });
});

describe("dunnettCritical", () => {
  test.each(goldenCases("multiplicity", "dunnettCritical"))("agrees with Dunnett's tables: %s", (_, golden) => {
    const { level, k, df } = golden.input as { level: number; k: number; df: number | "Infinity" };
    const sizes = { baseline: 1, candidates: repeated(1, k) };
    const got = Object.fromEntries(
      sides.map((alternative) => [alternative, dunnettCritical(level, sizes, { df: Number(df), alternative })]),
    );
    expect(misses(got, golden)).toEqual([]);
  });

  test.each(sides)("gives back its level as a p-value, %s", (alternative) => {
    const sizes = { baseline: 90, candidates: [10, 20, 5] };
    for (const level of [0.2, 0.05, 1e-6]) {
      const c = dunnettCritical(level, sizes, { df: 33, alternative });
      const [p] = dunnettP([c, 0, 0], sizes, { df: 33, alternative });
      expect(p / level).toBeCloseTo(1, 7);
    }
  });
});
