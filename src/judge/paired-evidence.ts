import type { Component, Metric } from "../model/analysis.ts";
import type { Tolerance } from "../model/amount.ts";
import type { Flip, TestResult } from "../model/finding.ts";
import type { PairedCounts } from "../stats/counts.ts";
import type { Effect as StatisticalEffect } from "../stats/effect.ts";
import { findRoot } from "../stats/find-root.ts";
import { mcNemar } from "../stats/mcnemar.ts";
import { moments } from "../stats/moments.ts";
import { pairedProportionsTest, type PairedBorder } from "../stats/paired-proportions.ts";
import { marginAt } from "../stats/proportion-margin.ts";
import { pseudoMedian, wilcoxonSignedRank } from "../stats/wilcoxon-signed-rank.ts";
import { differenceOf, factorOf, finiteOrNull, invertTests, type Evidence, type Level } from "./evidence.ts";
import { formatCount } from "./format.ts";
import { boundsOf, fromEffect, inferTails, withFloor } from "./mean-evidence.ts";
import { rateEvidence } from "./rate-evidence.ts";

/** The same items given to both versions, in one order: each item is compared with itself. */
export interface Pairs {
  readonly names: readonly string[];
  readonly baseline: Float64Array;
  readonly candidate: Float64Array;
}

type Bars = Pick<Evidence, "promotionBar" | "rollbackBar">;

/** Up to this many pairs a signed-rank test follows the exact law; beyond, its normal form is right to 4 % of p down to 0.005 and too large further out (18 % at 0.0003, 101 pairs). */
const EXACT_PAIRS = 100;

/** The evidence of every component that pairs can carry; a tail is a property of two whole distributions, and is left out. */
export function pairedEvidence(pairs: Pairs, metric: Metric, exact: Bars, asymptotic: Bars): Evidence[] {
  return metric.components.flatMap((component) => componentOf(component, pairs, metric, exact, asymptotic));
}

function componentOf(component: Component, pairs: Pairs, metric: Metric, exact: Bars, asymptotic: Bars): Evidence[] {
  const { kind, margin, scale } = metric;
  switch (component) {
    case "body":
      if (kind === "score")
        return [pairedSuperiority(pairs, (metric.superiorityMargin ?? 0) / (margin.absolute ?? 1), exact)];
      return [margin.relative === null ? signedRank(pairs, differencesOf, exact) : relativeRank(pairs, exact)];
    case "mean":
      if (margin.relative !== null) return [meanRelative(pairs, asymptotic)];
      return [meanDifference(pairs, kind === "score" ? "points" : "difference", scale, asymptotic)];
    case "rate":
      return [pairedRate(pairs, margin, exact)];
    case "tail":
      return [];
  }
}

/** How a level moves the differences, and what a difference is called on the scale of the effect. */
interface Axis {
  readonly scale: "relative" | "difference";
  readonly differences: (pairs: Pairs) => Float64Array;
  readonly shiftOf: (level: Level) => number;
  readonly toScale: (shift: number) => number;
}

const differencesOf: Axis = {
  scale: "difference",
  differences: ({ baseline, candidate }) => candidate.map((value, item) => less(value, baseline[item] ?? 0)),
  shiftOf: differenceOf,
  toScale: (shift) => shift,
};

const logRatiosOf: Axis = {
  scale: "relative",
  differences: ({ baseline, candidate }) => candidate.map((value, item) => Math.log(value / (baseline[item] ?? 1))),
  shiftOf: (level) => Math.log(factorOf(level)),
  toScale: Math.expm1,
};

/** What is equal but for rounding is equal: ranks would count the rounding as a change. */
function less(value: number, other: number): number {
  const difference = value - other;
  return Math.abs(difference) <= ROUNDING * (Math.abs(value) + Math.abs(other)) ? 0 : difference;
}

const ROUNDING = 1e-12;

/** The typical change of one item: Wilcoxon's signed ranks of the differences, less the level. */
function signedRank(pairs: Pairs, { scale, differences, shiftOf, toScale }: Axis, bars: Bars): Evidence {
  const all = differences(pairs);
  const exact = all.length <= EXACT_PAIRS;
  const method = exact ? "exact" : "asymptotic";
  const test = (level: Level) => {
    const shift = shiftOf(level);
    return wilcoxonSignedRank(
      all.map((difference) => less(difference, shift)),
      { method },
    );
  };
  return {
    component: "body",
    method: `${exact ? "exact " : ""}Wilcoxon signed ranks of the same items, pseudo-median`,
    scale,
    estimate: toScale(pseudoMedian(all, { method }).estimate),
    place: (level) => toScale(shiftOf(level)),
    above: (level) => test(level).pGreater,
    below: (level) => test(level).pLess,
    bounds: (alphaLower, alphaUpper) => ({
      lower: finiteOrNull(
        toScale(pseudoMedian(all, { confidence: 1 - alphaLower, alternative: "greater", method }).lower),
      ),
      upper: finiteOrNull(
        toScale(pseudoMedian(all, { confidence: 1 - alphaUpper, alternative: "less", method }).upper),
      ),
    }),
    ...sizeOf(pairs),
    ...bars,
  };
}

/** By which factor an item typically changes. Where a value is 0 there is no logarithm: the candidate is compared with the baseline times the factor. */
function relativeRank(pairs: Pairs, bars: Bars): Evidence {
  const { baseline, candidate } = pairs;
  if (baseline.every((value) => value > 0) && candidate.every((value) => value > 0))
    return signedRank(pairs, logRatiosOf, bars);
  const exact = baseline.length <= EXACT_PAIRS;
  const method = exact ? "exact" : "asymptotic";
  const against = (fraction: number) =>
    candidate.map((value, item) => less(value, (1 + fraction) * (baseline[item] ?? 0)));
  const tails = (fraction: number) => {
    const { pGreater, pLess } = wilcoxonSignedRank(against(fraction), { method });
    return { above: pGreater, below: pLess };
  };
  const centre = (fraction: number) => pseudoMedian(against(fraction), { method }).estimate;
  // Zeros on both sides have any factor; what lies beyond a hundredfold is shown as that.
  const [low, high] = [centre(-1), centre(FARTHEST)];
  const estimate = low <= 0 ? (high >= 0 ? 0 : -1) : high >= 0 ? FARTHEST : findRoot(centre, -1, FARTHEST, 1e-9);
  return {
    component: "body",
    method: `${exact ? "exact " : ""}Wilcoxon signed ranks of candidate less factor times baseline`,
    scale: "relative",
    estimate,
    place: (level) => factorOf(level) - 1,
    above: (level) => tails(factorOf(level) - 1).above,
    below: (level) => tails(factorOf(level) - 1).below,
    bounds: (alphaLower, alphaUpper) =>
      invertTests(
        tails,
        estimate,
        Math.max(0.01, Math.abs(estimate)) / Math.sqrt(baseline.length),
        alphaLower,
        alphaUpper,
      ),
    ...sizeOf(pairs),
    ...bars,
  };
}

const FARTHEST = 99;

/** The mean of the differences of the same items, in the measurement unit. */
function meanDifference(
  pairs: Pairs,
  scale: "points" | "difference",
  range: readonly [number, number] | null,
  bars: Bars,
): Evidence {
  const differences = differencesOf.differences(pairs);
  const all = moments(differences);
  // Differences reach as far as the scale is wide, to both sides.
  const width = range === null ? 0 : range[1] - range[0];
  const { n, mean, variance } = range === null ? all : withFloor(all, differences, [-width, width]);
  const effect: StatisticalEffect = { estimate: mean, variance: variance / n, df: Math.max(1, n - 1) };
  return {
    ...fromEffect(() => effect, differenceOf),
    component: "mean",
    method: "mean of the differences of the same items, Student's t",
    scale,
    estimate: mean,
    place: differenceOf,
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = boundsOf(effect, alphaLower, alphaUpper);
      return { lower: finiteOrNull(lower), upper: finiteOrNull(upper) };
    },
    ...sizeOf(pairs),
    ...bars,
  };
}

/** The mean as a multiple of the baseline's, by Fieller's form: the mean of candidate less factor times baseline, item by item. */
function meanRelative(pairs: Pairs, bars: Bars): Evidence {
  const { baseline, candidate } = pairs;
  const [b, c] = [moments(baseline).mean, moments(candidate).mean];
  const sign = b < 0 ? -1 : 1;
  const at = (fraction: number): StatisticalEffect => {
    const { n, mean, variance } = moments(
      candidate.map((value, item) => value - (1 + sign * fraction) * (baseline[item] ?? 0)),
    );
    return { estimate: mean, variance: variance / n, df: Math.max(1, n - 1) };
  };
  const estimate = b === 0 ? 0 : (c - b) / Math.abs(b);
  const { variance } = at(estimate);
  const step = b === 0 || !Number.isFinite(variance) ? 0 : Math.sqrt(variance) / Math.abs(b);
  return {
    ...fromEffect(
      (level) => at(factorOf(level) - 1),
      () => 0,
    ),
    component: "mean",
    method: "means of the same items compared as a ratio (Fieller), Student's t",
    scale: "relative",
    estimate,
    place: (level) => factorOf(level) - 1,
    bounds: (alphaLower, alphaUpper) =>
      step === 0
        ? { lower: null, upper: null }
        : invertTests((fraction) => inferTails(at(fraction)), estimate, step, alphaLower, alphaUpper),
    ...sizeOf(pairs),
    ...bars,
  };
}

/**
 * How often an item scores higher under the candidate, equal counts half; less 1/2. Gains and losses of the same items are the discordant items of McNemar's test,
 * so that a few large gains cannot outweigh many small losses.
 */
function pairedSuperiority(pairs: Pairs, perPoint: number, bars: Bars): Evidence {
  const counts = discordance(pairs);
  const items = pairs.names.length;
  const place = (level: Level): number => differenceOf(level) * perPoint;
  // Gains less losses are twice the distance of the superiority from 1/2.
  const test = (superiority: number, alternative: "greater" | "less") =>
    superiority === 0
      ? mcNemar(counts, { alternative }).p
      : pairedTest(counts, { difference: 2 * superiority }, alternative);
  const estimate = (counts.candidateOnly - counts.baselineOnly) / (2 * items);
  return {
    component: "body",
    method:
      "items that score higher against items that score lower: McNemar's exact test, exact or score test against the margin",
    scale: "superiority",
    estimate,
    place,
    above: (level) => test(place(level), "greater"),
    below: (level) => test(place(level), "less"),
    bounds: (alphaLower, alphaUpper) =>
      within(
        0.5,
        invertTests(
          (value) => ({ above: test(value, "greater"), below: test(value, "less") }),
          estimate,
          1 / (4 * Math.sqrt(items)),
          alphaLower,
          alphaUpper,
        ),
      ),
    ...sizeOf(pairs),
    ...bars,
  };
}

/** Shares of bad items, item by item: McNemar's exact test for any change, a paired test against the margin. */
function pairedRate(pairs: Pairs, margin: Tolerance, bars: Bars): Evidence {
  const counts = discordance(pairs);
  const items = pairs.names.length;
  const shares = {
    baseline: (counts.both + counts.baselineOnly) / items,
    candidate: (counts.both + counts.candidateOnly) / items,
  };
  const shown = marginAt(margin, shares.baseline);
  // The looser part of the margin, at the share that the baseline has.
  const absolute = margin.absolute !== null && margin.absolute >= (margin.relative ?? 0) * shares.baseline;
  const borderAt = (tolerance: Tolerance, multiple: number): PairedBorder =>
    absolute && tolerance.absolute !== null
      ? { difference: multiple * tolerance.absolute }
      : { ratio: 1 + multiple * (tolerance.relative ?? 0) };
  // As if the items were not the same, which errs to the safe side where they fail together: for ratios of a few events, for which there is no exact test.
  const apart = rateEvidence(
    {
      baseline: { events: counts.both + counts.baselineOnly, trials: items },
      candidate: { events: counts.both + counts.candidateOnly, trials: items },
    },
    margin,
    { dispersion: 1, df: Infinity },
    bars,
  );
  const fewEvents = Math.min(shares.baseline, shares.candidate) * items < FEW_EVENTS;
  const test = (tolerance: Tolerance, multiple: number, alternative: "greater" | "less"): number => {
    if (multiple === 0) return mcNemar(counts, { alternative }).p;
    const border = borderAt(tolerance, multiple);
    const p = pairedTest(counts, border, alternative);
    if ("difference" in border || !fewEvents) return p;
    const size = Math.abs(multiple);
    const level: Level = {
      kind: "tolerance",
      tolerance: { absolute: null, relative: size * (tolerance.relative ?? 0) },
      direction: multiple > 0 ? 1 : -1,
    };
    return Math.max(p, alternative === "greater" ? apart.above(level) : apart.below(level));
  };
  const at = (level: Level, alternative: "greater" | "less"): number =>
    level.kind === "none" ? test(margin, 0, alternative) : test(level.tolerance, level.direction, alternative);
  const estimate = shares.candidate - shares.baseline;
  return {
    component: "rate",
    method: "McNemar's exact test; exact or score test of the paired difference against the margin",
    scale: "fraction",
    estimate,
    place: (level) => (level.kind === "none" ? 0 : level.direction * marginAt(level.tolerance, shares.baseline)),
    above: (level) => at(level, "greater"),
    below: (level) => at(level, "less"),
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = invertTests(
        (value) => ({
          above: test(margin, value / shown, "greater"),
          below: test(margin, value / shown, "less"),
        }),
        estimate,
        1 / (4 * Math.sqrt(items)),
        alphaLower,
        alphaUpper,
      );
      return within(1, { lower, upper });
    },
    ...sizeOf(pairs),
    ...bars,
  };
}

const FEW_EVENTS = 5;

/** A border beyond what can be is never reached: the effect is proven to lie on this side of it. */
function pairedTest(counts: PairedCounts, border: PairedBorder, alternative: "greater" | "less"): number {
  if ("difference" in border && Math.abs(border.difference) >= 1)
    return border.difference > 0 === (alternative === "less") ? 0 : 1;
  if ("ratio" in border && border.ratio <= 0) return alternative === "greater" ? 0 : 1;
  return pairedProportionsTest(counts, border, alternative).p;
}

function within(reach: number, { lower, upper }: { lower: number | null; upper: number | null }) {
  return {
    lower: lower === null ? null : Math.max(-reach, lower),
    upper: upper === null ? null : Math.min(reach, upper),
  };
}

/** For events: items on which one, both or none had it. For scores: items that went up, and down; the others are equal. */
function discordance({ baseline, candidate }: Pairs): PairedCounts {
  let [both, candidateOnly, baselineOnly, neither] = [0, 0, 0, 0];
  for (const [item, value] of candidate.entries()) {
    const before = baseline[item] ?? 0;
    if (value > before) candidateOnly += 1;
    else if (value < before) baselineOnly += 1;
    else if (value === 1) both += 1;
    else neither += 1;
  }
  return { both, candidateOnly, baselineOnly, neither };
}

function sizeOf({ names }: Pairs): Pick<Evidence, "effectiveUnits" | "information"> {
  return { effectiveUnits: { baseline: names.length, candidate: names.length }, information: names.length };
}

/** The named tests of pairs, as everybody knows them. Their p-values are nominal. */
export function namedPairedTests(pairs: Pairs, { kind, unit }: Metric): TestResult[] {
  const { candidateOnly, baselineOnly } = discordance(pairs);
  if (kind === "errors") {
    const { p, estimate } = mcNemar({ candidateOnly, baselineOnly });
    return [
      {
        test: "mcnemar",
        statistic: estimate,
        pValueNominal: p,
        method: `exact; ${formatCount(candidateOnly, unit)} with the candidate only, ${baselineOnly} with the baseline only`,
      },
    ];
  }
  const { statistic, p, method } = wilcoxonSignedRank(differencesOf.differences(pairs), {
    method: pairs.names.length <= EXACT_PAIRS ? "exact" : "asymptotic",
  });
  return [
    {
      test: "wilcoxon-signed-rank",
      statistic,
      superiority: 0.5 + (candidateOnly - baselineOnly) / (2 * pairs.names.length),
      pValueNominal: p,
      method,
    },
  ];
}

/** Flips listed at most. */
const MOST_FLIPS = 20;

/** The items that both versions answered differently: those that got worse first, the largest changes first. Of kinds where equal is the rule. */
export function flipsOf({ names, baseline, candidate }: Pairs, { kind, worse }: Metric): Flip[] | null {
  if (kind !== "errors" && kind !== "score") return null;
  const harm = ({ baseline: before, candidate: after }: Flip) =>
    worse === "either" ? Math.abs(after - before) : worse === "higher" ? after - before : before - after;
  const size = ({ baseline: before, candidate: after }: Flip) => Math.abs(after - before);
  return names
    .map((unit, item): Flip => ({ unit, baseline: baseline[item] ?? 0, candidate: candidate[item] ?? 0 }))
    .filter((flip) => size(flip) > 0)
    .sort((a, b) => Number(harm(b) > 0) - Number(harm(a) > 0) || size(b) - size(a) || (a.unit < b.unit ? -1 : 1))
    .slice(0, MOST_FLIPS);
}
