import type { Metric } from "../model/analysis.ts";
import type { Counts, Histogram } from "../model/samples.ts";
import { studentTQuantileUpper, studentTSf } from "../stats/distributions/student-t.ts";
import { findRoot } from "../stats/find-root.ts";
import { histogramRankSummary, histogramSuperiorityInfluence } from "../stats/histogram-ranks.ts";
import { classicEdges } from "../stats/histogram.ts";
import { mergeToCommonEdges } from "../stats/histogram-layout.ts";
import { histogramMean } from "../stats/histogram-values.ts";
import { longRunVariance } from "../stats/long-run-variance.ts";
import { placementVariance } from "../stats/superiority.ts";
import { differenceOf, factorOf, type Evidence, type Level } from "./evidence.ts";
import { countsEvidence } from "./step-evidence.ts";

/**
 * Evidence from bucket counts per step.
 *
 * Values of one bucket are ties, so the buckets alone say how often the candidate is larger, not by which factor. The factor is found by moving the baseline's own
 * histogram: a level of 5 % lies where a baseline that is 5 % slower would lie, seen through the same buckets.
 */

/** Both arms on the same edges and the same steps. */
export interface HistogramArms {
  /** One more than there are buckets, from 0 to Infinity. */
  readonly edges: Float64Array;
  /** Per step the counts per bucket. */
  readonly baseline: readonly Float64Array[];
  readonly candidate: readonly Float64Array[];
  readonly at: readonly number[];
  readonly stepSeconds: number;
}

/** Above this share of all values in one bucket nobody can tell where in it they lie. */
const COARSE_SHARE = 0.5;
/** Edges with a pooled share beyond them in this range can stand for the 95th percentile. */
const TAIL_SHARES = [0.005, 0.2] as const;
const TAIL_SHARE = 0.05;

type Bars = Pick<Evidence, "promotionBar" | "rollbackBar">;

/** The steps that both arms have. */
export function toHistogramArms(baseline: Histogram, candidate: Histogram): HistogramArms {
  const buckets = baseline.upperEdges.length;
  const rowsByStep = (arm: Histogram) =>
    new Map(Array.from(arm.at, (at, step) => [at, arm.counts.subarray(step * buckets, (step + 1) * buckets)]));
  const own = rowsByStep(baseline);
  const other = rowsByStep(candidate);
  const at = [...own.keys()].filter((step) => other.has(step)).sort((a, b) => a - b);
  const rows = (steps: ReadonlyMap<number, Float64Array>) =>
    at.map((step) => steps.get(step) ?? new Float64Array(buckets));
  return {
    edges: edgesOf(baseline),
    baseline: rows(own),
    candidate: rows(other),
    at,
    stepSeconds: baseline.stepSeconds,
  };
}

/** Durations, sizes and costs begin at 0, unless there is a bucket up to 0 or below. */
export function edgesOf({ upperEdges }: Histogram): Float64Array {
  return classicEdges(upperEdges, (upperEdges[0] ?? 0) > 0 ? 0 : -Infinity);
}

/**
 * Both arms on the edges that they have in common, by merging buckets: nothing is guessed. Null when these cannot tell values apart any more.
 */
export function alignHistograms(
  baseline: Histogram,
  candidate: Histogram,
): { baseline: Histogram; candidate: Histogram } | null {
  const same =
    baseline.upperEdges.length === candidate.upperEdges.length &&
    baseline.upperEdges.every((edge, index) => edge === candidate.upperEdges[index]);
  if (same) return { baseline, candidate };
  const total = (arm: Histogram) => ({
    edges: edgesOf(arm),
    counts: totalOfSteps(stepsOf(arm), arm.upperEdges.length),
  });
  const common = mergeToCommonEdges(total(candidate), total(baseline));
  if (common === undefined) return null;
  const upperEdges = common.edges.subarray(1);
  return { baseline: regroup(baseline, upperEdges), candidate: regroup(candidate, upperEdges) };
}

/** Adds each bucket to the first one whose upper edge is not below its own. Edges that differ by rounding are one, as in mergeToCommonEdges. */
function regroup(arm: Histogram, upperEdges: Float64Array): Histogram {
  const target = Int32Array.from(arm.upperEdges, (edge) =>
    upperEdges.findIndex((wide) => wide >= edge * (edge > 0 ? 1 - 1e-9 : 1 + 1e-9)),
  );
  const counts = new Float64Array(arm.at.length * upperEdges.length);
  for (const [step, row] of stepsOf(arm).entries()) {
    for (let bucket = 0; bucket < row.length; bucket++) {
      const place = step * upperEdges.length + (target[bucket] ?? 0);
      counts[place] = (counts[place] ?? 0) + (row[bucket] ?? 0);
    }
  }
  return { ...arm, upperEdges, counts };
}

/** The rows of a histogram: per step the counts per bucket. */
export function stepsOf({ at, counts, upperEdges }: Histogram): Float64Array[] {
  const buckets = upperEdges.length;
  return Array.from(at, (_, step) => counts.subarray(step * buckets, (step + 1) * buckets));
}

/** Adds up the steps. */
export function totalOfSteps(steps: readonly Float64Array[], buckets: number): Float64Array {
  const total = new Float64Array(buckets);
  for (const step of steps)
    for (let bucket = 0; bucket < buckets; bucket++) total[bucket] = (total[bucket] ?? 0) + (step[bucket] ?? 0);
  return total;
}

/** Everything that histograms can say of a metric: body and mean on the axis of the margin, and the tail at a bucket's edge. */
export function histogramEvidence(arms: HistogramArms, metric: Metric, minSteps: number): Evidence[] {
  const { edges } = arms;
  const buckets = edges.length - 1;
  const pooled = { baseline: totalOfSteps(arms.baseline, buckets), candidate: totalOfSteps(arms.candidate, buckets) };
  const steps = arms.at.length;
  const few = steps < minSteps ? `${steps} steps are common to both arms, fewer than the ${minSteps} needed` : null;
  const bars: Bars = { promotionBar: few ?? coarseness(pooled, edges), rollbackBar: few };
  return metric.components.flatMap((component) => {
    switch (component) {
      case "body":
        return [
          movedEvidence(
            bodyStatistic(arms, pooled),
            "body",
            "superiority of bucket counts, on the axis of the moved baseline; variance between steps",
            arms,
            pooled.baseline,
            metric,
            bars,
          ),
        ];
      case "mean":
        return [
          movedEvidence(
            meanStatistic(arms, pooled),
            "mean",
            "mean of bucket middles, on the axis of the moved baseline; variance between steps",
            arms,
            pooled.baseline,
            metric,
            bars,
          ),
        ];
      case "tail":
        return metric.worse === "either" ? [] : [tailOfHistogram(arms, pooled, metric, minSteps, bars)];
      case "rate":
        return [];
    }
  });
}

/** A statistic of both arms, with its value for a candidate that is the moved baseline. */
interface Statistic {
  readonly estimate: number;
  readonly variance: number;
  readonly df: number;
  readonly ofMoved: (moved: Float64Array) => number;
}

function bodyStatistic(
  { baseline, candidate }: HistogramArms,
  pooled: { baseline: Float64Array; candidate: Float64Array },
): Statistic {
  const placed = placementVariance(histogramRankSummary(pooled.candidate, pooled.baseline));
  const influence = histogramSuperiorityInfluence(candidate, baseline);
  const spread = spreadOfSteps(
    influence.candidate.map((psi, step) => psi + (influence.baseline[step] ?? 0)),
    placed.variance,
    placed.df,
  );
  const superiorityOf = (moved: Float64Array): number => {
    const summary = histogramRankSummary(moved, pooled.baseline);
    return summary.u / (summary.n * summary.m);
  };
  return { estimate: placed.estimate, ...spread, ofMoved: superiorityOf };
}

function meanStatistic(
  { edges, baseline, candidate }: HistogramArms,
  pooled: { baseline: Float64Array; candidate: Float64Array },
): Statistic {
  const meanOf = (counts: Float64Array): number => histogramMean({ edges, counts }).estimate;
  const middles = Array.from({ length: edges.length - 1 }, (_, bucket) =>
    meanOf(Float64Array.from({ length: edges.length - 1 }, (__, other) => (other === bucket ? 1 : 0))),
  );
  const sizeOf = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);
  const [meanC, meanB] = [meanOf(pooled.candidate), meanOf(pooled.baseline)];
  const influenceOf = (step: Float64Array, mean: number, size: number): number =>
    step.reduce((sum, count, bucket) => sum + count * ((middles[bucket] ?? 0) - mean), 0) / (mean * size);
  const [sizeC, sizeB] = [sizeOf(pooled.candidate), sizeOf(pooled.baseline)];
  const perStep = Float64Array.from(
    candidate,
    (step, index) =>
      influenceOf(step, meanC, sizeC) - influenceOf(baseline[index] ?? new Float64Array(0), meanB, sizeB),
  );
  const squaredOf = (counts: Float64Array, mean: number, size: number): number =>
    counts.reduce((sum, count, bucket) => sum + count * ((middles[bucket] ?? 0) / mean - 1) ** 2, 0) / (size * size);
  const independent = squaredOf(pooled.candidate, meanC, sizeC) + squaredOf(pooled.baseline, meanB, sizeB);
  return {
    estimate: Math.log(meanC / meanB),
    ...spreadOfSteps(perStep, independent, Infinity),
    ofMoved: (moved) => Math.log(meanOf(moved) / meanB),
  };
}

/** The variance of a sum over steps, autocorrelation allowed for, never below that of independent values. */
function spreadOfSteps(
  perStep: Float64Array,
  independent: number,
  independentDf: number,
): { variance: number; df: number } {
  const steps = perStep.length;
  if (steps < 2) return { variance: Infinity, df: 1 };
  const between = longRunVariance(perStep.map((psi) => psi * steps));
  return between.variance > independent ? between : { variance: independent, df: independentDf };
}

/** Evidence on the axis of the margin: a factor or a shift of the baseline, found through the statistic that the same buckets would show. */
function movedEvidence(
  { estimate, variance, df, ofMoved }: Statistic,
  component: "body" | "mean",
  method: string,
  arms: HistogramArms,
  baseline: Float64Array,
  { margin }: Metric,
  bars: Bars,
): Evidence {
  const relative = margin.relative !== null;
  const statisticAt = (amount: number): number =>
    ofMoved(moveHistogram(arms.edges, baseline, relative ? { factor: 1 + amount } : { shift: amount }));
  const place = (level: Level): number => (relative ? factorOf(level) - 1 : differenceOf(level));
  const error = Math.sqrt(variance);
  const p = (distance: number): number => (variance > 0 && variance < Infinity ? studentTSf(distance / error, df) : 1);
  const top = arms.edges[arms.edges.length - 2] ?? 1;
  // The amount at which the moved baseline shows this statistic; null beyond what any move within the buckets can show.
  const amountOf = (statistic: number): number | null => {
    const [low, high] = relative ? [-0.99, 99] : [-top, top];
    const excess = (amount: number) => statisticAt(amount) - statistic;
    if (!(excess(low) < 0 && excess(high) > 0)) return null;
    return findRoot(excess, low, high, 1e-9);
  };
  const amount = amountOf(estimate);
  return {
    component,
    method,
    scale: relative ? "relative" : "difference",
    estimate: amount ?? (estimate > statisticAt(0) ? (relative ? 99 : top) : relative ? -0.99 : -top),
    place,
    above: (level) => p(estimate - statisticAt(place(level))),
    below: (level) => p(statisticAt(place(level)) - estimate),
    bounds(alphaLower, alphaUpper) {
      if (!(variance > 0 && variance < Infinity)) return { lower: null, upper: null };
      return {
        lower: amountOf(estimate - studentTQuantileUpper(alphaLower, df) * error),
        upper: amountOf(estimate + studentTQuantileUpper(alphaUpper, df) * error),
      };
    },
    effectiveUnits: { baseline: arms.at.length, candidate: arms.at.length },
    information: arms.at.length,
    ...bars,
  };
}

/**
 * The baseline's histogram with every value times a factor, or plus a shift, counted again in the same buckets. Within a bucket values are spread evenly on a
 * logarithmic scale, from 0 on a linear one. What lies in the bucket without end stays there.
 */
function moveHistogram(
  edges: Float64Array,
  counts: Float64Array,
  move: { factor: number } | { shift: number },
): Float64Array {
  const buckets = counts.length;
  const cumulative = new Float64Array(buckets + 1);
  for (let bucket = 0; bucket < buckets; bucket++)
    cumulative[bucket + 1] = (cumulative[bucket] ?? 0) + (counts[bucket] ?? 0);
  const upTo = (value: number): number => {
    let bucket = 0;
    while (bucket < buckets - 1 && (edges[bucket + 1] ?? 0) < value) bucket += 1;
    const [low, high] = [edges[bucket] ?? 0, edges[bucket + 1] ?? Infinity];
    return (cumulative[bucket] ?? 0) + shareUpTo(value, low, high) * (counts[bucket] ?? 0);
  };
  const before = (value: number): number => ("factor" in move ? value / move.factor : value - move.shift);
  const moved = new Float64Array(buckets);
  let below = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const edge = edges[bucket + 1] ?? Infinity;
    const here = edge === Infinity ? (cumulative[buckets] ?? 0) : upTo(before(edge));
    moved[bucket] = here - below;
    below = here;
  }
  return moved;
}

/** The share of a bucket's values up to a point in it. Where an end is open nothing is known, and nothing moves. */
function shareUpTo(value: number, low: number, high: number): number {
  if (value <= low) return 0;
  if (value >= high) return 1;
  if (high === Infinity || low === -Infinity) return 0;
  return low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** The share beyond the edge that is nearest to the pooled 95th percentile: exact at an edge, whatever lies within buckets. */
function tailOfHistogram(
  arms: HistogramArms,
  pooled: { baseline: Float64Array; candidate: Float64Array },
  metric: Metric,
  minSteps: number,
  bars: Bars,
): Evidence {
  const { edges } = arms;
  const buckets = edges.length - 1;
  const beyond = (counts: Float64Array, cut: number): number => {
    let sum = 0;
    for (let bucket = 0; bucket < buckets; bucket++)
      if (metric.worse === "higher" ? bucket >= cut : bucket < cut) sum += counts[bucket] ?? 0;
    return sum;
  };
  const all =
    beyond(pooled.baseline, metric.worse === "higher" ? 0 : buckets) +
    beyond(pooled.candidate, metric.worse === "higher" ? 0 : buckets);
  const shares = Array.from(
    { length: buckets - 1 },
    (_, index) => (beyond(pooled.baseline, index + 1) + beyond(pooled.candidate, index + 1)) / all,
  );
  let cut = 1;
  const distance = (share: number) => (share > 0 ? Math.abs(Math.log(share / TAIL_SHARE)) : Infinity);
  for (let index = 1; index < shares.length; index++)
    if (distance(shares[index] ?? 0) < distance(shares[cut - 1] ?? 0)) cut = index + 1;
  const share = shares[cut - 1] ?? 0;
  const atEdge = `${edges[cut] ?? 0}`;
  const toCounts = (steps: readonly Float64Array[]): Counts => ({
    shape: "counts",
    stepSeconds: arms.stepSeconds,
    at: Float64Array.from(arms.at),
    events: Float64Array.from(steps, (step) => beyond(step, cut)),
    exposure: Float64Array.from(steps, (step) => step.reduce((sum, count) => sum + count, 0)),
  });
  const coarse =
    share >= TAIL_SHARES[0] && share <= TAIL_SHARES[1]
      ? null
      : `no bucket edge lies near the pooled 95th percentile; the nearest, ${atEdge}, has ${(100 * share).toPrecision(2)}% beyond it`;
  const rate = countsEvidence(
    toCounts(arms.baseline),
    toCounts(arms.candidate),
    { relative: metric.tailMargin, absolute: null },
    minSteps,
    {
      promotionBar: coarse ?? (bars.promotionBar === bars.rollbackBar ? bars.promotionBar : null),
      rollbackBar: bars.rollbackBar,
    },
  );
  // countsEvidence speaks of shares; the tail is shown as the ratio of them.
  const base = beyond(pooled.baseline, cut) / beyond(pooled.baseline, metric.worse === "higher" ? 0 : buckets);
  const toRatio = (difference: number | null): number | null =>
    difference === null || base === 0 ? null : difference / base;
  return {
    ...rate,
    component: "tail",
    method: `share beyond the bucket edge ${atEdge}, ${rate.method}`,
    scale: "relative",
    estimate: toRatio(rate.estimate) ?? (rate.estimate > 0 ? 1 : 0),
    place: (level) => factorOf(level) - 1,
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = rate.bounds(alphaLower, alphaUpper);
      return { lower: toRatio(lower), upper: toRatio(upper) };
    },
  };
}

function coarseness(pooled: { baseline: Float64Array; candidate: Float64Array }, edges: Float64Array): string | null {
  const sizes = pooled.baseline.map((count, bucket) => count + (pooled.candidate[bucket] ?? 0));
  const all = sizes.reduce((sum, count) => sum + count, 0);
  const fullest = sizes.indexOf(Math.max(...sizes));
  const share = (sizes[fullest] ?? 0) / all;
  if (share <= COARSE_SHARE) return null;
  return `the buckets are too coarse: ${(100 * share).toFixed(0)}% of all values lie in one, from ${edges[fullest] ?? 0} to ${edges[fullest + 1] ?? Infinity}`;
}
