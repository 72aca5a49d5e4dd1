import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hodgesLehmann, typicalShift, type HodgesLehmannOptions } from "../../src/stats/hodges-lehmann.ts";
import { mannWhitney } from "../../src/stats/mann-whitney.ts";
import { orderStatistics, pairsBetween, walshPairs } from "../../src/stats/pair-order-statistics.ts";
import { randomInteger, seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { cauchy, lognormal, normal, scores, uniform, zeroInflated } from "./samples.ts";

test.each(goldenCases("hodges-lehmann", "hodgesLehmann"))("golden: %s", (_, golden) => {
  const [candidate, baseline] = [goldenSample(golden.input["candidate"]), goldenSample(golden.input["baseline"])];
  const options = golden.input["options"] as HodgesLehmannOptions;
  const got = hodgesLehmann(candidate, baseline, options);
  expect(misses({ ...got }, golden)).toEqual([]);
  expect(typicalShift(sortSample(candidate, "x"), sortSample(baseline, "y"), options.scale)).toBe(got.estimate);
});

/** The laws on which selection without the matrix must give the same doubles as sorting the matrix. */
const laws: readonly (readonly [string, (random: Random, n: number) => Float64Array])[] = [
  ["uniform", uniform],
  ["normal", normal],
  ["scores", scores],
  ["lognormal", lognormal],
  ["cauchy", cauchy],
  ["many zeros", zeroInflated],
  ["whole milliseconds", (random, n) => lognormal(random, n, 1).map((v) => Math.floor(50 * v))],
  ["a narrow band far from 0", (random, n) => normal(random, n).map((v) => 1e9 + v * 1e-4)],
  ["one constant", (_, n) => new Float64Array(n).fill(3)],
];

describe("order statistics of pairs", () => {
  test.each(laws)("differences, ratios and averages of %s are those of the sorted matrix", (_, law) => {
    const random = seeded(17);
    for (const [n, m] of [
      [1, 1],
      [3, 700],
      [60, 45],
      [700, 40],
      [620, 560],
    ]) {
      const x = sortSample(law(random, n), "x");
      const y = sortSample(
        law(random, m).map((v) => v * 1.25),
        "y",
      );
      for (const scale of x[0] >= 0 && y[0] >= 0 ? (["difference", "ratio"] as const) : (["difference"] as const)) {
        const matrix = new Float64Array(n * m);
        let at = 0;
        for (const a of x) for (const b of y) matrix[at++] = scale === "difference" ? a - b : a === b ? 1 : a / b;
        matrix.sort();
        for (const rank of [1, n * m, Math.ceil((n * m) / 2), 1 + randomInteger(random, n * m)]) {
          const last = Math.min(n * m, rank + 1);
          expect(orderStatistics(pairsBetween(x, y, scale), rank, last)).toEqual([matrix[rank - 1], matrix[last - 1]]);
        }
      }
      const averages = new Float64Array((n * (n + 1)) / 2);
      let at = 0;
      for (let i = 0; i < n; i++) for (let j = i; j < n; j++) averages[at++] = x[i] / 2 + x[j] / 2;
      averages.sort();
      for (const rank of [1, averages.length, Math.ceil(averages.length / 2)]) {
        expect(orderStatistics(walshPairs(x), rank)[0]).toBe(averages[rank - 1]);
      }
    }
  });

  test("a hundred thousand each, of one law, of very different ones and of two values, need not be written out", () => {
    const random = seeded(4);
    const n = 100_000;
    const wide = sortSample(uniform(random, n), "x");
    const narrow = sortSample(
      uniform(random, n).map((v) => 0.3 + v * 1e-7),
      "y",
    );
    const binary = sortSample(
      uniform(random, n).map((v) => (v < 0.3 ? 0 : 1)),
      "z",
    );
    for (const [x, y] of [
      [wide, narrow],
      [narrow, wide],
      [wide, binary],
      [binary, binary],
    ]) {
      const rank = Math.floor(0.37 * n * n);
      const [value] = orderStatistics(pairsBetween(x, y, "difference"), rank);
      const { below, upTo } = countPairs(x, y, value);
      expect(below).toBeLessThan(rank);
      expect(upTo).toBeGreaterThanOrEqual(rank);
    }
  });
});

/** How many differences lie below a value and up to it, by bisection row by row. */
function countPairs(x: Float64Array, y: Float64Array, value: number): { below: number; upTo: number } {
  const firstWhere = (test: (j: number) => boolean) => {
    let [low, high] = [0, y.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  let below = 0;
  let upTo = 0;
  for (const a of x) {
    below += y.length - firstWhere((j) => a - y[j] < value);
    upTo += y.length - firstWhere((j) => a - y[j] <= value);
  }
  return { below, upTo };
}

describe("what it returns", () => {
  test("the example of the docstring holds", () => {
    expect(hodgesLehmann([19, 22, 16, 29, 24], [20, 11, 17, 12]).estimate).toBe(7);
  });

  test("samples too small for the confidence have no limits, instead of the ends of the data", () => {
    expect(hodgesLehmann([1, 2], [3, 4])).toMatchObject({ estimate: -2, lower: -Infinity, upper: Infinity });
    expect(hodgesLehmann([1, 2], [3, 4], { scale: "ratio" })).toMatchObject({ lower: 0, upper: Infinity });
  });

  test("a factor of zeros: equal zeros have ratio 1, more over nothing is infinite", () => {
    expect(hodgesLehmann([0, 0, 0], [0, 0], { scale: "ratio" }).estimate).toBe(1);
    expect(hodgesLehmann([2, 3], [0, 0], { scale: "ratio" }).estimate).toBe(Infinity);
    expect(hodgesLehmann([0, 0], [2, 3], { scale: "ratio" }).estimate).toBe(0);
    expect(() => hodgesLehmann([1], [-1], { scale: "ratio" })).toThrow(RangeError);
  });

  test("the estimate alone names an empty sample and a negative number under a ratio", () => {
    const [none, one] = [new Float64Array(0), Float64Array.of(-1)];
    expect(() => typicalShift(none, one)).toThrow(new RangeError("candidate is empty"));
    expect(() => typicalShift(one, none)).toThrow(new RangeError("baseline is empty"));
    expect(() => typicalShift(one, one, "ratio")).toThrow(/candidate holds -1/);
  });

  test("a fault is named", () => {
    expect(() => hodgesLehmann([], [1])).toThrow(new RangeError("candidate is empty"));
    expect(() => hodgesLehmann([1], [1], { confidence: 1 })).toThrow(RangeError);
  });
});

describe("properties", () => {
  const sample = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 4, maxLength: 25 });

  test("swapping the arms turns the interval around", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const one = hodgesLehmann(x, y);
        const other = hodgesLehmann(y, x);
        expect([other.estimate, other.lower, other.upper]).toEqual([-one.estimate + 0, -one.upper + 0, -one.lower + 0]);
      }),
    );
  });

  test("a shift moves the answer, a scale stretches it, a factor multiplies the ratio", () => {
    fc.assert(
      fc.property(sample, sample, (x, y) => {
        const plain = hodgesLehmann(x, y);
        expect(
          hodgesLehmann(
            x.map((v) => v + 16),
            y,
          ).estimate,
        ).toBe(plain.estimate + 16);
        expect(
          hodgesLehmann(
            x.map((v) => v * 4),
            y.map((v) => v * 4),
          ).lower,
        ).toBe(plain.lower * 4);
        const ratio = hodgesLehmann(x, y, { scale: "ratio" });
        expect(
          hodgesLehmann(
            x.map((v) => v * 4),
            y,
            { scale: "ratio" },
          ).estimate,
        ).toBe(ratio.estimate * 4);
      }),
    );
  });

  test("the interval holds exactly the shifts that Mann-Whitney does not reject", () => {
    const random = seeded(23);
    for (let run = 0; run < 200; run++) {
      const n = 4 + randomInteger(random, 12);
      const m = 4 + randomInteger(random, 12);
      const x = normal(random, n);
      const y = normal(random, m);
      const { lower, upper } = hodgesLehmann(x, y, { confidence: 0.9, method: "exact" });
      const shift = 1.5 * standardNormal(random);
      const { p } = mannWhitney(
        x.map((v) => v - shift),
        y,
        { method: "exact" },
      );
      expect(shift > lower && shift < upper).toBe(p > 0.1);
    }
  });
});
