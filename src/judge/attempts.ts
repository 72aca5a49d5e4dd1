import { obrienFlemingSpending, powerSpending } from "../stats/alpha-spending.ts";
import type { ClaimClock } from "./claim.ts";

/** Fractions of the error budgets of an analysis. */
export interface BudgetShares {
  readonly rollback: number;
  readonly promote: number;
}

export const WHOLE_BUDGETS: BudgetShares = { rollback: 1, promote: 1 };

/**
 * Of what is left an attempt may use this much, and later ones the rest: whoever tries again after a pause has an error budget for it, and all attempts together
 * stay within the one that was promised.
 */
const SHARE_OF_ATTEMPT = 0.8;

/** A budget below this share of the promised one proves nothing in any sensible time; it keeps boundaries finite. */
const LEAST_SHARE = 1e-6;

/** The shares of an attempt after others that have used up so much. */
export function sharesOfAttempt(spentBefore: BudgetShares): BudgetShares {
  const share = (spent: number) => Math.max(LEAST_SHARE, SHARE_OF_ATTEMPT * Math.max(0, 1 - spent));
  return { rollback: share(spentBefore.rollback), promote: share(spentBefore.promote) };
}

/** How much of its shares a run has used up by this look. One look uses all; e-values of a run without an end do so from the first. */
export function spentBy({ mode, fraction }: ClaimClock, shares: BudgetShares): BudgetShares {
  if (mode !== "scheduled") return shares;
  // Both spending functions are asked for a budget of a half, and scaled.
  const budget = 0.5;
  return {
    rollback: (shares.rollback * powerSpending(fraction, budget)) / budget,
    promote: shares.promote * Math.min(1, obrienFlemingSpending(fraction, budget) / budget),
  };
}
