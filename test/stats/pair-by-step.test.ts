import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairByStep } from "../../src/stats/pair-by-step.ts";

describe("pairByStep", () => {
  test("pairs points of one step, averages several by weight, and counts what has no partner", () => {
    const pairs = pairByStep(
      { times: [130, 5, 61, 119], values: [4, 10, 1, 3], weights: [1, 2, 1, 3] },
      { times: [0, 100, 250, 310], values: [7, 8, 9, 9] },
      { stepLength: 60 },
    );
    expect(pairs).toEqual({
      steps: Float64Array.of(0, 1),
      candidate: Float64Array.of(10, 2.5),
      baseline: Float64Array.of(7, 8),
      candidateWeights: Float64Array.of(2, 4),
      baselineWeights: Float64Array.of(1, 1),
      unmatched: { candidate: 1, baseline: 2 },
      gaps: 0,
    });
  });

  test("missing steps between the first and the last pair are gaps", () => {
    const both = { times: [0, 1, 5], values: [1, 1, 1] };
    expect(pairByStep(both, both).gaps).toBe(3);
    expect(pairByStep({ times: [], values: [] }, both)).toMatchObject({
      gaps: 0,
      unmatched: { candidate: 0, baseline: 3 },
    });
  });

  test("the order of the points does not matter", () => {
    const points = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 0, max: 9 })), {
      maxLength: 40,
    });
    const series = (list: [number, number][]) => ({ times: list.map(([t]) => t), values: list.map(([, v]) => v) });
    fc.assert(
      fc.property(points, points, (a, b) => {
        const there = pairByStep(series(a), series(b), { stepLength: 7 });
        const back = pairByStep(series(a.toReversed()), series(b.toReversed()), { stepLength: 7 });
        expect(back.steps).toEqual(there.steps);
        there.candidate.forEach((value, i) => expect(back.candidate[i]).toBeCloseTo(value, 9));
        expect(there.steps.length + there.unmatched.candidate).toBe(new Set(a.map(([t]) => Math.floor(t / 7))).size);
      }),
    );
  });

  test("steps before the epoch are numbered downward, not towards zero", () => {
    expect([
      ...pairByStep({ times: [-1], values: [1] }, { times: [-59], values: [2] }, { stepLength: 60 }).steps,
    ]).toEqual([-1]);
  });

  test("points without weight say nothing; faults are named", () => {
    const b = { times: [0], values: [1] };
    expect(pairByStep({ times: [0], values: [9], weights: [0] }, b).steps.length).toBe(0);
    expect(() => pairByStep({ times: [0], values: [9], weights: [-1] }, b)).toThrow(/candidate.weights\[0\] is -1/);
    expect(() => pairByStep({ times: [0, 1], values: [9] }, b)).toThrow(/candidate.times has 2 values/);
    expect(() => pairByStep(b, b, { stepLength: 0 })).toThrow(/stepLength is 0/);
  });
});
