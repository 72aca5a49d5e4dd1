import {
  requireFinite,
  requireNonNegative,
  requireNumbers,
  requirePositive,
  requireSameLength,
} from "./check-input.ts";

/** A series of one arm: points with their times and, where known, how much traffic stands behind each. */
export interface StepSeries {
  /**
   * Any finite numbers, any order; the same clock and measurement unit in both arms (seconds since an epoch, or the
   * number of the step).
   */
  readonly times: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  /** Zero or more each, for example requests; 1 each when absent. */
  readonly weights?: ArrayLike<number>;
}

export interface PairedSteps {
  /** Numbers of the steps that both arms have, ascending: floor(time / stepLength). */
  readonly steps: Float64Array;
  readonly candidate: Float64Array;
  readonly baseline: Float64Array;
  readonly candidateWeights: Float64Array;
  readonly baselineWeights: Float64Array;
  /** Steps that only one arm has; they are left out, since what all steps share cancels only in pairs. */
  readonly unmatched: { readonly candidate: number; readonly baseline: number };
  /** Steps missing between the first and the last pair. */
  readonly gaps: number;
}

/**
 * Which points of two series belong to the same step of time?
 *
 * @param candidate  points with times, values and optional weights, any order. Not modified.
 * @param baseline   the same for the baseline.
 * @param options    `stepLength` > 0 in the measurement unit of time, default 1. Several points of one step are
 *                   averaged by weight; points of weight 0 are left out.
 * @returns the pairs in the order of time; possibly none.
 * @throws RangeError when lengths differ, a number is not finite, a weight is negative, or stepLength is not positive.
 *
 * A shock that meets both versions in the same minute disappears from the difference of a pair; unpaired it looks
 * like a difference of versions.
 * @example pairByStep({ times: [0, 60], values: [5, 7] }, { times: [61, 130], values: [6, 8] }, { stepLength: 60 }).candidate[0] // 7
 */
export function pairByStep(
  candidate: StepSeries,
  baseline: StepSeries,
  options: { readonly stepLength?: number } = {},
): PairedSteps {
  const { stepLength = 1 } = options;
  requirePositive("stepLength", stepLength);
  const c = averageByStep("candidate", candidate, stepLength);
  const b = averageByStep("baseline", baseline, stepLength);
  const steps = Float64Array.from(c.keys())
    .filter((step) => b.has(step))
    .sort();
  const column = (from: ReadonlyMap<number, StepMean>, field: keyof StepMean) =>
    steps.map((step) => (from.get(step) as StepMean)[field]);
  const length = steps.length;
  return {
    steps,
    candidate: column(c, "mean"),
    baseline: column(b, "mean"),
    candidateWeights: column(c, "weight"),
    baselineWeights: column(b, "weight"),
    unmatched: { candidate: c.size - length, baseline: b.size - length },
    gaps: length === 0 ? 0 : steps[length - 1] - steps[0] + 1 - length,
  };
}

interface StepMean {
  mean: number;
  weight: number;
}

function averageByStep(name: string, series: StepSeries, stepLength: number): Map<number, StepMean> {
  const { times, values, weights } = series;
  requireNumbers(`${name}.times`, times, 0);
  requireNumbers(`${name}.values`, values, 0);
  requireSameLength(`${name}.times`, times, `${name}.values`, values);
  if (weights !== undefined) requireSameLength(`${name}.values`, values, `${name}.weights`, weights);
  const means = new Map<number, StepMean>();
  for (let i = 0; i < values.length; i++) {
    const weight = weights === undefined ? 1 : weights[i];
    requireNonNegative(`${name}.weights[${i}]`, weight);
    if (weight === 0) continue;
    const step = Math.floor(times[i] / stepLength);
    requireFinite(`${name}.times[${i}] / stepLength`, step);
    const known = means.get(step);
    if (known === undefined) means.set(step, { mean: values[i], weight });
    else {
      known.weight += weight;
      known.mean += (values[i] - known.mean) * (weight / known.weight);
    }
  }
  return means;
}
