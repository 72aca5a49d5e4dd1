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
import { finiteOrNull, type Evidence, type Level } from "./evidence.ts";

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
  const few = (share: number) => Math.min(share, 1 - share) * Math.min(baseline.trials, candidate.trials) < FEW_EVENTS;
  const independent = dispersion <= 1;
  const shownMargin = marginAt(margin, shares.baseline);
  const exactness = few(pooled) && independent;

  const test = (level: Level, alternative: "greater" | "less"): number => {
    if (level.kind === "none") {
      if (!exactness) return proportionMarginTest(candidate, baseline, margin, 0, alternative, { dispersion, df }).p;
      return candidate.trials * baseline.trials <= BOSCHLOO_MAX_CELLS
        ? boschloo(candidate, baseline, { alternative }).p
        : fisherExact(candidate, baseline, { alternative }).p;
    }
    const { tolerance, direction } = level;
    const score = proportionMarginTest(candidate, baseline, tolerance, direction, alternative, { dispersion, df }).p;
    if (!exactness || candidate.trials * baseline.trials > BOSCHLOO_MAX_CELLS) return score;
    // The exact test knows borders of one part; the looser one at the baseline's share is the one that binds there.
    return Math.max(
      score,
      exactUnconditional(candidate, baseline, looserBorder(tolerance, shares.baseline, direction), alternative).p,
    );
  };

  return {
    component: "rate",
    method: exactness
      ? "Boschloo's or Fisher's exact test; score test against the margin, exact where few events"
      : dispersion > 1
        ? "score test with the variance between steps"
        : "score test",
    scale: "fraction",
    estimate: shares.candidate - shares.baseline,
    place: (level) => (level.kind === "none" ? 0 : level.direction * marginAt(level.tolerance, shares.baseline)),
    above: (level) => test(level, "greater"),
    below: (level) => test(level, "less"),
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = proportionMarginInterval(
        candidate,
        baseline,
        margin,
        { lower: alphaLower, upper: alphaUpper },
        { dispersion, df },
      );
      return { lower: finiteOrNull(lower * shownMargin), upper: finiteOrNull(upper * shownMargin) };
    },
    effectiveUnits: {
      baseline: baseline.trials / Math.max(1, dispersion),
      candidate: candidate.trials / Math.max(1, dispersion),
    },
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
