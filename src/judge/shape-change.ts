import type { Metric } from "../model/analysis.ts";
import type { TestResult } from "../model/finding.ts";
import { histogramKolmogorovSmirnov } from "../stats/histogram-kolmogorov-smirnov.ts";
import { histogramRankSummary } from "../stats/histogram-ranks.ts";
import { kolmogorovSmirnovSorted } from "../stats/kolmogorov-smirnov.ts";
import { mannWhitneyFromSummary, mannWhitneySorted } from "../stats/mann-whitney.ts";
import { edgesOf, stepsOf, totalOfSteps } from "./histogram-evidence.ts";
import { forgive } from "./forgive.ts";
import type { RankArms } from "./rank-evidence.ts";
import type { Histogram } from "../model/samples.ts";

/** The two named tests, as everybody knows them. Their p-values are nominal: they decide nothing by themselves. */
export function namedTests({ baseline, candidate }: RankArms): TestResult[] {
  const ranks = mannWhitneySorted(candidate, baseline);
  const shape = kolmogorovSmirnovSorted(candidate, baseline);
  return [
    {
      test: "mann-whitney",
      statistic: ranks.u,
      superiority: ranks.superiority,
      pValueNominal: ranks.p,
      method: ranks.method,
    },
    { test: "kolmogorov-smirnov", statistic: shape.statistic, pValueNominal: shape.p, method: shape.method },
  ];
}

/** The same on bucket counts, values of one bucket being ties. */
export function namedHistogramTests(baseline: Histogram, candidate: Histogram): TestResult[] {
  const total = (arm: Histogram) => totalOfSteps(stepsOf(arm), arm.upperEdges.length);
  const [b, c] = [total(baseline), total(candidate)];
  const edges = edgesOf(baseline);
  const ranks = mannWhitneyFromSummary(histogramRankSummary(c, b));
  const shape = histogramKolmogorovSmirnov({ edges, counts: c }, { edges, counts: b });
  return [
    {
      test: "mann-whitney",
      statistic: ranks.u,
      superiority: ranks.superiority,
      pValueNominal: ranks.p,
      method: `${ranks.method}, on buckets`,
    },
    {
      test: "kolmogorov-smirnov",
      statistic: shape.statistic,
      pValueNominal: shape.p,
      method: `${shape.method}, on buckets`,
    },
  ];
}

/** Smaller distances between the distributions matter to nobody. */
export const SHAPE_DISTANCE = 0.1;
/** A harmless change of shape may block a promotion this often. */
export const SHAPE_ALPHA = 0.01;

/**
 * Has the distribution moved towards worse by more than the margin anywhere, in a way that typical value, mean and tail do not show? One-sided, and with the
 * margin forgiven: a candidate that is faster, or slower within its margin, has not changed its shape for the worse.
 */
export function shapeChange(
  arms: RankArms,
  metric: Metric,
  level: number,
): { statistic: number; p: number; location: number } | null {
  const { worse, margin, kind } = metric;
  if (worse === "either") return worseShape(kolmogorovSmirnovSorted(arms.candidate, arms.baseline), level);
  const forgiven = forgive(
    arms.candidate,
    worse === "higher" ? 1 : -1,
    kind === "score" ? { relative: null, absolute: null } : margin,
  );
  return worseShape(
    kolmogorovSmirnovSorted(forgiven, arms.baseline, { alternative: worse === "higher" ? "greater" : "less" }),
    level,
  );
}

function worseShape(
  { statistic, p, location }: { statistic: number; p: number; location: number },
  level: number,
): { statistic: number; p: number; location: number } | null {
  return statistic >= SHAPE_DISTANCE && p <= level ? { statistic, p, location } : null;
}
