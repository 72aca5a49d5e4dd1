import { greatestCommonDivisor } from "./greatest-common-divisor.ts";

/** P(U <= u) and P(U >= u) under the null hypothesis. */
export interface ExactTails {
  readonly atMost: number;
  readonly atLeast: number;
}

/**
 * How likely is a Mann-Whitney U as small, or as large, as this one when all orders of n + m different values are
 * equally likely?
 *
 * @param u  a whole number in [0, n m].
 * @returns both tails in (0, 1]; the smaller one is summed from its own end, never taken from 1.
 *
 * Time min(n, m) * min(u, n m - u), see `exactUntiedWork`.
 * Source: Mann & Whitney (1947); the counts are the coefficients of a Gaussian binomial, Andrews (1976), The Theory of
 * Partitions, ch. 3.
 * @example untiedTails(17, 5, 4).atLeast // 0.05555555555555555
 */
export function untiedTails(u: number, n: number, m: number): ExactTails {
  const mirrored = n * m - u;
  const near = Math.min(u, mirrored);
  const probabilities = untiedProbabilities(n, m, near);
  let below = 0;
  for (let k = 0; k < near; k++) below += probabilities[k];
  const small = Math.min(1, below + probabilities[near]);
  const large = Math.min(1, 1 - below);
  return u <= mirrored ? { atMost: small, atLeast: large } : { atMost: large, atLeast: small };
}

/** The number of steps `untiedTails` may take for two samples of these sizes. */
export function exactUntiedWork(n: number, m: number): number {
  return Math.min(n, m) ** 2 * Math.max(n, m);
}

/**
 * The largest q with P(U <= q - 1) <= level: the q-th pair difference from either end is a confidence limit for a
 * shift. 0 when even U = 0 is likelier than the level: then the samples are too small for a limit.
 */
export function untiedQuantile(level: number, n: number, m: number): number {
  const middle = Math.floor((n * m) / 2);
  const probabilities = untiedProbabilities(n, m, middle);
  let sum = 0;
  for (let q = 0; q <= middle; q++) {
    sum += probabilities[q];
    if (sum > level) return q;
  }
  return middle + 1;
}

/** P(U = k) for k from 0 to `last`, at most half of n m. */
function untiedProbabilities(n: number, m: number, last: number): Float64Array {
  const small = Math.min(n, m);
  const large = Math.max(n, m);
  const counts = new Float64Array(last + 1);
  counts[0] = 1;
  let pending = 1;
  for (let i = 1; i <= small; i++) {
    for (let k = last; k >= large + i; k--) counts[k] -= counts[k - large - i];
    for (let k = i; k <= last; k++) counts[k] += counts[k - i];
    pending *= i / (large + i);
    if (pending < SMALLEST_PENDING || i === small) {
      for (let k = 0; k <= last; k++) counts[k] *= pending;
      pending = 1;
    }
  }
  return counts;
}

/** Counts of arrangements become probabilities at the end, or before they pass 1e200 and could overflow. */
const SMALLEST_PENDING = 1e-200;

/**
 * The same with ties: every way to hand the pooled values, ties included, to the two samples is equally likely.
 *
 * @param u     pairs with the candidate larger plus half the equal ones.
 * @param ties  sizes of the groups of equal pooled values in ascending order, see `pooledTies`; they add up to n + m.
 *
 * The sum of mid-ranks of the smaller sample is followed group by group: row k holds the law of the sum of k values
 * drawn from the groups so far, and a new group adds j values with a hypergeometric weight. All terms are positive, so
 * far tails keep their digits. Time see `exactTiedWork`.
 * Source: Streitberg & Roehmel (1986), Statistical Software Newsletter 12, 10-17 (the shift algorithm).
 * @example tiedTails(6.5, 3, 3, Uint32Array.of(2, 2, 2)).atLeast // 0.3
 */
export function tiedTails(u: number, n: number, m: number, ties: Uint32Array): ExactTails {
  if (n > m) {
    const { atMost, atLeast } = tiedTails(n * m - u, m, n, ties);
    return { atMost: atLeast, atLeast: atMost };
  }
  const { scores, least, divisor } = scoresOf(ties);
  const observed = Math.round((2 * u + n * (n + 1) - n * least) / divisor);
  let total = 0;
  for (let g = 0; g < scores.length; g++) total += scores[g] * ties[g];
  if (observed * (n + m) > n * total) {
    const turned = tailsOfSum(
      scores.map((score) => scores[scores.length - 1] - score).toReversed(),
      ties.toReversed(),
      n,
      n * scores[scores.length - 1] - observed,
    );
    return { atMost: turned.atLeast, atLeast: turned.atMost };
  }
  return tailsOfSum(scores, ties, n, observed);
}

/** Both tails of the sum of scores, the lower one from its own end: below the mean it is the smaller one. */
function tailsOfSum(scores: Float64Array, ties: Uint32Array, size: number, observed: number): ExactTails {
  const law = lawOfSum(scores, ties, size, observed);
  let below = 0;
  for (let sum = 0; sum < observed; sum++) below += law[sum];
  return { atMost: Math.min(1, below + law[observed]), atLeast: Math.min(1, 1 - below) };
}

/** The number of steps `tiedTails` may take. */
export function exactTiedWork(n: number, m: number, ties: Uint32Array): number {
  const size = Math.min(n, m);
  const { scores } = scoresOf(ties);
  let draws = 0;
  for (const t of ties) draws += Math.min(t, size);
  return draws * size * (largestSum(scores, ties, size) + 1);
}

/** Doubled mid-ranks from 0 on, divided by what they have in common: five-point scores come out small. */
function scoresOf(ties: Uint32Array): { scores: Float64Array; least: number; divisor: number } {
  const scores = new Float64Array(ties.length);
  const least = ties[0] + 1;
  let before = 0;
  let divisor = 0;
  for (let g = 0; g < ties.length; g++) {
    scores[g] = 2 * before + ties[g] + 1 - least;
    before += ties[g];
    divisor = greatestCommonDivisor(scores[g], divisor);
  }
  if (divisor === 0) divisor = 1;
  for (let g = 0; g < scores.length; g++) scores[g] /= divisor;
  return { scores, least, divisor };
}

function largestSum(scores: Float64Array, ties: Uint32Array, size: number): number {
  let left = size;
  let sum = 0;
  for (let g = scores.length - 1; g >= 0 && left > 0; g--) {
    const taken = Math.min(left, ties[g]);
    sum += taken * scores[g];
    left -= taken;
  }
  return sum;
}

/** P(sum = s) up to `last`, for the sum of the scores of `size` values drawn without replacement from the groups. */
function lawOfSum(scores: Float64Array, ties: Uint32Array, size: number, last: number): Float64Array {
  const rows = Array.from({ length: size + 1 }, () => new Float64Array(last + 1));
  // Row k holds sums from least[k], that of the k first values, to most[k], that of the k last so far.
  const least = new Float64Array(size + 1);
  const most = new Float64Array(size + 1);
  rows[0][0] = 1;
  let before = 0;
  for (let g = 0; g < ties.length; g++) {
    const t = ties[g];
    const score = scores[g];
    for (let k = Math.min(size, before + t); k >= 1; k--) {
      const row = rows[k];
      const fewest = Math.max(0, k - before);
      const weights = hypergeometricWeights(t, before, k);
      if (fewest === 0) for (let s = least[k]; s <= most[k]; s++) row[s] *= weights[0];
      else least[k] = least[before] + fewest * score;
      for (let j = Math.max(1, fewest); j <= Math.min(t, k); j++) {
        const from = rows[k - j];
        const weight = weights[j - fewest];
        const shift = j * score;
        const end = Math.min(most[k - j], last - shift);
        for (let s = least[k - j]; s <= end; s++) row[s + shift] += weight * from[s];
        if (end + shift > most[k]) most[k] = end + shift;
      }
    }
    before += t;
  }
  return rows[size];
}

/**
 * P(j of k drawn values are from a group of t and the rest from `others`), from the least possible j on, to full
 * relative precision.
 */
function hypergeometricWeights(t: number, others: number, k: number): Float64Array {
  const fewest = Math.max(0, k - others);
  const most = Math.min(t, k);
  const weights = new Float64Array(most - fewest + 1);
  const mode = Math.min(most, Math.max(fewest, Math.floor(((k + 1) * (t + 1)) / (t + others + 2))));
  weights[mode - fewest] = 1;
  let sum = 1;
  for (let j = mode; j < most; j++) {
    weights[j + 1 - fewest] = (weights[j - fewest] * (t - j) * (k - j)) / ((j + 1) * (others - k + j + 1));
    sum += weights[j + 1 - fewest];
  }
  for (let j = mode; j > fewest; j--) {
    weights[j - 1 - fewest] = (weights[j - fewest] * j * (others - k + j)) / ((t - j + 1) * (k - j + 1));
    sum += weights[j - 1 - fewest];
  }
  for (let j = 0; j < weights.length; j++) weights[j] /= sum;
  return weights;
}
