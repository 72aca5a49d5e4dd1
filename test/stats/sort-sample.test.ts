import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pooledTies } from "../../src/stats/rank-summary.ts";
import { randomInteger, seeded, type Random } from "../../src/stats/random.ts";
import { mergeSorted, sortOrder, sortSample, sortWithPayload } from "../../src/stats/sort-sample.ts";
import { cauchy, lognormal, normal, scores, zeroInflated } from "./samples.ts";

const laws: readonly (readonly [string, (random: Random, n: number) => Float64Array])[] = [
  ["normal", normal],
  ["cauchy", cauchy],
  ["durations", lognormal],
  ["scores", scores],
  ["many zeros", zeroInflated],
  ["a narrow band, equal in the upper word", (random, n) => normal(random, n).map((v) => 1000 + v * 1e-7)],
  ["a narrow negative band", (random, n) => normal(random, n).map((v) => -1000 + v * 1e-7)],
  ["all magnitudes", (random, n) => normal(random, n).map((v) => v * 2 ** (randomInteger(random, 2000) - 1000))],
  ["subnormal", (random, n) => normal(random, n).map((v) => Math.round(100 * v) * Number.MIN_VALUE)],
  ["one constant", (_, n) => new Float64Array(n).fill(-2.5)],
  ["two neighbours", (random, n) => normal(random, n).map((v) => (v > 0 ? 1 : 1 + Number.EPSILON))],
  ["ascending", (_, n) => Float64Array.from({ length: n }, (_, i) => i / 3)],
  ["descending", (_, n) => Float64Array.from({ length: n }, (_, i) => -i / 3)],
];

/** `toEqual` takes seconds on a million numbers. */
function same(got: Float64Array, want: Float64Array): boolean {
  return got.length === want.length && got.every((value, i) => Object.is(value, want[i]));
}

describe.each(laws)("%s", (_, law) => {
  test.each([1, 2, 31, 511, 512, 513, 3000, 70_000])("%i values come out as by the engine's own sort", (n) => {
    const sample = law(seeded(n), n).map((v) => v + 0);
    const before = sample.slice();
    expect(same(sortSample(sample, "sample"), sample.slice().sort())).toBe(true);
    expect(same(sample, before)).toBe(true);
  });

  test.each([1, 40, 600, 5000])("%i rows keep their payload, and equal values their order", (n) => {
    const sample = law(seeded(n + 1), n).map((v) => v + 0);
    const { values, rows } = sortOrder(sample, "sample");
    expect(same(values, sample.slice().sort())).toBe(true);
    const carried = Float64Array.from(rows, (row) => sample[row]);
    expect(same(carried, values)).toBe(true);
    expect(rows.findIndex((row, i) => i > 0 && values[i] === values[i - 1] && row <= rows[i - 1])).toBe(-1);
  });
});

test("the example of the docstring holds, and minus zero becomes zero", () => {
  const sorted = sortSample([3, -0, 1.5, -2], "baseline");
  expect(sorted).toEqual(Float64Array.of(-2, 0, 1.5, 3));
  expect(Object.is(sorted[1], 0)).toBe(true);
});

test("a sample larger than the kept scratch is sorted too", () => {
  const sample = lognormal(seeded(9), 2 ** 20 + 5);
  expect(same(sortSample(sample, "sample"), sample.slice().sort())).toBe(true);
});

test("payloads of one call do not leak into the next", () => {
  const first = sortWithPayload(normal(seeded(1), 1000), new Uint32Array(1000).fill(7), "sample");
  sortWithPayload(normal(seeded(2), 1000), new Uint32Array(1000).fill(9), "sample");
  expect(first.payload.every((v) => v === 7)).toBe(true);
});

test("faults name the sample, the place and the value", () => {
  expect(() => sortSample([], "candidate")).toThrow(new RangeError("candidate is empty"));
  expect(() => sortSample([1, NaN], "baseline")).toThrow(new RangeError("baseline[1] is NaN"));
  expect(() => sortSample([-Infinity], "baseline")).toThrow(new RangeError("baseline[0] is -Infinity"));
  expect(() => sortWithPayload([1, 2], Uint32Array.of(1), "candidate")).toThrow(
    new RangeError("candidate has 2 values and its payload 1"),
  );
});

test("merging sorted arrays is sorting both", () => {
  const sample = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });
  fc.assert(
    fc.property(sample, sample, (a, b) => {
      const sorted = (v: number[]) => Float64Array.from(v, (one) => one + 0).sort();
      expect(mergeSorted(sorted(a), sorted(b))).toEqual(sorted([...a, ...b]));
    }),
  );
});

test("pooled ties are the sizes of groups of equal values", () => {
  expect(pooledTies(Float64Array.of(1, 1, 2, 5), Float64Array.of(1, 3, 5, 5))).toEqual(Uint32Array.of(3, 1, 1, 3));
});
