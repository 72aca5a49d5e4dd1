import type { Analysis } from "../model/analysis.ts";
import type { Run } from "../model/run.ts";
import { epochSeconds, toInstant, type Instant } from "../model/time.ts";

/** Where a look stands in its run, in seconds since the epoch. Nothing here asks the time. */
export interface Clock {
  /** Samples from here on count: the start of the window, after the warm-up. */
  readonly from: number;
  /** Up to here everything has arrived; the evidence of this look ends here. */
  readonly edge: number;
  /** The end of the run's window. */
  readonly end: number;
  /** Units that began before this are complete. */
  readonly entryEdge: number;
  /** Fraction of the plan that has passed, in (0, 1]. */
  readonly fraction: number;
  /** No look comes after this one. */
  readonly final: boolean;
  /** When the next look is due; null after the last. */
  readonly nextAt: Instant | null;
}

/**
 * The clock of a look at `now`. Edges lie on a grid of `every` from the end of the warm-up, and on the end of the window, so that a late worker sees the same
 * slices of time as a punctual one. Null at the command line without a window: then all rows count and there is one look.
 */
export function clockOf({ analysis, window }: Pick<Run, "analysis" | "window">, now: Instant): Clock | null {
  if (window === null) return null;
  const { plan } = analysis;
  const from = epochSeconds(window.start) + plan.warmupSeconds;
  const end = epochSeconds(window.end);
  if (plan.mode === "once") return { from, edge: end, end, entryEdge: end, fraction: 1, final: true, nextAt: null };
  const ripe = epochSeconds(now) - plan.settleSeconds;
  const passed = Math.floor((ripe - from) / plan.everySeconds + 1e-9);
  const edge = ripe >= end ? end : Math.min(end, from + Math.max(0, passed) * plan.everySeconds);
  const final = edge >= end;
  const next = Math.min(end, edge + plan.everySeconds);
  return {
    from,
    edge,
    end,
    entryEdge: edge - plan.followUpSeconds,
    fraction: Math.max(0, Math.min(1, (edge - from) / (end - from))),
    final,
    nextAt: final ? null : toInstant(next + plan.settleSeconds),
  };
}

/** When the first look of a run is due that has this window. */
export function firstLookAt({ plan }: Analysis, window: NonNullable<Run["window"]>): Instant {
  const end = epochSeconds(window.end);
  if (plan.mode === "once") return toInstant(end + plan.settleSeconds);
  const first = epochSeconds(window.start) + plan.warmupSeconds + plan.followUpSeconds + plan.everySeconds;
  return toInstant(Math.min(end, first) + plan.settleSeconds);
}
