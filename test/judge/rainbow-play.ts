import { firstLookAt } from "../../src/judge/clock.ts";
import type { Judged } from "../../src/judge/judge.ts";
import { look } from "../../src/look.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { readStoredState, toStoredState, type LookState } from "../../src/model/look-state.ts";
import type { Run } from "../../src/model/run.ts";
import type { Samples } from "../../src/model/samples.ts";
import { toInstant, type Instant } from "../../src/model/time.ts";
import { seeded } from "../../src/stats/random.ts";
import { createReplaySource } from "../../src/sources/replay.ts";
import type { MetricSource } from "../../src/sources/source.ts";
import { runOf, START_SECONDS } from "./play.ts";
import { timedRows } from "./samples.ts";

/** What each version answers, by label and metric; the first is the baseline. */
export type Versions = Readonly<Record<string, Readonly<Record<string, Samples>>>>;

interface RainbowOptions {
  /** Carries the state through the record between looks. */
  readonly throughRecord?: boolean;
  /** Goes on from here instead of from the beginning. */
  readonly from?: { readonly state: LookState; readonly now: Instant | null };
  readonly run?: (run: Run) => Run;
  /** Stands before the recording: to fail, or to count. */
  readonly source?: (source: MetricSource) => MetricSource;
  readonly onState?: (state: LookState) => void;
}

/** Every look of a rainbow run until its verdict. */
export async function playRainbow(
  analysis: Analysis,
  versions: Versions,
  { throughRecord = false, from, run: change = (run) => run, source, onState }: RainbowOptions = {},
): Promise<Judged[]> {
  const [baseline = "", ...labels] = Object.keys(versions);
  const candidates = labels.map((label) => ({ label }));
  const [candidate = { label: "" }] = candidates;
  const run = change({ ...runOf(analysis), baseline: { label: baseline }, candidate, candidates });
  const recording = new Map(Object.entries(versions).map(([label, own]) => [label, new Map(Object.entries(own))]));
  const replay = createReplaySource(recording);
  const sources = new Map([["s", source === undefined ? replay : source(replay)]]);
  const looks: Judged[] = [];
  let state: LookState | null = from?.state ?? null;
  const first = run.window === null ? toInstant(START_SECONDS) : firstLookAt(analysis, run.window);
  let now: Instant | null = from === undefined ? first : from.now;
  while (now !== null) {
    const judged = await look(sources, run, state, now, new AbortController().signal);
    looks.push(judged);
    state = throughRecord ? readStoredState(toStoredState(judged.state)) : judged.state;
    onState?.(state);
    now = judged.nextAt;
  }
  return looks;
}

/** So many values, evenly over the seconds after the start of a run. */
export function spread(seed: number, size: number, seconds: number, one: (random: () => number) => number): Samples {
  const random = seeded(seed);
  return timedRows(
    Float64Array.from({ length: size }, () => one(random)),
    Float64Array.from({ length: size }, (_, row) => START_SECONDS + ((row + 0.5) * seconds) / size),
  );
}
