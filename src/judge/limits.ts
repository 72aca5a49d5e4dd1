import type { Burn, Limit, Metric } from "../model/analysis.ts";
import type { LimitFinding } from "../model/finding.ts";
import { inferEffect } from "../stats/effect.ts";
import { histogramExceedance, histogramMean, histogramQuantile } from "../stats/histogram-values.ts";
import { longRunVariance } from "../stats/long-run-variance.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { meanThreshold, proportionThreshold, quantileThreshold } from "../stats/threshold.ts";
import { testBurn } from "./burn-rate.ts";
import { meanOf, quantileOf } from "./describe.ts";
import type { ArmState } from "../model/look-state.ts";
import type { Claim, ClaimBook, Tested } from "./claim.ts";
import { finiteOrNull } from "./evidence.ts";
import { edgesOf, stepsOf, totalOfSteps } from "./histogram-evidence.ts";
import { totalOf } from "./step-evidence.ts";
import { windowEndOf, type Cells, type WindowEnd } from "./tallies.ts";

/** What one arm shows about a limit: its plain value, and both one-sided p-values. */
interface LimitTest {
  readonly value: number;
  /** Small when the value is proven beyond the limit; null when this shape cannot tell. */
  readonly pBreached: number | null;
  /** Small when it is proven within. */
  readonly pHolds: number | null;
  /** Of a limit with two windows: what the short one shows, null where it is empty. A breach must show in both, and so must keeping the limit. */
  readonly recent?: number | null;
}

/**
 * Each side of each limit: breached, holds, or open. Where the baseline breaches it too, nobody can be blamed: that is its own state.
 *
 * @param alphaBreached  the share of the rollback budget of one side of one limit.
 * @param alphaHolds     the promote budget.
 * @param cells          of time, for the limits that look at windows of it.
 */
export function judgeLimits(
  metric: Metric,
  baseline: ArmState,
  candidate: ArmState,
  alphaBreached: number,
  alphaHolds: number,
  book: ClaimBook,
  cells: Cells,
): LimitFinding[] {
  const end = windowEndOf(cells, candidate, baseline);
  return metric.limits.flatMap((limit) =>
    (["max", "min"] as const).flatMap((side) => {
      const level = limit[side];
      if (level === null) return [];
      const { burn } = limit;
      const testOf = (arm: ArmState): LimitTest | null => {
        if (burn === undefined) return testLimit(arm, limit.statistic, side, level, metric);
        return end === null ? null : testBurn(arm, burn, level, cells, end);
      };
      const [own, other] = [testOf(candidate), testOf(baseline)];
      const claim = (p: number, alpha: number, spending: Claim["spending"]): Claim => ({
        p,
        alpha,
        spending,
        bar: null,
        information: sizeOf(candidate),
        distance: () => null,
        sliding: burn !== undefined,
        exact: null,
      });
      const windows = burn === undefined ? "" : `:${burn.longSeconds}:${burn.shortSeconds}`;
      const key = `${limit.statistic}:${side}${windows}`;
      const test = (name: string, p: number | null | undefined, alpha: number, spending: Claim["spending"]) =>
        limit.check === "point" || p === null || p === undefined
          ? null
          : book.test(`${key}:${name}`, claim(p, alpha, spending));
      const breached = test("breached", own?.pBreached, alphaBreached, "harm");
      const holds = test("holds", own?.pHolds, alphaHolds, "safety");
      const finding = toFinding(limit, side, level, own, other, { breached, holds, alphaBreached, alphaHolds });
      return [burn === undefined ? finding : { ...finding, burn: toBurnFinding(burn, own, other, end) }];
    }),
  );
}

function toFinding(
  limit: Limit,
  side: "max" | "min",
  level: number,
  own: LimitTest | null,
  other: LimitTest | null,
  {
    breached,
    holds: held,
    alphaBreached,
    alphaHolds,
  }: { breached: Tested | null; holds: Tested | null; alphaBreached: number; alphaHolds: number },
): LimitFinding {
  const beyond = (value: number) => (side === "max" ? value > level : value < level);
  const point = limit.check === "point";
  const { recent } = own ?? {};
  const stillBeyond = (test: LimitTest) => test.recent === undefined || (test.recent !== null && beyond(test.recent));
  // Where the baseline shows nothing, it may lie beyond as well.
  const isBreached =
    own !== null && other !== null && (point ? beyond(own.value) : breached?.proven === true) && stillBeyond(own);
  // What was proven to hold at an earlier look still does, unless the plain value has left the limit since.
  const inside = own !== null && !beyond(own.value) && recent !== null && (recent === undefined || !beyond(recent));
  const holds = inside && (point || held?.since != null);
  // An SLO that the serving version misses as well tells nothing about the new one; a plain look at the baseline is enough to doubt. Of two windows the long one is:
  // that a few events of the short one were good shows no recovery.
  const baselineBeyond = other !== null && beyond(other.value);
  const state = isBreached ? (baselineBeyond ? "baseline_breached" : "breached") : holds ? "holds" : "open";
  const proven = limit.check === "proven";
  return {
    statistic: limit.statistic,
    side,
    limit: level,
    check: limit.check,
    candidate: own === null ? null : finiteOrNull(own.value),
    baseline: other === null ? null : finiteOrNull(other.value),
    state,
    pBreached: proven ? (own?.pBreached ?? null) : null,
    pHolds: proven ? (own?.pHolds ?? null) : null,
    alphaBreached: proven ? alphaBreached : null,
    alphaHolds: proven ? alphaHolds : null,
    levelBreached: breached?.level ?? null,
    levelHolds: held?.level ?? null,
    baselineProvenBeyond: proven && other?.pBreached != null && other.pBreached <= alphaBreached && stillBeyond(other),
  };
}

function toBurnFinding(
  { objective, longSeconds, shortSeconds }: Burn,
  own: LimitTest | null,
  other: LimitTest | null,
  end: WindowEnd | null,
): NonNullable<LimitFinding["burn"]> {
  const window = (seconds: number, valueOf: (test: LimitTest | null) => number | null) => ({
    seconds,
    coveredSeconds: Math.max(0, Math.min(seconds, end?.seenSeconds ?? 0)),
    candidate: valueOf(own),
    baseline: valueOf(other),
  });
  return {
    objective,
    long: window(longSeconds, (test) => test?.value ?? null),
    short: window(shortSeconds, (test) => test?.recent ?? null),
  };
}

/** Units, or steps: what the information about a limit grows with. */
function sizeOf(arm: ArmState): number {
  return arm.shape === "units" ? arm.values.length : arm.at.length;
}

function testLimit(
  samples: ArmState,
  statistic: Limit["statistic"],
  side: "max" | "min",
  level: number,
  { kind, scale }: Metric,
): LimitTest | null {
  const order = /^p(\d+(?:\.\d+)?)$/.exec(statistic)?.[1];
  const q = order === undefined ? null : Number(order) / 100;
  switch (samples.shape) {
    case "units": {
      if (kind === "errors") {
        const events = samples.values.reduce((sum, value) => sum + value, 0);
        return rateTest({ events, trials: samples.values.length }, side, level);
      }
      if (q !== null) {
        // A lower limit on the 95th percentile allows 95 % of values below it.
        const { pBreached, pHolds } = quantileThreshold(samples.values, level, { quantile: q, limitIs: side });
        return { value: quantileOf(samples.values, q), pBreached, pHolds };
      }
      const { estimate, pBreached, pHolds } = meanThreshold(samples.values, level, {
        limitIs: side,
        ...(scale === null ? {} : { range: scale }),
      });
      return { value: estimate, pBreached, pHolds };
    }
    case "counts":
      return rateTest(totalOf(samples), side, level);
    case "series": {
      if (statistic === "value") return { value: samples.values.at(-1) ?? Number.NaN, pBreached: null, pHolds: null };
      if (q === null) return { value: meanOf(samples.values), ...seriesTest(samples.values, level, side) };
      const allowed = side === "max" ? 1 - q : q;
      const beyond = samples.values.map((value) => (side === "max" ? Number(value > level) : Number(value < level)));
      return { value: quantileOf(sortSample(samples.values, "values"), q), ...seriesTest(beyond, allowed, "max") };
    }
    case "histogram": {
      const edges = edgesOf(samples);
      const steps = stepsOf(samples);
      const histogram = { edges, counts: totalOfSteps(steps, edges.length - 1) };
      if (q === null) return { value: histogramMean(histogram).estimate, pBreached: null, pHolds: null };
      const { total, lower, upper } = histogramExceedance(histogram, level);
      const allowed = 1 - q;
      const dispersion = dispersionOfShare(
        steps.map((step) => [histogramExceedance({ edges, counts: nonEmpty(step) }, level).lower, sum(step)] as const),
      );
      const share = (events: number) =>
        proportionThreshold(
          { events: Math.round(events / dispersion), trials: Math.max(1, Math.round(total / dispersion)) },
          allowed,
          { limitIs: side === "max" ? "max" : "min" },
        );
      // Between two edges the number beyond is known only within bounds: each claim takes the bound that speaks against it.
      return {
        value: histogramQuantile(histogram, q).estimate,
        pBreached: share(side === "max" ? lower : upper).pBreached,
        pHolds: share(side === "max" ? upper : lower).pHolds,
      };
    }
  }
}

function rateTest(proportion: { events: number; trials: number }, side: "max" | "min", level: number): LimitTest {
  const { estimate, pBreached, pHolds } = proportionThreshold(proportion, level, { limitIs: side });
  return { value: estimate, pBreached, pHolds };
}

function seriesTest(values: Float64Array, level: number, side: "max" | "min"): Pick<LimitTest, "pBreached" | "pHolds"> {
  if (values.length < 2) return { pBreached: null, pHolds: null };
  const { variance, df } = longRunVariance(values);
  const estimate = meanOf(values);
  const above = inferEffect({ estimate, variance, df }, { nullEffect: level, alternative: "greater" }).p;
  const below = inferEffect({ estimate, variance, df }, { nullEffect: level, alternative: "less" }).p;
  return side === "max" ? { pBreached: above, pHolds: below } : { pBreached: below, pHolds: above };
}

/** How many times the variance of a share is what independent values would give, seen between steps; at least 1. */
function dispersionOfShare(steps: readonly (readonly [events: number, trials: number])[]): number {
  const trials = steps.reduce((total, [, n]) => total + n, 0);
  const share = steps.reduce((total, [events]) => total + events, 0) / trials;
  if (steps.length < 2 || share === 0 || share === 1) return 1;
  const influence = Float64Array.from(steps, ([events, n]) => ((events - share * n) * steps.length) / trials);
  return Math.max(1, longRunVariance(influence).variance / ((share * (1 - share)) / trials));
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A step without values has no exceedance; the statistics ask for at least one value. */
function nonEmpty(counts: Float64Array): Float64Array {
  if (sum(counts) > 0) return counts;
  const one = counts.slice();
  one[0] = 1;
  return one;
}
