import { requireFraction } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import { inferEffect, type Inference, type InferenceOptions } from "./effect.ts";
import type { Interval } from "./proportion-interval.ts";

/** What is known of a yes-or-no judge from items with a true label. */
export interface JudgeAccuracy {
  /** Judged yes among the truly yes. */
  readonly sensitivity: Proportion;
  /** Judged no among the truly no. */
  readonly specificity: Proportion;
}

/**
 * What share is truly "yes", when a judge who errs says "yes" to a share? The Rogan-Gladen correction.
 *
 * @param judged    judged yes among items >= 1.
 * @param accuracy  the judge's hits on items with a true label, not among the judged items.
 * @returns `estimate` = (p + sp - 1) / (se + sp - 1), kept in [0, 1]; `variance` by the delta method; `attenuation` J
 *          = se + sp - 1: differences between arms appear J times as large as they are; `lower` and `upper` in [0, 1]
 *          by Lang and Reiczigel.
 * @throws RangeError when counts are not whole, events exceed trials, confidence is outside (0, 1), or J <= 0: such a
 * judge does worse than chance.
 *
 * Source: Rogan & Gladen (1978), Am. J. Epidemiol. 107, 71-76; Lang & Reiczigel (2014), Prev. Vet. Med. 113, 13-22.
 * @example roganGladen({ events: 30, trials: 100 }, { sensitivity: { events: 80, trials: 100 }, specificity: { events: 90, trials: 100 } }).estimate // 0.285714
 */
export function roganGladen(
  judged: Proportion,
  accuracy: JudgeAccuracy,
  options: { readonly confidence?: number } = {},
): Interval & { readonly variance: number; readonly attenuation: number } {
  requireProportion("judged", judged);
  const { confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  const attenuation = attenuationOf(accuracy);
  const plain = corrected(share(judged, 0), judged.trials, accuracy, 0);
  const z = normalQuantileUpper((1 - confidence) / 2);
  // z^2/2 successes and failures are added to the judged items, one of each to the labelled ones.
  const shrunk = corrected(share(judged, z * z), judged.trials + z * z, accuracy, 2);
  const centre = shrunk.estimate + 2 * z * z * (shrunk.ofSensitivity - shrunk.ofSpecificity);
  const reach = z * Math.sqrt(shrunk.variance);
  return {
    estimate: within01(plain.estimate),
    variance: plain.variance,
    attenuation,
    lower: within01(centre - reach),
    upper: within01(centre + reach),
  };
}

/**
 * The true difference of two shares that one judge of known accuracy saw in both arms, candidate - baseline.
 *
 * @param candidate  judged yes among items >= 1.
 * @param baseline   the same for the baseline.
 * @param accuracy   common to both arms; where it may differ use prediction-powered.ts.
 * @returns the judged difference divided by J, with the uncertainty of the shares (one success and one failure added
 *          per arm) and of J.
 * @throws RangeError as `roganGladen`.
 * @example roganGladenDifference({ events: 320, trials: 1000 }, { events: 290, trials: 1000 }, { sensitivity: { events: 8, trials: 10 }, specificity: { events: 8, trials: 10 } }).estimate // 0.05
 */
export function roganGladenDifference(
  candidate: Proportion,
  baseline: Proportion,
  accuracy: JudgeAccuracy,
  options: InferenceOptions = {},
): Inference & { readonly attenuation: number } {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const attenuation = attenuationOf(accuracy);
  const estimate = (share(candidate, 0) - share(baseline, 0)) / attenuation;
  const { sensitivity, specificity } = accuracy;
  const ofShares = binomialVariance(candidate, 2) + binomialVariance(baseline, 2);
  const ofAttenuation = binomialVariance(sensitivity, 2) + binomialVariance(specificity, 2);
  const variance = (ofShares + estimate * estimate * ofAttenuation) / attenuation ** 2;
  return { ...inferEffect({ estimate, variance, df: Infinity }, options), attenuation };
}

function attenuationOf({ sensitivity, specificity }: JudgeAccuracy): number {
  requireProportion("accuracy.sensitivity", sensitivity);
  requireProportion("accuracy.specificity", specificity);
  const attenuation = share(sensitivity, 0) + share(specificity, 0) - 1;
  if (!(attenuation > 0)) {
    throw new RangeError(`sensitivity + specificity - 1 is ${attenuation}; the judge does no better than chance`);
  }
  return attenuation;
}

function corrected(p: number, items: number, { sensitivity, specificity }: JudgeAccuracy, added: number) {
  const se = share(sensitivity, added);
  const sp = share(specificity, added);
  const j = se + sp - 1;
  const estimate = (p + sp - 1) / j;
  const varianceSe = binomialVariance(sensitivity, added);
  const varianceSp = binomialVariance(specificity, added);
  const variance =
    ((p * (1 - p)) / items + estimate * estimate * varianceSe + (1 - estimate) ** 2 * varianceSp) / (j * j);
  return { estimate, variance, ofSensitivity: estimate * varianceSe, ofSpecificity: (1 - estimate) * varianceSp };
}

/** The share of events with half of `added` successes and half of `added` failures more. */
function share({ events, trials }: Proportion, added: number): number {
  return (events + added / 2) / (trials + added);
}

function binomialVariance(proportion: Proportion, added: number): number {
  const p = share(proportion, added);
  return (p * (1 - p)) / (proportion.trials + added);
}

function within01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
