import type { Metric } from "../model/analysis.ts";
import type { ReasonCode } from "../model/finding.ts";
import {
  sampleSize,
  type Counts,
  type Histogram,
  type Samples,
  type Series,
  type ValueFault,
} from "../model/samples.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { formatPercent } from "./format.ts";
import { alignHistograms } from "./histogram-evidence.ts";
import type { ArmAnswer, Gathered } from "./gathered.ts";
import { toUnitValues } from "./units.ts";

/** One value per unit, in ascending order: sorted once for everything that follows. */
export interface UnitValues {
  readonly shape: "units";
  readonly values: Float64Array;
}

export type CleanSamples = UnitValues | Series | Counts | Histogram;

/** An arm that can be judged, and how much of it there is. */
export interface CleanArm {
  readonly samples: CleanSamples;
  readonly rows: number;
  readonly invalid: number;
}

/** Both arms of one shape, or the fault that keeps the metric from being judged. */
export type Cleaned =
  | {
      readonly kind: "clean";
      readonly baseline: CleanArm;
      readonly candidate: CleanArm;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: "faulty";
      readonly finding: "no_data" | "invalid" | "source_error";
      readonly code: ReasonCode;
      readonly text: string;
      readonly warnings: readonly string[];
    };

/** Arms whose medians differ by this factor and whose ranges do not touch were measured in different measurement units. */
const SCALE_FACTOR = 50;

/** From what the sources gave to what the statistics may see. Whatever is doubtful makes the metric faulty: neither safe nor worse. */
export function clean({ metric, baseline, candidate }: Gathered): Cleaned {
  const arms = {
    baseline: cleanArm("baseline", baseline, metric),
    candidate: cleanArm("candidate", candidate, metric),
  };
  const warnings = [...arms.baseline.warnings, ...arms.candidate.warnings];
  // The candidate's fault is named first: it is the one that people look for.
  for (const arm of [arms.candidate, arms.baseline]) if (arm.kind === "faulty") return { ...arm, warnings };
  if (arms.baseline.kind === "faulty" || arms.candidate.kind === "faulty")
    throw new RangeError("a faulty arm was passed on");
  const [b, c] = [arms.baseline.arm, arms.candidate.arm];
  const fault = mismatch(metric, b.samples, c.samples);
  if (fault !== null) return { kind: "faulty", finding: "invalid", ...fault, warnings };
  if (b.samples.shape !== "histogram" || c.samples.shape !== "histogram") {
    return { kind: "clean", baseline: b, candidate: c, warnings };
  }
  const aligned = alignHistograms(b.samples, c.samples);
  if (aligned === null) {
    const text = `${metric.name}: the histograms have no buckets in common that could tell values apart (baseline ${edgesText(b.samples)}; candidate ${edgesText(c.samples)})`;
    return { kind: "faulty", finding: "invalid", code: "bucket_mismatch", text, warnings };
  }
  if (aligned.candidate !== c.samples || aligned.baseline !== b.samples) {
    warnings.push(
      `the arms have different buckets; they are compared on the ${aligned.baseline.upperEdges.length} that both have`,
    );
  }
  return {
    kind: "clean",
    baseline: { ...b, samples: aligned.baseline },
    candidate: { ...c, samples: aligned.candidate },
    warnings,
  };
}

type CleanedArm =
  | { readonly kind: "clean"; readonly arm: CleanArm; readonly warnings: readonly string[] }
  | {
      readonly kind: "faulty";
      readonly finding: "no_data" | "invalid" | "source_error";
      readonly code: ReasonCode;
      readonly text: string;
      readonly warnings: readonly string[];
    };

function cleanArm(name: "baseline" | "candidate", arm: ArmAnswer, metric: Metric): CleanedArm {
  if (arm.kind === "error") {
    return {
      kind: "faulty",
      finding: "source_error",
      code: "source_error",
      text: `${metric.name}: the source ${metric.source} gave no answer for the ${name}: ${arm.detail} (${arm.code})`,
      warnings: [],
    };
  }
  const { samples, faults, warnings: sourceWarnings } = arm.answer;
  const warnings = sourceWarnings.map((text) => `${name}: ${text}`);
  for (const { kind, count, example } of faults) {
    if (kind === "counter_reset")
      warnings.push(`${name}: ${count} steps are left out because a counter was reset in them (first ${example})`);
  }
  const rows = sampleSize(samples);
  const impossible = impossibleValues(samples, metric);
  if (impossible !== null) {
    return {
      kind: "faulty",
      finding: "invalid",
      code: "invalid",
      text: `${metric.name}: ${impossible.count} of ${rows} rows of the ${name} ${impossible.what}`,
      warnings,
    };
  }
  const unusable = faults.filter(({ kind }) => kind !== "counter_reset");
  const invalid = unusable.reduce((sum, { count }) => sum + count, 0);
  const total = rows + invalid;
  if (invalid > metric.maxInvalidFraction * total) {
    return {
      kind: "faulty",
      finding: "invalid",
      code: "invalid",
      text: `${metric.name}: ${invalid} of ${total} rows of the ${name} are not usable values (${describe(unusable)})`,
      warnings,
    };
  }
  if (invalid > 0)
    warnings.push(
      `${name}: ${invalid} of ${total} rows (${formatPercent(invalid / total)}) are left out: ${describe(unusable)}`,
    );
  if (rows === 0 || isIdle(samples)) {
    const what = rows === 0 ? "has no data" : "had no traffic";
    return {
      kind: "faulty",
      finding: "no_data",
      code: "no_data",
      text: `${metric.name}: the ${name} ${what}`,
      warnings,
    };
  }
  return {
    kind: "clean",
    arm: {
      samples:
        samples.shape === "samples"
          ? { shape: "units", values: sortSample(toUnitValues(samples, metric.perUnit), name) }
          : samples,
      rows,
      invalid,
    },
    warnings,
  };
}

/** Counters that stood still. */
function isIdle(samples: Samples): boolean {
  if (samples.shape === "counts") return samples.exposure.every((exposure) => exposure === 0);
  return samples.shape === "histogram" && samples.counts.every((count) => count === 0);
}

/** Values that this kind of metric cannot have. One of them means that the query measures something else, so no fraction of them is tolerated. */
function impossibleValues(samples: Samples, { kind, scale }: Metric): { count: number; what: string } | null {
  if (samples.shape !== "samples" && samples.shape !== "series") return null;
  const oneOrZero = kind === "errors" && samples.shape === "samples";
  const [low, high] =
    kind === "score" && scale !== null
      ? scale
      : kind === "gauge"
        ? [-Infinity, Infinity]
        : kind === "errors"
          ? [0, 1]
          : [0, Infinity];
  let count = 0;
  let first: number | null = null;
  for (const value of samples.values) {
    if (value >= low && value <= high && !(oneOrZero && value !== 0 && value !== 1)) continue;
    count += 1;
    first ??= value;
  }
  if (first === null) return null;
  const what = oneOrZero
    ? "are neither 0 nor 1"
    : kind === "score"
      ? `lie outside the scale ${low} to ${high}`
      : kind === "errors"
        ? "are no fraction between 0 and 1"
        : "are negative";
  return { count, what: `${what}, first ${first}` };
}

function describe(faults: readonly ValueFault[]): string {
  return faults.map(({ kind, count, example }) => `${count} ${kind.replaceAll("_", " ")}, first ${example}`).join("; ");
}

function mismatch(
  metric: Metric,
  baseline: CleanSamples,
  candidate: CleanSamples,
): { code: ReasonCode; text: string } | null {
  if (baseline.shape !== candidate.shape) {
    return {
      code: "invalid",
      text: `${metric.name}: the baseline came as ${baseline.shape}, the candidate as ${candidate.shape}`,
    };
  }
  if (
    (baseline.shape === "units" || baseline.shape === "series") &&
    (candidate.shape === "units" || candidate.shape === "series") &&
    metric.kind !== "errors"
  ) {
    const [a, b] = [rangeOf(baseline), rangeOf(candidate)];
    const factor = Math.max(b.middle / a.middle, a.middle / b.middle);
    if (a.low > 0 && b.low > 0 && factor > SCALE_FACTOR && (a.high < b.low || b.high < a.low)) {
      return {
        code: "scale_mismatch",
        text: `${metric.name}: the candidate's median is ${factor.toPrecision(3)} times away from the baseline's (${b.middle.toPrecision(3)} against ${a.middle.toPrecision(3)}) and the ranges do not touch; is one of them in another measurement unit?`,
      };
    }
  }
  return null;
}

function edgesText({ upperEdges }: Histogram): string {
  const shown = Array.from(upperEdges.slice(0, 5), String).join(", ");
  return upperEdges.length > 5 ? `${shown}, … ${upperEdges.length} in all` : shown;
}

function rangeOf(samples: UnitValues | Series): { low: number; middle: number; high: number } {
  const sorted = samples.shape === "units" ? samples.values : sortSample(samples.values, "values");
  const at = (index: number): number => sorted[index] ?? 0;
  return { low: at(0), middle: at(Math.floor((sorted.length - 1) / 2)), high: at(sorted.length - 1) };
}
