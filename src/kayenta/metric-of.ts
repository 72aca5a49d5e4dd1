import { edgesOf, stepsOf } from "../judge/histogram-evidence.ts";
import { enteringUnits } from "../judge/units.ts";
import type { Analysis, Metric } from "../model/analysis.ts";
import type { Samples } from "../model/samples.ts";
import { histogramMean } from "../stats/histogram-values.ts";
import type { KayentaConfiguration, KayentaConfigurationInput, KayentaMetric } from "./metric.ts";

export interface KayentaArms {
  /** Null when the source gave no answer: to Kayenta that is a side without data. */
  readonly baseline: Samples | null;
  readonly candidate: Samples | null;
}

export interface KayentaMetricOptions {
  /** Length of the steps of which each becomes one point. Default 60 s, as Kayenta's users have it. */
  readonly stepSeconds?: number;
  /** Steps of the window: sides with fewer points have NaN for the rest, as Kayenta's mixer pads them. Default: as many as there are. */
  readonly expectedSteps?: number;
  /** What an analysis has no word for, or should be otherwise here. */
  readonly configuration?: KayentaConfigurationInput;
}

const DIRECTIONS: Readonly<Record<Metric["worse"], KayentaConfiguration["direction"]>> = {
  higher: "increase",
  lower: "decrease",
  either: "either",
};

/**
 * A metric of ours as Kayenta would see it through a metric store: one point per step.
 *
 * Rows with times become their mean per step, counts events / exposure, histograms the mean of their bucket middles. Where
 * one side has a step that the other lacks, the other has NaN. Rows without times have no steps: every unit is a point.
 * A critical metric is critical to Kayenta, an advisory one is muted. Margins have no counterpart: Kayenta's judge has no
 * least effect unless told (`configuration.effectSize`), and neither are limits judged.
 *
 * @throws RangeError when stepSeconds is not positive.
 */
export function kayentaMetricOf(
  metric: Metric,
  { baseline, candidate }: KayentaArms,
  { stepSeconds = 60, expectedSteps = 0, configuration = {} }: KayentaMetricOptions = {},
): KayentaMetric {
  if (!(stepSeconds > 0)) throw new RangeError(`stepSeconds is ${stepSeconds}, not a positive number`);
  const control = toPoints(baseline, metric, stepSeconds);
  const experiment = toPoints(candidate, metric, stepSeconds);
  const steps = stepsOfBoth(control, experiment);
  const { name = metric.name, groups, ...settings } = metric.kayenta ?? {};
  return {
    name,
    experiment: align(experiment, steps, expectedSteps),
    control: align(control, steps, expectedSteps),
    groups: groups ?? [metric.name],
    analysisConfiguration: {
      direction: DIRECTIONS[metric.worse],
      critical: metric.tier === "critical",
      muted: metric.tier === "advisory",
      ...settings,
      ...configuration,
    },
  };
}

/**
 * One side step by step from `start` on, NaN where a step has no value; rows without times as they came.
 *
 * @param start  seconds since the epoch.
 */
export function kayentaPointsOf(
  metric: Metric,
  samples: Samples | null,
  { start, steps, stepSeconds }: { readonly start: number; readonly steps: number; readonly stepSeconds: number },
): Float64Array {
  const points = toPoints(samples, metric, stepSeconds, start);
  if (points.kind === "rows" && points.values.length > 0) return points.values;
  return Float64Array.from({ length: steps }, (_, step) =>
    points.kind === "rows" ? NaN : (points.values.get(step) ?? NaN),
  );
}

/** The weights that the analysis gives to its groups; where it names neither groups nor weights, those of its metrics. */
export function kayentaGroupWeightsOf({
  metrics,
  kayenta,
}: Pick<Analysis, "metrics" | "kayenta">): Record<string, number> {
  const isGrouped =
    kayenta.groupWeights !== undefined || metrics.some((metric) => metric.kayenta?.groups !== undefined);
  return isGrouped ? { ...kayenta.groupWeights } : kayentaWeightsOf(metrics);
}

/** Percent per group, each metric being a group of its own: its weight among those that are not advisory. */
export function kayentaWeightsOf(metrics: readonly Pick<Metric, "name" | "tier" | "weight">[]): Record<string, number> {
  const deciding = metrics.filter(({ tier }) => tier !== "advisory");
  const total = deciding.reduce((sum, { weight }) => sum + weight, 0);
  return Object.fromEntries(deciding.map(({ name, weight }) => [name, (100 * weight) / total]));
}

/** Points by step, counted from the origin; or without times, as they came. */
type Points =
  | { readonly kind: "steps"; readonly values: ReadonlyMap<number, number> }
  | { readonly kind: "rows"; readonly values: Float64Array };

const NO_POINTS: Points = { kind: "rows", values: new Float64Array(0) };

/** @param origin  where steps begin, seconds since the epoch. */
function toPoints(samples: Samples | null, metric: Metric, stepSeconds: number, origin = 0): Points {
  if (samples === null) return NO_POINTS;
  switch (samples.shape) {
    case "samples": {
      const { at, values } = samples;
      if (at === null) return { kind: "rows", values: enteringUnits(samples, metric.perUnit, null).values };
      return perStep(values.length, stepAround(at, stepSeconds, origin), meanOf(values));
    }
    case "series":
      return perStep(samples.values.length, stepBefore(samples.at, stepSeconds, origin), meanOf(samples.values));
    case "counts": {
      const { events, exposure, at, timed } = samples;
      const rate = (entries: readonly number[]) => sumOf(events, entries) / sumOf(exposure, entries);
      if (samples.stepSeconds > 0) return perStep(events.length, stepBefore(at, stepSeconds, origin), rate);
      if (timed === true) return perStep(events.length, stepAround(at, stepSeconds, origin), rate);
      return { kind: "rows", values: events.map((count, row) => count / (exposure[row] ?? 0)) };
    }
    case "histogram": {
      const rows = stepsOf(samples);
      const edges = edgesOf(samples);
      return perStep(rows.length, stepBefore(samples.at, stepSeconds, origin), (entries) => {
        const counts = new Float64Array(edges.length - 1).map((_, bucket) =>
          entries.reduce((sum, entry) => sum + (rows[entry]?.[bucket] ?? 0), 0),
        );
        return counts.some((count) => count > 0) ? histogramMean({ edges, counts }).estimate : NaN;
      });
    }
  }
}

/** A row at 60 lies in the step [60, 120). */
function stepAround(at: Float64Array, stepSeconds: number, origin: number): (row: number) => number {
  return (row) => Math.floor(((at[row] ?? 0) - origin) / stepSeconds);
}

/** What a source says of a step stands at its end: at 60 it covers (0, 60]. */
function stepBefore(at: Float64Array, stepSeconds: number, origin: number): (entry: number) => number {
  // Seconds since the epoch are known to a quarter of a microsecond.
  return (entry) => Math.ceil(((at[entry] ?? 0) - origin) / stepSeconds - 1e-6) - 1;
}

function perStep(
  length: number,
  stepOf: (entry: number) => number,
  valueOf: (entries: readonly number[]) => number,
): Points {
  const entries = new Map<number, number[]>();
  for (let entry = 0; entry < length; entry++) {
    const step = stepOf(entry);
    const own = entries.get(step);
    if (own === undefined) entries.set(step, [entry]);
    else own.push(entry);
  }
  return { kind: "steps", values: new Map([...entries].map(([step, own]) => [step, valueOf(own)])) };
}

function meanOf(values: Float64Array): (entries: readonly number[]) => number {
  return (entries) => sumOf(values, entries) / entries.length;
}

function sumOf(values: Float64Array, entries: readonly number[]): number {
  return entries.reduce((sum, entry) => sum + (values[entry] ?? 0), 0);
}

function stepsOfBoth(...sides: readonly Points[]): number[] {
  const steps = new Set(sides.flatMap((points) => (points.kind === "steps" ? [...points.values.keys()] : [])));
  return [...steps].sort((a, b) => a - b);
}

function align(points: Points, steps: readonly number[], expectedSteps: number): Float64Array {
  if (points.kind === "rows") return points.values;
  const aligned = new Float64Array(Math.max(steps.length, expectedSteps)).fill(NaN);
  for (const [index, step] of steps.entries()) aligned[index] = points.values.get(step) ?? NaN;
  return aligned;
}
