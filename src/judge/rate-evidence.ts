import type { Tolerance } from "../model/amount.ts";
import { boschloo, BOSCHLOO_MAX_CELLS } from "../stats/boschloo.ts";
import type { Proportion } from "../stats/counts.ts";
import { exactUnconditional } from "../stats/exact-unconditional.ts";
import { fisherExact } from "../stats/fisher.ts";
import {
  marginAt,
  proportionMarginInterval,
  proportionMarginTest,
  type ProportionMargin,
} from "../stats/proportion-margin.ts";
import { finiteOrNull, informationOf, NONE, type Evidence, type Level } from "./evidence.ts";

/** With fewer expected events in an arm the score test does not keep its level. */
const FEW_EVENTS = 5;

export interface RateArms {
  readonly baseline: Proportion;
  readonly candidate: Proportion;
}

/**
 * Two shares of bad units, or of bad events. The margin is the looser of an absolute and a relative one.
 *
 * @param margin      of the metric: its bounds are shown as multiples of it, so that the interval shown is the one that decides.
 * @param spread  how many times the variance is what independent trials would give, and the degrees of freedom of that; 1 and Infinity for units.
 */
export function rateEvidence(
  arms: RateArms,
  margin: Tolerance,
  { dispersion, df }: { readonly dispersion: number; readonly df: number },
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const { baseline, candidate } = arms;
  const shares = { baseline: baseline.events / baseline.trials, candidate: candidate.events / candidate.trials };
  const pooled = (baseline.events + candidate.events) / (baseline.trials + candidate.trials);
  const independent = dispersion <= 1;
  const isFew = (expected: number, trials: number) => Math.min(expected, trials - expected) < FEW_EVENTS;
  const few = isFew(pooled * Math.min(baseline.trials, candidate.trials), Math.min(baseline.trials, candidate.trials));
  const small = candidate.trials * baseline.trials <= BOSCHLOO_MAX_CELLS;
  // A relative margin of nothing is nothing to show multiples of: half an event stands for none.
  const shownMarginOf = (tolerance: Tolerance): number =>
    marginAt(tolerance, shares.baseline) || marginAt(tolerance, (baseline.events + 0.5) / (baseline.trials + 1));
  const shownMargin = shownMarginOf(margin);
  const exactness = few && independent;
  const options = { dispersion, df, statistic: "mean" } as const;

  const testNone = (alternative: "greater" | "less"): number => {
    if (!independent || !few) return proportionMarginTest(candidate, baseline, margin, 0, alternative, options).p;
    return small
      ? boschloo(candidate, baseline, { alternative }).p
      : fisherExact(candidate, baseline, { alternative, midP: true }).p;
  };

  const test = (level: Level, alternative: "greater" | "less"): number => {
    if (level.kind === "none") return testNone(alternative);
    const { tolerance, direction } = level;
    const likely = proportionMarginTest(candidate, baseline, tolerance, direction, alternative, options);
    // The arm that the border puts higher must expect a few events, else large-sample theory does not hold there.
    const [expected, trials] =
      direction === 1 ? [likely.expected.candidate, candidate.trials] : [likely.expected.baseline, baseline.trials];
    if (!isFew(expected, trials)) return likely.p;
    const score = proportionMarginTest(candidate, baseline, tolerance, direction, alternative, { dispersion, df }).p;
    // The exact test knows borders of one part; the looser one at the baseline's share is the one that binds there.
    const border = looserBorder(tolerance, shares.baseline, direction);
    // A margin of the whole baseline or more lies at no rate that could be tested exactly.
    if (!independent || !small || ("ratio" in border && border.ratio <= 0)) return Math.max(score, likely.p);
    return Math.max(score, exactUnconditional(candidate, baseline, border, alternative).p);
  };

  return {
    component: "rate",
    method: exactness
      ? "Boschloo's exact test or Fisher's mid-p; score and likelihood against the margin, exact where few events"
      : dispersion > 1
        ? "mean of score and likelihood roots, with the variance between steps"
        : "mean of score and likelihood roots",
    scale: "fraction",
    estimate: shares.candidate - shares.baseline,
    place: (level) => (level.kind === "none" ? 0 : level.direction * shownMarginOf(level.tolerance)),
    above: (level) => test(level, "greater"),
    below: (level) => test(level, "less"),
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = proportionMarginInterval(
        candidate,
        baseline,
        margin,
        { lower: alphaLower, upper: alphaUpper },
        options,
      );
      const scaled = { lower: lower * shownMargin, upper: upper * shownMargin };
      // Few events are decided by exact tests, which this interval does not invert: where they disagree about no change or the margin, it is moved to what they say.
      const beyond = (at: number, above: boolean): void => {
        scaled.lower = above ? Math.max(scaled.lower, at) : Math.min(scaled.lower, at);
      };
      const within = (at: number, below: boolean): void => {
        scaled.upper = below ? Math.min(scaled.upper, at) : Math.max(scaled.upper, at);
      };
      const edge = (direction: 1 | -1): Level => ({ kind: "tolerance", tolerance: margin, direction });
      beyond(0, test(NONE, "greater") <= alphaLower);
      within(0, test(NONE, "less") <= alphaUpper);
      if (test(edge(1), "less") <= alphaUpper) within(shownMargin, true);
      else if (scaled.upper < shownMargin) within(shownMargin, false);
      if (test(edge(-1), "greater") <= alphaLower) beyond(-shownMargin, true);
      else if (scaled.lower > -shownMargin && scaled.lower < 0) beyond(-shownMargin, false);
      return { lower: finiteOrNull(scaled.lower), upper: finiteOrNull(scaled.upper) };
    },
    information: informationOf(baseline.trials, candidate.trials),
    effectiveUnits: {
      baseline: baseline.trials / Math.max(1, dispersion),
      candidate: candidate.trials / Math.max(1, dispersion),
    },
    ...(independent ? {} : { bursty: true }),
    ...bars,
  };
}

function looserBorder(
  { absolute, relative }: ProportionMargin,
  baseline: number,
  direction: 1 | -1,
): { difference: number } | { ratio: number } {
  if (absolute !== null && absolute >= (relative ?? 0) * baseline) return { difference: direction * absolute };
  return { ratio: 1 + direction * (relative ?? 0) };
}
