import type { Analysis } from "../model/analysis.ts";
import type { Finding } from "../model/finding.ts";
import type { LookState, MetricState } from "../model/look-state.ts";
import type { Report, Run } from "../model/run.ts";
import { isTimeless } from "../model/samples.ts";
import type { Instant } from "../model/time.ts";
import type { Accumulation } from "./accumulate.ts";
import type { Stretches } from "./bets.ts";
import { spentBy, WHOLE_BUDGETS, type BudgetShares } from "./attempts.ts";
import type { ClaimClock } from "./claim.ts";
import { clockOf, type Clock } from "./clock.ts";
import { decide } from "./decide.ts";
import { digestEvidence } from "./evidence-digest.ts";
import { find, type FindContext } from "./find.ts";
import type { Gathered } from "./gathered.ts";
import { metricDoubts, nextSampleRatio, runAlarms, sampleRatioDoubt, staleArm, type MetricArms } from "./integrity.ts";
import { reportHead } from "./report-head.ts";
import { isByRow, type Cells } from "./tallies.ts";
import { TIME_BLOCKS } from "./uneven-time.ts";
import { unwatched, type Watch } from "./watch.ts";
import { counterfactual, summarize } from "./words.ts";

/** What a look comes to: the report for people and callers, the state for the next look. */
export interface Judged {
  readonly report: Report;
  readonly state: LookState;
  /** When the next look is due; null when this one decided. */
  readonly nextAt: Instant | null;
}

export interface JudgeOptions {
  readonly detail?: boolean;
  readonly keepState?: boolean;
  readonly watch?: Watch;
}

/**
 * From samples to a decision. Pure: the same input gives the same report, byte for byte.
 *
 * @param gathered  what has come in since the last look, for every metric of the analysis in its order.
 * @param now       the time of the look: with the run's window it says how much of the plan has passed.
 * @param options   `detail` false leaves out what no decision needs, for replays of thousands of runs; `keepState` keeps what a next look would need even after a
 *                  verdict; `watch` sees the metrics and tests as they are judged.
 */
export function judge(
  run: Run,
  gathered: readonly Gathered[],
  previous: LookState | null,
  now: Instant,
  { detail = true, keepState = false, watch = unwatched }: JudgeOptions = {},
): Judged {
  const shares = run.budgetShares ?? WHOLE_BUDGETS;
  const analysis = withShares(run.analysis, shares);
  const clock = clockOf(run, now);
  const n = (previous?.looks ?? 0) + 1;
  const claimClock = toClaimClock(run, clock, n);
  const metrics: Record<string, MetricState> = {};
  const arms: MetricArms[] = [];
  const findings = gathered.map((one): Finding => {
    const { metric } = one;
    const before = previous?.metrics[metric.name] ?? null;
    const timeless = asksForAll(one) || (before?.timeless === true && one.baseline.kind !== "answer");
    const context: FindContext = {
      clock: claimClock,
      accumulation: accumulationOf(clock, analysis.plan, timeless ? null : (before?.gatheredUpTo ?? null)),
      stretches: stretchesOf(clock, analysis.plan),
      before: before !== null && timeless ? { ...before, baseline: null, candidate: null } : before,
      minutes: claimClock.mode === "once" || clock === null ? null : (clock.entryEdge - clock.from) / 60,
      detail,
      watch,
    };
    const { finding, kept } = watch("metric", metric.name, () => find(one, analysis, context));
    const faulty = finding.finding === "no_data" || finding.finding === "invalid" || finding.finding === "source_error";
    const edge = kept.baseline === null || isByRow(kept.baseline) ? clock?.entryEdge : clock?.edge;
    metrics[metric.name] = faulty
      ? { ...(before ?? NOTHING_GATHERED), timeless }
      : { gatheredUpTo: laterOf(before?.gatheredUpTo ?? null, edge ?? null), timeless, ...kept };
    if (faulty || kept.baseline === null || kept.candidate === null) return finding;
    const own: MetricArms = { metric, baseline: kept.baseline, candidate: kept.candidate };
    arms.push(own);
    const stale = clock === null ? null : staleArm(own, clock);
    if (stale !== null) return { ...finding, finding: "invalid", reasons: [stale, ...finding.reasons] };
    const doubts = metricDoubts(own);
    return doubts.length === 0
      ? finding
      : { ...finding, reasons: [...finding.reasons, ...doubts], blocksPromotion: true };
  });
  const sampleRatio = nextSampleRatio(previous?.sampleRatio ?? null, arms, analysis);
  const final = clock?.final ?? true;
  const decided = decide(analysis, findings, {
    final,
    longEnough: clock === null || clock.edge - clock.from >= analysis.plan.minDurationSeconds,
    doubts: sampleRatioDoubt(sampleRatio, analysis),
    alarms: runAlarms(arms, findings, sampleRatio, analysis, claimClock.mode === "once"),
  });
  const digest = detail ? digestEvidence(previous?.digest ?? null, gathered) : (previous?.digest ?? "");
  const report: Report = {
    ...reportHead(run, { n, at: now }, decided.decision, digest, final),
    candidate: run.candidate,
    summary: detail ? summarize(decided, findings) : decided.decision,
    reasons: [...decided.reasons],
    counterfactual: detail ? counterfactual(decided, findings) : null,
    findings,
    ...scoreOf(findings),
    budgets: analysis.budgets,
  };
  const { verdict } = report;
  return {
    report,
    // After a verdict nobody continues.
    state: {
      v: 2,
      looks: n,
      metrics: verdict === null || keepState ? metrics : {},
      digest,
      sampleRatio,
      spent: spentBy(claimClock, shares),
    },
    nextAt: verdict === null ? (clock?.nextAt ?? null) : null,
  };
}

/** What earlier attempts have used up of the error budgets is gone. */
export function withShares(analysis: Analysis, { rollback, promote }: BudgetShares): Analysis {
  if (rollback === 1 && promote === 1) return analysis;
  const { budgets } = analysis;
  return { ...analysis, budgets: { rollback: budgets.rollback * rollback, promote: budgets.promote * promote } };
}

function toClaimClock({ analysis: { plan } }: Run, clock: Clock | null, look: number): ClaimClock {
  if (clock === null || plan.mode === "once")
    return { mode: "once", fraction: 1, fractionBefore: 0, look, looksPlanned: 1 };
  const looksPlanned = Math.ceil((clock.end - clock.from) / plan.everySeconds);
  return { mode: plan.mode, fraction: clock.fraction, fractionBefore: fractionBefore(clock, plan), look, looksPlanned };
}

/** Looks lie on a grid of `every`, whether or not a worker came in time. */
function fractionBefore({ from, edge, end }: Clock, { everySeconds }: Run["analysis"]["plan"]): number {
  const looksBefore = Math.max(0, Math.ceil((edge - from) / everySeconds - 1e-9) - 1);
  return (looksBefore * everySeconds) / (end - from);
}

/** A look at a run with many takes in what is new; one look alone takes all that the source gives for the window. */
function accumulationOf(clock: Clock | null, plan: Run["analysis"]["plan"], from: number | null): Accumulation {
  const { mode, followUpSeconds, stepSeconds } = plan;
  const cells = cellsOf(clock, plan);
  // Without an end in sight a stretch of time has no length.
  const blocks =
    clock === null || mode === "continuous"
      ? null
      : { from: clock.from, seconds: (clock.end - clock.from) / TIME_BLOCKS };
  if (clock === null || mode === "once") return { slice: null, compact: false, stepSeconds, blocks, cells };
  const slice = { from: from ?? clock.from, to: clock.entryEdge, followUp: followUpSeconds, edge: clock.edge };
  return { slice, compact: true, stepSeconds, blocks, cells };
}

/** Windows of time end at looks; one look alone counts steps, without a window of its own up to the newest row. */
function cellsOf(
  clock: Clock | null,
  { mode, followUpSeconds, stepSeconds, everySeconds }: Run["analysis"]["plan"],
): Cells {
  if (clock === null) return { from: 0, seconds: stepSeconds, followUp: 0, edge: null };
  const { from, edge } = clock;
  return mode === "once"
    ? { from, seconds: stepSeconds, followUp: 0, edge }
    : { from, seconds: everySeconds, followUp: followUpSeconds, edge };
}

/** Stretches of about a step, a whole number of them from one look to the next. */
function stretchesOf(
  clock: Clock | null,
  { mode, everySeconds, stepSeconds }: Run["analysis"]["plan"],
): Stretches | null {
  if (clock === null || mode !== "continuous") return null;
  return { from: clock.from, seconds: everySeconds / Math.max(1, Math.round(everySeconds / stepSeconds)) };
}

function asksForAll({ baseline, candidate, metric }: Gathered): boolean {
  if (metric.query.instant !== undefined) return true;
  return [baseline, candidate].some((arm) => arm.kind === "answer" && isTimeless(arm.answer.samples));
}

/** A clock that was set back must not make a look take in again what an earlier one has. */
function laterOf(before: number | null, now: number | null): number | null {
  return before === null || now === null ? now : Math.max(before, now);
}

const NOTHING_GATHERED: MetricState = {
  gatheredUpTo: null,
  timeless: false,
  baseline: null,
  candidate: null,
  claims: {},
};

const TIER_WEIGHTS: Readonly<Record<Finding["tier"], number>> = { critical: 3, required: 1, advisory: 0 };

/** For people: how confident the evidence is that each metric is within its margin, weighted. A metric without evidence counts as nothing, not as perfect. */
function scoreOf(findings: readonly Finding[]): { score: number | null; worstMetric: string | null } {
  let sum = 0;
  let weights = 0;
  let worst: { metric: string; confidence: number } | null = null;
  for (const { metric, tier, confidence } of findings) {
    const weight = TIER_WEIGHTS[tier];
    if (weight === 0) continue;
    const own = confidence ?? 0;
    sum += weight * own;
    weights += weight;
    if (worst === null || own < worst.confidence) worst = { metric, confidence: own };
  }
  return { score: weights === 0 ? null : (100 * sum) / weights, worstMetric: worst?.metric ?? null };
}
