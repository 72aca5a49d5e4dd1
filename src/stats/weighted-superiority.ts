import {
  flooredVariance,
  floorReach,
  inferSuperiority,
  type Superiority,
  type SuperiorityOptions,
} from "./superiority.ts";
import { readWeights, superiorityInfluence, type RowWeights } from "./superiority-influence.ts";
import type { Deflation } from "./rank-summary.ts";
import { satterthwaite } from "./satterthwaite.ts";

export interface WeightedSuperiority extends Superiority {
  /** (sum w)^2 / sum w^2 per arm: as many rows of equal weight would say as much. */
  readonly effectiveRows: { readonly candidate: number; readonly baseline: number };
}

/**
 * Superiority when rows count unequally: 1 / (rows of the user) makes it that of a random row of a random user, 1 /
 * P(sampled) undoes unequal sampling.
 *
 * @param candidate  n >= 1 finite numbers. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param weights    a finite number >= 0 per row of each arm, not all 0; only their ratios within an arm matter.
 * @param options    as `superiority`, and `divisor` and `shift` for candidate / divisor - shift.
 * @returns as `superiority`, and `effectiveRows`, which stand for n and m in the degrees of freedom and the floor.
 * @throws RangeError as `superiority`, and when weights are negative, not finite, all 0, or of another length.
 *
 * With equal weights it is `superiority`. Weights are taken as fixed numbers, not as counts of repeated rows. Rows must
 * be independent: for rows of one user add up the values of `superiorityInfluence` instead.
 * Source: Datta & Satten (2005), JASA 100, 908-915 (inverse cluster size); effective rows: Kish (1965), Survey
 * Sampling, 11.7.
 * @example weightedSuperiority([1, 3], [2], { candidate: [1, 3], baseline: [1] }).estimate // 0.75
 */
export function weightedSuperiority(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  weights: RowWeights,
  options: SuperiorityOptions & Deflation = {},
): WeightedSuperiority {
  const influence = superiorityInfluence(candidate, baseline, { ...options, weights });
  const { estimate } = influence;
  const reach = floorReach(estimate);
  const x = armVariance(
    influence.candidate,
    readWeights(weights.candidate, candidate.length, "candidate").of,
    influence.candidateMode,
    reach,
  );
  const y = armVariance(
    influence.baseline,
    readWeights(weights.baseline, baseline.length, "baseline").of,
    influence.baselineMode,
    reach,
  );
  const placed = {
    estimate,
    variance: x.variance + y.variance,
    df: satterthwaite([x.variance, y.variance], [Math.max(1, x.rows - 1), Math.max(1, y.rows - 1)]),
    floored: x.floored || y.floored,
    trials: Math.max(1, Math.floor(Math.min(x.rows, y.rows))),
  };
  const inferred = inferSuperiority(placed, options);
  return { ...inferred, effectiveRows: { candidate: x.rows, baseline: y.rows } };
}

function armVariance(psi: Float64Array, weights: Float64Array, mode: number, reach: number) {
  let sum = 0;
  let squares = 0;
  let influence = 0;
  for (let k = 0; k < psi.length; k++) {
    sum += weights[k];
    squares += weights[k] ** 2;
    influence += psi[k] ** 2;
  }
  const rows = sum ** 2 / squares;
  const estimated = (influence * rows) / Math.max(1, rows - 1);
  const variance = flooredVariance(estimated, rows, mode * rows, reach);
  return { variance, rows, floored: variance !== estimated };
}
