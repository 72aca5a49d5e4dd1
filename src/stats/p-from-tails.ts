import type { Alternative } from "./check-input.ts";

/** The two one-sided p-values of a test. */
export interface Tails {
  /** Against "the candidate tends to be larger": small when it is. */
  readonly greater: number;
  readonly less: number;
}

/**
 * The p-value of the alternative asked for. Two-sided is min(1, 2 min(greater, less)), so that it agrees with an
 * interval whose two ends each spend half; never 0, for no data exclude a null hypothesis altogether.
 */
export function pFromTails(tails: Tails, alternative: Alternative): number {
  const p = alternative === "two-sided" ? 2 * Math.min(tails.greater, tails.less) : tails[alternative];
  return Math.min(1, Math.max(Number.MIN_VALUE, p));
}
