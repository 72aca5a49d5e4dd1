import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tiedTails, untiedQuantile, untiedTails } from "../../src/stats/mann-whitney-exact.ts";
import {
  mannWhitney,
  mannWhitneyFromSummary,
  mannWhitneySorted,
  mannWhitneyVariance,
  type MannWhitneyOptions,
} from "../../src/stats/mann-whitney.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import { seeded } from "../../src/stats/random.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { scores, shuffled } from "./samples.ts";

test.each(goldenCases("mann-whitney", "mannWhitney"))("golden: %s", (_, golden) => {
  const { candidate, baseline, options } = golden.input;
  const got = mannWhitney(goldenSample(candidate), goldenSample(baseline), options as MannWhitneyOptions);
  expect(misses({ ...got }, golden)).toEqual([]);
});

test.each(goldenCases("mann-whitney", "untiedTails"))("golden, tails: %s", (_, golden) => {
  const { u, n, m } = golden.input;
  expect(misses({ ...untiedTails(Number(u), Number(n), Number(m)) }, golden)).toEqual([]);
});

test.each(goldenCases("mann-whitney", "untiedQuantile"))("golden, quantile: %s", (_, golden) => {
  const { level, n, m } = golden.input;
  expect(untiedQuantile(Number(level), Number(n), Number(m))).toBe(golden.expected["q"]);
});

describe("what it returns", () => {
  test("the example of the docstring holds", () => {
    const { u, superiority } = mannWhitney([19, 22, 16, 29, 24], [20, 11, 17, 12]);
    expect(u).toBe(17);
    expect(superiority).toBe(0.85);
    expect(untiedTails(17, 5, 4).atLeast).toBeCloseTo(1 / 18, 15);
    expect(tiedTails(6.5, 3, 3, Uint32Array.of(2, 2, 2)).atLeast).toBeCloseTo(0.3, 15);
    expect(mannWhitneyVariance(rankSummary(Float64Array.of(1, 2), Float64Array.of(2, 3)))).toBeCloseTo(1.5, 15);
  });

  test("equal values only give p = 1 and superiority 1/2, by either method", () => {
    for (const method of ["auto", "exact", "asymptotic"] as const) {
      const { p, pGreater, pLess, superiority } = mannWhitney([3, 3, 3], [3, 3], { method });
      expect({ p, pGreater, pLess, superiority }).toEqual({ p: 1, pGreater: 1, pLess: 1, superiority: 0.5 });
    }
  });

  test("p is never 0, however far apart the samples are", () => {
    const high = Array.from({ length: 5000 }, (_, i) => i + 1e6);
    const low = Array.from({ length: 5000 }, (_, i) => i);
    expect(mannWhitney(high, low).p).toBe(Number.MIN_VALUE);
  });

  test("auto is exact for small samples, ties included, and asymptotic for large ones", () => {
    const random = seeded(3);
    const untied = (n: number) => Array.from({ length: n }, random);
    expect(mannWhitney(untied(200), untied(200)).method).toBe("exact");
    expect(mannWhitney(untied(210), untied(210)).method).toBe("asymptotic");
    expect(mannWhitney(scores(random, 40), scores(random, 40)).method).toBe("exact");
    expect(mannWhitney(scores(random, 400), scores(random, 400)).method).toBe("asymptotic");
  });

  test("an exact p of tied data from a summary needs the ties", () => {
    const summary = rankSummary(Float64Array.of(1, 2, 2), Float64Array.of(2, 3));
    expect(() => mannWhitneyFromSummary(summary, { method: "exact" })).toThrow(RangeError);
    expect(mannWhitneyFromSummary(summary).method).toBe("asymptotic");
  });

  test("a fault is named with its argument and place", () => {
    expect(() => mannWhitney([], [1])).toThrow(new RangeError("candidate is empty"));
    expect(() => mannWhitney([1], [1, 2, NaN])).toThrow(new RangeError("baseline[2] is NaN"));
    expect(() => mannWhitney([1, -Infinity], [1])).toThrow(new RangeError("candidate[1] is -Infinity"));
  });

  test("minus zero ties with zero", () => {
    expect(mannWhitney([-0, 1], [0, 2]).u).toBe(mannWhitney([0, 1], [0, 2]).u);
  });
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 25 });

  test("swapping the arms turns U around and leaves p", () => {
    fc.assert(
      fc.property(sample, sample, fc.constantFrom("exact", "asymptotic"), (x, y, method) => {
        const one = mannWhitney(x, y, { method });
        const other = mannWhitney(y, x, { method });
        expect(other.u).toBe(x.length * y.length - one.u);
        expect(other.p).toBeCloseTo(one.p, 12);
        expect(other.pGreater).toBeCloseTo(one.pLess, 12);
      }),
    );
  });

  test("a monotone transformation changes nothing", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const cube = (v: number) => v ** 3 + 2 * v - 5;
        expect(mannWhitney(x.map(cube), y.map(cube))).toEqual(mannWhitney(x, y));
      }),
    );
  });

  test("the order of rows changes nothing, and inputs stay as they were", () => {
    fc.assert(
      fc.property(sample, sample, fc.integer(), (x, y, seed) => {
        const [a, b] = [Object.freeze([...x]), Object.freeze([...y])];
        expect(mannWhitney(shuffled(a, seed), shuffled(b, seed + 1))).toEqual(mannWhitney(a, b));
      }),
    );
  });

  test("repeating all rows leaves superiority", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        expect(mannWhitney([...x, ...x], [...y, ...y], { method: "asymptotic" }).superiority).toBe(
          mannWhitney(x, y, { method: "asymptotic" }).superiority,
        );
      }),
    );
  });

  test("the exact p of untied data is that of the general algorithm", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.nat(), (n, m, at) => {
        const u = at % (n * m + 1);
        const untied = untiedTails(u, n, m);
        const tied = tiedTails(u, n, m, new Uint32Array(n + m).fill(1));
        expect(tied.atMost).toBeCloseTo(untied.atMost, 13);
        expect(tied.atLeast).toBeCloseTo(untied.atLeast, 13);
      }),
    );
  });

  test("sorted input and raw input agree", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        expect(mannWhitneySorted(sortSample(x, "candidate"), sortSample(y, "baseline"))).toEqual(mannWhitney(x, y));
      }),
    );
  });

  test("exact p-values approach the asymptotic ones as samples grow", () => {
    const random = seeded(11);
    let previous = Infinity;
    for (const n of [10, 40, 160]) {
      let off = 0;
      for (let run = 0; run < 30; run++) {
        const x = Array.from({ length: n }, random);
        const y = Array.from({ length: n }, random);
        const exact = mannWhitney(x, y, { method: "exact" }).p;
        off = Math.max(off, Math.abs(exact - mannWhitney(x, y, { method: "asymptotic" }).p));
      }
      expect(off).toBeLessThan(previous);
      previous = off;
    }
    expect(previous).toBeLessThan(2e-3);
  });
});
