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

/** What earlier runs of the same rollout, baseline, candidate and analysis can no longer leave for a later one, as fractions of the error budgets. */
export interface UsedShares {
  /** By the attempts at this very stage. */
  readonly stage: BudgetShares;
  /** Of the rollback budget by all runs of the rollout; of the promote budget by the attempts at this stage, and by runs of others that did not promote. */
  readonly rollout: BudgetShares;
}

/**
 * The shares of a run after others that have used up so much.
 *
 * A declared stage has its share of the rollback budget from the beginning, whatever the others did, so that the shares of all stages add up to the budget at most.
 * Stages that nobody declared cannot be counted beforehand: they share as attempts do. A rollout is promoted only when every stage is, so that each stage has
 * the whole promote budget for its attempts; but an undeclared stage that comes after one which did not promote is another attempt under another name.
 * docs/decisions/0012 says why.
 *
 * @param declaredShare  of the rollback budget, of a declared stage; null of one that nobody declared.
 */
export function sharesOfRun(declaredShare: number | null, { stage, rollout }: UsedShares): BudgetShares {
  const next = (whole: number, used: number) => Math.max(LEAST_SHARE, SHARE_OF_ATTEMPT * Math.max(0, whole - used));
  return declaredShare === null
    ? { rollback: next(1, rollout.rollback), promote: next(1, rollout.promote) }
    : {
        // What is left in all binds only where stages were declared anew in the middle of a rollout.
        rollback: next(Math.min(declaredShare - stage.rollback, 1 - rollout.rollback), 0),
        promote: next(1, stage.promote),
      };
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
