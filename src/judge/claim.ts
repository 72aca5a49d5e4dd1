import type { ClaimState, SpentSoFar } from "../model/look-state.ts";
import { nextBoundary, obrienFlemingSpending, powerSpending, type SpendingLook } from "../stats/alpha-spending.ts";
import { criticalZ } from "../stats/confidence-sequence.ts";
import { normalQuantileUpper, normalSf } from "../stats/distributions/normal.ts";

/**
 * At which p-value may a look make a claim, so that the error over all looks stays within the claim's budget?
 *
 * `once`: at the budget itself. `scheduled`: at the boundary of alpha spending; harm by Kim and DeMets' power 1.5, which finds it early, safety by O'Brien and
 * Fleming's shape, which waits. `continuous`: where an e-value reaches 1 / budget, which needs no end: the exact one where the evidence has it, else that of a
 * normal mixture, which is asymptotic. docs/decisions/0004 says why.
 */
export interface ClaimClock {
  readonly mode: "once" | "scheduled" | "continuous";
  /** Fraction of the plan that has passed, in [0, 1]. */
  readonly fraction: number;
  /** The same at the look that the plan has before this one; 0 at the first. */
  readonly fractionBefore: number;
  /** This look's number, from 1. */
  readonly look: number;
  /** How many looks the plan has. */
  readonly looksPlanned: number;
}

export interface Claim {
  /** One-sided; small speaks for the claim. */
  readonly p: number;
  /** The budget of this claim over all looks. */
  readonly alpha: number;
  readonly spending: "harm" | "safety";
  /** Why the evidence must not speak yet, or null. A look that is not tested spends nothing. */
  readonly bar: string | null;
  /** Anything proportional to 1 / variance; only ratios between looks count. */
  readonly information: number;
  /** How many standard errors lie between no effect and the margin; null where that is not known. */
  readonly distance: () => number | null;
  /** The evidence is a window that slides: each look asks anew, and has only what it adds to the spend. */
  readonly sliding?: boolean;
  /** Against the claim's opposite, over all looks so far; null where the p-value decides. Only `continuous` asks. */
  readonly exact: ExactClaim | null;
}

export interface ExactClaim {
  readonly logE: number;
  /** False: the p-value must agree. */
  readonly alone: boolean;
}

export interface Tested {
  /** At this look. */
  readonly proven: boolean;
  /** The look at which it was first proven; null when it never was. */
  readonly since: number | null;
  /** The claim holds at p-values up to here; null where nobody asked and the claim is not made. */
  readonly level: number | null;
}

/** The claims of one metric at one look. */
export interface ClaimBook {
  test(key: string, claim: Claim): Tested;
  /** For the next look. */
  readonly states: Readonly<Record<string, ClaimState>>;
}

/** What the e-value looks for, in margins. Twice the margin is found soonest near the margin's own sample size. */
const SOUGHT_MARGINS = 2;

/** More standard errors between no effect and the margin change no boundary any more. */
const FARTHEST = 1e6;

/** A union bound over looks without end: the budgets of the looks, 6 / (pi k)^2, add up to 1. */
const UNION = 6 / Math.PI ** 2;

/**
 * @param wanted  levels are reported for every claim, not only for those where they decide: dearer by a boundary per claim and look.
 */
export function openClaims(
  before: Readonly<Record<string, ClaimState>>,
  clock: ClaimClock,
  wanted: boolean,
): ClaimBook {
  const states: Record<string, ClaimState> = { ...before };
  return {
    states,
    test(key, claim) {
      const known = states[key] ?? { provenAt: null, curve: null, pending: [] };
      const { proven, level, state } = TESTS[clock.mode](claim, known, clock, wanted);
      const since = known.provenAt ?? (proven ? clock.look : null);
      states[key] = { ...state, provenAt: since };
      return { proven, since, level };
    },
  };
}

type Test = (
  claim: Claim,
  known: ClaimState,
  clock: ClaimClock,
  wanted: boolean,
) => { proven: boolean; level: number | null; state: ClaimState };

const TESTS: Readonly<Record<ClaimClock["mode"], Test>> = {
  once: ({ p, alpha, bar }, known) => ({ proven: bar === null && p <= alpha, level: alpha, state: known }),
  scheduled,
  continuous({ p, alpha, bar, distance, exact }, known, { look }, wanted) {
    const reached = exact === null || isReached(exact.logE, alpha);
    if (exact?.alone === true && !wanted) return { proven: bar === null && reached, level: null, state: known };
    const apart = distance();
    const level =
      apart === null || apart === 0
        ? (alpha * UNION) / look ** 2
        : normalSf(criticalZ(1, SOUGHT_MARGINS * Math.min(apart, FARTHEST), alpha, "greater"));
    return { proven: bar === null && reached && (exact?.alone === true || p <= level), level, state: known };
  },
};

/** A true null's e-value ever reaches 1 / alpha with a probability of at most alpha (Ville). */
export function isReached(logE: number, alpha: number): boolean {
  return logE >= -Math.log(alpha);
}

function scheduled(
  { p, alpha, spending, bar, information, sliding = false }: Claim,
  known: ClaimState,
  clock: ClaimClock,
  wanted: boolean,
): { proven: boolean; level: number | null; state: ClaimState } {
  const { fraction, fractionBefore } = clock;
  const spendingAt = spending === "harm" ? powerSpending : obrienFlemingSpending;
  const spent = spendingAt(fraction, alpha);
  if (sliding) {
    // Windows need not share evidence, so nothing is gained from how looks hang together: their levels add up to the budget (Bonferroni).
    const level = spent - spendingAt(fractionBefore, alpha);
    return { proven: bar === null && p <= level, level, state: known };
  }
  const before = known.pending.at(-1) ?? known.curve;
  const grown = before === null || information > before.information;
  if (bar !== null || !grown || spent <= (before?.spent ?? 0)) {
    const level =
      wanted && grown && information > 0 ? levelOf(walk(known, clock), spent, information, clock).level : null;
    return { proven: false, level, state: known };
  }
  const here = { spent, information };
  // A boundary is at least what this look adds to the spend, and at most what has been spent in all: mostly that settles it.
  if (p <= spent - (before?.spent ?? 0) && !wanted)
    return { proven: true, level: spent, state: { ...known, pending: [...known.pending, here] } };
  if (p > spent && !wanted)
    return { proven: false, level: null, state: { ...known, pending: [...known.pending, here] } };
  const { level, curve } = levelOf(walk(known, clock), spent, information, clock);
  return { proven: p <= level, level, state: { ...known, curve, pending: [] } };
}

/** The boundaries that nobody needed until now. */
function walk({ curve, pending }: ClaimState, clock: ClaimClock): SpentSoFar | null {
  let state = curve;
  for (const { spent, information } of pending) state = levelOf(state, spent, information, clock).curve;
  return state;
}

function levelOf(
  state: SpentSoFar | null,
  spent: number,
  information: number,
  clock: ClaimClock,
): { level: number; curve: SpentSoFar | null } {
  if (spent < (state?.spent ?? 0)) return { level: 0, curve: state };
  const boundaries = BOUNDARIES.get(clock) ?? [];
  BOUNDARIES.set(clock, boundaries);
  const known = boundaries.find(
    (one) => one.spent === spent && one.information === information && isSamePath(one.state, state),
  );
  const look = known?.look ?? nextBoundary(state, { spent, information });
  if (known === undefined) boundaries.push({ state, spent, information, look });
  return { level: look.level, curve: look.state };
}

/** The boundaries of one look: components and metrics that count the same units under equal budgets walk the same path, and each step is dear. */
const BOUNDARIES = new WeakMap<
  ClaimClock,
  {
    readonly state: SpentSoFar | null;
    readonly spent: number;
    readonly information: number;
    readonly look: SpendingLook;
  }[]
>();

function isSamePath(a: SpentSoFar | null, b: SpentSoFar | null): boolean {
  if (a === null || b === null) return a === b;
  if (a === b) return true;
  const same = (x: readonly number[], y: readonly number[]) => x.length === y.length && x.every((v, i) => v === y[i]);
  return (
    a.looks === b.looks &&
    a.spent === b.spent &&
    a.information === b.information &&
    a.boundary === b.boundary &&
    same(a.curve.edges, b.curve.edges) &&
    same(a.curve.values, b.curve.values)
  );
}

/** How many standard errors two p-values of one statistic lie apart. */
export function distanceBetween(atNone: Tails, atMargin: Tails): number | null {
  const distance = Math.abs(zOf(atNone) - zOf(atMargin));
  return Number.isFinite(distance) ? distance : null;
}

interface Tails {
  readonly above: number;
  readonly below: number;
}

function zOf({ above, below }: Tails): number {
  if (above <= 0 || below <= 0) return Number.NaN;
  return above < below ? normalQuantileUpper(above) : -normalQuantileUpper(below);
}
