import type { Analysis, Component, Metric } from "../model/analysis.ts";
import type { Flip, TestResult } from "../model/finding.ts";
import type { ArmState, SeriesState, UnitsState } from "../model/look-state.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { mixShift } from "../stats/mix-shift.ts";
import { NONE, type Evidence } from "./evidence.ts";
import { formatChange, formatP } from "./format.ts";
import { cupedEvidence } from "./cuped-evidence.ts";
import { goldEvidence, type GoldEvidence } from "./gold-evidence.ts";
import { histogramEvidence, toHistogramArms } from "./histogram-evidence.ts";
import { meanDifferenceEvidence, meanRelativeEvidence } from "./mean-evidence.ts";
import { bodyEvidence, superiorityEvidence, type RankArms } from "./rank-evidence.ts";
import { rateEvidence } from "./rate-evidence.ts";
import { namedHistogramTests, namedTests, shapeChange } from "./shape-change.ts";
import { dependenceOf, widened } from "./dependence.ts";
import { mixOf, strataOf, unmatchedStrata } from "./strata.ts";
import { stratifiedEvidence } from "./stratified-evidence.ts";
import { countsEvidence, pairSeries, seriesEvidence } from "./step-evidence.ts";
import { tailEvidence } from "./tail-evidence.ts";
import { flipsOf, namedPairedTests, pairedEvidence } from "./paired-evidence.ts";
import { pairsOf } from "./pair-units.ts";

/** Everything that the statistics say about one metric, before any budget is spent. */
export interface MetricEvidence {
  readonly components: readonly Evidence[];
  /** Components that say nothing at this look, but keep their share of the budget for others. */
  readonly leftOut: readonly Component[];
  /** Items that the two versions answered differently; null where the design or the kind has none. */
  readonly flips: () => Flip[] | null;
  readonly tests: () => readonly TestResult[];
  /** A movement of the distribution that blocks promotion, significant at the level. */
  readonly shape: (
    level: number,
  ) => { readonly statistic: number; readonly p: number; readonly location: number } | null;
  readonly warnings: readonly string[];
  readonly units: { readonly baseline: number; readonly candidate: number };
  /** Why this shape cannot answer what the metric asks; null when it can. */
  readonly untestable: string | null;
}

/** Fewer units than this per arm prove nothing, unless the other arm is so large that even these few say much. */
export const MIN_UNITS_EVER = 5;
/** One slow start is no trend, however many others were fast. */
const MIN_UNITS_BESIDE_MANY = 3;
const SAYS_MUCH = 1e-4;

/** Are there units enough for an exact test to say anything? Four beside forty-seven are: all four above all others happens once in 250,000 times. */
export function isEnough(baseline: number, candidate: number): boolean {
  const fewest = Math.min(baseline, candidate);
  if (fewest >= MIN_UNITS_EVER) return true;
  if (fewest < MIN_UNITS_BESIDE_MANY) return false;
  // The chance that the few are the largest of all: 1 / (n + m choose n).
  let smallest = 1;
  for (let unit = 1; unit <= fewest; unit++) smallest *= unit / (Math.max(baseline, candidate) + unit);
  return smallest <= SAYS_MUCH;
}

/** The matrix of kind and shape: what is tested, and how. docs/analysis.md shows it as a table. */
export function evidenceOf(metric: Metric, b: ArmState, c: ArmState, { plan }: Analysis): MetricEvidence {
  if (b.shape === "units" && c.shape === "units") return unitEvidence(metric, b, c);
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
    // Fractions per step are values like others; only whole numbers of events are proportions.
    if (pairs.steps.length < 0.5 * Math.min(units.baseline, units.candidate) && metric.kind !== "errors")
      return apartEvidence(metric, b, c);
    if (pairs.steps.length < 2)
      return {
        ...NOTHING,
        units,
        untestable: `${pairs.steps.length} steps are common to both arms; a comparison needs at least ${plan.minSteps}`,
      };
    const { component, warnings } = seriesEvidence(pairs, metric, plan.minSteps);
    return { ...NOTHING, units, components: [component], warnings };
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
      tests: () => namedHistogramTests(b, c),
    };
  }
  throw new RangeError("the arms have different shapes");
}

/** Series of different times: nothing cancels in pairs, and neighbouring steps of an arm resemble each other. */
function apartEvidence(metric: Metric, b: SeriesState, c: SeriesState): MetricEvidence {
  const asUnits = ({ rows, invalid, faults, lastAt, values }: SeriesState): UnitsState => ({
    shape: "units",
    rows,
    invalid,
    faults,
    lastAt,
    values: sortSample(values, "values"),
    strata: null,
    marks: null,
  });
  const { factor, bar } = dependenceOf(b.values, c.values);
  const evidence = unitEvidence(metric, asUnits(b), asUnits(c));
  return { ...evidence, components: evidence.components.map((one) => widened(one, factor, bar)), shape: () => null };
}

function unitEvidence(metric: Metric, b: UnitsState, c: UnitsState): MetricEvidence {
  const { values: baseline } = b;
  const { values: candidate } = c;
  const units = { baseline: baseline.length, candidate: candidate.length };
  const fewest = Math.min(units.baseline, units.candidate);
  const promotionBar =
    fewest < metric.minUnits ? `${fewest} units in an arm, fewer than the ${metric.minUnits} needed` : null;
  // Exact evidence may act from five units on; the rest leans on large samples.
  const unmatched = metric.design === "paired" ? null : unmatchedStrata(b, c);
  const apart =
    unmatched === null
      ? null
      : `${unmatched.names.join(", ")} is hardly there in one arm, so that the arms cannot be compared at one mix`;
  const asymptotic = { promotionBar, rollbackBar: promotionBar ?? apart };
  const exact = { promotionBar, rollbackBar: apart };
  if (metric.design === "paired") {
    const pairs = pairsOf(b, c);
    return {
      ...NOTHING,
      components: pairedEvidence(pairs, metric, exact, asymptotic),
      flips: () => flipsOf(pairs, metric),
      tests: () => [
        ...namedPairedTests(pairs, metric),
        ...(metric.kind === "errors" ? [] : namedTests({ baseline, candidate })),
      ],
      shape: metric.kind === "errors" ? () => null : (level) => shapeChange({ baseline, candidate }, metric, level),
      units,
    };
  }
  const gold = metric.kind === "score" ? goldEvidence(b, c, metric, asymptotic) : null;
  const strata = strataOf(b, c);
  if (strata.length > 1) {
    const evidence: MetricEvidence = {
      ...NOTHING,
      components: metric.components.flatMap((component) => stratifiedEvidence(component, metric, strata, asymptotic)),
      tests: () => namedTests({ baseline, candidate }),
      units,
      warnings: b.strata === null ? [UNEVEN_IN_TIME] : mixWarnings(b, c),
    };
    return gold === null ? evidence : corrected(evidence, gold);
  }
  if (metric.kind === "errors") {
    const toProportion = (values: Float64Array) => ({
      events: values.reduce((sum, value) => sum + value, 0),
      trials: values.length,
    });
    const arms = { baseline: toProportion(baseline), candidate: toProportion(candidate) };
    return {
      ...NOTHING,
      units,
      components: [doubted(rateEvidence(arms, metric.margin, { dispersion: 1, df: Infinity }, exact), fewest)],
    };
  }
  const ranks = { baseline, candidate };
  const components = metric.components.flatMap((component) =>
    componentEvidence(component, metric, ranks, exact, asymptotic).map((one) => doubted(one, fewest)),
  );
  const cuped = metric.components.includes("mean") ? cupedEvidence(b, c, metric, asymptotic) : null;
  const evidence: MetricEvidence = {
    ...NOTHING,
    components:
      cuped !== null && "mean" in cuped
        ? components.map((one) => (one.component === "mean" ? cuped.mean : one))
        : components,
    warnings: cuped !== null && "warning" in cuped ? [cuped.warning] : [],
    tests: () => namedTests(ranks),
    shape: (level) => shapeChange(ranks, metric, level),
    units,
  };
  return gold === null ? evidence : corrected(evidence, gold);
}

/** Of three or four units beside many: the chance that lets them speak at all is also what they must prove, not some other order that an error budget would do with. */
function doubted(evidence: Evidence, fewest: number): Evidence {
  if (fewest >= MIN_UNITS_EVER || Math.min(evidence.above(NONE), evidence.below(NONE)) <= SAYS_MUCH) return evidence;
  return { ...evidence, rollbackBar: `${fewest} units in an arm, fewer than the ${MIN_UNITS_EVER} needed` };
}

/** The evidence of a judge whose errors people have measured: their mean in place of the judge's, and where the judge favours an arm nothing else. */
function corrected(
  evidence: MetricEvidence,
  { mean, promotionBar, differential, warnings }: GoldEvidence,
): MetricEvidence {
  const told = { ...evidence, warnings: [...evidence.warnings, ...warnings] };
  if (mean === null)
    return {
      ...told,
      components: evidence.components.map((one) =>
        one.component === "mean" ? { ...one, promotionBar: one.promotionBar ?? promotionBar } : one,
      ),
    };
  const all = evidence.components.map((one) => (one.component === "mean" ? mean : one));
  if (!differential) return { ...told, components: all };
  const components = all.filter((one) => one === mean);
  return {
    ...told,
    components,
    leftOut: all.flatMap((one) => (one === mean ? [] : [one.component])),
    shape: () => null,
    untestable:
      components.length === 0
        ? "the judge favours one arm, and the metric compares ranks only, which gold labels cannot correct; add the component mean"
        : null,
  };
}

const UNEVEN_IN_TIME = "traffic was shared unevenly over time; the arms are compared at the same times";

/** A mix that differs is told, also where it has been adjusted for. */
function mixWarnings(b: UnitsState, c: UnitsState): string[] {
  const mix = mixOf(b, c);
  if (mix === null) return [];
  const { p, shareDifferences } = mixShift(mix.candidate, mix.baseline);
  if (p >= MIX_ALPHA) return [];
  const largest = shareDifferences.reduce(
    (most, share, index) => (Math.abs(share) > Math.abs(shareDifferences[most] ?? 0) ? index : most),
    0,
  );
  return [
    `the arms see different mixes (${mix.names[largest] ?? ""}: ${formatChange(shareDifferences[largest] ?? 0, "fraction", null)} in the candidate, p ${formatP(p)}); they are compared at the same mix`,
  ];
}

/** A mix this unlikely to be the same is told. */
const MIX_ALPHA = 0.001;

function componentEvidence(
  component: Component,
  metric: Metric,
  ranks: RankArms,
  body: Pick<Evidence, "promotionBar" | "rollbackBar">,
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
      return worse === "either" ? [] : [tailEvidence(ranks, worse, margin, asymptotic)];
    case "rate":
      return [];
  }
}

const FREE = { promotionBar: null, rollbackBar: null };
const NOTHING: Omit<MetricEvidence, "units"> = {
  components: [],
  leftOut: [],
  flips: () => null,
  tests: () => [],
  shape: () => null,
  warnings: [],
  untestable: null,
};
