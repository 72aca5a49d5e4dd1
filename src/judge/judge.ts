import type { Finding } from "../model/finding.ts";
import { ENGINE } from "../model/engine.ts";
import type { LookState, Report, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import { decide } from "./decide.ts";
import { digestEvidence } from "./evidence-digest.ts";
import { find } from "./find.ts";
import type { Gathered } from "./gathered.ts";
import { summarize } from "./words.ts";

/** What a look comes to: the report for people and callers, the state for the next look. */
export interface Judged {
  readonly report: Report;
  readonly state: LookState;
}

/**
 * From samples to a verdict. Pure: the same input gives the same report, byte for byte.
 *
 * @param now  the time of the look; it stands in the report and decides nothing.
 */
export function judge(run: Run, gathered: readonly Gathered[], previous: LookState | null, now: Instant): Judged {
  const { analysis } = run;
  const findings = gathered.map((one) => find(one, analysis));
  const decided = decide(analysis, findings);
  const n = (previous?.looks ?? 0) + 1;
  const report: Report = {
    apiVersion: "touchstone/v1",
    kind: "Report",
    run: run.id,
    analysis: { name: analysis.name, digest: run.analysisDigest },
    baseline: run.baseline,
    candidate: run.candidate,
    window: run.window,
    rollout: run.rollout,
    look: { n, at: now },
    decision: decided.verdict,
    verdict: decided.verdict,
    summary: summarize(decided, findings),
    reasons: [...decided.reasons],
    findings,
    ...scoreOf(findings),
    budgets: analysis.budgets,
    rollbackTarget: decided.verdict === "rollback" ? { label: run.baseline.label } : null,
    evidence: { digest: digestEvidence(gathered), engine: ENGINE },
  };
  return { report, state: { v: 1, looks: n } };
}

const TIER_WEIGHTS: Readonly<Record<Finding["tier"], number>> = { critical: 3, required: 1, advisory: 0 };

/** For people: how confident the evidence is that each metric is within its margin, weighted. A metric without evidence counts as nothing, not as perfect. */
function scoreOf(findings: readonly Finding[]): { score: number | null; worstMetric: string | null } {
  let sum = 0;
  let weights = 0;
  let worst: { metric: string; confidence: number } | null = null;
  for (const { metric, tier, confidence } of findings) {
    const weight = TIER_WEIGHTS[tier];
    if (weight === 0) continue;
    const own = confidence ?? 0;
    sum += weight * own;
    weights += weight;
    if (worst === null || own < worst.confidence) worst = { metric, confidence: own };
  }
  return { score: weights === 0 ? null : (100 * sum) / weights, worstMetric: worst?.metric ?? null };
}
