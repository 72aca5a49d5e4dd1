import { inferEffect, type Effect as StatisticalEffect } from "../stats/effect.ts";
import { moments, type Moments } from "../stats/moments.ts";
import { differenceOfMeans } from "../stats/welch.ts";
import {
  differenceOf,
  factorOf,
  finiteOrNull,
  informationOf,
  invertTests,
  type Evidence,
  type Level,
} from "./evidence.ts";

export interface MeanArms {
  readonly baseline: Float64Array;
  readonly candidate: Float64Array;
}

type Bars = Pick<Evidence, "promotionBar" | "rollbackBar">;

/**
 * The mean as a multiple of the baseline's: durations, tokens, money; and gauges, which may be negative.
 *
 * A level of 5 % is tested on "mean of candidate − 1.05 · mean of baseline" (Fieller's form), so that the baseline's own uncertainty counts and no logarithm
 * makes a low mean look certain: with skewed costs the log ratio of means errs twice as often as stated below 100 units, this form never did.
 */
export function meanRelativeEvidence({ baseline, candidate }: MeanArms, bars: Bars): Evidence {
  const c = moments(candidate);
  const b = moments(baseline);
  // A change of 5 % upwards is 1.05 times a positive mean and 0.95 times a negative one.
  const sign = b.mean < 0 ? -1 : 1;
  // One value has no variance to scale, and zero times an unknown variance is not certain.
  const unknown = !(c.variance < Infinity && b.variance < Infinity);
  const against = (fraction: number): StatisticalEffect => {
    if (unknown) return { estimate: 0, variance: Infinity, df: 1 };
    const factor = 1 + sign * fraction;
    return differenceOfMeans(
      c,
      { ...b, mean: b.mean * factor, variance: b.variance * factor * factor },
      { pooledFloor: true },
    );
  };
  const estimate = b.mean === 0 ? 0 : (c.mean - b.mean) / Math.abs(b.mean);
  // The degrees of freedom of the estimate serve all levels: if they moved with the level, the levels that are not rejected might not be an interval.
  const { df, variance } = against(estimate);
  const at = (fraction: number): StatisticalEffect => ({ ...against(fraction), df });
  const standardError =
    unknown || b.mean === 0 || variance === 0 || variance === Infinity ? null : Math.sqrt(variance) / Math.abs(b.mean);
  return {
    ...fromEffect(
      (level) => at(factorOf(level) - 1),
      () => 0,
    ),
    component: "mean",
    method: "means compared as a ratio (Fieller), the larger of Welch's and the pooled variance",
    scale: "relative",
    estimate,
    place: (level) => factorOf(level) - 1,
    bounds: (alphaLower, alphaUpper) =>
      standardError === null
        ? { lower: null, upper: null }
        : invertTests((fraction) => inferTails(at(fraction)), estimate, standardError, alphaLower, alphaUpper),
    effectiveUnits: { baseline: baseline.length, candidate: candidate.length },
    information: informationOf(baseline.length, candidate.length),
    standardError,
    ...bars,
  };
}

/**
 * The difference of means, in the measurement unit.
 *
 * @param range  lowest and highest value that can occur; null when there are none. With a range, arms that hardly vary still prove something: what was not seen
 *               among n units is rare and lies at the end of the range.
 */
export function meanDifferenceEvidence(
  { baseline, candidate }: MeanArms,
  scale: "points" | "difference",
  range: readonly [number, number] | null,
  bars: Bars,
): Evidence {
  const [c, b] = [moments(candidate), moments(baseline)].map((arm, index) =>
    range === null ? arm : withFloor(arm, index === 0 ? candidate : baseline, range),
  );
  if (c === undefined || b === undefined) throw new RangeError("two arms have two moments");
  const effect = differenceOfMeans(c, b, { pooledFloor: true });
  return {
    ...fromEffect(() => effect, differenceOf),
    component: "mean",
    method: "difference of means, the larger of Welch's and the pooled variance",
    scale,
    estimate: effect.estimate,
    place: differenceOf,
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = boundsOf(effect, alphaLower, alphaUpper);
      return { lower: finiteOrNull(lower), upper: finiteOrNull(upper) };
    },
    effectiveUnits: { baseline: baseline.length, candidate: candidate.length },
    information: informationOf(baseline.length, candidate.length),
    standardError: Number.isFinite(effect.variance) ? Math.sqrt(effect.variance) : null,
    ...bars,
  };
}

/** Both one-sided p-values of an effect of 0. */
export function inferTails(effect: StatisticalEffect): { above: number; below: number } {
  return {
    above: inferEffect(effect, { alternative: "greater" }).p,
    below: inferEffect(effect, { alternative: "less" }).p,
  };
}

/** p-values from an effect that may itself depend on the level. */
export function fromEffect(
  effectAt: (level: Level) => StatisticalEffect,
  nullAt: (level: Level) => number,
): Pick<Evidence, "above" | "below"> {
  return {
    above: (level) => inferEffect(effectAt(level), { nullEffect: nullAt(level), alternative: "greater" }).p,
    below: (level) => inferEffect(effectAt(level), { nullEffect: nullAt(level), alternative: "less" }).p,
  };
}

/** Two one-sided bounds. */
export function boundsOf(
  effect: StatisticalEffect,
  alphaLower: number,
  alphaUpper: number,
): { lower: number; upper: number } {
  return {
    lower: inferEffect(effect, { alternative: "greater", confidence: 1 - alphaLower }).lower,
    upper: inferEffect(effect, { alternative: "less", confidence: 1 - alphaUpper }).upper,
  };
}

/** As many values not yet seen as a bound for none in n supposes; the same choice as the floor of the superiority. */
const FLOOR_EVENTS = 4;

/** Thirty identical scores prove nothing about a quarter of a point: the variance is at least that of a few values at the far end of the range. */
export function withFloor(arm: Moments, values: Float64Array, [low, high]: readonly [number, number]): Moments {
  const reach = Math.max(high - arm.mean, arm.mean - low);
  const floor = (FLOOR_EVENTS * reach * reach) / arm.n;
  if (arm.variance >= floor) return arm;
  const common = mostCommon(values);
  return arm.n - common < FLOOR_EVENTS ? { ...arm, variance: floor } : arm;
}

function mostCommon(values: Float64Array): number {
  const counts = new Map<number, number>();
  let most = 0;
  for (const value of values) {
    const count = (counts.get(value) ?? 0) + 1;
    counts.set(value, count);
    if (count > most) most = count;
  }
  return most;
}
