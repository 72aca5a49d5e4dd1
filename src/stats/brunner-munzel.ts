import { requireNumbers, type Alternative } from "./check-input.ts";
import { inferEffect, type Inference } from "./effect.ts";
import { rankSummary } from "./rank-summary.ts";
import { satterthwaite } from "./satterthwaite.ts";
import { sortSample } from "./sort-sample.ts";

/**
 * The Brunner-Munzel test as published: is a random candidate value as likely to be larger than a random baseline value
 * as to be smaller?
 *
 * @param candidate  n >= 2 finite numbers, any order, any measurement unit. Not modified.
 * @param baseline   m >= 2 finite numbers in the same measurement unit.
 * @returns `estimate` = superiority in [0, 1], equal counts half, with its placement `variance` and `df`; `statistic` =
 *          (estimate - 1/2) / sqrt(variance); `p` in (0, 1]; interval, not cut at 0 and 1.
 * @throws RangeError when a sample has fewer than 2 values or holds a NaN or infinity, or confidence is not in (0, 1).
 *
 * For comparison with other software. `superiority` is what decides: it is the same test with a floor where this one
 * goes wrong, with few values, near constants and near full separation. Constant arms and full separation leave no
 * variance: p = 1 and an infinite interval. Not for paired samples.
 * Source: Brunner & Munzel (2000), Biometrical Journal 42, 17-25.
 * @example brunnerMunzel([19, 22, 16, 29, 24], [20, 11, 17, 12]).p // 0.0396673
 */
export function brunnerMunzel(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: { readonly alternative?: Alternative; readonly confidence?: number } = {},
): Inference {
  requireNumbers("candidate", candidate, 2);
  requireNumbers("baseline", baseline, 2);
  const { n, m, u, candidateSquares, baselineSquares } = rankSummary(
    sortSample(candidate, "candidate"),
    sortSample(baseline, "baseline"),
  );
  const variances = [candidateSquares / (n - 1) / n, baselineSquares / (m - 1) / m];
  const effect = {
    estimate: u / (n * m),
    variance: variances[0] + variances[1],
    df: satterthwaite(variances, [n - 1, m - 1]),
  };
  return inferEffect(effect, { ...options, nullEffect: 0.5 });
}
