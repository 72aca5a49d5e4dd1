import { classify } from "../../src/kayenta/classify.ts";
import { resolveConfiguration } from "../../src/kayenta/metric.ts";
import { scoreMetrics, type KayentaThresholds } from "../../src/kayenta/score.ts";
import { minutePoints, type ArmView, type MetricView } from "./view.ts";

/** The thresholds of Kayenta's own examples; stricter than those of Spinnaker's stage, so they find more. */
const THRESHOLDS: KayentaThresholds = { pass: 95, marginal: 75 };

/**
 * Does Kayenta end the canary at this look? An interval fails at a score at or below marginal; at the last one the score
 * must reach pass. One group, default effect sizes.
 *
 * @param window      minutes since the start.
 * @param confidence  of the interval of the shift: KAYENTA_CONFIDENCE as Kayenta comes.
 */
export function kayentaRollsBack(
  view: readonly MetricView[],
  window: { readonly from: number; readonly until: number; readonly isLast: boolean },
  confidence: number,
): boolean {
  const points = (arm: ArmView) =>
    minutePoints(arm, window.until)
      .subarray(window.from)
      .filter((value) => !Number.isNaN(value));
  const classes = view.map(({ metric, candidate, baseline }) => {
    const configuration = resolveConfiguration({
      direction: metric.worse === "higher" ? "increase" : "decrease",
      critical: metric.critical,
    });
    const judged = classify(metric.name, points(candidate), points(baseline), configuration, { confidence });
    return { ...judged, classificationReason: judged.reason, groups: ["all"] };
  });
  const { score } = scoreMetrics(classes, {}, THRESHOLDS).score;
  return score <= THRESHOLDS.marginal || (window.isLast && score < THRESHOLDS.pass);
}
