import type { History, Metric } from "../model/analysis.ts";
import type { Counts, Series } from "../model/samples.ts";
import type { Proportion } from "../stats/counts.ts";
import { effectiveSampleSize } from "../stats/effective-sample-size.ts";
import { longRunVariance } from "../stats/long-run-variance.ts";
import { pairByStep, type PairedSteps } from "../stats/pair-by-step.ts";
import { seriesDifference, type SeriesDifference, type SeriesDifferenceOptions } from "../stats/series-difference.ts";
import { differenceOf, factorOf, finiteOrNull, invertTests, type Evidence, type Level } from "./evidence.ts";
import { boundsOf, fromEffect, inferTails } from "./mean-evidence.ts";
import { rateEvidence } from "./rate-evidence.ts";
import { isUnevenInTime, TIME_BLOCKS } from "./uneven-time.ts";

/**
 * Evidence from what comes per step: what both versions meet in the same minute cancels in the pair, and the variance knows that minutes resemble their
 * neighbours. It cannot see sessions.
 */

/** Pairs the steps of two series; steps of equal end time belong together. */
export function pairSeries(baseline: Series, candidate: Series): PairedSteps {
  return pairByStep(
    { times: candidate.at, values: candidate.values },
    { times: baseline.at, values: baseline.values },
    { stepLength: Math.max(candidate.stepSeconds, 1) },
  );
}

/** Why paired steps must not decide, or null. */
function stepBar(pairs: PairedSteps, minSteps: number, byHistory: boolean): string | null {
  const steps = pairs.steps.length;
  if (steps < minSteps) return `${steps} steps are common to both arms, fewer than the ${minSteps} needed`;
  if (byHistory) return null;
  const size = effectiveSampleSize(pairs.candidate.map((value, step) => value - (pairs.baseline[step] ?? 0)));
  if (size.enough && size.effectiveSteps >= minSteps) return null;
  return `neighbouring steps resemble each other (autocorrelation ${size.corrected.toFixed(2)}): ${steps} steps are worth ${size.effectiveSteps.toFixed(1)} independent ones`;
}

type SeriesMetric = Pick<Metric, "kind" | "margin" | "history">;

/**
 * The typical step of a series: by a factor where all values are positive and the kind is one of amounts, else by a difference. How much it varies is known from the
 * metric's history where it has one, unless these steps contradict it; that is told.
 */
export function seriesEvidence(
  pairs: PairedSteps,
  metric: SeriesMetric,
  minSteps: number,
): { readonly component: Evidence; readonly warnings: readonly string[] } {
  const { history } = metric;
  const [effect, evidence] = onItsAxis(pairs, metric);
  const bar = stepBar(pairs, minSteps, effect.byHistory);
  const steps = effect.byHistory ? pairs.steps.length : Math.min(pairs.steps.length, effect.size.effectiveSteps);
  return {
    component: {
      ...evidence,
      method: `${evidence.method}, ${effect.byHistory ? `paired by step, t with the variance of ${history?.runs} earlier runs` : METHOD}`,
      component: "mean",
      effectiveUnits: { baseline: steps, candidate: steps },
      information: pairs.steps.length,
      promotionBar: bar,
      rollbackBar: bar,
    },
    warnings: history === undefined || effect.byHistory || effect.variance === 0 ? [] : [UNLIKE_HISTORY],
  };
}

/** The difference of both arms on the axis of a history: as a log ratio or a fraction where the margin is relative, else in the measurement unit. */
export function stepDifference(pairs: PairedSteps, metric: Omit<SeriesMetric, "history">): number {
  const [effect, { scale, estimate }, isLog] = onItsAxis(pairs, metric);
  return isLog || scale !== "relative" ? effect.estimate : estimate;
}

function onItsAxis(
  pairs: PairedSteps,
  { kind, margin, history }: SeriesMetric,
): [effect: SeriesDifference, evidence: ScaledEvidence, isLog: boolean] {
  if (margin.relative === null)
    return [...differenceEvidence(pairs, kind === "score" ? "points" : "difference", history), false];
  const positive = [pairs.candidate, pairs.baseline].every((values) => values.every((value) => value > 0));
  if (positive && (kind === "latency" || kind === "cost")) return [...logEvidence(pairs, history), true];
  return [...fractionEvidence(pairs, history), false];
}

const UNLIKE_HISTORY =
  "the steps vary more than their history says; the variance is taken from this run alone, as without a history";

/** What differs between the scales; the rest is the same for all. */
type ScaledEvidence = Omit<Evidence, "component" | "effectiveUnits" | "information" | "promotionBar" | "rollbackBar">;

function logEvidence(pairs: PairedSteps, history: History | undefined): [SeriesDifference, ScaledEvidence] {
  const effect = seriesDifference(pairs, { scale: "log-ratio", ...known(history, 1) });
  return [
    effect,
    {
      ...fromEffect(
        () => effect,
        (level) => Math.log(factorOf(level)),
      ),
      method: "log ratio per step",
      scale: "relative",
      estimate: Math.expm1(effect.estimate),
      standardError: finiteOrNull(Math.exp(effect.estimate) * Math.sqrt(effect.variance)),
      place: (level) => factorOf(level) - 1,
      bounds(alphaLower, alphaUpper) {
        const { lower, upper } = boundsOf(effect, alphaLower, alphaUpper);
        return { lower: finiteOrNull(Math.expm1(lower)), upper: finiteOrNull(Math.expm1(upper)) };
      },
    },
  ];
}

function differenceEvidence(
  pairs: PairedSteps,
  scale: "points" | "difference",
  history: History | undefined,
): [SeriesDifference, ScaledEvidence] {
  const effect = seriesDifference(pairs, { scale: "difference", ...known(history, 1) });
  return [
    effect,
    {
      ...fromEffect(() => effect, differenceOf),
      method: "difference per step",
      scale,
      estimate: effect.estimate,
      standardError: finiteOrNull(Math.sqrt(effect.variance)),
      place: differenceOf,
      bounds(alphaLower, alphaUpper) {
        const { lower, upper } = boundsOf(effect, alphaLower, alphaUpper);
        return { lower: finiteOrNull(lower), upper: finiteOrNull(upper) };
      },
    },
  ];
}

/** As a fraction of the baseline's mean: a level of 5 % is tested on candidate − 1.05 · baseline, step by step. */
function fractionEvidence(pairs: PairedSteps, history: History | undefined): [SeriesDifference, ScaledEvidence] {
  const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mean, other] = [meanOf(pairs.baseline), meanOf(pairs.candidate)];
  const against = (fraction: number): SeriesDifference => {
    const factor = 1 + Math.sign(mean) * fraction;
    // A fraction of what both arms have on average, so that swapping them mirrors the test.
    const unit = Math.sqrt(Math.abs(factor * mean * other));
    return seriesDifference(
      { ...pairs, baseline: pairs.baseline.map((value) => value * factor) },
      { scale: "difference", ...known(history, unit) },
    );
  };
  const plain = against(0);
  const standardError = mean === 0 ? null : Math.sqrt(plain.variance) / Math.abs(mean);
  const estimate = mean === 0 ? 0 : plain.estimate / Math.abs(mean);
  return [
    plain,
    {
      ...fromEffect(
        (level: Level) => against(factorOf(level) - 1),
        () => 0,
      ),
      method: "difference per step against the baseline's mean",
      scale: "relative",
      estimate,
      standardError,
      place: (level) => factorOf(level) - 1,
      bounds: (alphaLower, alphaUpper) =>
        standardError === null || standardError === 0
          ? { lower: null, upper: null }
          : invertTests((fraction) => inferTails(against(fraction)), estimate, standardError, alphaLower, alphaUpper),
    },
  ];
}

/** The history in the measurement unit of the differences; the mean of so many runs has as many degrees of freedom. */
function known(history: History | undefined, unit: number): Pick<SeriesDifferenceOptions, "history"> {
  if (history === undefined || unit === 0) return {};
  return { history: { stepVariance: (history.stepDeviation * unit) ** 2, df: history.runs } };
}

/** Events among exposure per step, with the variance between steps where it is larger than that of independent events. */
export function countsEvidence(
  baseline: Counts,
  candidate: Counts,
  margin: Metric["margin"],
  minSteps: number,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const { dispersion, df, steps } = dispersionOf(baseline, candidate);
  const arms = atSameTimes(baseline, candidate) ?? { baseline: totalOf(baseline), candidate: totalOf(candidate) };
  const few = steps < minSteps ? `${steps} steps, fewer than the ${minSteps} needed to know how much steps vary` : null;
  return rateEvidence(
    arms,
    margin,
    { dispersion, df },
    { promotionBar: bars.promotionBar ?? few, rollbackBar: bars.rollbackBar ?? few },
  );
}

/**
 * Both arms as if their traffic had come at the same times. In a ramp the candidate sees little of the early hours and much of the late ones: an error rate that
 * rises for both would look like the candidate's fault. Null where the arms shared the traffic evenly.
 *
 * Stretches of time weigh by the harmonic mean of both arms' traffic (Mantel and Haenszel), and each arm is as many trials as have that much variance.
 */
function atSameTimes(baseline: Counts, candidate: Counts): { baseline: Proportion; candidate: Proportion } | null {
  if (!(candidate.stepSeconds > 0 && baseline.stepSeconds > 0)) return null;
  const first = Math.min(baseline.at[0] ?? Infinity, candidate.at[0] ?? Infinity);
  const last = Math.max(baseline.at.at(-1) ?? -Infinity, candidate.at.at(-1) ?? -Infinity);
  const length = Math.max(candidate.stepSeconds, (last - first) / TIME_BLOCKS);
  const blocks = Math.floor((last - first) / length) + 1;
  const inBlocks = (arm: Counts, column: Float64Array): number[] => {
    const sums = Array.from({ length: blocks }, () => 0);
    for (let step = 0; step < arm.at.length; step++) {
      const block = Math.min(blocks - 1, Math.floor(((arm.at[step] ?? 0) - first) / length));
      sums[block] = (sums[block] ?? 0) + Math.round(column[step] ?? 0);
    }
    return sums;
  };
  const [own, other] = [inBlocks(candidate, candidate.exposure), inBlocks(baseline, baseline.exposure)];
  if (blocks < 2 || !own.some((n) => n > 0) || !other.some((n) => n > 0)) return null;
  if (!isUnevenInTime(own, other)) return null;
  const weights = own.map((c, block) => {
    const b = other[block] ?? 0;
    return b + c === 0 ? 0 : (b * c) / (b + c);
  });
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  if (all === 0) return null;
  const weighed = (events: readonly number[], exposure: readonly number[]): Proportion => {
    let share = 0;
    let spread = 0;
    for (const [block, weight] of weights.entries()) {
      const n = exposure[block] ?? 0;
      if (weight === 0 || n === 0) continue;
      share += (weight / all) * ((events[block] ?? 0) / n);
      spread += (weight / all) ** 2 / n;
    }
    const trials = Math.max(1, Math.round(1 / spread));
    return { trials, events: Math.min(trials, Math.round(trials * share)) };
  };
  return {
    baseline: weighed(inBlocks(baseline, baseline.events), other),
    candidate: weighed(inBlocks(candidate, candidate.events), own),
  };
}

/** How many times the variance of the difference of shares is what independent events would give. */
function dispersionOf(baseline: Counts, candidate: Counts): { dispersion: number; df: number; steps: number } {
  const [c, b] = [totalOf(candidate), totalOf(baseline)];
  const [shareC, shareB] = [c.events / c.trials, b.events / b.trials];
  const independent = (shareC * (1 - shareC)) / c.trials + (shareB * (1 - shareB)) / b.trials;
  const influence = (arm: Counts, share: number, trials: number) =>
    arm.events.map((events, step) => (events - share * (arm.exposure[step] ?? 0)) / trials);
  const steps = Math.min(baseline.at.length, candidate.at.length);
  if (independent === 0 || steps < 2) return { dispersion: 1, df: Infinity, steps };
  const [psiC, psiB] = [influence(candidate, shareC, c.trials), influence(baseline, shareB, b.trials)];
  if (candidate.stepSeconds > 0 && baseline.stepSeconds > 0) {
    const pairs = pairByStep(
      { times: candidate.at, values: psiC },
      { times: baseline.at, values: psiB },
      { stepLength: Math.max(candidate.stepSeconds, 1) },
    );
    const paired = pairs.steps.length;
    if (paired < 2) return { dispersion: 1, df: Infinity, steps: paired };
    // The sum over steps is `paired` times their mean.
    const { variance, df } = varianceOfSteps(
      pairs.candidate.map((value, step) => (value - (pairs.baseline[step] ?? 0)) * paired),
    );
    const dispersion = variance / independent;
    return isBursty(dispersion, df)
      ? { dispersion, df, steps: paired }
      : { dispersion: 1, df: Infinity, steps: paired };
  }
  // Rows without a clock: each is a batch by itself, and only the spread between batches of one arm is known.
  // In ascending order, so that the order of the rows leaves no trace in the sum.
  const between = (psi: Float64Array) =>
    (psi.length / (psi.length - 1)) *
    psi
      .map((value) => value * value)
      .sort()
      .reduce((sum, square) => sum + square, 0);
  const dispersion = (between(psiC) + between(psiB)) / independent;
  return dispersion > 1 ? { dispersion, df: steps - 1, steps } : { dispersion: 1, df: Infinity, steps };
}

/**
 * Bursts show as a variance between steps above that of independent events. Of independent events the estimate itself lies two standard errors above 1 once in thirty
 * times: counting every such wobble as a burst would cost a tenth of the power and gain nothing.
 */
function isBursty(dispersion: number, df: number): boolean {
  return dispersion > 1 + 2 * Math.sqrt(2 / df);
}

/**
 * Counts of independent users seldom resemble those of the minute before: where neighbouring steps show no dependence, the plain variance between them has ten times
 * the degrees of freedom of the autocorrelation-robust one. Where they do, the robust one counts.
 */
function varianceOfSteps(influence: Float64Array): { variance: number; df: number } {
  const steps = influence.length;
  const { autocorrelation } = effectiveSampleSize(influence);
  if (autocorrelation > DEPENDENT_AT / Math.sqrt(steps)) return longRunVariance(influence);
  const squares = influence.reduce((sum, value) => sum + value * value, 0);
  return { variance: squares / (steps - 1) / steps, df: steps - 1 };
}

/** Autocorrelation of independent steps is above this many standard errors once in ten times. */
const DEPENDENT_AT = 1.28;

export function totalOf({ events, exposure }: Counts): Proportion {
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  return { events: Math.round(sum(events)), trials: Math.round(sum(exposure)) };
}

const METHOD = "paired by step, autocorrelation-robust t (cosine estimate, guarded by a first-order autoregression)";
