import { requireFraction, requirePositive, type Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import { findRoot } from "./find-root.ts";
import type { Interval, IntervalOptions } from "./proportion-interval.ts";
import { normalP, type ScoreOptions } from "./two-proportions.ts";

/**
 * Score test: is the ratio of two probabilities, candidate / baseline, something else than `nullRatio`?
 *
 * @param candidate  events among trials >= 1.
 * @param baseline   the same for the baseline, independent of the candidate.
 * @param options    `nullRatio` > 0, default 1; `variance`: "miettinen-nurminen" (default) or "farrington-manning",
 *                   which here is Koopman's.
 * @returns `estimate` = ratio of the shares in [0, Infinity], 1 when neither arm has an event; `statistic`, standard
 *          normal under the null; `p` in [0, 1].
 * @throws RangeError when counts are not whole, events exceed trials, or nullRatio is not positive.
 *
 * Without any event: statistic 0, p = 1. A large-sample test; see the warning at `twoProportionsTest`.
 * Source: Miettinen & Nurminen (1985), Stat. Med. 4, 213-226; Koopman (1984), Biometrics 40, 513-517.
 * @example proportionRatioTest({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { nullRatio: 2 }).p // 9.78902e-5
 */
export function proportionRatioTest(
  candidate: Proportion,
  baseline: Proportion,
  options: ScoreOptions & { readonly nullRatio?: number; readonly alternative?: Alternative } = {},
): { readonly p: number; readonly statistic: number; readonly estimate: number } {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const { nullRatio = 1, alternative = "two-sided" } = options;
  requirePositive("nullRatio", nullRatio);
  const { statistic, variance } = score(candidate, baseline, nullRatio, options);
  return { p: normalP(statistic, variance, alternative), statistic, estimate: shareRatio(candidate, baseline) };
}

/**
 * Between which values does the ratio of two probabilities lie, candidate / baseline? The inversion of the score test.
 *
 * @returns `estimate`; `lower` and `upper` in [0, Infinity]: every ratio between them has p >= 1 - confidence in
 *          `proportionRatioTest` with the same alternative. No candidate event gives lower 0, no baseline event gives
 *          upper Infinity.
 * @throws RangeError as `proportionRatioTest`, and when confidence is outside (0, 1).
 * @example proportionRatioInterval({ events: 36, trials: 40 }, { events: 16, trials: 80 }, { variance: "farrington-manning" }).lower // 2.93957
 */
export function proportionRatioInterval(
  candidate: Proportion,
  baseline: Proportion,
  options: ScoreOptions & IntervalOptions = {},
): Interval {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const { confidence = 0.95, alternative = "two-sided" } = options;
  requireFraction("confidence", confidence);
  const z = normalQuantileUpper(alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence);
  const bound = (critical: number) =>
    Math.exp(
      findRoot(
        (logRatio) => score(candidate, baseline, Math.exp(logRatio), options).statistic - critical,
        -LOG_RATIO_REACH,
        LOG_RATIO_REACH,
      ),
    );
  return {
    estimate: shareRatio(candidate, baseline),
    lower: alternative === "less" || candidate.events === 0 ? 0 : bound(z),
    upper: alternative === "greater" || baseline.events === 0 ? Infinity : bound(-z),
  };
}

/**
 * Ratios from e^-200 to e^200: the statistic grows with the square root of the ratio, so every critical value is
 * passed long before.
 */
const LOG_RATIO_REACH = 200;

function shareRatio(candidate: Proportion, baseline: Proportion): number {
  if (candidate.events === 0 && baseline.events === 0) return 1;
  return candidate.events / candidate.trials / (baseline.events / baseline.trials);
}

function score(candidate: Proportion, baseline: Proportion, ratio: number, { variance: kind }: ScoreOptions) {
  const { events: x1, trials: n1 } = candidate;
  const { events: x2, trials: n2 } = baseline;
  const total = n1 + n2;
  // The most likely probabilities with p1 = ratio * p2: p2 is the smaller root of total ratio p^2 - sum p + x1 + x2.
  const sum = ratio * (n1 + x2) + n2 + x1;
  const p2 = (2 * (x1 + x2)) / (sum + Math.sqrt(Math.max(0, sum * sum - 4 * total * ratio * (x1 + x2))));
  const p1 = Math.min(1, ratio * p2);
  const correction = kind === "farrington-manning" ? 1 : total / (total - 1);
  const variance = Math.max(0, correction * ((p1 * (1 - p1)) / n1 + (ratio * ratio * p2 * (1 - p2)) / n2));
  const difference = x1 / n1 - (ratio * x2) / n2;
  return { statistic: variance === 0 ? 0 : difference / Math.sqrt(variance), variance };
}
