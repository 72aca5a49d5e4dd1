/**
 * Adjusted p-values of several tests: reject what is at or below the level that one would use for a single test.
 *
 * Promotion needs none of this (every metric must pass: intersection-union); rollback needs it (any metric may fail).
 */
import { requireNumbers, requirePositive, requireProbability, requireSameLength } from "./check-input.ts";

/**
 * Bonferroni: p_i sum(w) / w_i. Controls P(any false rejection) under any dependence.
 *
 * @param ps       p-values in [0, 1], at least one.
 * @param weights  positive, any scale: the share of the error budget of each test; default equal.
 * @returns adjusted p-values in [0, 1], in the order given. @throws RangeError when a p-value is outside [0, 1], lengths differ, or a
 *          weight is not positive.
 * @example bonferroni([0.01, 0.04]) // [0.02, 0.08]
 */
export function bonferroni(ps: readonly number[], weights: readonly number[] = ps.map(() => 1)): number[] {
  requirePs(ps, weights);
  const total = weights.reduce((sum, w) => sum + w, 0);
  return ps.map((p, i) => Math.min(1, (p * total) / weights[i]));
}

/**
 * Holm, weighted: never less powerful than Bonferroni, valid under any dependence.
 *
 * Arguments and result as `bonferroni`. Source: Holm (1979), Scand. J. Stat. 6, 65-70. @example holm([0.01, 0.04, 0.03]) // [0.03, 0.06, 0.06]
 */
export function holm(ps: readonly number[], weights: readonly number[] = ps.map(() => 1)): number[] {
  requirePs(ps, weights);
  const order = ps.map((_, i) => i).sort((i, j) => ps[i] / weights[i] - ps[j] / weights[j]);
  const adjusted = ps.map(() => 0);
  let rest = weights.reduce((sum, w) => sum + w, 0);
  let largest = 0;
  for (const i of order) {
    largest = Math.max(largest, Math.min(1, (ps[i] * Math.max(rest, weights[i])) / weights[i]));
    adjusted[i] = largest;
    rest -= weights[i];
  }
  return adjusted;
}

/**
 * Hochberg: more powerful than Holm, for independent or positively dependent tests.
 *
 * Source: Hochberg (1988), Biometrika 75, 800-802. @example hochberg([0.01, 0.04, 0.03]) // [0.03, 0.04, 0.04]
 */
export function hochberg(ps: readonly number[]): number[] {
  return stepUp(ps, (rank) => ps.length - rank + 1);
}

/**
 * Benjamini and Hochberg: controls the expected share of false rejections, for independent or positively dependent tests. For
 * exploration: it never decides a verdict.
 *
 * Source: Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57, 289-300. @example benjaminiHochberg([0.01, 0.04, 0.03]) // [0.03, 0.04, 0.04]
 */
export function benjaminiHochberg(ps: readonly number[]): number[] {
  return stepUp(ps, (rank) => ps.length / rank);
}

/**
 * Benjamini and Yekutieli: the same share under any dependence, at the price of a factor 1 + 1/2 + ... + 1/k.
 *
 * Source: Benjamini & Yekutieli (2001), Ann. Stat. 29, 1165-1188. @example benjaminiYekutieli([0.01, 0.04, 0.03]) // [0.055, 0.0733, 0.0733]
 */
export function benjaminiYekutieli(ps: readonly number[]): number[] {
  const harmonic = ps.reduce((sum, _, i) => sum + 1 / (i + 1), 0);
  return stepUp(ps, (rank) => (harmonic * ps.length) / rank);
}

/** From the largest p downward the running minimum of p times the factor of its rank (1 = smallest). */
function stepUp(ps: readonly number[], factor: (rank: number) => number): number[] {
  requirePs(
    ps,
    ps.map(() => 1),
  );
  const order = ps.map((_, i) => i).sort((i, j) => ps[i] - ps[j]);
  const adjusted = ps.map(() => 0);
  let smallest = 1;
  for (let rank = ps.length; rank >= 1; rank--) {
    const i = order[rank - 1];
    smallest = Math.min(smallest, ps[i] * factor(rank));
    adjusted[i] = smallest;
  }
  return adjusted;
}

function requirePs(ps: readonly number[], weights: readonly number[]): void {
  requireNumbers("ps", ps);
  ps.forEach((p, i) => requireProbability(`ps[${i}]`, p));
  requireSameLength("ps", ps, "weights", weights);
  weights.forEach((weight, i) => requirePositive(`weights[${i}]`, weight));
}
