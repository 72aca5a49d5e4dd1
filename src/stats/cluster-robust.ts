import { requireNumbers, requireSameLength } from "./check-input.ts";
import { inferEffect, type Inference, type InferenceOptions } from "./effect.ts";
import type { EffectInfluence } from "./influence.ts";

export interface ClusterRobust extends Inference {
  /** Units with rows in the candidate, in the baseline, and in both. */
  readonly units: { readonly candidate: number; readonly baseline: number; readonly shared: number };
  /** How many times the variance is what independent rows would give. */
  readonly designEffect: number;
  /** Each arm's rows, divided by the arm's own design effect: as many independent rows would say as much. */
  readonly effectiveRows: { readonly candidate: number; readonly baseline: number };
}

/**
 * How uncertain is an effect when the rows of one unit (the turns of a session, the sessions of a user) stand or fall
 * together?
 *
 * @param effect     estimate and one influence value per row, from influence.ts or any statistic that has them
 *                   (means, log ratios, ratio metrics, theta).
 * @param unitCodes  for each row of each arm the code of its unit, whole numbers; the same code in both arms is the
 *                   same unit.
 * @param options    as for `inferEffect`; `pooledFloor: true` also takes the variance with both arms' spread pooled,
 *                   and keeps the larger: for log ratios of skewed values in unequal arms (see logRatioOfMeans).
 * @returns the inference; numbers of units; the design effect; effective rows.
 * @throws RangeError when lengths differ, an arm is empty, or a number is not finite.
 *
 * Influence values are added up within a unit, across arms when it has rows in both, then squared: V = sum over units
 * of (sqrt(G_c/(G_c - 1)) s_c + sqrt(G_b/(G_b - 1)) s_b)^2. The degrees of freedom count units, not rows, and fewer
 * when units differ in size (Satterthwaite). An arm of one unit has no known variance: p = 1. Below ten units per arm
 * the answer is an indication only. Correct for any dependence inside a unit; none may remain between units. Source:
 * Liang & Zeger (1986), Biometrika 73, 13-22; for rank statistics Obuchowski (1997), Biometrics 53, 567-578.
 * @example clusterRobust(differenceInfluence(meanInfluence([1, 2, 5, 6]), meanInfluence([1, 1, 2, 2])), { candidate: [1, 1, 2, 2], baseline: [3, 3, 4, 4] }).designEffect // 2.83333
 */
export function clusterRobust(
  effect: EffectInfluence,
  unitCodes: { readonly candidate: ArrayLike<number>; readonly baseline: ArrayLike<number> },
  options: InferenceOptions & { readonly pooledFloor?: boolean } = {},
): ClusterRobust {
  requireNumbers("effect.candidate", effect.candidate);
  requireNumbers("effect.baseline", effect.baseline);
  requireNumbers("unitCodes.candidate", unitCodes.candidate);
  requireNumbers("unitCodes.baseline", unitCodes.baseline);
  requireSameLength("effect.candidate", effect.candidate, "unitCodes.candidate", unitCodes.candidate);
  requireSameLength("effect.baseline", effect.baseline, "unitCodes.baseline", unitCodes.baseline);

  const indexOf = new Map<number, number>();
  const candidate = sumByUnit(effect.candidate, unitCodes.candidate, indexOf);
  const candidateUnits = indexOf.size;
  const baseline = sumByUnit(effect.baseline, unitCodes.baseline, indexOf);
  const all = indexOf.size;
  let baselineUnits = 0;
  for (let g = 0; g < baseline.rows.length; g++) if (baseline.rows[g] > 0) baselineUnits++;
  const shared = candidateUnits + baselineUnits - all;
  const units = { candidate: candidateUnits, baseline: baselineUnits, shared };

  const own = [
    squares(candidate.sums) * correction(candidateUnits),
    squares(baseline.sums) * correction(baselineUnits),
  ];
  const independent = [
    squares(effect.candidate) * correction(effect.candidate.length),
    squares(effect.baseline) * correction(effect.baseline.length),
  ];
  if (candidateUnits === 1 || baselineUnits === 1) {
    const unknown = inferEffect({ estimate: effect.estimate, variance: Infinity, df: 1 }, options);
    return {
      ...unknown,
      units,
      designEffect: Infinity,
      effectiveRows: { candidate: candidateUnits, baseline: baselineUnits },
    };
  }

  const { variance: robust, df } = varianceOverUnits(candidate, baseline, candidateUnits, baselineUnits);
  let variance = robust;
  if (options.pooledFloor === true) {
    const dfs = [candidateUnits - 1, baselineUnits - 1];
    const spread = (dfs[0] * own[0] * candidateUnits + dfs[1] * own[1] * baselineUnits) / (dfs[0] + dfs[1]);
    variance = Math.max(variance, spread * (1 / candidateUnits + 1 / baselineUnits));
  }
  const ratio = (a: number, b: number) => (b > 0 ? a / b : 1);
  const effective = (i: number, rows: number) => (own[i] > 0 ? (rows * independent[i]) / own[i] : rows);
  return {
    ...inferEffect({ estimate: effect.estimate, variance, df }, options),
    units,
    designEffect: ratio(robust, independent[0] + independent[1]),
    effectiveRows: {
      candidate: effective(0, effect.candidate.length),
      baseline: effective(1, effect.baseline.length),
    },
  };
}

/**
 * The sandwich, and its degrees of freedom from three groups of units: in the candidate only, in the baseline only,
 * in both.
 *
 * A group counts for as many units as its unequal sizes leave: (sum w^2)^2 / sum w^4 with w a unit's share of rows,
 * which is the number of units when all have as many rows. Carter, Schnepel & Steigerwald (2017), Rev. Econ. Stat.
 * 99, 698-709.
 */
function varianceOverUnits(
  candidate: UnitSums,
  baseline: UnitSums,
  candidateUnits: number,
  baselineUnits: number,
): { readonly variance: number; readonly df: number } {
  const scaleCandidate = Math.sqrt(correction(candidateUnits));
  const scaleBaseline = Math.sqrt(correction(baselineUnits));
  const all = baseline.sums.length;
  const squared = [0, 0, 0];
  const second = [0, 0, 0];
  const fourth = [0, 0, 0];
  for (let g = 0; g < all; g++) {
    const inCandidate = g < candidateUnits;
    const group = inCandidate && baseline.rows[g] > 0 ? 2 : inCandidate ? 0 : 1;
    const sum = (inCandidate ? scaleCandidate * candidate.sums[g] : 0) + scaleBaseline * baseline.sums[g];
    const weight = (inCandidate ? candidate.rows[g] / candidate.total : 0) + baseline.rows[g] / baseline.total;
    squared[group] += sum * sum;
    second[group] += weight ** 2;
    fourth[group] += weight ** 4;
  }
  const variance = squared[0] + squared[1] + squared[2];
  if (variance === 0) return { variance, df: all - 1 };
  // Means were fitted as well: a group that is a whole arm loses one unit, a part of an arm its share of one.
  const fewest = [candidateUnits, baselineUnits, Math.min(candidateUnits, baselineUnits)];
  let weighted = 0;
  for (let k = 0; k < 3; k++) {
    const share = squared[k] / variance;
    const effective = (second[k] * second[k]) / fourth[k];
    if (share > 0) weighted += (share * share) / (effective * (1 - 1 / fewest[k]));
  }
  return { variance, df: 1 / weighted };
}

interface UnitSums {
  readonly sums: Float64Array;
  readonly rows: Int32Array;
  readonly total: number;
}

/** Sums over the rows of a unit; new units are given the next index, so that both arms share one numbering. */
function sumByUnit(psi: ArrayLike<number>, codes: ArrayLike<number>, indexOf: Map<number, number>): UnitSums {
  const indices = new Int32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    let index = indexOf.get(codes[i]);
    if (index === undefined) {
      index = indexOf.size;
      indexOf.set(codes[i], index);
    }
    indices[i] = index;
  }
  const sums = new Float64Array(indexOf.size);
  const rows = new Int32Array(indexOf.size);
  for (let i = 0; i < codes.length; i++) {
    sums[indices[i]] += psi[i];
    rows[indices[i]]++;
  }
  return { sums, rows, total: codes.length };
}

function correction(n: number): number {
  return n > 1 ? n / (n - 1) : 1;
}

function squares(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}
