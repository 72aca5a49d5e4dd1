import { mean, quantileSorted } from "simple-statistics";
import type { Metric } from "../model/analysis.ts";
import type { ArmSummary } from "../model/finding.ts";
import type { ArmState } from "../model/look-state.ts";
import { histogramMean, histogramQuantile } from "../stats/histogram-values.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { finiteOrNull } from "./evidence.ts";
import { edgesOf, stepsOf, totalOfSteps } from "./histogram-evidence.ts";
import { totalOf } from "./step-evidence.ts";

/** The few numbers that people know an arm by. They decide nothing. */
export function describeArm(arm: ArmState, { kind }: Metric): ArmSummary {
  const { rows, invalid } = arm;
  switch (arm.shape) {
    case "units":
    case "series": {
      const { values } = arm;
      if (kind === "errors") return { rows, invalid, mean: meanOf(values), p50: null, p95: null };
      const sorted = arm.shape === "units" ? values : sortSample(values, "values");
      return { rows, invalid, mean: meanOf(values), p50: quantileOf(sorted, 0.5), p95: quantileOf(sorted, 0.95) };
    }
    case "counts": {
      const { events, trials } = totalOf(arm);
      return { rows, invalid, mean: finiteOrNull(events / trials), p50: null, p95: null };
    }
    case "histogram": {
      const counts = totalOfSteps(stepsOf(arm), arm.upperEdges.length);
      if (counts.every((count) => count === 0)) return { rows, invalid, mean: null, p50: null, p95: null };
      const histogram = { edges: edgesOf(arm), counts };
      return {
        rows,
        invalid,
        mean: finiteOrNull(histogramMean(histogram).estimate),
        p50: finiteOrNull(histogramQuantile(histogram, 0.5).estimate),
        p95: finiteOrNull(histogramQuantile(histogram, 0.95).estimate),
      };
    }
  }
}

/** The mean, with the rounding of a long sum made good. */
export function meanOf(values: Float64Array): number {
  return mean(asNumbers(values));
}

/** A sample quantile of ascending values. */
export function quantileOf(sorted: Float64Array, order: number): number {
  return quantileSorted(asNumbers(sorted), order);
}

/** simple-statistics only reads `length` and elements, but its types ask for a plain array; a copy of a million values would cost more than the quantile. */
function asNumbers(values: Float64Array): number[] {
  return values as unknown as number[];
}
