import type { Reason } from "../model/finding.ts";
import type { LookState } from "../model/look-state.ts";
import type { Carried, Report, Run } from "../model/run.ts";
import { WHOLE_BUDGETS, type BudgetShares } from "./attempts.ts";
import { combineDigests } from "./evidence-digest.ts";
import { withShares, type Judged } from "./judge.ts";

/**
 * A run that goes on from the evidence of the stages before it is judged twice at each look: by all of that evidence together with its own, which finds sooner what
 * was there from the beginning, and by its own alone, which finds what came with this stage and would be diluted in the whole. Either rolls back, each within
 * half of the run's rollback budget. Both must promote. docs/decisions/0013 says why.
 */

/**
 * How often the evidence of a stage alone may let pass a harm at the margin that came with this stage. The whole asks for the promote budget; this asks for enough to
 * see a harm of twice the margin in 99 of 100 runs, with half of the units that the promote budget of 5 % takes.
 */
const OWN_PROMOTE = 0.2;

/** Two runs over one grid of looks. */
export function partsOfCarried(run: Run, carried: Carried): { whole: Run; own: Run } {
  const { carried: _, window, budgetShares = WHOLE_BUDGETS, ...rest } = run;
  if (window === null) throw new RangeError("evidence is carried into a run without a window");
  const { analysis } = run;
  const { budgets } = analysis;
  const shares = { ...budgetShares, rollback: budgetShares.rollback / 2 };
  return {
    whole: {
      ...rest,
      // Each stage had a ratio of its own.
      analysis: { ...analysis, allocation: null },
      window: { start: carried.from, end: window.end },
      budgetShares: shares,
    },
    own: {
      ...rest,
      analysis: { ...analysis, budgets: { ...budgets, promote: Math.max(OWN_PROMOTE, budgets.promote) } },
      window,
      budgetShares: shares,
    },
  };
}

/** The look of the run from those of its parts. `keepState` keeps what a next look would need even after a verdict. */
export function combineCarried(run: Run, carried: Carried, whole: Judged, own: Judged, keepState: boolean): Judged {
  const order = ["rollback", "pause", "continue", "promote"] as const;
  const decision = order.find((one) => whole.report.decision === one || own.report.decision === one);
  if (decision === undefined) throw new RangeError("a look decided nothing");
  const leads = whole.report.decision === decision ? whole.report : own.report;
  const verdict = decision === "continue" ? null : decision;
  const { findings, summary, reasons, budgets } = own.report;
  const report: Report = {
    ...whole.report,
    window: run.window,
    carried,
    ownEvidence: { decision: own.report.decision, summary, reasons, findings, budgets },
    decision,
    verdict,
    summary: leads === own.report ? `${summary}; ${ALONE}` : leads.summary,
    reasons: reasonsOf(whole.report, own.report, decision),
    counterfactual: leads.counterfactual ?? null,
    budgets: withShares(run.analysis, run.budgetShares ?? WHOLE_BUDGETS).budgets,
    rollbackTarget: verdict === "rollback" ? { label: run.baseline.label } : null,
    evidence: {
      ...whole.report.evidence,
      digest: combineDigests([whole.report.evidence.digest, own.report.evidence.digest]),
    },
  };
  const spent = together(whole.state, own.state);
  const ends = verdict !== null && !keepState;
  return {
    report,
    state: ends ? { ...whole.state, metrics: {}, spent } : { ...whole.state, spent, own: own.state },
    nextAt: verdict === null ? (own.nextAt ?? whole.nextAt) : null,
  };
}

const ALONE = "by the evidence of this stage alone";

function reasonsOf(whole: Report, own: Report, decision: Report["decision"]): Reason[] {
  return [
    ...(whole.decision === decision ? whole.reasons : []),
    ...(own.decision === decision && decision !== "promote"
      ? own.reasons.map((reason) => ({ ...reason, text: `${ALONE}: ${reason.text}` }))
      : []),
  ];
}

/** Each part has a half of the rollback budget; the promote budget is one, since both must promote. */
function together(whole: LookState, own: LookState): BudgetShares {
  const [a, b] = [whole.spent ?? WHOLE_BUDGETS, own.spent ?? WHOLE_BUDGETS];
  return { rollback: a.rollback + b.rollback, promote: Math.max(a.promote, b.promote) };
}
