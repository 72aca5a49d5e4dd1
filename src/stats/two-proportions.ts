import { requireFraction, type Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { normalQuantileUpper, normalSf } from "./distributions/normal.ts";
import { findRoot } from "./find-root.ts";
import { pFromTails } from "./p-from-tails.ts";
import type { Interval, IntervalOptions } from "./proportion-interval.ts";

export interface ScoreOptions {
  /** "miettinen-nurminen" (default) multiplies the variance by N/(N - 1); "farrington-manning" does not. */
  readonly variance?: "miettinen-nurminen" | "farrington-manning";
}

export interface ScoreTest {
  readonly p: number;
  /** Standard normal under the null hypothesis; positive when the candidate is above it. */
  readonly statistic: number;
  readonly estimate: number;
  /** Of the estimate, under the null hypothesis. */
  readonly variance: number;
}

/** Smaller steps of a probability difference than this are rounding. */
const DIFFERENCE_TOLERANCE = 1e-16;

/**
 * Score test: do two probabilities differ by something else than `nullDifference`?
 *
 * @param candidate  events among trials >= 1.
 * @param baseline   the same for the baseline, independent of the candidate.
 * @param options    `nullDifference` in (-1, 1), default 0: with a margin of 0.02 for a harm, `{ nullDifference:
 *                   0.02, alternative: "less" }` asks whether the candidate is proven to be less than two points
 *                   worse.
 * @returns `estimate` = difference of the shares; `variance` by the most likely probabilities whose difference is
 *          nullDifference; `p` in [0, 1].
 * @throws RangeError when counts are not whole, events exceed trials, or nullDifference is outside (-1, 1).
 *
 * No event at all, or nothing but events, under nullDifference 0: statistic 0 and p = 1 for every alternative. A
 * large-sample test: with fewer than five expected events in an arm its size can exceed the nominal one
 * (docs/statistics/counts.md), use boschloo or exactUnconditional. Not for trials that share a user.
 * Source: Farrington & Manning (1990), Stat. Med. 9, 1447-1454; Miettinen & Nurminen (1985), Stat. Med. 4, 213-226.
 * @example twoProportionsTest({ events: 15, trials: 1000 }, { events: 10, trials: 1000 }, { nullDifference: 0.02, alternative: "less" }).p // 0.0045258
 */
export function twoProportionsTest(
  candidate: Proportion,
  baseline: Proportion,
  options: ScoreOptions & { readonly nullDifference?: number; readonly alternative?: Alternative } = {},
): ScoreTest {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const { nullDifference = 0, alternative = "two-sided" } = options;
  if (!(nullDifference > -1 && nullDifference < 1)) {
    throw new RangeError(`nullDifference is ${nullDifference}, not strictly between -1 and 1`);
  }
  const { statistic, estimate, variance } = score(candidate, baseline, nullDifference, options);
  return { p: normalP(statistic, variance, alternative), statistic, estimate, variance };
}

/**
 * Between which values does the difference of two probabilities lie, candidate - baseline? The inversion of the score
 * test.
 *
 * @returns `estimate`; `lower` and `upper` in [-1, 1]: every null difference between them has p >= 1 - confidence in
 *          `twoProportionsTest` with the same alternative; -1 or 1 where the alternative leaves a side open.
 * @throws RangeError as `twoProportionsTest`, and when confidence is outside (0, 1).
 * @example twoProportionsInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower // 0.0528297
 */
export function twoProportionsInterval(
  candidate: Proportion,
  baseline: Proportion,
  options: ScoreOptions & IntervalOptions = {},
): Interval {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const { confidence = 0.95, alternative = "two-sided" } = options;
  requireFraction("confidence", confidence);
  const z = normalQuantileUpper(alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence);
  const estimate = candidate.events / candidate.trials - baseline.events / baseline.trials;

  const bound = (critical: number) =>
    findRoot(
      (s) => {
        if (s <= -1) return Infinity;
        if (s >= 1) return -Infinity;
        return score(candidate, baseline, s, options).statistic - critical;
      },
      -1,
      1,
      DIFFERENCE_TOLERANCE,
    );
  return {
    estimate,
    lower: alternative === "less" || estimate === -1 ? -1 : bound(z),
    upper: alternative === "greater" || estimate === 1 ? 1 : bound(-z),
  };
}

/** The p-value of a standard normal statistic; without variance there is nothing to weigh, and p is 1. */
export function normalP(statistic: number, variance: number, alternative: Alternative): number {
  if (variance === 0) return 1;
  return pFromTails({ greater: normalSf(statistic), less: normalSf(-statistic) }, alternative);
}

function score(candidate: Proportion, baseline: Proportion, s: number, { variance: kind }: ScoreOptions) {
  const n1 = candidate.trials;
  const n2 = baseline.trials;
  const p2 = mostLikelyBaseline(candidate, baseline, s);
  const p1 = p2 + s;
  const correction = kind === "farrington-manning" ? 1 : (n1 + n2) / (n1 + n2 - 1);
  const variance = Math.max(0, correction * ((p1 * (1 - p1)) / n1 + (p2 * (1 - p2)) / n2));
  const estimate = candidate.events / n1 - baseline.events / n2;
  const statistic = variance === 0 ? 0 : (estimate - s) / Math.sqrt(variance);
  return { statistic, estimate, variance };
}

/** The baseline's probability that makes the counts most likely among all pairs (p + s, p). */
export function mostLikelyBaseline(candidate: Proportion, baseline: Proportion, s: number): number {
  const x1 = candidate.events;
  const y1 = candidate.trials - x1;
  const x2 = baseline.events;
  const y2 = baseline.trials - x2;
  if (s === 0) return (x1 + x2) / (candidate.trials + baseline.trials);

  // The slope of the log-likelihood falls in p; where a count is 0 its term is 0, even at the pole.
  const term = (count: number, p: number) => (count === 0 ? 0 : count / p);
  const slope = (p: number) => term(x1, p + s) - term(y1, 1 - p - s) + term(x2, p) - term(y2, 1 - p);
  const bend = (p: number) =>
    term(x1, (p + s) ** 2) + term(y1, (1 - p - s) ** 2) + term(x2, p * p) + term(y2, (1 - p) ** 2);
  let low = Math.max(0, -s);
  let high = Math.min(1, 1 - s);
  // At an end one of the four probabilities is 0. If its count is not, the slope is infinite and the maximum lies
  // inside.
  const [atLow, atHigh] = s > 0 ? [x2, y1] : [x1, y2];
  if (atLow === 0 && slope(low) <= 0) return low;
  if (atHigh === 0 && slope(high) >= 0) return high;

  // The cubic is exact but loses half its digits near a double root; Newton's steps, kept in the bracket, bring them
  // back.
  let p = closedForm(candidate, baseline, s) - s;
  for (let i = 0; i < MAX_NEWTON; i++) {
    if (!(p > low && p < high)) p = (low + high) / 2;
    const g = slope(p);
    if (g === 0) return p;
    if (g > 0) low = p;
    else high = p;
    const next = p + g / bend(p);
    if (Math.abs(next - p) <= 4 * Number.EPSILON * p || high - low <= Number.EPSILON * high) return p;
    p = next;
  }
  return p;
}

/** Bisection alone would need some 60 steps; three are usual. */
const MAX_NEWTON = 200;

/** The candidate's most likely probability as the middle root of a cubic, by cosines. */
function closedForm(candidate: Proportion, baseline: Proportion, s: number): number {
  const r1 = candidate.events / candidate.trials;
  const r2 = baseline.events / baseline.trials;
  const theta = baseline.trials / candidate.trials;
  const a = 1 + theta;
  const b = -(1 + theta + r1 + theta * r2 + s * (theta + 2));
  const c = s * s + s * (2 * r1 + theta + 1) + r1 + theta * r2;
  const d = -r1 * s * (1 + s);
  const v = b ** 3 / (27 * a ** 3) - (b * c) / (6 * a * a) + d / (2 * a);
  const u = Math.sign(v) * Math.sqrt(Math.max(0, b ** 2 / (9 * a * a) - c / (3 * a)));
  const w = (Math.PI + Math.acos(Math.min(1, Math.max(-1, v / u ** 3)))) / 3;
  return 2 * u * Math.cos(w) - b / (3 * a);
}
