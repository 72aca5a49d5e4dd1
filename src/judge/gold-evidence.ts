import type { Metric } from "../model/analysis.ts";
import type { UnitsState } from "../model/look-state.ts";
import type { Effect as StatisticalEffect } from "../stats/effect.ts";
import { krippendorffAlpha } from "../stats/krippendorff-alpha.ts";
import { moments } from "../stats/moments.ts";
import { predictionPoweredMean, type JudgedArm } from "../stats/prediction-powered.ts";
import { satterthwaite } from "../stats/satterthwaite.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { differenceOf, finiteOrNull, informationOf, type Evidence } from "./evidence.ts";
import { formatCount, formatNumber } from "./format.ts";
import { boundsOf, fromEffect, withFloor } from "./mean-evidence.ts";

/** What people's scores of some units say about the judge that scored all of them. */
export interface GoldEvidence {
  /** The difference of means as people would have scored it; null below MIN_LABELS labels in an arm. */
  readonly mean: Evidence | null;
  /** Why the judge's own mean must not promote yet, or null: a judge that blurs differences makes every candidate look safe. */
  readonly promotionBar: string | null;
  /** The judge errs differently in the two arms, so that its uncorrected scores must not decide. */
  readonly differential: boolean;
  readonly warnings: readonly string[];
}

/** With as many labels in each arm the correction by them is worth its noise. */
export const MIN_LABELS = 20;
/** What makes a judge calibrated (Krippendorff's own limit for tentative conclusions), and on how many items it has to be shown. */
const CALIBRATED_ALPHA = 0.667;
const CALIBRATED_ITEMS = 50;
/** Standard errors by which the judge's bias may differ between the arms. */
const DIFFERENTIAL_Z = 2;

/** Null where no unit is labelled. */
export function goldEvidence(
  baseline: UnitsState,
  candidate: UnitsState,
  metric: Metric,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): GoldEvidence | null {
  const agreement = agreementOf(baseline, candidate);
  if (baseline.gold === undefined || candidate.gold === undefined || agreement.items === 0) return null;
  const fewest = Math.min(baseline.gold.labels.length, candidate.gold.labels.length);
  const warnings = [describeAgreement(agreement)];
  if (fewest < MIN_LABELS)
    return {
      mean: null,
      promotionBar: `${formatCount(fewest, "gold label")} in an arm, fewer than the ${MIN_LABELS} with which people's scores can correct the judge's`,
      differential: false,
      warnings,
    };
  const bias = biasDifference(baseline.gold, candidate.gold);
  const differential = Math.abs(bias.estimate) > DIFFERENTIAL_Z * Math.sqrt(bias.variance);
  if (differential)
    warnings.push(
      `the judge favours the ${bias.estimate < 0 ? "candidate" : "baseline"} by ${formatNumber(Math.abs(bias.estimate))} points more than people do (standard error ${formatNumber(Math.sqrt(bias.variance))}): only the mean corrected by gold labels counts, ranks of the judge's scores are left out`,
    );
  return { mean: correctedMean(baseline, candidate, metric, bars), promotionBar: null, differential, warnings };
}

/** How well judge and people agree, both arms taken together; no alpha without items. */
export interface Agreement {
  readonly items: number;
  readonly alpha: number | null;
}

function agreementOf(...arms: readonly UnitsState[]): Agreement {
  const items = arms.flatMap(({ gold }) =>
    gold === undefined ? [] : Array.from(gold.labels, (label, index) => [label, gold.judged[index] ?? 0]),
  );
  return { items: items.length, alpha: items.length === 0 ? null : krippendorffAlpha(items, "ordinal") };
}

/** Why the judge of this metric is not shown to be calibrated, or null when it is. */
export function uncalibrated(baseline: UnitsState, candidate: UnitsState): string | null {
  const agreement = agreementOf(baseline, candidate);
  return isCalibrated(agreement) ? null : describeAgreement(agreement);
}

function isCalibrated({ items, alpha }: Agreement): boolean {
  return items >= CALIBRATED_ITEMS && alpha !== null && alpha >= CALIBRATED_ALPHA;
}

function describeAgreement(agreement: Agreement): string {
  const { items, alpha } = agreement;
  if (alpha === null) return "no unit has a gold label, so that nothing shows whether the judge agrees with people";
  const asked = isCalibrated(agreement)
    ? ""
    : `; a calibrated judge reaches ${CALIBRATED_ALPHA} on at least ${CALIBRATED_ITEMS} items`;
  return `judge and people agree with Krippendorff's alpha ${formatNumber(alpha)} on ${formatCount(items, "item")}${asked}`;
}

type Gold = NonNullable<UnitsState["gold"]>;

/** How much more the judge underrates the candidate than the baseline. */
function biasDifference(baseline: Gold, candidate: Gold): { estimate: number; variance: number } {
  const biasOf = ({ labels, judged }: Gold) => moments(labels.map((label, index) => label - (judged[index] ?? 0)));
  const [b, c] = [biasOf(baseline), biasOf(candidate)];
  return { estimate: c.mean - b.mean, variance: b.variance / b.n + c.variance / c.n };
}

/** Prediction-powered: what the judge says of all units, corrected by how it errs on those that people scored too. */
function correctedMean(
  baseline: UnitsState,
  candidate: UnitsState,
  { scale }: Metric,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const [b, c] = [meanOf(baseline, scale), meanOf(candidate, scale)];
  const effect: StatisticalEffect = {
    estimate: c.estimate - b.estimate,
    variance: c.variance + b.variance,
    df: satterthwaite([c.variance, b.variance], [c.df, b.df]),
  };
  return {
    ...fromEffect(() => effect, differenceOf),
    component: "mean",
    method: "difference of means corrected by gold labels (prediction-powered)",
    scale: "points",
    estimate: effect.estimate,
    place: differenceOf,
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = boundsOf(effect, alphaLower, alphaUpper);
      return { lower: finiteOrNull(lower), upper: finiteOrNull(upper) };
    },
    effectiveUnits: { baseline: b.worth, candidate: c.worth },
    // Labels come as units do, so that the shares of both are the same.
    information: informationOf(baseline.values.length, candidate.values.length),
    ...bars,
  };
}

/** @returns `worth`: how many labels alone would say as much. */
function meanOf(arm: UnitsState, scale: Metric["scale"]): StatisticalEffect & { readonly worth: number } {
  const { labels, judgedLabelled, judgedOnly } = judgedArm(arm);
  const own = moments(labels);
  const all =
    judgedOnly.length === 0
      ? { estimate: own.mean, variance: own.variance / own.n, df: own.n - 1, lambda: 0 }
      : predictionPoweredMean({ labels, judgedLabelled, judgedOnly });
  // A judge that was right on thirty items may yet be wrong on the next: the corrections vary at least as a few unseen errors would make them.
  const corrections = labels.map((label, index) => label - all.lambda * (judgedLabelled[index] ?? 0));
  const seen = moments(corrections);
  const width = scale === null ? 0 : scale[1] - scale[0];
  const floored = scale === null ? seen : withFloor(seen, corrections, [seen.mean - width, seen.mean + width]);
  const variance = all.variance + (floored.variance - seen.variance) / seen.n;
  return { estimate: all.estimate, variance, df: all.df, worth: variance > 0 ? own.variance / variance : own.n };
}

/** The labelled units' scores are among all scores; the others are what is left. */
function judgedArm({ values, gold }: UnitsState): {
  readonly labels: Float64Array;
  readonly judgedLabelled: Float64Array;
  readonly judgedOnly: Float64Array;
} & JudgedArm {
  if (gold === undefined) throw new RangeError("the arm has no gold labels");
  const labelled = sortSample(gold.judged, "judged");
  const judgedOnly = new Float64Array(values.length - labelled.length);
  let next = 0;
  let left = 0;
  for (const value of values) {
    if (next < labelled.length && labelled[next] === value) next += 1;
    else judgedOnly[left++] = value;
  }
  if (next < labelled.length) throw new RangeError("a labelled score is not among the scores");
  return { labels: gold.labels, judgedLabelled: gold.judged, judgedOnly };
}
