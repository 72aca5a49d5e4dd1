import { expect, test } from "vitest";
import { revise, splitAnswer } from "../../src/judge/late-data.ts";
import type { CountsState, SeriesState } from "../../src/model/look-state.ts";
import type { Counts, Series } from "../../src/model/samples.ts";

const tally = { rows: 3, invalid: 0, faults: [], lastAt: 180 };
const ALL = { from: 60, to: 180 };

function counts(at: number[], events: number[], exposure: number[]): Counts {
  const [times, bad, all] = [at, events, exposure].map((column) => Float64Array.from(column)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return { shape: "counts", stepSeconds: 60, at: times, events: bad, exposure: all };
}

const TAKEN: CountsState = { ...tally, ...counts([60, 120, 180], [1, 2, 0], [1000, 1000, 800]) };

test("steps that only differ by rounding, or lie before what is compared, stand", () => {
  const again = counts([60, 120, 180, 240], [99, 2, 0, 1], [9999, 1000 * (1 + 1e-12), 800, 1000]);
  const { fresh, revised } = splitAnswer(TAKEN, again, ALL);
  expect(revised).toBe(null);
  expect(fresh).toEqual(counts([240], [1], [1000]));
});

test("a step that changed takes the place of what was taken in, and a step that was missing its own", () => {
  const { revised } = splitAnswer(TAKEN, counts([120, 150, 180], [2, 1, 3], [1000, 10, 1000]), ALL);
  expect(revised).toEqual(counts([150, 180], [1, 3], [10, 1000]));
  if (revised === null) throw new Error("nothing was revised");
  const { arm, text, isMaterial } = revise(TAKEN, revised);
  expect(arm).toEqual({
    ...TAKEN,
    ...counts([60, 120, 150, 180], [1, 2, 1, 3], [1000, 1000, 10, 1000]),
    rows: 4,
  });
  expect(text).toBe(
    "2 of its last steps have changed since the look before: exposure 1010 instead of 800, events 4 instead of 0",
  );
  expect(isMaterial).toBe(true);
});

test("a wobble of a few counts is told and no more, a twentieth of the traffic or of the errors is", () => {
  const changed = (events: number, exposure: number) => revise(TAKEN, counts([180], [events], [exposure])).isMaterial;
  expect(changed(0, 830)).toBe(false);
  expect(changed(1, 800)).toBe(false);
  expect(changed(0, 850)).toBe(true);
  expect(changed(2, 800)).toBe(true);
});

test("of a series the values count, whatever their size", () => {
  const at = Float64Array.of(60, 120);
  const taken: SeriesState = { ...tally, shape: "series", stepSeconds: 60, at, values: Float64Array.of(0.2, 0.1) };
  const now = (value: number): Series => ({
    shape: "series",
    stepSeconds: 60,
    at: Float64Array.of(120),
    values: Float64Array.of(value),
  });
  expect(revise(taken, now(0.102)).isMaterial).toBe(false);
  expect(revise(taken, now(0.12))).toMatchObject({
    isMaterial: true,
    text: "one of its last steps has changed since the look before: mean 0.12 instead of 0.1",
  });
});

test("steps that were taken together to stay small, and other buckets, cannot be compared", () => {
  const again = counts([120, 180, 240], [9, 9, 1], [1000, 1000, 1000]);
  expect(splitAnswer({ ...TAKEN, stepSeconds: 120 }, again, ALL)).toEqual({
    fresh: counts([240], [1], [1000]),
    revised: null,
  });
});
