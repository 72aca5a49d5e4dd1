import { isTouchstoneError, TouchstoneError } from "./errors.ts";
import { judge, type Judged } from "./judge/judge.ts";
import type { ArmAnswer, Gathered } from "./judge/gathered.ts";
import type { Metric } from "./model/analysis.ts";
import type { LookState, Run, Window } from "./model/run.ts";
import { epochSeconds, toInstant, type Instant } from "./model/time.ts";
import type { Version } from "./model/version.ts";
import type { Sources } from "./sources/source.ts";

/**
 * The product on one page: gather every arm of every metric, judge, and return the report with the state that the next look continues from.
 *
 * @param previous  what the last look left behind; null at the first.
 * @param now       the time of the look. Nothing in here asks a clock.
 * @param signal    ends the gathering; then the look throws the signal's reason.
 */
export async function look(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
): Promise<Judged> {
  const gathered = await Promise.all(run.analysis.metrics.map((metric) => gather(sources, run, metric, signal)));
  return judge(run, gathered, previous, now);
}

/** Both arms of one metric. An operating error of a source becomes data here, and nowhere else; a bug stays a bug. */
async function gather(sources: Sources, run: Run, metric: Metric, signal: AbortSignal): Promise<Gathered> {
  const ask = async (version: Version): Promise<ArmAnswer> => {
    try {
      const source = sources.get(metric.source);
      if (source === undefined)
        throw new TouchstoneError("not_runnable", `no source named ${metric.source} is configured`);
      const { stepSeconds, warmupSeconds } = run.analysis.plan;
      const request = { metric, version, args: run.args, window: afterWarmup(run.window, warmupSeconds), stepSeconds };
      return { kind: "answer", answer: await source.fetch(request, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (!isTouchstoneError(error)) throw error;
      return { kind: "error", code: error.code, detail: error.message };
    }
  };
  const [baseline, candidate] = await Promise.all([ask(run.baseline), ask(run.candidate)]);
  return { metric, baseline, candidate };
}

/** A version that has just started is slow for reasons of its own: the first minutes count for neither arm. */
function afterWarmup(window: Window | null, warmupSeconds: number): Window | null {
  if (window === null || warmupSeconds === 0) return window;
  return { start: toInstant(epochSeconds(window.start) + warmupSeconds), end: window.end };
}
