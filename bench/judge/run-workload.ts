import type { Judge, Judgement } from "./judgement.ts";
import { comparisons, LOOK_MINUTES, MINUTES, type Outcome, type Workload } from "./workload.ts";

/** A mean over independent runs with its standard error; both NaN without runs. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

/** The verdicts of one run: one for every judged candidate, so that a rainbow run counts once and not four times. */
export type RunVerdicts = readonly Judgement[];

/** The measures of section 9.1. Shares are fractions; looks are counted from 1 and null where there was none. */
export interface Measures {
  /** Harmless candidates rolled back at any look, promotion ignored. */
  readonly falseRollback: Estimate;
  /** Harmful candidates rolled back, and when. */
  readonly power: Estimate;
  readonly detection: { readonly median: number; readonly p90: number } | null;
  readonly promoteAtMargin: Estimate;
  readonly promoteHarmful: Estimate;
  readonly promoteHarmless: Estimate;
  readonly promotionLook: number | null;
  /** Paused, at the end or before. */
  readonly undecidedHarmless: Estimate;
  readonly undecidedHarmful: Estimate;
  readonly loss: Estimate;
}

/** Verdicts of the runs `from` to before `to`, one judge after the other on the same data. */
export async function judgeRuns(
  workload: Workload,
  outcome: Outcome,
  judges: readonly Judge[],
  from: number,
  to: number,
): Promise<RunVerdicts[][]> {
  const verdicts = judges.map((): RunVerdicts[] => []);
  for (let seed = from; seed < to; seed++) {
    const judged = comparisons(workload.generate(outcome, seed));
    for (const [i, judge] of judges.entries()) {
      const run: Judgement[] = [];
      for (const comparison of judged) run.push(await judge(comparison, workload));
      verdicts[i].push(run);
    }
  }
  return verdicts;
}

export function measure(workload: Workload, runs: Readonly<Record<Outcome, readonly RunVerdicts[]>>): Measures {
  const { pauseIsRight } = workload;
  const { harmless, harmful, margin } = runs;
  const is = (verdict: Judgement["verdict"]) => (judgement: Judgement) => Number(judgement.verdict === verdict);

  const falseRollback = share(harmless, ({ everRolledBack }) => Number(everRolledBack));
  const promoteHarmful = share(harmful, is("promote"));
  // The judge acts once: a rollback after its own promotion would come too late to count here.
  const wrongRollback = share(harmless, is("rollback"));
  const live = share(harmful, (judgement) => minutesUntil(judgement, "rollback", pauseIsRight) / MINUTES);
  const wait = share(harmless, (judgement) => minutesUntil(judgement, "promote", pauseIsRight) / MINUTES);
  return {
    falseRollback,
    power: share(harmful, is("rollback")),
    detection: quantiles(looksOf(harmful, "rollback")),
    promoteAtMargin: share(margin, is("promote")),
    promoteHarmful,
    promoteHarmless: share(harmless, is("promote")),
    promotionLook: quantiles(looksOf(harmless, "promote"))?.median ?? null,
    undecidedHarmless: share(harmless, is("pause")),
    undecidedHarmful: share(harmful, is("pause")),
    loss: weighted([
      [10, promoteHarmful],
      [3, wrongRollback],
      [1, live],
      [0.5, wait],
    ]),
  };
}

/** The mean over runs of the mean over a run's candidates. */
export function share(runs: readonly RunVerdicts[], of: (judgement: Judgement) => number): Estimate {
  const values = runs.map((run) => run.reduce((sum, judgement) => sum + of(judgement), 0) / run.length);
  const value = values.reduce((sum, each) => sum + each, 0) / values.length;
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0);
  return { value, error: values.length < 2 ? Number.NaN : Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** Minutes until the right verdict; the whole hour when another one came, or none. */
function minutesUntil(judgement: Judgement, right: Judgement["verdict"], pauseIsRight: boolean): number {
  const isRight = judgement.verdict === right || (pauseIsRight && judgement.verdict === "pause");
  return isRight ? judgement.minutes : MINUTES;
}

/** Errors add up as if independent; power and its minutes are not quite, which the third digit may show. */
function weighted(parts: readonly (readonly [number, Estimate])[]): Estimate {
  return {
    value: parts.reduce((sum, [weight, { value }]) => sum + weight * value, 0),
    error: Math.hypot(...parts.map(([weight, { error }]) => weight * error)),
  };
}

function looksOf(runs: readonly RunVerdicts[], verdict: Judgement["verdict"]): number[] {
  return runs
    .flat()
    .filter((judgement) => judgement.verdict === verdict)
    .map(({ minutes }) => Math.round(minutes / LOOK_MINUTES));
}

/** Median and ninetieth percentile as values that occur; null of nothing. */
export function quantiles(values: readonly number[]): { median: number; p90: number } | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (p: number) => sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)];
  return { median: at(0.5), p90: at(0.9) };
}
