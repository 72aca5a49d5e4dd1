import { describe, expect, test } from "vitest";
import { pairSeries, seriesEvidence, stepDifference } from "../../src/judge/step-evidence.ts";
import type { Metric } from "../../src/model/analysis.ts";
import type { Series } from "../../src/model/samples.ts";

const STEPS = 16;

/** Around this mean, up and down by a tenth of it in turns of different length. */
function seriesAround(mean: number, turn: number): Series {
  const at = Float64Array.from({ length: STEPS }, (_, step) => 60 * (step + 1));
  return {
    shape: "series",
    stepSeconds: 60,
    at,
    values: at.map((_, step) => mean * (1 + 0.1 * Math.cos(step * turn))),
  };
}

const RELATIVE = { relative: 0.05, absolute: null };
const ABSOLUTE = { relative: null, absolute: 5 };

describe("the history of a series lies on the axis of its margin", () => {
  const pairs = pairSeries(seriesAround(100, 2.1), seriesAround(110, 1.3));
  const history = { stepDeviation: 0.3, runs: 20 };

  test.each<[string, Metric["kind"], Metric["margin"], number, (estimate: number) => number]>([
    ["a log ratio of positive amounts", "latency", RELATIVE, 0.3, (estimate) => 1 + estimate],
    ["a fraction of what both arms of a gauge have", "gauge", RELATIVE, 0.3, (estimate) => Math.sqrt(1 + estimate)],
    ["an amount", "latency", ABSOLUTE, 30, () => 1],
  ])("%s", (_, kind, margin, stepDeviation, slope) => {
    const { component, warnings } = seriesEvidence(pairs, { kind, margin, history: { ...history, stepDeviation } }, 9);
    expect(warnings).toEqual([]);
    expect(component.standardError).toBeCloseTo((stepDeviation / Math.sqrt(STEPS)) * slope(component.estimate), 12);
    expect(component.effectiveUnits).toEqual({ baseline: STEPS, candidate: STEPS });
    expect([component.promotionBar, component.rollbackBar]).toEqual([null, null]);
  });

  test("what it is measured by is the same difference: a log ratio, a fraction, an amount", () => {
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const { baseline, candidate } = pairs;
    const difference = mean(candidate) - mean(baseline);
    expect(stepDifference(pairs, { kind: "latency", margin: RELATIVE })).toBeCloseTo(
      mean(candidate.map((value, step) => Math.log(value / (baseline[step] ?? 0)))),
      12,
    );
    expect(stepDifference(pairs, { kind: "gauge", margin: RELATIVE })).toBeCloseTo(difference / mean(baseline), 12);
    expect(stepDifference(pairs, { kind: "latency", margin: ABSOLUTE })).toBeCloseTo(difference, 12);
  });
});
