import { requireFraction, requireNumbers, requireSameLength } from "./check-input.ts";
import type { Interval } from "./proportion-interval.ts";
import { meanThreshold } from "./threshold.ts";

/** Above this a judge's preference for a place is worth a word in the report. */
export const NOTABLE_POSITION_BIAS = 0.1;

export interface PositionBias {
  /** P(the answer shown first wins) - 1/2, in [-1/2, 1/2], ties counted half. */
  readonly bias: Interval;
  /** The candidate's win rate over both orders, in [0, 1]; the place cancels. */
  readonly winRate: Interval;
  /** The share of items with the same judgement in both orders. */
  readonly consistency: number;
  /** Per item the mean of both orders: 1 the candidate won both, 1/2 the orders disagree or tie, 0 it lost both. */
  readonly scores: Float64Array;
  /** |bias| is above 0.1. */
  readonly notable: boolean;
}

/**
 * Does a judge of pairs prefer a place, and who wins once the place is averaged out?
 *
 * @param candidateFirst   per item the candidate's score when its answer was shown first: 1 won, 1/2 tie, 0 lost (any
 *                         number between is taken).
 * @param candidateSecond  the candidate's score of the same items when it was shown second.
 * @param options          `confidence`, two-sided.
 * @returns see PositionBias. Intervals by Student's t over items; when all items say the same, the exact bound on
 *          what was never seen.
 * @throws RangeError when lengths differ, there is no item, a score is outside [0, 1], or confidence is outside (0, 1).
 *
 * Items must be independent; for families of prompts pass `scores` to cluster-robust.ts. Averaging removes the bias
 * from the win rate but turns it into ties.
 * Source: Zheng et al. (2023), NeurIPS 36, Judging LLM-as-a-Judge, 3.3.
 * @example positionBias([1, 1, 0, 1], [0, 1, 0, 0]).bias.estimate // 0.25
 */
export function positionBias(
  candidateFirst: ArrayLike<number>,
  candidateSecond: ArrayLike<number>,
  options: { readonly confidence?: number } = {},
): PositionBias {
  requireNumbers("candidateFirst", candidateFirst);
  requireNumbers("candidateSecond", candidateSecond);
  requireSameLength("candidateFirst", candidateFirst, "candidateSecond", candidateSecond);
  const { confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  const items = candidateFirst.length;
  const scores = new Float64Array(items);
  const biases = new Float64Array(items);
  let same = 0;
  for (let i = 0; i < items; i++) {
    const first = candidateFirst[i];
    const second = candidateSecond[i];
    if (first < 0 || first > 1) throw new RangeError(`candidateFirst[${i}] is ${first}, outside [0, 1]`);
    if (second < 0 || second > 1) throw new RangeError(`candidateSecond[${i}] is ${second}, outside [0, 1]`);
    scores[i] = (first + second) / 2;
    biases[i] = (first - second) / 2;
    if (first === second) same++;
  }
  const bias = meanInterval(biases, [-0.5, 0.5], confidence);
  return {
    bias,
    winRate: meanInterval(scores, [0, 1], confidence),
    consistency: same / items,
    scores,
    notable: Math.abs(bias.estimate) > NOTABLE_POSITION_BIAS,
  };
}

function meanInterval(values: Float64Array, range: readonly [number, number], confidence: number): Interval {
  const alpha = (1 - confidence) / 2;
  const { estimate, lower, upper } = meanThreshold(values, 0, { range, alphaBreached: alpha, alphaHolds: alpha });
  return { estimate, lower: Math.max(range[0], lower), upper: Math.min(range[1], upper) };
}
