import fc from "fast-check";
import { expect, test } from "vitest";
import { commonLanguageEffect, shiftEstimate } from "../../src/kayenta/mann-whitney.ts";
import { superiority } from "../../src/stats/superiority.ts";
import { expectGolden, goldenCases, goldenSample, misses } from "../stats/golden.ts";

const of = (...values: number[]): Float64Array => Float64Array.from(values);

function shiftOf({ experiment, control, confidence }: Readonly<Record<string, unknown>>) {
  return { ...shiftEstimate(goldenSample(experiment), goldenSample(control), Number(confidence)) };
}

test.each(goldenCases("kayenta", "shiftEstimate"))("interval and estimate, golden: %s", (_, golden) => {
  expectGolden(shiftOf(golden.input), golden);
});

test.each(goldenCases("kayenta", "shiftEstimateJump"))(
  "interval ends lie where the rank sum jumps, golden: %s",
  (_, golden) => {
    expectGolden(shiftOf(golden.input), golden);
  },
);

test("the golden cases fail when an end is off by more than rounding", () => {
  const [, golden] = goldenCases("kayenta", "shiftEstimate")[0] ?? expect.fail("there is no golden case");
  const shift = shiftOf(golden.input);
  expect(misses({ ...shift, lower: Number(shift.lower) + 1e-7 }, golden)).toHaveLength(1);
});

test("without enough pairs for the confidence the interval is clamped to the outermost shifts, not infinite", () => {
  expect(shiftEstimate(of(10, 11), of(5, 6), 0.98)).toEqual({ lower: 4, upper: 6, estimate: 5 });
});

test("one value on each side has no interval, for all values are tied at the only shift", () => {
  expect(shiftEstimate(of(103), of(98), 0.98)).toBeNull();
});

test("values whose pooled range is below the root finder's tolerance give the raw ends back", () => {
  const control = Float64Array.from({ length: 60 }, (_, step) => 5e-7 * step);
  const experiment = control.map((value) => value + 3e-5);
  expect(shiftEstimate(experiment, control, 0.98)).toMatchObject({
    lower: Math.min(...experiment) - Math.max(...control),
    upper: Math.max(...experiment) - Math.min(...control),
  });
});

test("an infinity among the experiment makes both ends infinite", () => {
  expect(shiftEstimate(of(1, 2, 3, 4, 5, Infinity), of(1, 2, 3, 4, 5, 6), 0.98)).toEqual({
    lower: Infinity,
    upper: Infinity,
    estimate: Infinity,
  });
});

test("zero-heavy points can have their lower end above their upper end", () => {
  const mostlyZero = (errors: number, size: number) =>
    Float64Array.from({ length: 60 }, (_, step) => (step < errors ? size * (1 + (step % 3)) : 0));
  const shift = shiftEstimate(mostlyZero(10, 0.26), mostlyZero(24, 0.29), 0.98);
  expect(shift?.lower).toBeGreaterThan(shift?.upper ?? NaN);
});

test("minus zero ranks below zero, as in Java", () => {
  expect(commonLanguageEffect(of(0), of(-0))).toBe(1);
  expect(commonLanguageEffect(of(-0), of(0))).toBe(0);
});

/** No -0: the statistics floor takes it for 0. */
const points = fc
  .array(fc.integer({ min: -8, max: 8 }), { minLength: 2, maxLength: 30 })
  .map((values) => Float64Array.from(values, (value) => value / 4 + 0));

test("cles is the superiority of the statistics floor", () => {
  fc.assert(
    fc.property(points, points, (experiment, control) => {
      expect(commonLanguageEffect(experiment, control)).toBeCloseTo(superiority(experiment, control).estimate, 12);
    }),
  );
});

test("interval ends lie between the outermost shifts, and the order of the points does not matter", () => {
  fc.assert(
    fc.property(points, points, (experiment, control) => {
      const shift = shiftEstimate(experiment, control, 0.98);
      expect(shiftEstimate(experiment.toReversed(), control.toReversed(), 0.98)).toEqual(shift);
      if (shift === null) return;
      const least = Math.min(...experiment) - Math.max(...control);
      const most = Math.max(...experiment) - Math.min(...control);
      for (const end of [shift.lower, shift.upper, shift.estimate]) {
        expect(end).toBeGreaterThanOrEqual(least);
        expect(end).toBeLessThanOrEqual(most);
      }
    }),
  );
});
