import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import {
  EXACT_UP_TO,
  pseudoMedian,
  wilcoxonSignedRank,
  type SignedRankOptions,
} from "../../src/stats/wilcoxon-signed-rank.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { normal, shuffled } from "./samples.ts";

test.each(goldenCases("wilcoxon-signed-rank", "wilcoxonSignedRank"))("golden, test: %s", (_, golden) => {
  const { differences, options } = golden.input;
  expect(misses({ ...wilcoxonSignedRank(goldenSample(differences), options as SignedRankOptions) }, golden)).toEqual(
    [],
  );
});

test.each(goldenCases("wilcoxon-signed-rank", "pseudoMedian"))("golden, pseudo-median: %s", (_, golden) => {
  const { differences, options } = golden.input;
  expect(misses({ ...pseudoMedian(goldenSample(differences), options as { method: "exact" }) }, golden)).toEqual([]);
});

describe("what it returns", () => {
  const darwin = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75];

  test("the examples of the docstrings hold", () => {
    expect(wilcoxonSignedRank(darwin).p).toBe(0.041259765625);
    expect(pseudoMedian(darwin).estimate).toBe(25);
  });

  test("no change at all is p = 1", () => {
    for (const method of ["exact", "asymptotic"] as const) {
      for (const zeros of ["pratt", "zsplit", "wilcox"] as const) {
        expect(wilcoxonSignedRank([0, 0, -0], { method, zeros }).p).toBe(1);
      }
    }
  });

  test("zeros count against a change when they are ranked, and not when they are dropped", () => {
    const differences = [0, 0, 0, 0, 0, 0, 1, 2, 3, -4];
    expect(wilcoxonSignedRank(differences, { zeros: "pratt" }).pGreater).toBeGreaterThan(
      wilcoxonSignedRank([1, 2, 3], { zeros: "pratt" }).pGreater,
    );
    expect(wilcoxonSignedRank(differences, { zeros: "wilcox" })).toEqual(wilcoxonSignedRank([1, 2, 3, -4]));
    expect(wilcoxonSignedRank(differences, { zeros: "zsplit" }).p).toBe(wilcoxonSignedRank(differences).p);
  });

  test("auto is exact up to its limit", () => {
    const random = seeded(2);
    expect(wilcoxonSignedRank(normal(random, EXACT_UP_TO)).method).toBe("exact");
    expect(wilcoxonSignedRank(normal(random, EXACT_UP_TO + 1)).method).toBe("asymptotic");
  });

  test("few pairs have no limits at the usual confidence", () => {
    expect(pseudoMedian([1, 2, 3, 4, 5])).toMatchObject({ estimate: 3, lower: -Infinity, upper: Infinity });
    expect(pseudoMedian([1, 2, 3, 4, 5, 6])).toMatchObject({ lower: 1, upper: 6 });
  });

  test("a fault is named", () => {
    expect(() => wilcoxonSignedRank([])).toThrow(new RangeError("differences is empty"));
    expect(() => wilcoxonSignedRank([1, NaN])).toThrow(new RangeError("differences[1] is NaN"));
    expect(() => pseudoMedian([1], { confidence: 2 })).toThrow(RangeError);
  });
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 25 });

  test("turning all signs swaps the alternatives, order and scale change nothing", () => {
    fc.assert(
      fc.property(sample, fc.constantFrom("exact", "asymptotic"), fc.integer(), (d, method, seed) => {
        const one = wilcoxonSignedRank(d, { method });
        const turned = wilcoxonSignedRank(
          d.map((v) => -v),
          { method },
        );
        expect(turned.pGreater).toBeCloseTo(one.pLess, 13);
        expect(turned.p).toBeCloseTo(one.p, 13);
        expect(
          wilcoxonSignedRank(
            shuffled(d, seed).map((v) => 8 * v),
            { method },
          ),
        ).toEqual(one);
      }),
    );
  });

  test("the exact p of ten differences is a count of sign patterns", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 10 }), (d) => {
        const { statistic, pGreater } = wilcoxonSignedRank(d);
        let reached = 0;
        for (let pattern = 0; pattern < 2 ** d.length; pattern++) {
          const signed = d.map((v, i) => ((pattern >> i) & 1 ? Math.abs(v) : -Math.abs(v)));
          if (wilcoxonSignedRank(signed, { method: "asymptotic" }).statistic >= statistic) reached += 1;
        }
        expect(pGreater).toBeCloseTo(reached / 2 ** d.length, 12);
      }),
      { numRuns: 40 },
    );
  });

  test("the interval holds exactly the centres that the test does not reject", () => {
    const random = seeded(29);
    for (let run = 0; run < 200; run++) {
      const d = normal(random, 6 + (run % 15));
      const { lower, upper } = pseudoMedian(d, { confidence: 0.9 });
      const centre = standardNormal(random);
      const { p } = wilcoxonSignedRank(d.map((v) => v - centre));
      expect(centre > lower && centre < upper).toBe(p > 0.1);
    }
  });

  test("exact p-values approach the asymptotic ones as samples grow", () => {
    const random = seeded(13);
    let previous = Infinity;
    for (const n of [10, 60, 400]) {
      let off = 0;
      for (let run = 0; run < 10; run++) {
        const d = normal(random, n);
        const exact = wilcoxonSignedRank(d, { method: "exact" }).p;
        off = Math.max(off, Math.abs(exact - wilcoxonSignedRank(d, { method: "asymptotic" }).p));
      }
      expect(off).toBeLessThan(previous);
      previous = off;
    }
    expect(previous).toBeLessThan(1e-3);
  });
});
