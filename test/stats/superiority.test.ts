import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mannWhitney } from "../../src/stats/mann-whitney.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import { seeded } from "../../src/stats/random.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { superiorityInfluence, type RowWeights } from "../../src/stats/superiority-influence.ts";
import {
  placementVariance,
  superiority,
  superiorityFromSummary,
  type SuperiorityOptions,
} from "../../src/stats/superiority.ts";
import { weightedSuperiority } from "../../src/stats/weighted-superiority.ts";
import { type GoldenCase, goldenCases, goldenSample, misses } from "./golden.ts";
import { normal, shuffled, uniform } from "./samples.ts";

const arms = (golden: GoldenCase) => [goldenSample(golden.input["candidate"]), goldenSample(golden.input["baseline"])];

test.each(goldenCases("superiority", "superiority"))("golden: %s", (_, golden) => {
  const [candidate, baseline] = arms(golden);
  const got = superiority(candidate, baseline, golden.input["options"] as SuperiorityOptions);
  expect(misses({ ...got }, golden)).toEqual([]);
});

test.each(goldenCases("superiority", "superiorityInfluence"))("golden, influence: %s", (_, golden) => {
  const [candidate, baseline] = arms(golden);
  expect(misses({ ...superiorityInfluence(candidate, baseline) }, golden)).toEqual([]);
});

test.each(goldenCases("superiority", "weightedSuperiority"))("golden, weighted: %s", (_, golden) => {
  const [candidate, baseline] = arms(golden);
  const got = weightedSuperiority(candidate, baseline, golden.input["weights"] as RowWeights);
  expect(misses({ ...got }, golden)).toEqual([]);
});

describe("what it returns", () => {
  test("the examples of the docstrings hold", () => {
    expect(superiority([19, 22, 16, 29, 24], [20, 11, 17, 12]).estimate).toBe(0.85);
    const summary = rankSummary(Float64Array.of(1, 2, 3, 4, 5), Float64Array.of(2, 3, 4, 5, 6));
    expect(placementVariance(summary).variance).toBeCloseTo(0.0328, 15);
    expect(superiorityInfluence([1, 3], [2, 2]).candidate).toEqual(Float64Array.of(-0.25, 0.25));
    expect(weightedSuperiority([1, 3], [2], { candidate: [1, 3], baseline: [1] }).estimate).toBe(0.75);
  });

  test("thirty identical scores prove neither a difference nor a tight interval", () => {
    const { estimate, p, lower, upper, floored, variance } = superiority(
      new Float64Array(30).fill(5),
      new Float64Array(30).fill(5),
    );
    expect({ estimate, p, floored }).toEqual({ estimate: 0.5, p: 1, floored: true });
    expect(variance).toBeGreaterThan(0);
    // The exact bound for an arm of 30 without an event is 1 - 0.025^(1/30) = 0.116 of its rows, which moves theta by
    // half of that.
    expect(lower).toBeLessThan(0.5 - 0.116 / 2);
    expect(upper).toBeGreaterThan(0.5 + 0.116 / 2);
  });

  test("full separation gives the bound of Clopper and Pearson", () => {
    const high = [11, 12, 13, 14, 15, 16, 17, 18];
    const low = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const { estimate, lower, upper, p } = superiority(high, low);
    expect({ estimate, upper }).toEqual({ estimate: 1, upper: 1 });
    expect(lower).toBeCloseTo(0.025 ** (1 / 8), 12);
    expect(p).toBeCloseTo(2 * 0.5 ** 8, 12);
    expect(superiority(low, high, { against: 0.3, alternative: "less" }).p).toBeCloseTo(0.7 ** 8, 12);
  });

  test("separation of a million keeps an exact zero in its sums of squares", () => {
    const low = Float64Array.from({ length: 50_000 }, (_, i) => i / 7);
    const high = Float64Array.from({ length: 70_000 }, (_, i) => 1e5 + i / 3);
    const summary = rankSummary(high, low);
    expect([summary.candidateSquares, summary.baselineSquares, summary.u]).toEqual([0, 0, 70_000 * 50_000]);
  });

  test("fewer than five per arm prove nothing at the usual levels", () => {
    expect(superiority([10, 11, 12, 13], [1, 2, 3, 4]).p).toBeGreaterThan(0.05);
    expect(superiority([10], [1]).p).toBe(1);
  });

  test("a fault is named", () => {
    expect(() => superiority([1], [2], { against: 1 })).toThrow(RangeError);
    expect(() => superiority([1], [2], { confidence: 0 })).toThrow(RangeError);
    expect(() => superiority([NaN], [2])).toThrow(new RangeError("candidate[0] is NaN"));
    const weigh = (candidate: number[]) => () => weightedSuperiority([1, 2], [2], { candidate, baseline: [1] });
    expect(weigh([1])).toThrow(new RangeError("weights.candidate has 1 values and candidate 2"));
    expect(weigh([1, -1])).toThrow(new RangeError("weights.candidate[1] is -1"));
    expect(weigh([0, 0])).toThrow(new RangeError("weights.candidate add up to 0"));
  });
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 30 });
  const close = (got: readonly number[], want: readonly number[]) =>
    got.length === want.length && got.every((value, i) => Math.abs(value - want[i]) < 1e-11);

  test("swapping the arms mirrors everything", () => {
    fc.assert(
      fc.property(sample, sample, fc.constantFrom("plain", "logit"), (x, y, scale) => {
        const one = superiority(x, y, { scale });
        const other = superiority(y, x, { scale });
        const mirrored = [1 - one.estimate, one.variance, one.p, 1 - one.upper, 1 - one.lower];
        expect(close([other.estimate, other.variance, other.p, other.lower, other.upper], mirrored)).toBe(true);
      }),
    );
  });

  test("a floor as large as the variance floors neither order of the arms", () => {
    const one = superiority([-1, 1, -1], [0, -2, 0, 0, 0, 0, 0, 2, 2]);
    const other = superiority([0, -2, 0, 0, 0, 0, 0, 2, 2], [-1, 1, -1]);
    expect([one.floored, other.floored]).toEqual([false, false]);
    expect(other.upper).toBeCloseTo(1 - one.lower, 12);
  });

  test("scaling, shifting and permuting change nothing", () => {
    fc.assert(
      fc.property(sample, sample, fc.integer(), (x, y, seed) => {
        const moved = (v: number) => 2 ** 10 * v - 12;
        expect(superiority(shuffled(x, seed).map(moved), y.map(moved))).toEqual(superiority(x, y));
      }),
    );
  });

  test("a value is inside the interval exactly when the test does not reject it", () => {
    fc.assert(
      fc.property(sample, sample, fc.double({ min: 0.02, max: 0.98, noNaN: true }), (x, y, against) => {
        const alternatives = ["two-sided", "greater", "less"] as const;
        for (const alternative of alternatives) {
          const { lower, upper, p } = superiority(x, y, { against, alternative, confidence: 0.9 });
          if (Math.min(Math.abs(against - lower), Math.abs(against - upper)) < 1e-9) continue;
          expect(against > lower && against < upper).toBe(p > 0.1);
        }
      }),
    );
  });

  test("theta is that of Mann-Whitney", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        expect(superiority(x, y).estimate).toBe(mannWhitney(x, y).superiority);
      }),
    );
  });

  test("repeating all rows leaves theta and about halves the variance", () => {
    const random = seeded(5);
    const x = normal(random, 200);
    const y = normal(random, 150);
    const twice = (v: Float64Array) => Float64Array.of(...v, ...v);
    const one = superiority(x, y);
    const two = superiority(twice(x), twice(y));
    expect(two.estimate).toBe(one.estimate);
    expect(two.variance / one.variance).toBeCloseTo(0.5, 2);
  });

  test("influence values add up to 0 and their squares to the variance", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const summary = rankSummary(sortSample(x, "x"), sortSample(y, "y"));
        const influence = superiorityInfluence(x, y);
        const sum = (v: Float64Array) => v.reduce((a, b) => a + b, 0);
        const squares = (v: Float64Array) => sum(v.map((one) => one * one));
        const { candidate, baseline, estimate } = influence;
        expect(close([sum(candidate), sum(baseline), estimate], [0, 0, summary.u / x.length / y.length])).toBe(true);
        const [s, t] = [summary.candidateSquares / x.length ** 2, summary.baselineSquares / y.length ** 2];
        expect(close([squares(candidate), squares(baseline)], [s, t])).toBe(true);
      }),
    );
  });

  test("equal weights are no weights", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const weights = { candidate: x.map(() => 0.25), baseline: y.map(() => 3) };
        const weighted = weightedSuperiority(x, y, weights, { alternative: "greater" });
        const plain = superiority(x, y, { alternative: "greater" });
        for (const field of ["estimate", "variance", "df", "p", "lower", "upper"] as const) {
          expect(Math.abs(weighted[field] - plain[field])).toBeLessThanOrEqual(1e-9 * Math.max(1, plain[field]));
        }
        expect(weighted.floored).toBe(plain.floored);
      }),
    );
  });

  test("a row of weight 0 is not there, and a row of weight 2 moves theta as two rows", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const weights = { candidate: [...x.map(() => 1), 0], baseline: y.map((_, i) => (i === 0 ? 2 : 1)) };
        const weighted = weightedSuperiority([...x, 99], y, weights).estimate;
        expect(weighted).toBeCloseTo(superiority(x, [...y, y[0]]).estimate, 11);
      }),
    );
  });

  test("a deflated candidate is compared as if it had been divided or shifted", () => {
    fc.assert(
      fc.property(
        sample,
        sample,
        fc.constantFrom(0.5, 1, 1.05, 4),
        fc.integer({ min: -3, max: 3 }),
        (x, y, divisor, shift) => {
          const deflated = x.map((v) => v / divisor - shift);
          const summary = rankSummary(sortSample(x, "x"), sortSample(y, "y"), { divisor, shift });
          expect(summary).toEqual(rankSummary(sortSample(deflated, "x"), sortSample(y, "y")));
          expect(superiorityFromSummary(summary)).toEqual(superiority(deflated, y));
          const influence = superiorityInfluence(x, y, { divisor, shift });
          expect(influence.estimate).toBeCloseTo(superiority(deflated, y).estimate, 11);
        },
      ),
    );
  });

  test("the pass over two arms agrees with counting all pairs", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const { u, hPlus, hMinus, distinct, tieSum } = rankSummary(sortSample(x, "x"), sortSample(y, "y"));
        let pairs = 0;
        for (const a of x) for (const b of y) pairs += a > b ? 1 : a === b ? 0.5 : 0;
        const pooled = [...x, ...y];
        const values = [...new Set(pooled)];
        const upTo = (v: readonly number[], at: number) => v.filter((one) => one <= at).length;
        const leads = values.map((at) => upTo(x, at) * y.length - upTo(y, at) * x.length);
        const sizes = values.map((value) => pooled.filter((one) => one === value).length);
        expect(u).toBe(pairs);
        expect(hPlus).toBe(Math.max(0, ...leads));
        expect(hMinus).toBe(Math.max(0, ...leads.map((lead) => -lead)));
        expect(distinct).toBe(values.length);
        expect(tieSum).toBe(sizes.reduce((sum, t) => sum + t ** 3 - t, 0));
      }),
    );
  });

  test("empty or unfinished samples, a divisor that is not positive, or one that overflows, are refused", () => {
    const x = Float64Array.of(1, 1e308);
    expect(() => rankSummary(new Float64Array(0), x)).toThrow(new RangeError("candidate is empty"));
    expect(() => rankSummary(x, new Float64Array(0))).toThrow(new RangeError("baseline is empty"));
    expect(() => rankSummary(x, Float64Array.of(1, NaN))).toThrow(new RangeError("baseline is not finite"));
    expect(() => rankSummary(Float64Array.of(1, NaN), x)).toThrow(RangeError);
    expect(() => rankSummary(x, x, { divisor: 0 })).toThrow(RangeError);
    expect(() => rankSummary(x, x, { shift: NaN })).toThrow(RangeError);
    expect(() => rankSummary(x, x, { divisor: 1e-10 })).toThrow(RangeError);
  });

  test("the interval tightens with the root of the sample", () => {
    const random = seeded(8);
    const width = (n: number) => {
      const { lower, upper } = superiority(uniform(random, n), uniform(random, n));
      return upper - lower;
    };
    expect(width(100) / width(10_000)).toBeCloseTo(10, 0);
  });
});
