import { requireFinite, requireFraction, type Alternative } from "./check-input.ts";
import { requireRate, type Rate } from "./counts.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import { findRoot } from "./find-root.ts";
import type { Interval, IntervalOptions } from "./proportion-interval.ts";
import { normalP, type ScoreTest } from "./two-proportions.ts";

/**
 * Score test: do two Poisson rates differ by something else than `nullDifference`?
 *
 * @param candidate  events over a positive exposure.
 * @param baseline   the same for the baseline, in the same measurement unit of exposure.
 * @param options    `nullDifference` in events per measurement unit of exposure, default 0.
 * @returns `estimate` = difference of the rates; `variance` by the most likely rates whose difference is
 *          nullDifference; `p` in [0, 1].
 * @throws RangeError when events are not whole, an exposure is not positive, or nullDifference is not finite.
 *
 * Without any event and under nullDifference 0: statistic 0, p = 1. A large-sample test: with fewer than five
 * expected events in an arm use the exact `rateRatioTest`. Source: Miettinen & Nurminen (1985), Stat. Med. 4,
 * 213-226.
 * @example rateDifferenceTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).p // 0.0095508
 */
export function rateDifferenceTest(
  candidate: Rate,
  baseline: Rate,
  options: { readonly nullDifference?: number; readonly alternative?: Alternative } = {},
): ScoreTest {
  requireRate("candidate", candidate);
  requireRate("baseline", baseline);
  const { nullDifference = 0, alternative = "two-sided" } = options;
  requireFinite("nullDifference", nullDifference);
  const { statistic, estimate, variance } = score(candidate, baseline, nullDifference);
  return { p: normalP(statistic, variance, alternative), statistic, estimate, variance };
}

/**
 * Between which values does the difference of two Poisson rates lie, candidate - baseline? The inversion of the score
 * test.
 *
 * @returns `estimate`; `lower` and `upper`, infinite where the alternative leaves a side open.
 * @throws RangeError as `rateDifferenceTest`, and when confidence is outside (0, 1).
 * @example rateDifferenceInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower // 0.00285959
 */
export function rateDifferenceInterval(candidate: Rate, baseline: Rate, options: IntervalOptions = {}): Interval {
  requireRate("candidate", candidate);
  requireRate("baseline", baseline);
  const { confidence = 0.95, alternative = "two-sided" } = options;
  requireFraction("confidence", confidence);
  const z = normalQuantileUpper(alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence);
  const estimate = candidate.events / candidate.exposure - baseline.events / baseline.exposure;
  // Far enough that the statistic, which grows with the square root of the distance, has passed z on either side.
  const reach =
    REACH * (z * z + candidate.events + baseline.events + 1) * (1 / candidate.exposure + 1 / baseline.exposure);
  const bound = (critical: number) =>
    findRoot((d) => score(candidate, baseline, d).statistic - critical, estimate - reach, estimate + reach);
  return {
    estimate,
    lower: alternative === "less" ? -Infinity : bound(z),
    upper: alternative === "greater" ? Infinity : bound(-z),
  };
}

const REACH = 4;

function score(candidate: Rate, baseline: Rate, d: number) {
  const { events: x1, exposure: t1 } = candidate;
  const { events: x2, exposure: t2 } = baseline;
  // The most likely baseline rate, the positive root of total r^2 + (total d - x1 - x2) r - x2 d, and the
  // candidate's, r + d, likewise.
  const total = t1 + t2;
  const rate2 = positiveRoot(total, total * d - x1 - x2, -x2 * d);
  const rate1 = positiveRoot(total, -total * d - x1 - x2, x1 * d);
  const variance = rate1 / t1 + rate2 / t2;
  const estimate = x1 / t1 - x2 / t2;
  return { statistic: variance === 0 ? 0 : (estimate - d) / Math.sqrt(variance), estimate, variance };
}

/** The larger root of a r^2 + b r + c, at least 0, without cancellation. */
function positiveRoot(a: number, b: number, c: number): number {
  const root = Math.sqrt(Math.max(0, b * b - 4 * a * c));
  const larger = b <= 0 ? (root - b) / (2 * a) : (-2 * c) / (root + b);
  return Math.max(0, larger);
}
