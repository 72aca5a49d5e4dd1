import type { Stage } from "../model/stage.ts";
import type { Carried } from "../model/run.ts";
import { epochSeconds, toInstant, type Instant } from "../model/time.ts";

/** A run of the same rollout, baseline, candidate and analysis that was started before. */
export interface EarlierRun {
  readonly stage: string | null;
  readonly verdict: "promote" | "rollback" | "pause" | null;
  /** Where its window starts. */
  readonly start: Instant | null;
  readonly analysisDigest: string;
}

/**
 * The evidence that a run of a stage goes on from: back to the start of the earliest stage before it, as far as each was promoted by the evidence, without a break
 * and under the very same analysis. Whatever ended otherwise (paused, failed, overridden) is a break: something was wrong then, with the data or the candidate.
 *
 * @param stages  all, in their order.
 * @param name    of the stage that the run belongs to.
 * @param runs    of the same rollout, the newest first.
 * @param start   of the run's own window.
 * @returns null where the run starts afresh.
 */
export function carriedInto(
  stages: readonly Stage[],
  name: string,
  runs: readonly EarlierRun[],
  analysisDigest: string,
  start: Instant,
): Carried | null {
  let place = stages.findIndex((stage) => stage.name === name);
  const own = stages[place];
  const carried: string[] = [];
  let from = epochSeconds(start);
  for (const run of runs) {
    const reached = stages.findIndex((stage) => stage.name === run.stage);
    const before = stages[reached];
    const goesOn = stages[place]?.carry ?? false;
    if (own === undefined || before === undefined || reached >= place || !goesOn) break;
    if (run.verdict !== "promote" || run.start === null || run.analysisDigest !== analysisDigest) break;
    if (before.group !== null || !isSameQuestion(before, own)) break;
    const begun = epochSeconds(run.start);
    if (begun >= from) break;
    from = begun;
    carried.unshift(before.name);
    place = reached;
  }
  if (own === undefined || carried.length === 0) return null;
  // Both parts are cut on one grid of looks, so that each look ends both at the same moment.
  const steps = Math.floor((epochSeconds(start) - from) / own.everySeconds + 1e-9);
  return steps === 0 ? null : { from: toInstant(epochSeconds(start) - steps * own.everySeconds), stages: carried };
}

function isSameQuestion(a: Stage, b: Stage): boolean {
  const names = new Set([...Object.keys(a.args), ...Object.keys(b.args)]);
  return [...names].every((name) => a.args[name] === b.args[name]);
}
