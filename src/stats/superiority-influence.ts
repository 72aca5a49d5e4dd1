import type { EffectInfluence } from "./influence.ts";
import type { Deflation } from "./rank-summary.ts";
import { sortOrder } from "./sort-sample.ts";

export interface SuperiorityInfluence extends EffectInfluence {
  readonly candidate: Float64Array;
  readonly baseline: Float64Array;
  /** The largest share of an arm's weight that lies at one place among the other arm's values. */
  readonly candidateMode: number;
  readonly baselineMode: number;
}

export interface RowWeights {
  /**
   * One finite number >= 0 per row, not all 0: the inverse size of the row's cluster, the inverse chance of having been
   * sampled.
   */
  readonly candidate: ArrayLike<number>;
  readonly baseline: ArrayLike<number>;
}

/**
 * How much does each row move superiority? For rows that come in units (turns of a session): add the values up by unit
 * (cluster-robust.ts).
 *
 * @param candidate  n >= 1 finite numbers, one per row. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    `weights` per row (default all 1); `divisor` and `shift` compare candidate / divisor - shift.
 * @returns `estimate` = theta; per row of each arm, in the rows' order, weight share * (placement - theta), where the
 *          placement of a candidate row is the weight share of the baseline below it and of a baseline row that of the
 *          candidate above it, equals half. Each arm's values add up to 0.
 * @throws RangeError when a sample is empty or not finite, or weights are negative, not finite, all 0, or of another
 *         length.
 *
 * Without weights n / (n - 1) times the sum of squares of the candidate's, plus the same of the baseline's, is the
 * variance of `superiority`. O(N log N). Equal values share the middle of their places.
 * Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845; clusters: Obuchowski (1997), Biometrics 53,
 * 567-578.
 * @example superiorityInfluence([1, 3], [2, 2]).candidate // [-0.25, 0.25]
 */
export function superiorityInfluence(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: Deflation & { readonly weights?: RowWeights } = {},
): SuperiorityInfluence {
  const { divisor = 1, shift = 0, weights } = options;
  const x = sortOrder(candidate, "candidate");
  const y = sortOrder(baseline, "baseline");
  const ofCandidate = readWeights(weights?.candidate, candidate.length, "candidate");
  const ofBaseline = readWeights(weights?.baseline, baseline.length, "baseline");
  const psiCandidate = new Float64Array(candidate.length);
  const psiBaseline = new Float64Array(baseline.length);
  let i = 0;
  let j = 0;
  let candidateBelow = 0;
  let baselineBelow = 0;
  let estimate = 0;
  let candidateRun = 0;
  let baselineRun = 0;
  let candidateMode = 0;
  let baselineMode = 0;
  while (i < candidate.length || j < baseline.length) {
    const nextCandidate = i < candidate.length ? x.values[i] / divisor - shift : Infinity;
    const nextBaseline = j < baseline.length ? y.values[j] : Infinity;
    const value = Math.min(nextCandidate, nextBaseline);
    const firstOfCandidate = i;
    const firstOfBaseline = j;
    let candidateHere = 0;
    let baselineHere = 0;
    for (; i < candidate.length && x.values[i] / divisor - shift === value; i++)
      candidateHere += ofCandidate.of[x.rows[i]];
    for (; j < baseline.length && y.values[j] === value; j++) baselineHere += ofBaseline.of[y.rows[j]];
    const place = (baselineBelow + baselineHere / 2) / ofBaseline.sum;
    const placeOfBaseline = (ofCandidate.sum - candidateBelow - candidateHere / 2) / ofCandidate.sum;
    for (let k = firstOfCandidate; k < i; k++) psiCandidate[x.rows[k]] = place;
    for (let k = firstOfBaseline; k < j; k++) psiBaseline[y.rows[k]] = placeOfBaseline;
    estimate += candidateHere * place;
    candidateRun = baselineHere > 0 ? candidateHere : candidateRun + candidateHere;
    baselineRun = candidateHere > 0 ? baselineHere : baselineRun + baselineHere;
    if (candidateRun > candidateMode) candidateMode = candidateRun;
    if (baselineRun > baselineMode) baselineMode = baselineRun;
    if (baselineHere > 0) candidateRun = 0;
    if (candidateHere > 0) baselineRun = 0;
    candidateBelow += candidateHere;
    baselineBelow += baselineHere;
  }
  estimate = Math.min(1, estimate / ofCandidate.sum);
  centre(psiCandidate, ofCandidate, estimate);
  centre(psiBaseline, ofBaseline, estimate);
  return {
    estimate,
    candidate: psiCandidate,
    baseline: psiBaseline,
    candidateMode: candidateMode / ofCandidate.sum,
    baselineMode: baselineMode / ofBaseline.sum,
  };
}

interface Weights {
  readonly of: Float64Array;
  readonly sum: number;
}

/** Placements become influence values in place. */
function centre(placements: Float64Array, weights: Weights, estimate: number): void {
  for (let k = 0; k < placements.length; k++) {
    placements[k] = (weights.of[k] / weights.sum) * (placements[k] - estimate);
  }
}

/** @throws RangeError when weights are negative, not finite, all 0, or not one per row. */
export function readWeights(weights: ArrayLike<number> | undefined, rows: number, arm: string): Weights {
  if (weights === undefined) return { of: new Float64Array(rows).fill(1), sum: rows };
  if (weights.length !== rows) throw new RangeError(`weights.${arm} has ${weights.length} values and ${arm} ${rows}`);
  const of = new Float64Array(weights);
  let sum = 0;
  for (let k = 0; k < rows; k++) {
    if (!(of[k] >= 0 && of[k] < Infinity)) throw new RangeError(`weights.${arm}[${k}] is ${of[k]}`);
    sum += of[k];
  }
  if (!(sum > 0 && sum < Infinity)) throw new RangeError(`weights.${arm} add up to ${sum}`);
  return { of, sum };
}
