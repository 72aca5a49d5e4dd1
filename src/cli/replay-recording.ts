import { backtest, type Backtest } from "../backtest.ts";
import type { Analysis, Metric } from "../model/analysis.ts";
import type { Query } from "../model/query.ts";
import type { Samples } from "../model/samples.ts";
import { toInstant } from "../model/time.ts";
import type { Sources } from "../sources/source.ts";

/** Recorded samples of every metric, by the label of the version. */
export type Recording = ReadonlyMap<string, ReadonlyMap<string, Samples>>;

/** The recording of one replay; `start` in seconds since the epoch. */
export interface KeyedRecording {
  readonly key: string | number | null;
  readonly start: number;
  readonly recording: Recording;
}

/** Reads a file of timestamped records, key by key. */
export type ReadRecordings = (
  request: {
    readonly path: string;
    readonly by: string | null;
    readonly metrics: readonly Metric[];
    readonly arms: readonly string[];
    readonly stepSeconds: number;
    readonly start: number | null;
  },
  warn: (text: string) => void,
) => AsyncIterable<KeyedRecording>;

/** Sources that play back a recording. */
export type WireReplay = (names: Iterable<string>, recording: Recording) => Sources;

export interface ReplayedArms {
  readonly recording: Recording;
  readonly start: number;
  readonly labels: { readonly baseline: string; readonly candidate: string };
}

export interface Replayed extends Backtest {
  /** The recording ended before the plan did, and the last look came there. */
  readonly endedEarly: boolean;
}

/** One run over a recording. A plan that looks once judges all of it; any other looks as planned, the last time where the recording ends if that is earlier. */
export async function replayRecording(
  wireReplay: WireReplay,
  analysis: Analysis,
  { recording, start, labels }: ReplayedArms,
  { detail = true }: { readonly detail?: boolean } = {},
): Promise<Replayed> {
  const { plan } = analysis;
  const from = start + plan.warmupSeconds;
  const last = lastOf(recording);
  const asked = { ...analysis, metrics: analysis.metrics.map((metric) => asRecorded(metric, recording)) };
  const sources = wireReplay(new Set(analysis.metrics.map(({ source }) => source)), recording);
  if (plan.mode === "once") {
    // Half-open windows: the last row lies before the end, to the millisecond that instants know.
    const end = Math.max(last.step, (Math.floor(last.row * 1000) + 1) / 1000, from + plan.stepSeconds);
    const all = { ...asked, plan: { ...plan, durationSeconds: end - start } };
    return { ...(await backtest(sources, all, { start: toInstant(start), labels, detail })), endedEarly: false };
  }
  const { everySeconds: every, followUpSeconds } = plan;
  const looksUntil = Math.max(
    Math.floor((last.row - from) / every) + 1 + Math.ceil(followUpSeconds / every),
    Math.ceil((last.step - from) / every - 1e-9),
    1,
  );
  const end = from + looksUntil * every;
  // A recording that lies wholly before the window has no end in it.
  const endedEarly = Number.isFinite(end) && Math.max(last.row, last.step) > from && end < start + plan.durationSeconds;
  const replayed = await backtest(sources, asked, {
    start: toInstant(start),
    labels,
    detail,
    ...(endedEarly ? { end: toInstant(end) } : {}),
  });
  return { ...replayed, endedEarly };
}

/** When the newest row stands and the newest step ends, in seconds since the epoch. */
export function lastOf(recording: Recording): { readonly row: number; readonly step: number } {
  let [row, step] = [-Infinity, -Infinity];
  for (const samples of [...recording.values()].flatMap((metrics) => [...metrics.values()])) {
    const last = samples.at?.at(-1) ?? -Infinity;
    if (samples.shape === "samples") row = Math.max(row, last);
    else step = Math.max(step, last);
  }
  return { row, step };
}

/** The metric with a question of the shape that its records have: how far back a look asks depends on it. */
function asRecorded(metric: Metric, recording: Recording): Metric {
  if (metric.query.instant !== undefined) return metric;
  const [arm] = recording.values();
  const shape = arm?.get(metric.name)?.shape;
  return shape === undefined ? metric : { ...metric, query: QUERIES[shape] };
}

const QUERIES: Readonly<Record<Samples["shape"], Query>> = {
  samples: { value: "value", at: "at" },
  series: { series: "value" },
  counts: { events: "events", exposure: "exposure" },
  histogram: { histogram: "buckets" },
};
