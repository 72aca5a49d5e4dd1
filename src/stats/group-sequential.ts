/**
 * How does a test that looks several times behave? Crossing probabilities, power, and what the looks cost in sample size.
 */
import { requireFinite, requireFraction, requirePositive } from "./check-input.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import { findRoot } from "./find-root.ts";
import { nextBoundary, type SpendingState } from "./alpha-spending.ts";
import { cutCurve, firstCurve, massAbove, nextCurve, type SurvivalCurve } from "./survival-curve.ts";

/** One look of a one-sided test: it ends when z >= boundary. */
export interface BoundaryLook {
  /** 1 / variance of the estimate, or anything proportional to it; rises from look to look. */
  readonly information: number;
  /** Infinity where the look is not tested. */
  readonly boundary: number;
}

/** Information as a fraction of the last look, and the spending function in force. */
export interface LookPlan {
  /** Rising fractions of the plan, the last one 1; both time and information go by them. */
  readonly times: readonly number[];
  /** Budget used up by a fraction of the plan, for example `(t) => powerSpending(t, 0.05)`. */
  readonly spend: (time: number) => number;
}

/**
 * With which probability does a one-sided test end at each of its looks?
 *
 * @param looks  in order of rising information.
 * @param drift  mean of z at information 1: the true effect, where information is 1 / variance. 0 without an effect.
 * @returns the probability to cross first at each look; what is missing to 1 is never to cross. Absolute error 1e-8.
 * @throws RangeError when information does not rise.
 *
 * Source: Armitage, McPherson & Rowe (1969), J. R. Stat. Soc. A 132, 235-244.
 * @example crossingProbabilities([{ information: 1, boundary: 1.959963984540054 }], 0) // [0.025]
 */
export function crossingProbabilities(looks: readonly BoundaryLook[], drift: number): number[] {
  requireFinite("drift", drift);
  let curve: SurvivalCurve | null = null;
  let before = 0;
  let alive = 1;
  return looks.map(({ information, boundary }, i) => {
    requirePositive(`looks[${i}].information`, information);
    if (!(information > before * (1 + 1e-9))) throw new RangeError(`looks[${i}].information does not rise`);
    if (boundary === Infinity) return 0;
    curve =
      curve === null
        ? firstCurve(boundary)
        : cutCurve(nextCurve(curve, Math.sqrt(before / information), boundary, NEGLIGIBLE), boundary);
    before = information;
    const now = massAbove(curve, -Infinity, drift * Math.sqrt(information));
    const crossed = Math.max(0, alive - now);
    alive = now;
    return crossed;
  });
}

/** Crossing probabilities need absolute accuracy only. */
const NEGLIGIBLE = 1e-10;

/** The boundaries of a whole plan, for planning and tables. */
export function plannedBoundaries({ times, spend }: LookPlan): BoundaryLook[] {
  let state: SpendingState | null = null;
  return times.map((time) => {
    const look = nextBoundary(state, { spent: spend(time), information: time });
    state = look.state;
    return { information: time, boundary: look.boundary };
  });
}

/**
 * What do repeated looks cost? Power, sample size and its expectation relative to a test with a single look.
 *
 * @param plan   times and spending function.
 * @param alpha  the whole budget: what `spend(1)` returns.
 * @param power  to be reached at the alternative.
 * @returns `inflation`: maximum sample relative to the single look of the same level and power, at least 1; `expected`: the mean
 *          sample under that alternative, again relative to the single look; `drift`: mean of z at the last look.
 * @throws RangeError when alpha or power is outside (0, 1) or power does not exceed alpha.
 *
 * Source: Jennison & Turnbull (2000), Group Sequential Methods, sections 2.3 and 7.
 * @example costOfLooks({ times: [0.5, 1], spend: (t) => 0.05 * t }, { alpha: 0.05, power: 0.8 }).inflation // 1.1
 */
export function costOfLooks(
  plan: LookPlan,
  { alpha, power }: { readonly alpha: number; readonly power: number },
): { readonly inflation: number; readonly expected: number; readonly drift: number } {
  requireFraction("alpha", alpha);
  requireFraction("power", power);
  if (power <= alpha) throw new RangeError(`power is ${power}, not above alpha (${alpha})`);
  const looks = plannedBoundaries(plan);
  const single = normalQuantileUpper(alpha) - normalQuantileUpper(power);
  const powerAt = (drift: number): number => crossingProbabilities(looks, drift).reduce((sum, p) => sum + p, 0);
  const drift = findRoot((d) => powerAt(d) - power, 0, 4 * single + 4, 1e-9);
  const inflation = (drift / single) ** 2;
  const crossings = crossingProbabilities(looks, drift);
  const end = plan.times[plan.times.length - 1];
  const stopped = crossings.reduce((sum, p, i) => sum + p * (plan.times[i] / end), 0);
  const never = 1 - crossings.reduce((sum, p) => sum + p, 0);
  return { inflation, expected: inflation * (stopped + never), drift };
}
