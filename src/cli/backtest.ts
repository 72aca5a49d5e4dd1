import { TouchstoneError } from "../errors.ts";
import type { Reason, Verdict } from "../model/finding.ts";
import { readAnalysis } from "../model/read-analysis.ts";
import { epochSeconds, type Instant } from "../model/time.ts";
import { readText } from "./judge-files.ts";
import { replayRecording, type ReadRecordings, type Replayed, type WireReplay } from "./replay-recording.ts";

/** What replaying stands on. */
export interface ReplayDependencies {
  readonly readRecordings: ReadRecordings;
  readonly wireReplay: WireReplay;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export interface BacktestRequest {
  readonly analysis: string;
  readonly samples: string;
  readonly by: string | null;
  readonly baseline: string;
  readonly candidate: string;
  readonly start: Instant | null;
}

/** A line of the answer. */
interface BacktestLine {
  readonly key: string | number | null;
  readonly verdict: Verdict;
  readonly look: number;
  readonly minutes: number;
  readonly score: number | null;
  readonly reasons: readonly Reason[];
}

/**
 * Replays recorded runs through the looks of an analysis: one run per key, one line of NDJSON each on stdout, a summary on stderr.
 *
 * @throws TouchstoneError for a faulty analysis, or a line of the file that is no record.
 */
export async function backtestRecords(
  { readRecordings, wireReplay, stdout, stderr }: ReplayDependencies,
  { analysis: path, samples, by, baseline, candidate, start }: BacktestRequest,
): Promise<void> {
  const labels = twoLabels(baseline, candidate);
  const { analysis } = readAnalysis(await readText(path), path);
  const request = {
    path: samples,
    by,
    metrics: analysis.metrics,
    arms: [baseline, candidate],
    stepSeconds: analysis.plan.stepSeconds,
    start: start === null ? null : epochSeconds(start),
  };
  const tally = createTally();
  for await (const { key, ...recorded } of readRecordings(request, (text) => stderr(`warning: ${text}\n`))) {
    const replayed = await replayRecording(wireReplay, analysis, { ...recorded, labels });
    tally.add(replayed);
    stdout(`${JSON.stringify(toLine(key, replayed))}\n`);
  }
  stderr(tally.text());
}

/** @throws TouchstoneError `invalid_request` when both are the same. */
function twoLabels(baseline: string, candidate: string): { baseline: string; candidate: string } {
  if (baseline !== candidate) return { baseline, candidate };
  throw new TouchstoneError("invalid_request", `--baseline and --candidate are both ${baseline}`);
}

function toLine(key: BacktestLine["key"], { verdict, look, minutes, score, reasons }: Replayed): BacktestLine {
  // Times are sums of fractions of seconds.
  return { key, verdict, look, minutes: Number(minutes.toFixed(6)), score, reasons };
}

/** Counts verdicts; the numbers of a million replays are small enough to be kept for their medians. */
function createTally(): { add(replayed: Replayed): void; text(): string } {
  const verdicts = { promote: 0, rollback: 0, pause: 0 };
  const minutes: number[] = [];
  const looks: number[] = [];
  let early = 0;
  return {
    add(replayed) {
      verdicts[replayed.verdict] += 1;
      minutes.push(replayed.minutes);
      looks.push(replayed.look);
      if (replayed.endedEarly) early += 1;
    },
    text() {
      const n = minutes.length;
      const { promote, rollback, pause } = verdicts;
      const counts = `${n} ${n === 1 ? "replay" : "replays"}: ${promote} promote, ${rollback} rollback, ${pause} pause`;
      const middle =
        n === 0 ? "" : `; median ${Number(medianOf(minutes).toFixed(2))} minutes (look ${medianOf(looks)})`;
      const ended =
        early === 0 ? "" : `note: ${early} ended before the plan; the last look came at the end of the recording\n`;
      return `${counts}${middle}\n${ended}`;
    },
  };
}

/** @param values  at least one. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}
