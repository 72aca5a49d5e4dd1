/**
 * Alpha spending: at which z may a sequence of looks stop, so that its error over all looks stays within a budget?
 *
 * A spending function says how much of the budget may be used up by a fraction of the planned time; `nextBoundary` turns the
 * spend of one look into its boundary, one look at a time, for any look times that nobody needs to know beforehand
 * (Lan & DeMets 1983, Biometrika 70, 659-663). Spend goes by the calendar, correlation between looks by information, so
 * that a traffic ramp does not inflate the error. A look that is not tested spends nothing: its share stays for the next.
 */
import { requireFinite, requireFraction, requireNonNegative, requirePositive } from "./check-input.ts";
import { normalQuantileUpper, normalSf } from "./distributions/normal.ts";
import { boundaryOf, cutCurve, firstCurve, nextCurve, type SurvivalCurve } from "./survival-curve.ts";

/** What a sequence of tested looks leaves behind: plain numbers, 2 to 5 kB as JSON, so that any machine can continue. */
export interface SpendingState {
  /** Looks tested so far. */
  readonly looks: number;
  /** The budget used up so far: the probability, without an effect, to have crossed a boundary. */
  readonly spent: number;
  /** Information at the last tested look, in the units of the caller. */
  readonly information: number;
  /** Boundary of the last tested look. */
  readonly boundary: number;
  readonly curve: SurvivalCurve;
}

/** The boundary of one look, and the state for the next. */
export interface SpendingLook {
  /** Cross when z >= boundary; Infinity when this look cannot be tested. */
  readonly boundary: number;
  /** The same as a one-sided p-value: cross when p <= level. */
  readonly level: number;
  /** The state after this look; the state before it when it was not tested. */
  readonly state: SpendingState | null;
}

/** Between two tested looks information must grow by this fraction: less adds no evidence that could be told from rounding. */
const LEAST_GROWTH = 1e-6;

/** The smallest share of budget that is worth a boundary: z is above 30 there. */
const LEAST_SHARE = 1e-200;

/**
 * Boundary of the next look of a one-sided group-sequential test.
 *
 * @param state        what the look before returned; null at the first look.
 * @param spent        budget that may be used up by the end of this look, cumulative, in [0, 1): a spending function at the
 *                     fraction of the plan that has passed. It may not fall from look to look.
 * @param information  1 / variance of the estimate at this look, or anything proportional to it, such as effective units.
 *                     Only ratios between looks count. Where the variance is estimated, prefer units: they cannot shrink.
 * @returns `boundary` for z and the same as a one-sided `level`; Infinity and 0 where there is nothing to spend or
 *          information has not grown by a millionth since the last tested look. Such a look leaves the state as it was.
 * @throws RangeError when `spent` falls below what was spent before or leaves [0, 1), or information is not positive.
 *
 * The statistics must have independent increments: those of means, ranks, scores and their cluster-robust forms do,
 * asymptotically. Crossing is P(Z_k >= c_k first at look k) = spent_k - spent_{k-1}, to about 1e-7 in the boundary, also where z
 * is above 10. Not for looks whose times depend on the estimate seen.
 *
 * Source: Lan & DeMets (1983); correlation by information: Jennison & Turnbull (2000), Group Sequential Methods, ch. 7 and 11.
 * @example nextBoundary(null, { spent: obrienFlemingSpending(0.2, 0.025), information: 1 }).boundary // 4.8769
 */
export function nextBoundary(
  state: SpendingState | null,
  { spent, information }: { readonly spent: number; readonly information: number },
): SpendingLook {
  requirePositive("information", information);
  const before = state?.spent ?? 0;
  if (!(spent >= before && spent < 1)) {
    throw new RangeError(`spent is ${spent}, not between what was spent before (${before}) and 1`);
  }
  const share = spent - before;
  const untested: SpendingLook = { boundary: Infinity, level: 0, state };
  if (share < LEAST_SHARE) return untested;
  if (state === null) {
    const boundary = normalQuantileUpper(share);
    return { boundary, level: share, state: { looks: 1, spent, information, boundary, curve: firstCurve(boundary) } };
  }
  if (!(information > state.information * (1 + LEAST_GROWTH))) return untested;
  // The curve is at most 1, so the boundary is at most the quantile of the share; beyond `top` lies 1e-13 of the share.
  const highest = normalQuantileUpper(share);
  const top = Math.sqrt(Math.max(highest, 0) ** 2 + 60);
  const curve = nextCurve(state.curve, Math.sqrt(state.information / information), top, share);
  const boundary = boundaryOf(curve, share);
  return {
    boundary,
    level: normalSf(boundary),
    state: { looks: state.looks + 1, spent, information, boundary, curve: cutCurve(curve, boundary) },
  };
}

/**
 * Kim and DeMets' power family: alpha t^exponent. Touchstone spends the rollback budget by exponent 1.5, which detects earlier
 * than O'Brien and Fleming's shape at nearly its final power.
 *
 * @param time   fraction of the plan that has passed; clipped to [0, 1].
 * @param alpha  the budget, one-sided.
 *
 * Source: Kim & DeMets (1987), Biometrika 74, 149-154. @example powerSpending(0.25, 0.05) // 0.00625
 */
export function powerSpending(time: number, alpha: number, exponent = 1.5): number {
  requireSpending(time, alpha);
  requirePositive("exponent", exponent);
  return alpha * clip(time) ** exponent;
}

/**
 * Lan and DeMets' spending function of O'Brien and Fleming's type: 2 P(Z > z_{alpha/2} / sqrt(t)). Spends next to nothing
 * early: z = 11.5 at the first of 20 looks and alpha 0.01.
 *
 * Source: Lan & DeMets (1983). @example obrienFlemingSpending(0.2, 0.025) // 5.4e-7
 */
export function obrienFlemingSpending(time: number, alpha: number): number {
  requireSpending(time, alpha);
  const t = clip(time);
  return t === 0 ? 0 : t === 1 ? alpha : 2 * normalSf(normalQuantileUpper(alpha / 2) / Math.sqrt(t));
}

/**
 * Lan and DeMets' spending function of Pocock's type: alpha log(1 + (e - 1) t), boundaries that hardly change.
 *
 * Source: Lan & DeMets (1983). @example pocockSpending(0.5, 0.05) // 0.0310
 */
export function pocockSpending(time: number, alpha: number): number {
  requireSpending(time, alpha);
  return alpha * Math.log1p((Math.E - 1) * clip(time));
}

/**
 * Hwang, Shih and DeCani's family: alpha (1 - exp(-gamma t)) / (1 - exp(-gamma)). gamma = -4 resembles O'Brien and Fleming,
 * gamma = 1 Pocock, gamma = 0 is linear.
 *
 * Source: Hwang, Shih & DeCani (1990), Statistics in Medicine 9, 1439-1445. @example hwangShihDeCaniSpending(0.5, 0.025, -4) // 0.00298
 */
export function hwangShihDeCaniSpending(time: number, alpha: number, gamma: number): number {
  requireSpending(time, alpha);
  requireFinite("gamma", gamma);
  const t = clip(time);
  return gamma === 0 ? alpha * t : (alpha * Math.expm1(-gamma * t)) / Math.expm1(-gamma);
}

function clip(time: number): number {
  return Math.min(1, time);
}

function requireSpending(time: number, alpha: number): void {
  requireNonNegative("time", time);
  requireFraction("alpha", alpha);
}
