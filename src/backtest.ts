import { clockOf, firstLookAt } from "./judge/clock.ts";
import { judge, type Judged } from "./judge/judge.ts";
import { judgeRunByKayenta } from "./kayenta/judge-run.ts";
import { gather } from "./look.ts";
import { analysisDigest, type Analysis } from "./model/analysis.ts";
import type { Reason, Verdict } from "./model/finding.ts";
import type { LookState } from "./model/look-state.ts";
import type { Report, Run } from "./model/run.ts";
import { epochSeconds, toInstant, type Instant } from "./model/time.ts";
import type { Sources } from "./sources/source.ts";

/** What a replayed run came to. */
export interface Backtest {
  readonly verdict: Verdict;
  /** The look that decided, from 1. */
  readonly look: number;
  /** Of the run that had passed by then, warm-up included. */
  readonly minutes: number;
  readonly score: number | null;
  readonly reasons: readonly Reason[];
  /** The first look at which it rolled back; with `pastPromotion` also one that follows a promotion. Null when it never did. */
  readonly rollbackLook: number | null;
  /** The report of the look that decided. */
  readonly report: Report;
}

export interface BacktestOptions {
  /** When the run is taken to have started. */
  readonly start: Instant;
  /** Where the recording ends, if before the plan does: the last look comes there. */
  readonly end?: Instant;
  readonly labels?: { readonly baseline: string; readonly candidate: string };
  readonly args?: Readonly<Record<string, string>>;
  /** Goes on looking after a promotion, which stays the verdict, as a run does that a promotion does not end: to see whether a rollback would have followed. */
  readonly pastPromotion?: boolean;
  /** Default true. False leaves the report of the look that decided without what only people read: for thousands of replays that are only counted. */
  readonly detail?: boolean;
}

/**
 * One run, replayed look by look as its plan has them, through the same gathering and judging as a live one. Looks that decide nothing leave out what only people
 * read; the look that decides is judged again in full.
 *
 * @param sources  play back what was recorded.
 */
export async function backtest(
  sources: Sources,
  analysis: Analysis,
  { start, end, labels = ARMS, args = {}, pastPromotion = false, detail = true }: BacktestOptions,
  signal: AbortSignal = NEVER,
): Promise<Backtest> {
  const { plan } = analysis;
  const planned = toInstant(epochSeconds(start) + plan.durationSeconds);
  const window = { start, end: end !== undefined && epochSeconds(end) < epochSeconds(planned) ? end : planned };
  const run: Run = {
    id: "run_backtest",
    analysis,
    analysisDigest: analysisDigest(analysis),
    baseline: { label: labels.baseline },
    candidate: { label: labels.candidate },
    window,
    args: { ...args },
    rollout: null,
  };
  // What has no end with a promotion is looked at as the runs are that watch a rollout.
  const watched: Run = pastPromotion ? { ...run, promotionEnds: false } : run;
  let state: LookState | null = null;
  let decided: Omit<Backtest, "rollbackLook"> | null = null;
  let now = firstLookAt(analysis, window);
  for (;;) {
    const previous: LookState | null = state;
    const gathered = await Promise.all(
      analysis.metrics.map((metric) => gather(sources, run, metric, previous, now, signal)),
    );
    const byKayenta = analysis.judge === "kayenta";
    const judged: Judged = byKayenta
      ? judgeRunByKayenta(run, gathered, previous, now)
      : judge(watched, gathered, previous, now, { detail: false });
    const { decision } = judged.report;
    if (decision !== "continue" && decided === null) {
      const { report } = detail && !byKayenta ? judge(run, gathered, previous, now) : judged;
      const clock = clockOf(run, now);
      decided = {
        verdict: decision,
        look: report.look.n,
        minutes: clock === null ? 0 : (clock.edge - epochSeconds(start)) / 60,
        score: report.score,
        reasons: report.reasons,
        report,
      };
    }
    if (judged.nextAt === null) {
      if (decided === null) throw new RangeError("the last look decided nothing");
      return { ...decided, rollbackLook: decision === "rollback" ? judged.report.look.n : null };
    }
    state = judged.state;
    now = judged.nextAt;
  }
}

const ARMS = { baseline: "baseline", candidate: "candidate" };
const NEVER = new AbortController().signal;
