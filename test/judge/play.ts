import { clockOf, firstLookAt } from "../../src/judge/clock.ts";
import { judge, type Judged } from "../../src/judge/judge.ts";
import { gather } from "../../src/look.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { readStoredState, toStoredState, type LookState } from "../../src/model/look-state.ts";
import type { Run } from "../../src/model/run.ts";
import type { Samples } from "../../src/model/samples.ts";
import { epochSeconds, toInstant, type Instant } from "../../src/model/time.ts";
import { createReplaySource } from "../../src/sources/replay.ts";

/** Both arms of one metric, as they were recorded. */
export interface RecordedPair {
  readonly baseline: Samples;
  readonly candidate: Samples;
}

export const START: Instant = "2026-11-20T08:00:00.000Z";
export const START_SECONDS = epochSeconds(START);

/** A run of this analysis from `START`, for as long as its plan says; a plan that looks once takes all rows, whatever their times. */
export function runOf(analysis: Analysis): Run {
  const end = toInstant(START_SECONDS + analysis.plan.durationSeconds);
  return {
    id: "run_1",
    analysis,
    analysisDigest: "sha256:0",
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window: analysis.plan.mode === "once" ? null : { start: START, end },
    args: {},
    rollout: null,
  };
}

interface PlayOptions {
  /** Carries the state through the record between looks. */
  readonly throughRecord?: boolean;
  /** Called with what each look was given. */
  readonly onLook?: (
    run: Run,
    gathered: Parameters<typeof judge>[1],
    previous: LookState | null,
    now: Instant,
    judged: Judged,
  ) => void;
}

/** Every look of the plan to its end, also after a verdict; the source is asked for what is new at each. */
export async function play(
  analysis: Analysis,
  pairs: readonly RecordedPair[],
  { throughRecord = false, onLook }: PlayOptions = {},
): Promise<Judged[]> {
  const run = runOf(analysis);
  const recordingOf = (arm: keyof RecordedPair) =>
    new Map(analysis.metrics.map(({ name }, index) => [name, pairAt(pairs, index)[arm]] as const));
  const source = createReplaySource(
    new Map([
      ["v1", recordingOf("baseline")],
      ["v2", recordingOf("candidate")],
    ]),
  );
  const sources = new Map([["s", source]]);
  const signal = new AbortController().signal;
  const looks: Judged[] = [];
  let previous: LookState | null = null;
  let now: Instant | null = run.window === null ? toInstant(START_SECONDS) : firstLookAt(analysis, run.window);
  while (now !== null) {
    const at: Instant = now;
    const before: LookState | null = previous;
    const gathered = await Promise.all(
      analysis.metrics.map((metric) => gather(sources, run, metric, before, at, signal)),
    );
    const judged = judge(run, gathered, before, at, { keepState: true });
    onLook?.(run, gathered, before, at, judged);
    looks.push(judged);
    previous = throughRecord ? readStoredState(toStoredState(judged.state)) : judged.state;
    now = clockOf(run, at)?.nextAt ?? null;
  }
  return looks;
}

function pairAt(pairs: readonly RecordedPair[], index: number): RecordedPair {
  const pair = pairs[index];
  if (pair === undefined) throw new RangeError(`nothing was recorded for metric ${index}`);
  return pair;
}
