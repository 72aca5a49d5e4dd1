import { findRoot } from "../stats/find-root.ts";
import type { Component } from "../model/analysis.ts";
import type { Tolerance } from "../model/amount.ts";
import type { Effect } from "../model/finding.ts";

/**
 * What the data say about one component of one metric, before any budget is spent: an estimate, and a p-value against every level that a rule may ask about.
 *
 * Effects are candidate − baseline in the metric's own direction; what counts as worse is decided later.
 */
export interface Evidence {
  readonly component: Component;
  readonly method: string;
  readonly scale: Effect["scale"];
  readonly estimate: number;
  /** Where a level lies on the scale. */
  place(level: Level): number;
  /** One-sided p-value of "the effect is at most the level": small when the effect is proven to lie above. */
  above(level: Level): number;
  /** One-sided p-value of "the effect is at least the level": small when the effect is proven to lie below. */
  below(level: Level): number;
  /** Confidence bounds on the scale, each with its own one-sided error; null where there is none. They agree with `above` and `below`. */
  bounds(alphaLower: number, alphaUpper: number): { readonly lower: number | null; readonly upper: number | null };
  /** Independent units that would say as much. */
  readonly effectiveUnits: { readonly baseline: number; readonly candidate: number };
  /** Grows as 1 / variance: what correlates one look with the next. Counted, not estimated, so that it never shrinks. */
  readonly information: number;
  /** Of the estimate, on the scale; left out where the evidence has none, null where it is not known. */
  readonly standardError?: number | null;
  /** Why this evidence must not promote, or null. */
  readonly promotionBar: string | null;
  /** Why this evidence must not roll back, or null: asymptotic evidence of too few units proves nothing. */
  readonly rollbackBar: string | null;
  /** Steps vary more than independent events would; left out where they do not, or where that is not asked. */
  readonly bursty?: true;
  /** Left out where there is none, and in plans with an end. */
  readonly exact?: ExactEvidence;
}

/** E-values that hold at all looks together, without asymptotics: in plans without an end they decide in place of the p-values. */
export interface ExactEvidence {
  /** Log of the e-value against "the effect is at most the level", over all looks so far; null where that is not asked. */
  above(level: Level): number | null;
  /** Log of the e-value against "the effect is at least the level". */
  below(level: Level): number | null;
  /** False where the data doubt what the exactness rests on: then the p-value must agree. */
  readonly alone: boolean;
}

/** No change; or a tolerance to the harmful side, up when higher is worse and down when lower is. */
export type Level =
  | { readonly kind: "none" }
  | { readonly kind: "tolerance"; readonly tolerance: Tolerance; readonly direction: 1 | -1 };

export const NONE: Level = { kind: "none" };

/** As a factor of the baseline: 5 % up is 1.05, 5 % down is 0.95. @throws RangeError when the level is absolute. */
export function factorOf(level: Level): number {
  if (level.kind === "none") return 1;
  if (level.tolerance.relative === null) throw new RangeError("an absolute tolerance is no factor");
  return 1 + level.direction * level.tolerance.relative;
}

/** As a difference in the metric's measurement unit. @throws RangeError when the level is relative. */
export function differenceOf(level: Level): number {
  if (level.kind === "none") return 0;
  if (level.tolerance.absolute === null) throw new RangeError("a relative tolerance is no difference");
  return level.direction * level.tolerance.absolute;
}

/** What two arms of independent units tell together: half the units when both have as many. */
export function informationOf(baseline: number, candidate: number): number {
  return (baseline * candidate) / (baseline + candidate);
}

/** JSON knows no infinity: an open side is null. */
export function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Doublings of the first step within which a bound must lie; beyond, there is none. */
const MAX_DOUBLINGS = 60;

/**
 * Bounds that agree with a test by construction: the values that it does not reject.
 *
 * @param tailsAt  p-values of "the effect is at most this value" (`above`) and "at least" (`below`).
 * @param step     about one standard error.
 * @param lowest   values at and below are impossible, such as a fall by more than all.
 */
export function invertTests(
  tailsAt: (value: number) => { above: number; below: number },
  estimate: number,
  step: number,
  alphaLower: number,
  alphaUpper: number,
  lowest = -Infinity,
): { lower: number | null; upper: number | null } {
  const bound = (excess: (value: number) => number, side: 1 | -1): number | null => {
    let near = estimate;
    // Where hardly anything varies, rounding alone may put the estimate beyond its own bound.
    if (excess(near) <= 0) return near;
    for (let doubling = 0; doubling < MAX_DOUBLINGS; doubling++) {
      const far = near + side * step * 2 ** doubling;
      if (!Number.isFinite(far) || far <= lowest) return null;
      if (excess(far) <= 0) return side === 1 ? findRoot(excess, near, far) : findRoot(excess, far, near);
      near = far;
    }
    return null;
  };
  return {
    lower: bound((value) => tailsAt(value).above - alphaLower, -1),
    upper: bound((value) => tailsAt(value).below - alphaUpper, 1),
  };
}
