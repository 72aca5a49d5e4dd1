import type { Metric } from "../model/analysis.ts";
import { averageLogE } from "../stats/e-value-combination.ts";
import { isReached, type ExactClaim } from "./claim.ts";
import { finiteOrNull, NONE, type Evidence, type Level } from "./evidence.ts";

/** What exact e-values say of the claims that a rule makes; null where the p-values decide. */
export interface ExactClaims {
  /** Against "not harmful beyond the level". */
  harmBeyond(at: (side: 1 | -1) => Level): ExactClaim | null;
  /** Against "harmful up to the level or beyond". */
  inside(at: (side: 1 | -1) => Level): ExactClaim | null;
  /** Against "not better". */
  better(): ExactClaim | null;
}

export function exactClaims({ exact }: Evidence, direction: Metric["worse"]): ExactClaims {
  if (exact === undefined) return { harmBeyond: () => null, inside: () => null, better: () => null };
  const { alone } = exact;
  const claim = (logEs: readonly (number | null)[], combined: (known: readonly number[]) => number) => {
    const known = logEs.filter((logE) => logE !== null);
    return known.length < logEs.length ? null : { logE: combined(known), alone };
  };
  const [up, down] = [direction !== "lower", direction !== "higher"];
  return {
    // Harm on either side: the mean of both e-values.
    harmBeyond: (at) =>
      claim([...(up ? [exact.above(at(1))] : []), ...(down ? [exact.below(at(-1))] : [])], (logEs) =>
        averageLogE(logEs),
      ),
    // Inside on both sides: both must be proven.
    inside: (at) =>
      claim([...(up ? [exact.below(at(1))] : []), ...(down ? [exact.above(at(-1))] : [])], (logEs) =>
        Math.min(...logEs),
      ),
    better: () =>
      direction === "either"
        ? null
        : claim([direction === "higher" ? exact.below(NONE) : exact.above(NONE)], (logEs) => Math.min(...logEs)),
  };
}

/** In a plan without an end: how, and by which e-value it is decided. */
export function methodWithoutEnd({ method, exact }: Evidence): string {
  if (exact === undefined) return `${method}; decided by its normal-mixture e-value, which is asymptotic`;
  return `${method}; decided by exact e-values, bets on blocks of both arms${exact.alone ? "" : ", and by the normal mixture too, for the steps show bursts"}`;
}

/** Larger ones are no numbers. */
const LARGEST_LOG_E = 700;

export function eValueOf({ logE }: ExactClaim): number {
  return Math.exp(Math.min(logE, LARGEST_LOG_E));
}

/** A p-value that holds at all looks together. */
export function alwaysValidP({ logE }: ExactClaim): number {
  return Math.min(1, Math.exp(-logE));
}

/** An end of an interval, and whether the effect is proven to lie on its inner side. */
interface End {
  readonly at: number;
  readonly claim: ExactClaim | null;
  readonly alpha: number;
}

/** The interval is asymptotic: where it disagrees with exact e-values about no change or the margin, it is moved to what they say. */
export function agreeing(
  { lower, upper }: { readonly lower: number | null; readonly upper: number | null },
  low: End,
  high: End,
): { lower: number | null; upper: number | null } {
  const moved = (bound: number, { at, claim, alpha }: End, inward: 1 | -1): number | null => {
    if (claim === null) return finiteOrNull(bound);
    const within = inward === 1 ? Math.max : Math.min;
    const without = inward === 1 ? Math.min : Math.max;
    return finiteOrNull(isReached(claim.logE, alpha) ? within(bound, at) : without(bound, at));
  };
  return { lower: moved(lower ?? -Infinity, low, 1), upper: moved(upper ?? Infinity, high, -1) };
}
