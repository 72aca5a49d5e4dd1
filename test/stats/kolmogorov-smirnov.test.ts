import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  EXACT_PAIRS,
  kolmogorovSmirnov,
  kolmogorovSmirnovFromSummary,
  kolmogorovSmirnovSorted,
  type KolmogorovSmirnovOptions,
} from "../../src/stats/kolmogorov-smirnov.ts";
import { seeded } from "../../src/stats/random.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { shuffled, uniform } from "./samples.ts";

test.each(goldenCases("kolmogorov-smirnov", "kolmogorovSmirnov"))("golden: %s", (_, golden) => {
  const { candidate, baseline, options } = golden.input;
  const got = kolmogorovSmirnov(goldenSample(candidate), goldenSample(baseline), options as KolmogorovSmirnovOptions);
  expect(misses({ ...got }, golden)).toEqual([]);
});

describe("what it returns", () => {
  test("the example of the docstring holds", () => {
    expect(kolmogorovSmirnov([19, 22, 16, 29, 24], [20, 11, 17, 12]).statistic).toBeCloseTo(0.6, 15);
  });

  test("it says where the distance is and which arm is larger there", () => {
    const slower = kolmogorovSmirnov([3, 4, 5, 6], [1, 2, 3, 4]);
    expect({ location: slower.location, sign: slower.sign }).toEqual({ location: 2, sign: 1 });
    expect(kolmogorovSmirnov([1, 2, 3, 4], [3, 4, 5, 6])).toMatchObject({ location: 2, sign: -1 });
  });

  test("greater means that candidate values are larger", () => {
    const [high, low] = [
      [6, 7, 8, 9, 10, 11],
      [1, 2, 3, 4, 5, 6],
    ];
    expect(kolmogorovSmirnov(high, low, { alternative: "greater" }).p).toBeLessThan(0.02);
    expect(kolmogorovSmirnov(high, low, { alternative: "less" }).p).toBe(1);
  });

  test("equal samples give distance 0 and p = 1", () => {
    for (const method of ["exact", "asymptotic"] as const) {
      expect(kolmogorovSmirnov([1, 2, 2], [1, 2, 2], { method })).toMatchObject({ statistic: 0, p: 1 });
    }
  });

  test("ties make the exact p smaller than ignoring them does", () => {
    const [x, y] = [Float64Array.of(1, 1, 1, 2, 2, 3, 3, 3), Float64Array.of(1, 2, 3, 3, 3, 3, 3, 3)];
    const given = kolmogorovSmirnovSorted(x, y).p;
    const ignored = kolmogorovSmirnovFromSummary(rankSummary(x, y)).p;
    expect(given).toBeLessThan(ignored);
  });

  test("auto is exact up to a million pairs", () => {
    const random = seeded(1);
    expect(EXACT_PAIRS).toBe(1e6);
    expect(kolmogorovSmirnov(uniform(random, 1000), uniform(random, 1000)).method).toBe("exact");
    expect(kolmogorovSmirnov(uniform(random, 1000), uniform(random, 1001)).method).toBe("asymptotic");
  });

  test("a fault is named", () => {
    expect(() => kolmogorovSmirnov([1], [Infinity])).toThrow(new RangeError("baseline[0] is Infinity"));
    expect(() => kolmogorovSmirnov([1], [])).toThrow(new RangeError("baseline is empty"));
  });
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 25 });

  test("swapping the arms swaps the alternatives", () => {
    fc.assert(
      fc.property(sample, sample, fc.constantFrom("exact", "asymptotic"), (x, y, method) => {
        for (const [one, other] of [
          ["two-sided", "two-sided"],
          ["greater", "less"],
        ] as const) {
          const a = kolmogorovSmirnov(x, y, { method, alternative: one });
          const b = kolmogorovSmirnov(y, x, { method, alternative: other });
          expect(b.statistic).toBe(a.statistic);
          expect(b.p).toBeCloseTo(a.p, 12);
        }
      }),
    );
  });

  test("a monotone transformation moves only the location", () => {
    fc.assert(
      fc.property(sample, sample, fc.integer(), (x, y, seed) => {
        const bend = (v: number) => Math.exp(v) + v;
        const plain = kolmogorovSmirnov(x, y);
        const bent = kolmogorovSmirnov(shuffled(x.map(bend), seed), y.map(bend));
        expect(bent).toEqual({ ...plain, location: bend(plain.location) });
      }),
    );
  });

  test("two-sided p is at least that of the direction in which the distance is", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const of = (alternative: KolmogorovSmirnovOptions["alternative"]) => kolmogorovSmirnov(x, y, { alternative });
        const both = of("two-sided");
        const nearer = Math.min(of("greater").p, of("less").p);
        expect(both.p).toBeGreaterThanOrEqual(nearer * (1 - 1e-12));
      }),
    );
  });

  test("the exact p of all orders of six values is a count", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 6, maxLength: 6 }), (pooled) => {
        const observed = kolmogorovSmirnov(pooled.slice(0, 2), pooled.slice(2));
        let extreme = 0;
        let all = 0;
        for (let i = 0; i < 6; i++) {
          for (let j = i + 1; j < 6; j++) {
            const rest = pooled.filter((_, k) => k !== i && k !== j);
            all += 1;
            if (kolmogorovSmirnov([pooled[i], pooled[j]], rest).statistic >= observed.statistic - 1e-12) extreme += 1;
          }
        }
        expect(observed.p).toBeCloseTo(extreme / all, 12);
      }),
    );
  });

  test("exact p-values approach the asymptotic ones as samples grow", () => {
    const random = seeded(7);
    let previous = Infinity;
    for (const n of [8, 64, 512]) {
      let off = 0;
      for (let run = 0; run < 20; run++) {
        const x = sortSample(uniform(random, n), "x");
        const y = sortSample(uniform(random, n + 3), "y");
        const exact = kolmogorovSmirnovSorted(x, y, { method: "exact" }).p;
        off = Math.max(off, Math.abs(exact - kolmogorovSmirnovSorted(x, y, { method: "asymptotic" }).p));
      }
      expect(off).toBeLessThan(previous);
      previous = off;
    }
    expect(previous).toBeLessThan(0.03);
  });
});
