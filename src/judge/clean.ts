import type { Metric } from "../model/analysis.ts";
import type { ReasonCode } from "../model/finding.ts";
import type { ArmState, HistogramState, MetricState, SeriesState, UnitsState } from "../model/look-state.ts";
import { isTimeless, sampleSize, type Samples } from "../model/samples.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { accumulate, coarsened, isContinuation, retallied, type Accumulation, type Newcomers } from "./accumulate.ts";
import { onOneGrid } from "./exponential-grid.ts";
import { formatCount, formatPercent } from "./format.ts";
import { alignHistograms } from "./histogram-evidence.ts";
import type { ArmAnswer, Gathered } from "./gathered.ts";
import { revise } from "./late-data.ts";
import { pairUnits } from "./pair-units.ts";

/** Both arms of one shape, or the fault that keeps the metric from being judged. */
export type Cleaned =
  | {
      readonly kind: "clean";
      /** What is judged. */
      readonly baseline: ArmState;
      readonly candidate: ArmState;
      /** What is kept for the next look. */
      readonly kept: { readonly baseline: ArmState; readonly candidate: ArmState };
      /** Why the newest steps may be incomplete; null where those before them stand as they were taken in. */
      readonly late: string | null;
      /** What is new in both arms since the look before; null where nothing is. */
      readonly newcomers: { readonly baseline: Newcomers | null; readonly candidate: Newcomers | null } | null;
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
export function clean(
  { metric, baseline, candidate }: Gathered,
  before: Pick<MetricState, "baseline" | "candidate"> | null,
  accumulation: Accumulation,
): Cleaned {
  const arms = {
    baseline: cleanArm("baseline", baseline, metric, before?.baseline ?? null, accumulation),
    candidate: cleanArm("candidate", candidate, metric, before?.candidate ?? null, accumulation),
  };
  const warnings = [...arms.baseline.warnings, ...arms.candidate.warnings];
  // The candidate's fault is named first: it is the one that people look for.
  for (const arm of [arms.candidate, arms.baseline]) if (arm.kind === "faulty") return { ...arm, warnings };
  if (arms.baseline.kind === "faulty" || arms.candidate.kind === "faulty")
    throw new RangeError("a faulty arm was passed on");
  const kept = { baseline: arms.baseline.arm, candidate: arms.candidate.arm };
  const late = arms.candidate.late ?? arms.baseline.late;
  const unchanged = baseline.kind === "unchanged" && candidate.kind === "unchanged";
  const newcomers = unchanged ? null : { baseline: arms.baseline.newcomers, candidate: arms.candidate.newcomers };
  const [b, c] = atOneStep(kept.baseline, kept.candidate);
  const fault = changedInstrument(metric, b, c) ?? mismatch(metric, b, c);
  if (fault !== null) return { kind: "faulty", finding: "invalid", ...fault, warnings };
  if (metric.design === "paired") {
    const cut = cutToPairs(metric, b, c);
    if ("code" in cut) return { kind: "faulty", finding: "invalid", ...cut, warnings };
    return { kind: "clean", ...cut, kept, late, newcomers, warnings: [...warnings, ...cut.warnings] };
  }
  if (b.shape !== "histogram" || c.shape !== "histogram") {
    return { kind: "clean", baseline: b, candidate: c, kept, late, newcomers, warnings };
  }
  const aligned = alignHistograms(b, c);
  if (aligned === null) {
    const text = `${metric.name}: the histograms have no buckets in common that could tell values apart (baseline ${edgesText(b)}; candidate ${edgesText(c)})`;
    return { kind: "faulty", finding: "invalid", code: "bucket_mismatch", text, warnings };
  }
  if (aligned.candidate !== c || aligned.baseline !== b) {
    warnings.push(
      `the arms have different buckets; they are compared on the ${aligned.baseline.upperEdges.length} that both have`,
    );
  }
  return {
    kind: "clean",
    baseline: { ...b, ...aligned.baseline },
    candidate: { ...c, ...aligned.candidate },
    kept,
    late,
    newcomers,
    warnings,
  };
}

/** Of the smaller arm more items than this without a partner make the rest an arbitrary choice. */
const MOST_UNPAIRED = 0.2;

/** Both arms with the items that both hold, in one order; or why that cannot be. */
function cutToPairs(
  metric: Metric,
  baseline: ArmState,
  candidate: ArmState,
): { baseline: UnitsState; candidate: UnitsState; warnings: string[] } | { code: ReasonCode; text: string } {
  if (baseline.shape !== "units" || candidate.shape !== "units")
    return {
      code: "invalid",
      text: `${metric.name}: the arms came as ${baseline.shape}, but design: paired needs samples with unit ids`,
    };
  const paired = pairUnits(baseline, candidate);
  if (paired === null)
    return { code: "invalid", text: `${metric.name}: the rows name no units, but design: paired finds pairs by them` };
  const { pairs, onlyBaseline, onlyCandidate } = paired;
  const [b, c] = [baseline.values.length, candidate.values.length];
  const text = `${formatCount(onlyBaseline, metric.unit)} of ${b} in the baseline and ${onlyCandidate} of ${c} in the candidate are not in the other arm`;
  const unpaired = b < c || (b === c && onlyBaseline > onlyCandidate) ? onlyBaseline / b : onlyCandidate / c;
  if (unpaired > MOST_UNPAIRED)
    return { code: "unpaired", text: `${metric.name}: ${text}; pairs are found by unit id` };
  const arm = (state: UnitsState, values: Float64Array): UnitsState => ({
    ...state,
    values: sortSample(values, "values"),
    named: { names: pairs.names, values },
    // What an item is like is the same in both arms.
    strata: null,
  });
  return {
    baseline: arm(baseline, pairs.baseline),
    candidate: arm(candidate, pairs.candidate),
    warnings: onlyBaseline + onlyCandidate === 0 ? [] : [`${text}; they are left out`],
  };
}

/** Values of one instrument cannot be compared with those of another, in which arm and at which look ever it came in. */
function changedInstrument(
  metric: Metric,
  baseline: ArmState,
  candidate: ArmState,
): { code: ReasonCode; text: string } | null {
  if (baseline.shape !== "units" || candidate.shape !== "units") return null;
  const names = [baseline, candidate].flatMap(({ instruments }) => instruments?.map(({ name }) => name) ?? []);
  if (new Set(names).size < 2) return null;
  const by = ({ instruments }: UnitsState) =>
    instruments
      ?.map(({ name, rows }) => `${name === "" ? "one without a name" : name} (${formatCount(rows, "row")})`)
      .join(", ") ?? "";
  return {
    code: "instrument_changed",
    text: `${metric.name}: the baseline was measured by ${by(baseline)}, the candidate by ${by(candidate)}; values of different instruments cannot be compared`,
  };
}

/** Of a long run one arm may hold longer steps than the other. */
function atOneStep(baseline: ArmState, candidate: ArmState): [ArmState, ArmState] {
  if (baseline.shape === "units" || candidate.shape === "units") return [baseline, candidate];
  const longest = Math.max(baseline.stepSeconds, candidate.stepSeconds);
  const bring = <T extends Exclude<ArmState, UnitsState>>(arm: T): T =>
    arm.stepSeconds === longest || arm.stepSeconds === 0 ? arm : coarsened(arm, longest);
  return [bring(baseline), bring(candidate)];
}

type CleanedArm =
  | {
      readonly kind: "clean";
      readonly arm: ArmState;
      readonly late: string | null;
      readonly newcomers: Newcomers | null;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: "faulty";
      readonly finding: "no_data" | "invalid" | "source_error";
      readonly code: ReasonCode;
      readonly text: string;
      readonly warnings: readonly string[];
    };

function cleanArm(
  name: "baseline" | "candidate",
  arm: ArmAnswer,
  metric: Metric,
  before: ArmState | null,
  accumulation: Accumulation,
): CleanedArm {
  if (arm.kind === "error") {
    return {
      kind: "faulty",
      finding: "source_error",
      code: "source_error",
      text: `${metric.name}: the source ${metric.source} gave no answer for the ${name}: ${arm.detail} (${arm.code})`,
      warnings: [],
    };
  }
  if (arm.kind === "unchanged") {
    if (before === null) throw new RangeError("an arm that was never asked cannot be unchanged");
    return { kind: "clean", arm: before, late: null, newcomers: null, warnings: [] };
  }
  const grid = bringToOneGrid(before, arm);
  const taken = grid?.before ?? before;
  const answer = grid === null ? arm.answer : { ...arm.answer, samples: grid.added };
  const { samples, faults, warnings: sourceWarnings } = answer;
  const warnings = sourceWarnings.map((text) => `${name}: ${text}`);
  for (const { kind, count, example } of faults) {
    if (kind === "counter_reset")
      warnings.push(
        `${name}: ${count} steps are left out of both arms because a counter was reset in them (first ${example})`,
      );
  }
  const invalid = (text: string, code: ReasonCode = "invalid"): CleanedArm => ({
    kind: "faulty",
    finding: "invalid",
    code,
    text: `${metric.name}: ${text}`,
    warnings,
  });
  const { slice } = accumulation;
  if (slice !== null && slice.followUp > 0 && isTimeless(samples))
    return invalid(`the ${name} has no times, and plan.followUp needs the time of every row`);
  const impossible = impossibleValues(samples, metric) ?? impossibleLabels(samples, metric);
  if (impossible !== null)
    return invalid(`${impossible.count} of ${sampleSize(samples)} rows of the ${name} ${impossible.what}`);
  if (taken !== null && !isContinuation(taken, samples)) {
    return samples.shape === "histogram" && taken.shape === "histogram"
      ? invalid(`the buckets of the ${name} changed between two looks`, "bucket_mismatch")
      : invalid(`the ${name} came as ${taken.shape} at the looks before and as ${samples.shape} now`);
  }
  const revision = taken === null || arm.revised === undefined ? null : revise(taken, arm.revised);
  if (revision !== null) warnings.push(`${name}: ${revision.text}`);
  const known = revision === null ? taken : retallied(revision.arm, metric, accumulation.cells);
  const { arm: all, newcomers } = accumulate(known, answer, metric, accumulation);
  const total = all.rows + all.invalid;
  if (all.invalid > metric.maxInvalidFraction * total)
    return invalid(`${all.invalid} of ${total} rows of the ${name} are not usable values (${describe(all.faults)})`);
  if (all.invalid > 0)
    warnings.push(
      `${name}: ${all.invalid} of ${total} rows (${formatPercent(all.invalid / total)}) are left out: ${describe(all.faults)}`,
    );
  const empty = all.shape === "units" ? all.values.length === 0 : all.at.length === 0;
  if (empty || isIdle(all)) {
    const what = empty ? "has no data" : "had no traffic";
    return {
      kind: "faulty",
      finding: "no_data",
      code: "no_data",
      text: `${metric.name}: the ${name} ${what}`,
      warnings,
    };
  }
  const late = revision?.isMaterial === true ? `the ${name} was still arriving: ${revision.text}` : null;
  return { kind: "clean", arm: all, late, newcomers, warnings };
}

/** Native histograms list other buckets at every look. */
function bringToOneGrid(
  before: ArmState | null,
  { answer: { samples }, revised }: Extract<ArmAnswer, { kind: "answer" }>,
): ReturnType<typeof onOneGrid> {
  if (before?.shape !== "histogram" || samples.shape !== "histogram") return null;
  return samples.at.length > 0 || revised !== undefined ? onOneGrid(before, samples) : null;
}

/** Counters that stood still. */
function isIdle(arm: ArmState): boolean {
  if (arm.shape === "counts") return arm.exposure.every((exposure) => exposure === 0);
  return arm.shape === "histogram" && arm.counts.every((count) => count === 0);
}

/** Squares and sums of values up to here are finite numbers; the universe has 1e80 atoms. */
const LARGEST = 1e90;

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
  const tooLarge = samples.values.filter((value) => Math.abs(value) > LARGEST);
  if (tooLarge.length > 0)
    return { count: tooLarge.length, what: `are larger than anything that is measured, first ${tooLarge[0] ?? 0}` };
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

/** A person's score lies on the scale of the judge's. */
function impossibleLabels(samples: Samples, { scale }: Metric): { count: number; what: string } | null {
  if (samples.shape !== "samples" || samples.gold === undefined || scale === null) return null;
  const [low, high] = scale;
  const outside = samples.gold.filter((label) => label < low || label > high);
  const [first] = outside;
  if (first === undefined) return null;
  return { count: outside.length, what: `have a gold label outside the scale ${low} to ${high}, first ${first}` };
}

function describe(faults: ArmState["faults"]): string {
  return faults.map(({ kind, count, example }) => `${count} ${kind.replaceAll("_", " ")}, first ${example}`).join("; ");
}

function mismatch(metric: Metric, baseline: ArmState, candidate: ArmState): { code: ReasonCode; text: string } | null {
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
    if (a.middle > 0 && b.middle > 0 && factor > SCALE_FACTOR && (a.high < b.low || b.high < a.low)) {
      return {
        code: "scale_mismatch",
        text: `${metric.name}: the candidate's median is ${factor.toPrecision(3)} times away from the baseline's (${b.middle.toPrecision(3)} against ${a.middle.toPrecision(3)}) and the ranges do not touch; is one of them in another measurement unit?`,
      };
    }
  }
  return null;
}

function edgesText({ upperEdges }: HistogramState): string {
  const shown = Array.from(upperEdges.slice(0, 5), String).join(", ");
  return upperEdges.length > 5 ? `${shown}, … ${upperEdges.length} in all` : shown;
}

function rangeOf(samples: UnitsState | SeriesState): { low: number; middle: number; high: number } {
  // Zeros are zeros in every measurement unit; of negative values the size counts.
  const sizes = samples.values.filter((value) => value !== 0).map(Math.abs);
  const sorted = sizes.length === 0 ? sizes : sortSample(sizes, "values");
  const at = (index: number): number => sorted[index] ?? 0;
  return { low: at(0), middle: at(Math.floor((sorted.length - 1) / 2)), high: at(sorted.length - 1) };
}
