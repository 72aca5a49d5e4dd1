import { ENGINE } from "../model/engine.ts";
import type { Decision } from "../model/finding.ts";
import type { Report, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";

/**
 * What every report says of its run and its look, whoever judged.
 *
 * @param final  no look comes after this one: then what it decides is the verdict, also of a run that a promotion does not end.
 */
export function reportHead(
  run: Run,
  look: { readonly n: number; readonly at: Instant },
  decision: Decision,
  digest: string,
  final = true,
) {
  const goesOn = decision === "continue" || (decision === "promote" && run.promotionEnds === false && !final);
  const verdict = goesOn ? null : decision;
  return {
    apiVersion: "touchstone/v1",
    kind: "Report",
    run: run.id,
    analysis: { name: run.analysis.name, digest: run.analysisDigest },
    baseline: run.baseline,
    window: run.window,
    rollout: run.rollout,
    look,
    decision,
    verdict,
    rollbackTarget: verdict === "rollback" ? { label: run.baseline.label } : null,
    evidence: { digest, engine: ENGINE },
  } satisfies Partial<Report>;
}
