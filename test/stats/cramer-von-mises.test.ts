import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cramerVonMises, cramerVonMisesSorted } from "../../src/stats/cramer-von-mises.ts";
import { cramerVonMisesSf } from "../../src/stats/distributions/cramer-von-mises.ts";
import { seeded } from "../../src/stats/random.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { shuffled, uniform } from "./samples.ts";

test.each(goldenCases("cramer-von-mises", "cramerVonMises"))("golden: %s", (_, golden) => {
  const { candidate, baseline, options } = golden.input;
  expect(
    misses({ ...cramerVonMises(goldenSample(candidate), goldenSample(baseline), options as object) }, golden),
  ).toEqual([]);
});

test.each(goldenCases("cramer-von-mises", "cramerVonMisesSf"))("golden: %s", (_, golden) => {
  expect(misses({ sf: cramerVonMisesSf(Number(golden.input["x"])) }, golden)).toEqual([]);
});

describe("what it returns", () => {
  test("the examples of the docstrings hold", () => {
    expect(cramerVonMises([19, 22, 16, 29, 24], [20, 11, 17, 12]).statistic).toBeCloseTo(0.3425925925925926, 15);
    expect(cramerVonMisesSf(0.2)).toBeCloseTo(0.2674704305407752, 14);
  });

  test("the limit law falls from 1 to 0 without a step where its two series meet", () => {
    expect(cramerVonMisesSf(0)).toBe(1);
    expect(cramerVonMisesSf(0.12 - 1e-12)).toBeCloseTo(cramerVonMisesSf(0.12 + 1e-12), 10);
    let previous = 1;
    for (let x = 0.005; x < 3; x += 0.005) {
      const p = cramerVonMisesSf(x);
      expect(p).toBeLessThanOrEqual(previous);
      previous = p;
    }
    expect(() => cramerVonMisesSf(NaN)).toThrow(RangeError);
  });

  test("equal samples give 0 and p = 1", () => {
    expect(cramerVonMises([1, 2, 2, 3], [1, 2, 2, 3])).toEqual({ statistic: 0, p: 1, method: "exact" });
  });

  test("a fault is named", () => {
    expect(() => cramerVonMises([1], [NaN])).toThrow(new RangeError("baseline[0] is NaN"));
  });
});

test("an empty sorted sample is refused: once its statistic was NaN and its p 1", () => {
  expect(() => cramerVonMisesSorted(new Float64Array(0), Float64Array.of(1))).toThrow(
    new RangeError("candidate is empty"),
  );
  expect(() => cramerVonMisesSorted(Float64Array.of(1), new Float64Array(0))).toThrow(
    new RangeError("baseline is empty"),
  );
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 9 });

  test("swapping the arms, their order and a monotone transformation change nothing", () => {
    fc.assert(
      fc.property(sample, sample, fc.integer(), (x, y, seed) => {
        const one = cramerVonMises(x, y);
        const other = cramerVonMises(shuffled(y, seed).map(Math.exp), x.map(Math.exp));
        expect(other.statistic).toBeCloseTo(one.statistic, 14);
        expect(other.p).toBeCloseTo(one.p, 13);
      }),
    );
  });

  test("exact p-values approach the asymptotic ones as samples grow", () => {
    const random = seeded(19);
    const off = [5, 12, 24].map((n) => {
      let largest = 0;
      for (let run = 0; run < 10; run++) {
        const [x, y] = [uniform(random, n), uniform(random, n)];
        const exact = cramerVonMises(x, y, { method: "exact" }).p;
        largest = Math.max(largest, Math.abs(exact - cramerVonMises(x, y, { method: "asymptotic" }).p));
      }
      return largest;
    });
    expect(off[2]).toBeLessThan(off[0]);
    expect(off[2]).toBeLessThan(0.02);
  });
});
