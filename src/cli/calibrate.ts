import { TouchstoneError } from "../errors.ts";
import type { Analysis, Metric } from "../model/analysis.ts";
import type { Finding, Reason, ReasonCode } from "../model/finding.ts";
import { readAnalysis } from "../model/read-analysis.ts";
import type { Samples } from "../model/samples.ts";
import { proportionInterval, type Interval } from "../stats/proportion-interval.ts";
import { medianOf, type ReplayDependencies } from "./backtest.ts";
import { toCalibrationText } from "./calibration-text.ts";
import { readText } from "./judge-files.ts";
import { replayRecording, type Recording, type Replayed } from "./replay-recording.ts";
import { ARMS, drawSplit, saltOf, splittable, type Splittable } from "./split-baseline.ts";
import { averageOf, worseningOf, type Worsening } from "./worsen.ts";

export interface CalibrateRequest {
  readonly analysis: string;
  readonly samples: string;
  readonly by: string | null;
  readonly baseline: string;
  readonly splits: number;
  readonly seed: number;
  readonly output: "table" | "json";
}

/** How often something happened in the splits, with its 95 % interval (Clopper–Pearson). */
export interface Rate extends Interval {
  readonly count: number;
  readonly of: number;
}

export interface MetricCalibration {
  readonly metric: string;
  readonly tier: Metric["tier"];
  readonly measurementUnit: string | null;
  /** What took the baseline apart: the hash of units, or two windows of time. Null where nothing was recorded. */
  readonly splitBy: "units" | "windows" | null;
  /** Splits that this metric rolled back (under critical-only: would have paused as worse). */
  readonly falseAlarms: Rate;
  /** Splits at whose last look it was safe. */
  readonly safe: Rate;
  /** Median over the splits. */
  readonly units: { readonly baseline: number; readonly candidate: number } | null;
  readonly detection: Detection | null;
}

/** The smallest change that was detected in at least 80 % of the splits. */
export interface Detection {
  readonly scale: Worsening["scale"];
  readonly margin: number;
  /** With its sign; null when not even `tried` was detected so often. */
  readonly change: number | null;
  readonly tried: number;
  readonly detected: number;
  readonly of: number;
}

export interface Calibration {
  readonly analysis: string;
  readonly seed: number;
  readonly splits: number;
  readonly recordings: number;
  readonly windowSeconds: { readonly least: number; readonly most: number };
  readonly budgets: Analysis["budgets"];
  readonly falseAlarms: Rate;
  readonly promoted: Rate;
  readonly paused: Rate;
  readonly medianLook: number;
  readonly medianMinutes: number;
  /** What kept splits from a verdict, the most frequent first. */
  readonly pausedBy: readonly { readonly code: ReasonCode; readonly metric: string | null; readonly count: number }[];
  readonly metrics: readonly MetricCalibration[];
  readonly notes: readonly string[];
}

/** The search for a change takes fewer splits: it asks many times. */
const DETECTION_SPLITS = 40;
const DETECTED_SHARE = 0.8;
/** Halvings of the interval that holds the smallest change. */
const HALVINGS = 5;

/** Reasons that blame a metric. */
const HARM: ReadonlySet<ReasonCode> = new Set([
  "critical_metric_catastrophic",
  "critical_limit_breached",
  "critical_metric_worse",
  "required_metric_worse",
  "required_limit_breached",
  "worse_under_critical_only",
]);

/**
 * Compares the baseline with itself: how often does the analysis roll back although nothing changed, and how large must a change be to be found?
 *
 * @throws TouchstoneError for a faulty analysis, a line of the file that is no record, or a recording that is too short.
 */
export async function calibrate(dependencies: ReplayDependencies, request: CalibrateRequest): Promise<void> {
  const { analysis } = readAnalysis(await readText(request.analysis), request.analysis);
  const paired = analysis.metrics.find(({ design }) => design === "paired");
  if (paired !== undefined)
    throw new TouchstoneError(
      "invalid_request",
      `${paired.name} is paired: each item has to be in both arms, and a baseline that is split in two has it in one`,
    );
  const sources = await readBaseline(dependencies, analysis, request);
  const replay: Replay = (split, worsening) =>
    replaySplit(dependencies, analysis, sources, request.seed, split, worsening);

  dependencies.stderr(`replaying ${request.splits} splits\n`);
  const replays: Outcome[] = [];
  for (let split = 0; split < request.splits; split++) replays.push(toOutcome(await replay(split)));

  const metrics: MetricCalibration[] = [];
  for (const metric of analysis.metrics) {
    const splitBy = splitOf(metric, sources);
    let detection: Detection | null = null;
    if (splitBy !== null && mayBeBlamed(metric)) {
      dependencies.stderr(`looking for the smallest change of ${metric.name}\n`);
      detection = await smallestChange(
        metric,
        sources,
        Math.min(request.splits, DETECTION_SPLITS),
        request.seed,
        replay,
      );
    }
    metrics.push({ ...summaryOf(metric, replays), splitBy, detection });
  }
  const calibration = toCalibration(analysis, request, sources, replays, metrics);
  dependencies.stdout(request.output === "json" ? `${JSON.stringify(calibration)}\n` : toCalibrationText(calibration));
}

/** What is kept of a replay: whole reports of thousands would be too much. */
interface Outcome extends Pick<Replayed, "verdict" | "look" | "minutes" | "reasons"> {
  readonly findings: readonly Pick<Finding, "metric" | "finding" | "units">[];
}

function toOutcome({ verdict, look, minutes, reasons, report }: Replayed): Outcome {
  const findings = report.findings.map(({ metric, finding, units }) => ({ metric, finding, units }));
  return { verdict, look, minutes, reasons, findings };
}

type Replay = (
  split: number,
  worsening?: { metric: string; apply: Worsening["apply"]; size: number },
) => Promise<Replayed>;

async function readBaseline(
  { readRecordings, stderr }: ReplayDependencies,
  analysis: Analysis,
  { samples, by, baseline }: CalibrateRequest,
): Promise<Splittable[]> {
  const request = {
    path: samples,
    by,
    metrics: analysis.metrics,
    arms: [baseline],
    stepSeconds: analysis.plan.stepSeconds,
    start: null,
  };
  const sources: Splittable[] = [];
  for await (const one of readRecordings(request, (text) => stderr(`warning: ${text}\n`)))
    sources.push(splittable(one, baseline, analysis));
  return sources;
}

/** Split n is one of recording n, n modulo their number: each gets as many. */
function replaySplit(
  { wireReplay }: ReplayDependencies,
  analysis: Analysis,
  sources: readonly Splittable[],
  seed: number,
  split: number,
  worsening: Parameters<Replay>[1],
): Promise<Replayed> {
  const source = sources[split % sources.length];
  if (source === undefined) throw new RangeError("there is no recording");
  const { recording, start } = drawSplit(source, seed, split);
  const plan = { ...analysis.plan, durationSeconds: source.windowSeconds };
  return replayRecording(
    wireReplay,
    { ...analysis, plan },
    {
      recording: worsening === undefined ? recording : worsened(recording, worsening, saltOf(seed, split, 1)),
      start,
      labels: ARMS,
    },
    { detail: false },
  );
}

function worsened(
  recording: Recording,
  { metric, apply, size }: NonNullable<Parameters<Replay>[1]>,
  salt: number,
): Recording {
  const candidate = new Map(recording.get(ARMS.candidate));
  const samples = candidate.get(metric);
  if (samples !== undefined) candidate.set(metric, apply(samples, size, salt));
  return new Map([...recording, [ARMS.candidate, candidate]]);
}

function splitOf({ name }: Metric, sources: readonly Splittable[]): MetricCalibration["splitBy"] {
  const recorded = sources
    .map(({ metrics }) => metrics.get(name))
    .find((samples) => samples?.at != null && samples.at.length > 0);
  if (recorded === undefined) return null;
  return recorded.shape === "samples" ? "units" : "windows";
}

function mayBeBlamed({ tier, query }: Metric): boolean {
  return tier !== "advisory" && query.instant === undefined;
}

function isBlamed({ reasons }: { readonly reasons: readonly Reason[] }, name: string): boolean {
  return reasons.some(({ code, metric }) => metric === name && HARM.has(code));
}

/** The first doubling of the margin that is detected often enough, then halvings of the interval below it. */
async function smallestChange(
  metric: Metric,
  sources: readonly Splittable[],
  splits: number,
  seed: number,
  replay: Replay,
): Promise<Detection | null> {
  const baseline = sources
    .map(({ metrics }) => metrics.get(metric.name))
    .find((samples) => samples?.at != null && samples.at.length > 0);
  if (baseline === undefined) return null;
  const { scale, direction, margin, most, apply } = worseningOf(metric, baseline);
  if (!(margin > 0 && most > 0)) return null;
  const needed = Math.ceil(DETECTED_SHARE * splits);
  const detectedAt = async (size: number): Promise<number> => {
    let detected = 0;
    for (let split = 0; split < splits; split++) {
      if (isBlamed(await replay(split, { metric: metric.name, apply, size }), metric.name)) detected += 1;
      // Those that are left can no longer make up for it.
      if (detected + splits - split - 1 < needed) break;
    }
    return detected;
  };
  let low = 0;
  let high = Math.min(margin, most);
  let detected = await detectedAt(high);
  while (detected < needed && high < most) {
    low = high;
    high = Math.min(2 * high, most);
    detected = await detectedAt(high);
  }
  if (detected < needed) return { scale, margin, change: null, tried: direction * high, detected, of: splits };
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    const found = await detectedAt(middle);
    if (found >= needed) [high, detected] = [middle, found];
    else low = middle;
  }
  const change = direction * (scale === "points" ? realized(sources, metric.name, apply, high, splits, seed) : high);
  return { scale, margin, change, tried: direction * high, detected, of: splits };
}

/** How far the scores really moved on average: those at the end of the scale cannot move further. */
function realized(
  sources: readonly Splittable[],
  name: string,
  apply: Worsening["apply"],
  size: number,
  splits: number,
  seed: number,
): number {
  const changes = Array.from({ length: splits }, (_, split) => {
    const source = sources[split % sources.length];
    const samples =
      source === undefined ? undefined : drawSplit(source, seed, split).recording.get(ARMS.candidate)?.get(name);
    if (samples === undefined || !("values" in samples)) return 0;
    const after = apply(samples, size, saltOf(seed, split, 1));
    return "values" in after ? Math.abs(averageOf(after.values) - averageOf(samples.values)) : 0;
  });
  return averageOf(Float64Array.from(changes));
}

function summaryOf(
  { name, tier, measurementUnit }: Metric,
  replays: readonly Outcome[],
): Omit<MetricCalibration, "splitBy" | "detection"> {
  const findings = replays.flatMap(({ findings }) => findings.filter(({ metric }) => metric === name));
  const units = findings.flatMap((finding) => (finding.units === null ? [] : [finding.units]));
  return {
    metric: name,
    tier,
    measurementUnit,
    falseAlarms: rateOf(replays.filter((replayed) => isBlamed(replayed, name)).length, replays.length),
    safe: rateOf(findings.filter(({ finding }) => finding === "safe" || finding === "better").length, replays.length),
    units:
      units.length === 0
        ? null
        : {
            baseline: medianOf(units.map(({ baseline }) => baseline)),
            candidate: medianOf(units.map(({ candidate }) => candidate)),
          },
  };
}

function toCalibration(
  analysis: Analysis,
  { seed, splits }: CalibrateRequest,
  sources: readonly Splittable[],
  replays: readonly Outcome[],
  metrics: readonly MetricCalibration[],
): Calibration {
  const verdictRate = (verdict: Outcome["verdict"]) =>
    rateOf(replays.filter((replayed) => replayed.verdict === verdict).length, replays.length);
  const windows = sources.map(({ windowSeconds }) => windowSeconds);
  const falseAlarms = verdictRate("rollback");
  return {
    analysis: analysis.name,
    seed,
    splits,
    recordings: sources.length,
    windowSeconds: { least: Math.min(...windows), most: Math.max(...windows) },
    budgets: analysis.budgets,
    falseAlarms,
    promoted: verdictRate("promote"),
    paused: verdictRate("pause"),
    medianLook: medianOf(replays.map(({ look }) => look)),
    medianMinutes: medianOf(replays.map(({ minutes }) => minutes)),
    pausedBy: obstaclesOf(replays),
    metrics,
    notes: notesOn(analysis, sources, metrics, falseAlarms),
  };
}

/** Obstacles named at most. */
const MOST_OBSTACLES = 5;

function obstaclesOf(replays: readonly Outcome[]): Calibration["pausedBy"] {
  const counts = new Map<string, { code: ReasonCode; metric: string | null; count: number }>();
  for (const { verdict, reasons } of replays) {
    if (verdict !== "pause") continue;
    // A metric that gives one reason twice, for two components, is one obstacle.
    const named = new Map(reasons.map(({ code, metric }) => [`${code} ${metric ?? ""}`, { code, metric }]));
    for (const [name, { code, metric }] of named)
      counts.set(name, { code, metric, count: (counts.get(name)?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).slice(0, MOST_OBSTACLES);
}

function notesOn(
  analysis: Analysis,
  sources: readonly Splittable[],
  metrics: readonly MetricCalibration[],
  falseAlarms: Rate,
): string[] {
  const notes: string[] = [];
  const windows = metrics.filter(({ splitBy }) => splitBy === "windows").map(({ metric }) => metric);
  if (windows.length > 0)
    notes.push(
      `${windows.join(", ")}: steps hold all units together and cannot be split by unit. Two windows of the recording that do not overlap are compared, shifted in time; what differs between them by the hour counts as a false alarm here, and would not in a live run`,
    );
  if (sources.some(({ byWindows, lastOffset }) => byWindows && lastOffset === 0))
    notes.push(
      "a recording is just long enough for one pair of windows: its splits differ in the order of the pair, and in the units",
    );
  if (metrics.some(({ splitBy }) => splitBy === "units"))
    notes.push("each half has half the units of the recording: with more units per arm smaller changes are found");
  const { plan } = analysis;
  if (plan.mode !== "once" && sources.some(({ windowSeconds }) => windowSeconds < plan.durationSeconds - 1))
    notes.push("recordings are shorter than the plan needs; it was fitted to their length");
  const bare = analysis.metrics.filter(
    ({ name, unit }) => unit !== "request" && sources.some(({ metrics }) => hasRowsWithoutUnits(metrics.get(name))),
  );
  if (bare.length > 0)
    notes.push(
      `${bare.map(({ name }) => name).join(", ")}: records without unit are split row by row; where the rows of one unit resemble each other, the true rate of false alarms is higher than this one`,
    );
  if (falseAlarms.lower > analysis.budgets.rollback)
    notes.push("more false alarms than the rollback budget allows: see above which metric raises them");
  notes.push(
    "splits of one recording share its units: the interval is about splits of this recording, not about recordings to come",
  );
  return notes;
}

function hasRowsWithoutUnits(samples: Samples | undefined): boolean {
  return samples?.shape === "samples" && samples.units === null && samples.values.length > 0;
}

function rateOf(count: number, of: number): Rate {
  if (of === 0) throw new TouchstoneError("invalid_request", "there are no splits");
  return { count, of, ...proportionInterval({ events: count, trials: of }, { method: "clopper-pearson" }) };
}
