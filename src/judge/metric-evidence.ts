import type { Analysis, Component, Metric } from "../model/analysis.ts";
import type { TestResult } from "../model/finding.ts";
import type { CleanArm } from "./clean.ts";
import type { Evidence } from "./evidence.ts";
import { histogramEvidence, toHistogramArms } from "./histogram-evidence.ts";
import { meanDifferenceEvidence, meanRelativeEvidence } from "./mean-evidence.ts";
import { bodyEvidence, EXACT_BELOW, superiorityEvidence, type RankArms } from "./rank-evidence.ts";
import { rateEvidence } from "./rate-evidence.ts";
import { namedHistogramTests, namedTests, shapeChange } from "./shape-change.ts";
import { countsEvidence, pairSeries, seriesEvidence, stepBar } from "./step-evidence.ts";
import { tailEvidence } from "./tail-evidence.ts";

/** Everything that the statistics say about one metric, before any budget is spent. */
export interface MetricEvidence {
  readonly components: readonly Evidence[];
  readonly tests: readonly TestResult[];
  /** A movement of the distribution that blocks promotion. */
  readonly shape: { readonly statistic: number; readonly p: number; readonly location: number } | null;
  readonly units: { readonly baseline: number; readonly candidate: number };
  /** Why this shape cannot answer what the metric asks; null when it can. */
  readonly untestable: string | null;
}

/** Fewer units than this per arm prove nothing at all. */
export const MIN_UNITS_EVER = 5;

/** The matrix of kind and shape: what is tested, and how. docs/analysis.md shows it as a table. */
export function evidenceOf(
  metric: Metric,
  baseline: CleanArm,
  candidate: CleanArm,
  { plan }: Analysis,
): MetricEvidence {
  const [b, c] = [baseline.samples, candidate.samples];
  if (b.shape === "units" && c.shape === "units") return unitEvidence(metric, b.values, c.values);
  if (b.shape === "counts" && c.shape === "counts") {
    const units = { baseline: b.at.length, candidate: c.at.length };
    if (metric.kind !== "errors")
      return {
        ...NOTHING,
        units,
        untestable: `events and exposure are what an errors metric needs; ${metric.kind} needs values`,
      };
    return { ...NOTHING, units, components: [countsEvidence(b, c, metric.margin, plan.minSteps, FREE)] };
  }
  if (b.shape === "series" && c.shape === "series") {
    if (metric.query.instant !== undefined)
      return { ...NOTHING, units: { baseline: b.values.length, candidate: c.values.length } };
    const pairs = pairSeries(b, c);
    const units = { baseline: b.values.length, candidate: c.values.length };
    if (pairs.steps.length < 2)
      return {
        ...NOTHING,
        units,
        untestable: `${pairs.steps.length} steps are common to both arms; a comparison needs at least ${plan.minSteps}`,
      };
    const bar = stepBar(pairs, plan.minSteps);
    return { ...NOTHING, units, components: [seriesEvidence(pairs, metric, { promotionBar: bar, rollbackBar: bar })] };
  }
  if (b.shape === "histogram" && c.shape === "histogram") {
    const arms = toHistogramArms(b, c);
    const units = { baseline: b.at.length, candidate: c.at.length };
    if (metric.kind === "errors")
      return { ...NOTHING, units, untestable: "a histogram has no errors; give events and exposure" };
    if (arms.at.length < 2)
      return {
        ...NOTHING,
        units,
        untestable: `${arms.at.length} steps are common to both arms; a comparison needs at least ${plan.minSteps}`,
      };
    return {
      ...NOTHING,
      units,
      components: histogramEvidence(arms, metric, plan.minSteps),
      tests: namedHistogramTests(b, c),
    };
  }
  throw new RangeError("the arms have different shapes");
}

function unitEvidence(metric: Metric, baseline: Float64Array, candidate: Float64Array): MetricEvidence {
  const units = { baseline: baseline.length, candidate: candidate.length };
  const fewest = Math.min(units.baseline, units.candidate);
  const promotionBar =
    fewest < metric.minUnits ? `${fewest} units in an arm, fewer than the ${metric.minUnits} needed` : null;
  // Exact evidence may act from five units on; the rest leans on large samples.
  const asymptotic = { promotionBar, rollbackBar: promotionBar };
  const exact = { promotionBar, rollbackBar: null };
  if (metric.kind === "errors") {
    const toProportion = (values: Float64Array) => ({
      events: values.reduce((sum, value) => sum + value, 0),
      trials: values.length,
    });
    const arms = { baseline: toProportion(baseline), candidate: toProportion(candidate) };
    return {
      ...NOTHING,
      units,
      components: [rateEvidence(arms, metric.margin, { dispersion: 1, df: Infinity }, exact)],
    };
  }
  const ranks = { baseline, candidate };
  const components = metric.components.flatMap((component) =>
    componentEvidence(component, metric, ranks, fewest < EXACT_BELOW ? exact : { promotionBar }, asymptotic),
  );
  return { components, tests: namedTests(ranks), shape: shapeChange(ranks, metric), units, untestable: null };
}

function componentEvidence(
  component: Component,
  metric: Metric,
  ranks: RankArms,
  body: Pick<Evidence, "promotionBar">,
  asymptotic: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence[] {
  const { kind, margin, scale, worse } = metric;
  switch (component) {
    case "body":
      if (kind !== "score") return [bodyEvidence(ranks, margin.relative === null ? "difference" : "relative", body)];
      return [superiorityEvidence(ranks, (metric.superiorityMargin ?? 0) / (margin.absolute ?? 1), body)];
    case "mean":
      if (kind === "score") return [meanDifferenceEvidence(ranks, "points", scale, asymptotic)];
      if (margin.relative === null) return [meanDifferenceEvidence(ranks, "difference", null, asymptotic)];
      return [meanRelativeEvidence(ranks, asymptotic)];
    case "tail":
      return worse === "either" ? [] : [tailEvidence(ranks, worse, asymptotic)];
    case "rate":
      return [];
  }
}

const FREE = { promotionBar: null, rollbackBar: null };
const NOTHING: Omit<MetricEvidence, "units"> = { components: [], tests: [], shape: null, untestable: null };
