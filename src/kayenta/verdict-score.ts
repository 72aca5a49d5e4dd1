import type { Verdict } from "../model/finding.ts";
import { labelOf, type KayentaThresholds, type Score } from "./score.ts";

/**
 * A verdict as a score of Kayenta's, whose readers have numbers only. Whole numbers, since Argo Rollouts and Spinnaker cut off what follows the point.
 *
 * promote: 100, or `pass` where that is more. rollback: 0, or below `marginal` where that is 0 or less. pause: half-way between `marginal` and `pass`, rounded up while
 * that stays below `pass`, because to Spinnaker a score equal to `marginal` is a failure. Thresholds that leave no whole number for a pause make it a failure: what is not
 * proven safe must not pass.
 *
 * @param reason  stands beside the score for people.
 */
export function scoreOfVerdict(verdict: Verdict, thresholds: KayentaThresholds, reason: string): Score {
  const score = valueOf(verdict, thresholds);
  return { score, classification: labelOf(score, thresholds), classificationReason: reason };
}

function valueOf(verdict: Verdict, { pass, marginal }: KayentaThresholds): number {
  const failing = Math.min(0, Math.ceil(marginal) - 1);
  switch (verdict) {
    case "promote":
      return Math.max(100, Math.ceil(pass));
    case "rollback":
      return failing;
    case "pause": {
      const highest = Math.ceil(pass) - 1;
      if (highest < marginal) return failing;
      return Math.min(highest, Math.ceil((marginal + pass) / 2));
    }
  }
}
