import { WHOLE_BUDGETS, sharesOfRun, type BudgetShares } from "../../src/judge/attempts.ts";
import { carriedInto, type EarlierRun } from "../../src/judge/carry.ts";
import { firstLookAt } from "../../src/judge/clock.ts";
import { unwatched } from "../../src/judge/watch.ts";
import { look } from "../../src/look.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import type { Verdict } from "../../src/model/finding.ts";
import type { LookState } from "../../src/model/look-state.ts";
import type { ReadAnalysis } from "../../src/model/read-analysis.ts";
import { analysisOfStage } from "../../src/model/resolve-stages.ts";
import type { Run } from "../../src/model/run.ts";
import { epochSeconds, toInstant } from "../../src/model/time.ts";
import type { MetricSource } from "../../src/sources/source.ts";
import type { Random } from "../../src/stats/random.ts";
import { timedRows } from "../judge/samples.ts";

const START = epochSeconds("2026-01-01T00:00:00.000Z");

/** What both arms do in a simulated rollout. */
export interface Traffic {
  /** Units of both arms together. */
  readonly perMinute: number;
  /** One value; `harm` in margins, 0 for the baseline. */
  readonly draw: (random: Random, harm: number) => number;
  /** The candidate's harm in margins, by the place of the stage. */
  readonly harm: (stage: number) => number;
  /** What both arms are multiplied by, by the minute since the start: hours of a day. */
  readonly level?: (minute: number) => number;
}

export interface PlayedStage {
  readonly name: string;
  readonly attempt: number;
  readonly verdict: Verdict;
  /** From the start of the run to its last look. */
  readonly minutes: number;
  readonly carried: number;
}

export interface PlayedRollout {
  /** promote: every stage was. pause: a stage was paused as often as it may be tried. */
  readonly verdict: Verdict;
  readonly stages: readonly PlayedStage[];
}

/**
 * A rollout through the stages of its analysis, of one metric named m from a source named s: each stage begins when the one before is promoted, a paused one is
 * tried again ten minutes later, and a rollback ends it. Shares and carried evidence are those of the service; what the record sums up is summed here.
 */
export async function playRollout(
  { document, analysis }: ReadAnalysis,
  traffic: Traffic,
  random: Random,
  attempts = 1,
): Promise<PlayedRollout> {
  const digest = analysisDigest(analysis);
  const stages = analysis.stages ?? [];
  const minutes: { baseline: number[]; candidate: number[] }[] = [];
  let current = 0;
  const sources = new Map([
    ["s", sourceOf(minutes, (minute) => drawMinute(minute, traffic, stages[current]?.weight ?? 0.5, current, random))],
  ]);
  const runs: EarlierRun[] = [];
  const played: PlayedStage[] = [];
  let all = 0;
  let now = START;
  for (const [place, stage] of stages.entries()) {
    current = place;
    let own: BudgetShares = { rollback: 0, promote: 0 };
    for (let attempt = 1; ; attempt++) {
      const start = toInstant(now);
      const shares = sharesOfRun(stage.rollbackShare, { stage: own, rollout: { rollback: all, promote: 0 } });
      const carried = stage.carry ? carriedInto(stages, stage.name, runs, digest, start) : null;
      const run: Run = {
        id: "run_play",
        analysis: analysisOfStage(document, analysis, stage.name),
        analysisDigest: digest,
        baseline: { label: "baseline" },
        candidate: { label: "candidate" },
        window: { start, end: toInstant(now + stage.durationSeconds) },
        args: {},
        rollout: { namespace: "n", name: "r", revision: "1", stage: stage.name },
        budgetShares: shares,
        ...(carried === null ? {} : { carried }),
      };
      const { verdict, at, spent } = await lookUntilVerdict(sources, run);
      const used = {
        rollback: verdict === "promote" ? shares.rollback : spent.rollback,
        promote: verdict === "rollback" ? shares.promote : spent.promote,
      };
      all += used.rollback;
      own = { rollback: own.rollback + used.rollback, promote: own.promote + used.promote };
      runs.unshift({ stage: stage.name, verdict, start, analysisDigest: digest });
      played.push({
        name: stage.name,
        attempt,
        verdict,
        minutes: (at - now) / 60,
        carried: carried?.stages.length ?? 0,
      });
      now = at;
      if (verdict === "promote") break;
      if (verdict === "rollback" || attempt === attempts) return { verdict, stages: played };
      now += 600;
    }
  }
  return { verdict: "promote", stages: played };
}

const NEVER = new AbortController().signal;

async function lookUntilVerdict(
  sources: ReadonlyMap<string, MetricSource>,
  run: Run,
): Promise<{ verdict: Verdict; at: number; spent: BudgetShares }> {
  if (run.window === null) throw new RangeError("a run of a rollout has a window");
  let state: LookState | null = null;
  for (let now = firstLookAt(run.analysis, run.window); ;) {
    const judged = await look(sources, run, state, now, NEVER, unwatched, false);
    const { verdict } = judged.report;
    if (verdict !== null) return { verdict, at: epochSeconds(now), spent: judged.state.spent ?? WHOLE_BUDGETS };
    if (judged.nextAt === null) throw new RangeError("the last look decided nothing");
    state = judged.state;
    now = judged.nextAt;
  }
}

/** Each minute is drawn when it is first asked for, under the stage that there is then. */
function drawMinute(
  minute: number,
  { perMinute, draw, harm, level = () => 1 }: Traffic,
  weight: number,
  stage: number,
  random: Random,
): { baseline: number[]; candidate: number[] } {
  const baseline: number[] = [];
  const candidate: number[] = [];
  for (let i = 0; i < perMinute; i++)
    if (random() < weight) candidate.push(draw(random, harm(stage)) * level(minute));
    else baseline.push(draw(random, 0) * level(minute));
  return { baseline, candidate };
}

function sourceOf(
  minutes: { baseline: number[]; candidate: number[] }[],
  drawn: (minute: number) => { baseline: number[]; candidate: number[] },
): MetricSource {
  return {
    type: "replay",
    check: () => [],
    render: ({ version }) => version.label,
    fetch({ version, window }) {
      if (window === null) throw new RangeError("a simulation is asked for a window");
      const [from, to] = [(epochSeconds(window.start) - START) / 60, (epochSeconds(window.end) - START) / 60];
      const values: number[] = [];
      const at: number[] = [];
      while (minutes.length < to) minutes.push(drawn(minutes.length));
      for (let minute = from; minute < to; minute++) {
        const rows = minutes[minute]?.[version.label === "baseline" ? "baseline" : "candidate"] ?? [];
        for (const [row, value] of rows.entries()) {
          values.push(value);
          at.push(START + 60 * (minute + (row + 0.5) / rows.length));
        }
      }
      return Promise.resolve({ samples: timedRows(values, at), faults: [], warnings: [] });
    },
  };
}
