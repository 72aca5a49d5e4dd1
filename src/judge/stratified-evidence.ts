import type { Component, Metric } from "../model/analysis.ts";
import { marginAt } from "../stats/proportion-margin.ts";
import type { Effect } from "../stats/effect.ts";
import { findRoot } from "../stats/find-root.ts";
import { moments } from "../stats/moments.ts";
import { rankSummary } from "../stats/rank-summary.ts";
import { weighedTogether } from "../stats/stratified.ts";
import { placementVariance } from "../stats/superiority.ts";
import { differenceOfMeans } from "../stats/welch.ts";
import { differenceOf, factorOf, informationOf, invertTests, type Evidence, type Level } from "./evidence.ts";
import { forgive } from "./forgive.ts";
import { inferTails } from "./mean-evidence.ts";
import type { Stratum } from "./strata.ts";
import { countBeyond, pooledQuantile, TAIL_SHARE } from "./tail-evidence.ts";

/**
 * Evidence at the same mix of strata in both arms: estimated per stratum, weighed by the traffic of both. Thirty percent of hard prompts in one arm and thirty-six
 * in the other make every unadjusted comparison find a difference that no version made.
 *
 * Every component is a statistic of one number, the supposed effect: it is 0 on average where that is the true one, and falls as more is supposed.
 */
type Statistic = (supposed: number) => Effect;

type Bars = Pick<Evidence, "promotionBar" | "rollbackBar">;

interface Form {
  readonly scale: Evidence["scale"];
  readonly method: string;
  readonly statistic: Statistic;
  readonly place: (level: Level) => number;
}

export function stratifiedEvidence(
  component: Component,
  metric: Metric,
  strata: readonly Stratum[],
  bars: Bars,
): Evidence[] {
  const form = formOf(component, metric, strata);
  if (form === null) return [];
  const { statistic, place, scale, method } = form;
  const none = statistic(0);
  // The statistic is close to a straight line between no effect and a small one.
  const tolerance = component === "tail" ? { relative: metric.tailMargin, absolute: null } : metric.margin;
  const least = 0.01 * (Math.abs(place({ kind: "tolerance", tolerance, direction: 1 })) || 1);
  // Among few units ranks move in steps: a step that moves nothing has no slope yet.
  let step = least;
  let slope = (none.estimate - statistic(step).estimate) / step;
  while (slope === 0 && step < MOST_STEPS * least) {
    step *= 2;
    slope = (none.estimate - statistic(step).estimate) / step;
  }
  const standardError = slope > 0 && none.variance > 0 ? Math.sqrt(none.variance) / slope : null;
  const lowest = scale === "relative" ? LOWEST_RELATIVE : -Infinity;
  const sizes = { baseline: sizeOf(strata, "baseline"), candidate: sizeOf(strata, "candidate") };
  let known: number | null = null;
  const estimate = (): number =>
    (known ??= standardError === null ? 0 : rootOf(statistic, none.estimate / slope, standardError, lowest));
  return [
    {
      component,
      method: `${method}, adjusted to one mix of ${strata.length} strata`,
      scale,
      get estimate() {
        return estimate();
      },
      place,
      above: (level) => inferTails(statistic(place(level))).above,
      below: (level) => inferTails(statistic(place(level))).below,
      bounds: (alphaLower, alphaUpper) =>
        standardError === null
          ? { lower: null, upper: null }
          : invertTests(
              (supposed) => inferTails(statistic(supposed)),
              estimate(),
              standardError,
              alphaLower,
              alphaUpper,
              lowest,
            ),
      effectiveUnits: sizes,
      information: informationOf(sizes.baseline, sizes.candidate),
      standardError,
      ...bars,
    },
  ];
}

/** A slope is sought up to so many times the first step. */
const MOST_STEPS = 256;

/** A factor of 0 or less is none. */
const LOWEST_RELATIVE = -0.9999;

function formOf(component: Component, metric: Metric, strata: readonly Stratum[]): Form | null {
  const { kind, margin, worse } = metric;
  const relative = margin.relative !== null && kind !== "errors";
  const place = (level: Level): number => (relative ? factorOf(level) - 1 : differenceOf(level));
  const scale = relative ? "relative" : kind === "score" ? "points" : "difference";
  switch (component) {
    case "body":
      if (kind === "score") {
        const perPoint = (metric.superiorityMargin ?? 0) / (margin.absolute ?? 1);
        return {
          scale: "superiority",
          method: "superiority with placement variance",
          place: (level) => differenceOf(level) * perPoint,
          statistic: (supposed) => moved(superiorityAt(strata, {}), -0.5 - supposed),
        };
      }
      return {
        scale,
        method: "superiority with placement variance, inverted over shifts",
        place,
        statistic: (supposed) =>
          moved(superiorityAt(strata, relative ? { divisor: 1 + supposed } : { shift: supposed }), -0.5),
      };
    case "mean": {
      const arms = strata.map(({ weight, baseline, candidate }) => ({
        weight,
        b: moments(baseline),
        c: moments(candidate),
      }));
      return {
        scale,
        method: relative ? "means compared as a ratio (Fieller)" : "difference of means",
        place,
        statistic: (supposed) => {
          const factor = relative ? 1 + supposed : 1;
          const effect = weighedTogether(
            arms.map(({ weight, b, c }) => ({
              weight,
              effect: differenceOfMeans(
                c,
                { ...b, mean: b.mean * factor, variance: b.variance * factor * factor },
                { pooledFloor: true },
              ),
            })),
          );
          return relative ? effect : moved(effect, -supposed);
        },
      };
    }
    case "tail": {
      if (worse === "either") return null;
      const direction = worse === "higher" ? 1 : -1;
      const forgiven = strata.map((stratum) => ({
        ...stratum,
        candidate: forgive(stratum.candidate, direction, margin),
      }));
      const limit = pooledQuantile(
        merged(forgiven.map(({ baseline }) => baseline)),
        merged(forgiven.map(({ candidate }) => candidate)),
        worse === "higher" ? 1 - TAIL_SHARE : TAIL_SHARE,
      );
      const shares = forgiven.map(({ weight, baseline, candidate }) => ({
        weight,
        b: shareMoments(countBeyond(baseline, limit, worse), baseline.length),
        c: shareMoments(countBeyond(candidate, limit, worse), candidate.length),
      }));
      return {
        scale: "relative",
        method: `share beyond the pooled ${worse === "higher" ? "95th" : "5th"} percentile`,
        place: (level) => factorOf(level) - 1,
        statistic: (supposed) =>
          weighedTogether(
            shares.map(({ weight, b, c }) => ({
              weight,
              effect: differenceOfMeans(
                c,
                { ...b, mean: b.mean * (1 + supposed), variance: b.variance * (1 + supposed) ** 2 },
                { pooledFloor: true },
              ),
            })),
          ),
      };
    }
    case "rate": {
      const shares = strata.map(({ weight, baseline, candidate }) => ({
        weight,
        b: shareMoments(total(baseline), baseline.length),
        c: shareMoments(total(candidate), candidate.length),
      }));
      const base = shares.reduce((sum, { weight, b }) => sum + weight * b.mean, 0);
      return {
        scale: "fraction",
        method: "difference of shares",
        place: (level) => (level.kind === "none" ? 0 : level.direction * marginAt(level.tolerance, base)),
        statistic: (supposed) =>
          moved(
            weighedTogether(
              shares.map(({ weight, b, c }) => ({ weight, effect: differenceOfMeans(c, b, { pooledFloor: true }) })),
            ),
            -supposed,
          ),
      };
    }
  }
}

function superiorityAt(strata: readonly Stratum[], deflation: { divisor?: number; shift?: number }): Effect {
  return weighedTogether(
    strata.map(({ weight, baseline, candidate }) => ({
      weight,
      effect: placementVariance(rankSummary(candidate, baseline, deflation)),
    })),
  );
}

function moved(effect: Effect, by: number): Effect {
  return { ...effect, estimate: effect.estimate + by };
}

/** A share as a mean of zeros and ones, with as many unseen events supposed as keep a share of 0 from looking certain. */
function shareMoments(events: number, n: number): ReturnType<typeof moments> {
  const mean = events / n;
  const smoothed = Math.min(Math.max(events, 1), n - 1) / n;
  return { ...moments(Float64Array.of(mean)), n, mean, variance: (smoothed * (1 - smoothed) * n) / Math.max(1, n - 1) };
}

/** Where the statistic is 0, sought from its straight-line guess, which may lie below all that can be supposed. */
function rootOf(statistic: Statistic, straight: number, standardError: number, lowest: number): number {
  const excess = (supposed: number): number => statistic(supposed).estimate;
  const guess = Math.max(straight, lowest);
  let reach = Math.max(standardError, 1e-9);
  for (let doubling = 0; doubling < 40; doubling++, reach *= 2) {
    const low = Math.max(guess - reach, lowest);
    if (excess(low) >= 0 && excess(guess + reach) <= 0)
      return findRoot(excess, low, guess + reach, standardError * 1e-6);
  }
  return guess;
}

function merged(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all.sort();
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function sizeOf(strata: readonly Stratum[], arm: "baseline" | "candidate"): number {
  return strata.reduce((sum, stratum) => sum + stratum[arm].length, 0);
}
