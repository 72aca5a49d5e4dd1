import type { Analysis, Metric } from "../model/analysis.ts";
import type { Finding, Reason } from "../model/finding.ts";
import type { ArmState, LookState, UnitsState } from "../model/look-state.ts";
import { mcNemar } from "../stats/mcnemar.ts";
import { fisherExact } from "../stats/fisher.ts";
import { SAMPLE_RATIO_ALPHA, sampleRatioAlarm, sampleRatioTest, updateSampleRatio } from "../stats/sample-ratio.ts";
import { formatCount, formatP, formatPercent } from "./format.ts";
import { uncalibrated } from "./gold-evidence.ts";
import { crossings } from "./marks.ts";
import { pairUnits } from "./pair-units.ts";
import { unmatchedStrata } from "./strata.ts";

/**
 * Before anything is judged: are these two arms that can be compared at all? Each alarm is a named reason; a comparison that is void for everybody pauses the
 * run, a doubt about one metric keeps that metric from promoting.
 */

/** Both arms of one metric, as they stand at this look. */
export interface MetricArms {
  readonly metric: Metric;
  readonly baseline: ArmState;
  readonly candidate: ArmState;
}

/** Fewer values than this, or fewer different ones, may be equal by chance. */
const IDENTICAL_FROM = 10;

/** Units that were in both arms, as a share of the smaller arm: a few may be retries. */
const CROSSING_SHARE = 0.01;
const CROSSING_FROM = 3;

/** Alarms about the run as a whole. */
export function runAlarms(
  arms: readonly MetricArms[],
  findings: readonly Finding[],
  sampleRatio: LookState["sampleRatio"],
  { allocation }: Pick<Analysis, "allocation">,
  once: boolean,
): Reason[] {
  const reasons: Reason[] = [];
  for (const { metric, baseline, candidate } of arms) {
    if (isIdentical(baseline, candidate))
      reasons.push({
        code: "arms_identical",
        metric: metric.name,
        text: `${metric.name}: baseline and candidate hold the same ${sizeOf(baseline)} values; does the query really tell the versions apart?`,
      });
    const apart = apartOf(metric, baseline, candidate);
    if (apart !== null) reasons.push(apart);
    const crossing = crossingOf(metric, baseline, candidate);
    if (crossing !== null) reasons.push(crossing);
  }
  if (allocation !== null && sampleRatio !== null) {
    const counts = [sampleRatio.counts[0] ?? 0, sampleRatio.counts[1] ?? 0] as const;
    const [b, c] = counts;
    const test = sampleRatioTest(counts, [allocation.baseline, allocation.candidate]);
    if (once ? test.p < SAMPLE_RATIO_ALPHA : sampleRatioAlarm(sampleRatio))
      reasons.push({
        code: "sample_ratio_mismatch",
        metric: null,
        text: `the baseline had ${b} and the candidate ${c} units, where routing is set to ${allocation.baseline} : ${allocation.candidate} (p ${formatP(test.p)} at this look)`,
      });
  }
  for (const finding of findings) {
    if (finding.tier !== "critical") continue;
    for (const limit of finding.limits)
      if (limit.baselineProvenBeyond)
        reasons.push({
          code: "baseline_unhealthy",
          metric: finding.metric,
          text: `${finding.metric}: the baseline itself is proven beyond its limit (${limit.statistic} ${limit.side} ${limit.limit})`,
        });
  }
  return reasons;
}

/**
 * A ratio that is off by chance once in a hundred looks does not stop a run, but nothing is promoted over it: who is missing may be the very ones that fared badly.
 */
export function sampleRatioDoubt(
  sampleRatio: LookState["sampleRatio"],
  { allocation }: Pick<Analysis, "allocation">,
): Reason[] {
  if (allocation === null || sampleRatio === null) return [];
  const [b = 0, c = 0] = sampleRatio.counts;
  const { p } = sampleRatioTest([b, c], [allocation.baseline, allocation.candidate]);
  if (p >= RATIO_DOUBT) return [];
  return [
    {
      code: "sample_ratio_mismatch",
      metric: null,
      text: `the baseline had ${b} and the candidate ${c} units, which is doubtful where routing is set to ${allocation.baseline} : ${allocation.candidate} (p ${formatP(p)})`,
    },
  ];
}

const RATIO_DOUBT = 0.01;

/** The units of a look, added to those of the looks before; only where the analysis says how routing shares them. */
export function nextSampleRatio(
  before: LookState["sampleRatio"],
  arms: readonly MetricArms[],
  { allocation, unit }: Pick<Analysis, "allocation" | "unit">,
): LookState["sampleRatio"] {
  if (allocation === null) return null;
  // The metric that sees most units: others may miss some for reasons of their own.
  const sizes = arms
    .filter(({ metric, baseline }) => baseline.shape === "units" && metric.unit === unit)
    .map(({ baseline, candidate }) => [sizeOf(baseline), sizeOf(candidate)] as const)
    .sort((a, b) => b[0] + b[1] - a[0] - a[1]);
  const [most] = sizes;
  if (most === undefined) return before;
  const state = before ?? { counts: [0, 0], expected: [0, 0], logE: 0, maxLogE: 0 };
  const fresh = most.map((count, arm) => Math.max(0, count - (state.counts[arm] ?? 0)));
  return updateSampleRatio(state, fresh, [allocation.baseline, allocation.candidate]);
}

/** What keeps one metric from promoting although its numbers may look well. */
export function metricDoubts({ metric, baseline, candidate }: MetricArms): Reason[] {
  const doubts: Reason[] = [];
  const [b, c] = [missing(baseline), missing(candidate)];
  if (b.events + c.events > 0 && Math.abs(b.events / b.trials - c.events / c.trials) >= MISSING_DIFFERENCE) {
    const { p } = fisherExact(c, b);
    if (p < DOUBT_ALPHA)
      doubts.push({
        code: "missingness_differs",
        metric: metric.name,
        text: `${metric.name}: ${formatPercent(c.events / c.trials)} of the candidate's rows are missing and ${formatPercent(b.events / b.trials)} of the baseline's (p ${formatP(p)})`,
      });
  }
  if (baseline.shape === "units" && candidate.shape === "units") {
    if (metric.design === "paired") doubts.push(...lostItems(metric, baseline, candidate));
    const why = metric.calibration === "required" ? uncalibrated(baseline, candidate) : null;
    if (why !== null) doubts.push({ code: "judge_uncalibrated", metric: metric.name, text: `${metric.name}: ${why}` });
  }
  const unmatched = metric.design === "paired" ? null : unmatchedMix(metric, baseline, candidate);
  if (unmatched !== null) doubts.push(unmatched);
  if (baseline.shape !== "units" && candidate.shape !== "units" && baseline.stepSeconds > 0) {
    const own = new Set(baseline.at);
    const common = candidate.at.filter((at) => own.has(at)).length;
    const most = Math.max(baseline.at.length, candidate.at.length);
    if (common < PARTIAL_SHARE * most && overlap(baseline.at, candidate.at) && metric.query.instant === undefined)
      doubts.push({
        code: "partial",
        metric: metric.name,
        text: `${metric.name}: only ${common} of ${most} steps are there in both arms`,
      });
  }
  return doubts;
}

/** Items that only one version answered: where the candidate lost more of them, those left may be the easy ones. */
function lostItems(metric: Metric, baseline: UnitsState, candidate: UnitsState): Reason[] {
  const paired = pairUnits(baseline, candidate);
  if (paired === null) return [];
  const { pairs, onlyBaseline, onlyCandidate } = paired;
  const all = pairs.names.length + onlyBaseline + onlyCandidate;
  if (Math.abs(onlyBaseline - onlyCandidate) < MISSING_DIFFERENCE * all) return [];
  const { p } = mcNemar({ candidateOnly: onlyCandidate, baselineOnly: onlyBaseline });
  if (p >= DOUBT_ALPHA) return [];
  return [
    {
      code: "missingness_differs",
      metric: metric.name,
      text: `${metric.name}: of ${all} items the candidate has no value for ${onlyBaseline} and the baseline none for ${onlyCandidate} (p ${formatP(p)})`,
    },
  ];
}

/** Strata that one arm hardly has cannot be compared, and adjusting cannot make them good. */
function unmatchedMix(metric: Metric, baseline: ArmState, candidate: ArmState): Reason | null {
  if (baseline.shape !== "units" || candidate.shape !== "units") return null;
  const unmatched = unmatchedStrata(baseline, candidate);
  if (unmatched === null) return null;
  return {
    code: "mix_shift",
    metric: metric.name,
    text: `${metric.name}: the arms see different mixes, and ${unmatched.names.join(", ")} is hardly there in one of them (p ${formatP(unmatched.p)})`,
  };
}

const MISSING_DIFFERENCE = 0.01;
const DOUBT_ALPHA = 0.001;
const PARTIAL_SHARE = 0.8;

/** Expected this many and saw none: by chance once in half a billion looks. */
const SILENT_UNITS = 20;
const SILENT_STEPS = 5;
const SILENT_SHARE = 0.05;

/** An arm that has stopped to report, or null: what came until then says nothing about now. */
export function staleArm(
  { metric, baseline, candidate }: MetricArms,
  clock: { readonly from: number; readonly edge: number; readonly entryEdge: number },
): Reason | null {
  for (const [name, arm] of [
    ["candidate", candidate],
    ["baseline", baseline],
  ] as const) {
    if (arm.lastAt === null || metric.query.instant !== undefined) continue;
    const silence = (arm.shape === "units" ? clock.entryEdge : clock.edge) - arm.lastAt;
    // A quiet moment is no end: silence must last for a good part of the window.
    if (silence <= SILENT_SHARE * (clock.edge - clock.from)) continue;
    const stopped =
      arm.shape === "units"
        ? (arm.values.length * silence) / Math.max(1, arm.lastAt - clock.from) >= SILENT_UNITS
        : arm.stepSeconds > 0 && silence >= SILENT_STEPS * arm.stepSeconds;
    if (stopped)
      return {
        code: "stale",
        metric: metric.name,
        text: `${metric.name}: the ${name} has reported nothing for the last ${formatCount(Math.round(silence), "second")}`,
      };
  }
  return null;
}

function missing({ rows, invalid }: ArmState): { events: number; trials: number } {
  return { events: invalid, trials: Math.max(1, rows + invalid) };
}

/** Steps that were measured farther apart than either arm is long: a season, a release or a holiday lies between them. */
function apartOf(metric: Metric, baseline: ArmState, candidate: ArmState): Reason | null {
  if (baseline.shape === "units" || candidate.shape === "units") return null;
  const [b, c] = [spanOf(baseline.at), spanOf(candidate.at)];
  if (b === null || c === null) return null;
  const gap = Math.max(c.from - b.to, b.from - c.to);
  if (gap <= Math.max(b.to - b.from, c.to - c.from)) return null;
  return {
    code: "not_concurrent",
    metric: metric.name,
    text: `${metric.name}: the arms were measured ${formatCount(Math.round(gap / 3600), "hour")} apart, which is longer than either of them`,
  };
}

/** Whether the arms were measured at the same time: only then does a step of one miss its partner. */
function overlap(a: Float64Array, b: Float64Array): boolean {
  const [one, other] = [spanOf(a), spanOf(b)];
  if (one === null || other === null) return false;
  return (
    Math.min(one.to, other.to) - Math.max(one.from, other.from) >
    0.5 * Math.min(one.to - one.from, other.to - other.from)
  );
}

function spanOf(at: Float64Array): { from: number; to: number } | null {
  if (at.length === 0) return null;
  return { from: at[0] ?? 0, to: at.at(-1) ?? 0 };
}

function crossingOf(metric: Metric, baseline: ArmState, candidate: ArmState): Reason | null {
  if (baseline.shape !== "units" || candidate.shape !== "units") return null;
  if (baseline.marks === null || candidate.marks === null) return null;
  const { both, of } = crossings(baseline.marks, candidate.marks);
  if (both < CROSSING_FROM || both < CROSSING_SHARE * of) return null;
  return {
    code: "units_in_both_arms",
    metric: metric.name,
    text: `${metric.name}: ${both} of ${of} sampled ${metric.unit}s were in both arms; if the same items were meant to meet both versions, call them tasks`,
  };
}

function isIdentical(baseline: ArmState, candidate: ArmState): boolean {
  const [a, b] = [valuesOf(baseline), valuesOf(candidate)];
  if (a.length < IDENTICAL_FROM || a.length !== b.length) return false;
  if (!a.every((value, index) => value === b[index])) return false;
  return new Set(a).size >= IDENTICAL_FROM;
}

function valuesOf(arm: ArmState): Float64Array {
  switch (arm.shape) {
    case "units":
    case "series":
      return arm.values;
    case "counts":
      return arm.exposure;
    case "histogram":
      return arm.counts;
  }
}

function sizeOf(arm: ArmState): number {
  return arm.shape === "units" ? arm.values.length : arm.at.length;
}
