import { requireBucketCounts, requireHistogram, type Histogram } from "./histogram.ts";
import type { EffectInfluence } from "./influence.ts";
import type { RankSummary } from "./rank-summary.ts";

/**
 * How do two histograms on the same edges interleave? Values of one bucket are ties.
 *
 * @param candidate  counts per bucket, finite numbers >= 0, not all 0. Not modified.
 * @param baseline   as many counts, for the same buckets in ascending order.
 * @returns what `rankSummary` would return for the bucket numbers of the values: `superiorityFromSummary`,
 *          `mannWhitneyFromSummary` and `kolmogorovSmirnovFromSummary` take it; `hPlusAt` and `hMinusAt` are bucket
 *          numbers, the distance is reached at their upper edges.
 * @throws RangeError when lengths differ, counts are negative or not finite, or an arm holds no values.
 *
 * Theta of the values themselves lies within `superiorityBounds`. O(buckets).
 * @example histogramRankSummary([1, 2, 2], [2, 1, 1]).u // 13
 */
export function histogramRankSummary(candidate: ArrayLike<number>, baseline: ArrayLike<number>): RankSummary {
  const n = requireBucketCounts("candidate", candidate);
  const m = requireBucketCounts("baseline", baseline);
  requireSameBuckets(candidate, baseline);
  let u = 0;
  let tieSum = 0;
  let repeats = 0;
  let hPlus = 0;
  let hMinus = 0;
  let hPlusAt = 0;
  let hMinusAt = 0;
  let candidateRun = 0;
  let baselineRun = 0;
  let candidateMode = 0;
  let baselineMode = 0;
  let i = 0;
  let j = 0;
  for (let b = 0; b < candidate.length; b++) {
    const x = candidate[b];
    const y = baseline[b];
    const t = x + y;
    u += x * (j + y / 2);
    if (t > 1) {
      tieSum += t * t * t - t;
      repeats += t - 1;
    }
    candidateRun = y > 0 ? x : candidateRun + x;
    baselineRun = x > 0 ? y : baselineRun + y;
    candidateMode = Math.max(candidateMode, candidateRun);
    baselineMode = Math.max(baselineMode, baselineRun);
    if (y > 0) candidateRun = 0;
    if (x > 0) baselineRun = 0;
    i += x;
    j += y;
    const lead = i * m - j * n;
    if (lead > hPlus || (hPlus === 0 && t > 0)) [hPlus, hPlusAt] = [Math.max(0, lead), b];
    if (-lead > hMinus || (hMinus === 0 && t > 0)) [hMinus, hMinusAt] = [Math.max(0, -lead), b];
  }
  const theta = u / (n * m);
  let candidateSquares = 0;
  let baselineSquares = 0;
  forEachPlace(candidate, baseline, n, m, (b, place, placeOfBaseline) => {
    candidateSquares += candidate[b] * (place - theta) ** 2;
    baselineSquares += baseline[b] * (placeOfBaseline - theta) ** 2;
  });
  const distinct = n + m - repeats;
  return {
    n,
    m,
    u,
    tieSum,
    distinct,
    hPlus,
    hMinus,
    hPlusAt,
    hMinusAt,
    candidateSquares,
    baselineSquares,
    candidateMode,
    baselineMode,
  };
}

/**
 * The sizes of the groups of equal values, for exact tests given the ties.
 *
 * @throws RangeError when an arm holds no values, counts are negative or not whole, or the buckets differ in number.
 */
export function histogramTies(candidate: ArrayLike<number>, baseline: ArrayLike<number>): Uint32Array {
  requireBucketCounts("candidate", candidate);
  requireBucketCounts("baseline", baseline);
  requireSameBuckets(candidate, baseline);
  const sizes: number[] = [];
  for (let b = 0; b < candidate.length; b++) {
    const size = candidate[b] + baseline[b];
    if (!Number.isInteger(size)) throw new RangeError(`bucket ${b} holds ${size} values, not a whole number`);
    if (size > 0) sizes.push(size);
  }
  return Uint32Array.from(sizes);
}

/**
 * Between which limits does superiority lie, when values of one bucket may be in any order? The binning ambiguity, not
 * a confidence interval.
 *
 * @param candidate  a histogram; its edges need not be the baseline's.
 * @returns `lower`: all undecided pairs against the candidate being larger; `upper`: all for it.
 * @throws RangeError when a histogram is faulty.
 *
 * A verdict that changes between the limits is not one: the buckets are too coarse. Exact for any edges, so also for a
 * deflated candidate.
 * @example superiorityBounds({ edges: [0, 1, 2], counts: [1, 1] }, { edges: [0, 1, 2], counts: [1, 1] }) // { lower: 0.25, upper: 0.75 }
 */
export function superiorityBounds(
  candidate: Histogram,
  baseline: Histogram,
): { readonly lower: number; readonly upper: number } {
  const n = requireHistogram("candidate", candidate);
  const m = requireHistogram("baseline", baseline);
  return {
    lower: certainlyAbove(candidate, baseline) / (n * m),
    upper: 1 - certainlyAbove(baseline, candidate) / (n * m),
  };
}

/**
 * How much does each step move superiority? For histograms collected per step (a scrape interval): steps are the units
 * whose influence may be summed and whose autocorrelation may be allowed for.
 *
 * @param candidate  per step the counts per bucket; all steps of both arms on the same edges. A step may be empty.
 * @param baseline   as many steps.
 * @returns `estimate` = theta over all steps together; per step and arm the sum of its rows' influence values.
 * @throws RangeError when there is no step, numbers of steps or buckets differ, or an arm holds no values.
 * @example histogramSuperiorityInfluence([[1, 0], [0, 1]], [[1, 0], [1, 0]]).candidate // [-0.125, 0.125]
 */
export function histogramSuperiorityInfluence(
  candidate: readonly ArrayLike<number>[],
  baseline: readonly ArrayLike<number>[],
): EffectInfluence & { readonly candidate: Float64Array; readonly baseline: Float64Array } {
  if (candidate.length !== baseline.length) {
    throw new RangeError(`candidate has ${candidate.length} steps and baseline ${baseline.length}`);
  }
  const x = sumOfSteps("candidate", candidate);
  const y = sumOfSteps("baseline", baseline);
  const { n, m, u } = histogramRankSummary(x, y);
  const estimate = u / (n * m);
  const ofCandidate = new Float64Array(candidate.length);
  const ofBaseline = new Float64Array(baseline.length);
  forEachPlace(x, y, n, m, (b, place, placeOfBaseline) => {
    for (let step = 0; step < candidate.length; step++) {
      ofCandidate[step] += (candidate[step][b] * (place - estimate)) / n;
      ofBaseline[step] += (baseline[step][b] * (placeOfBaseline - estimate)) / m;
    }
  });
  return { estimate, candidate: ofCandidate, baseline: ofBaseline };
}

/**
 * Per bucket the share of the baseline below a candidate value there, and of the candidate above a baseline value
 * there, equals half.
 */
function forEachPlace(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  n: number,
  m: number,
  visit: (bucket: number, place: number, placeOfBaseline: number) => void,
): void {
  let candidateBelow = 0;
  let baselineBelow = 0;
  for (let b = 0; b < candidate.length; b++) {
    visit(b, (baselineBelow + baseline[b] / 2) / m, (n - candidateBelow - candidate[b] / 2) / n);
    candidateBelow += candidate[b];
    baselineBelow += baseline[b];
  }
}

/** Pairs of which the value of `one` is larger wherever both lie in their buckets. */
function certainlyAbove(one: Histogram, other: Histogram): number {
  let pairs = 0;
  let below = 0;
  let next = 0;
  for (let b = 0; b < one.counts.length; b++) {
    for (; next < other.counts.length && other.edges[next + 1] <= one.edges[b]; next++) below += other.counts[next];
    pairs += one.counts[b] * below;
  }
  return pairs;
}

function sumOfSteps(name: string, steps: readonly ArrayLike<number>[]): Float64Array {
  if (steps.length === 0) throw new RangeError(`${name} has no steps`);
  const sum = new Float64Array(steps[0].length);
  for (const [step, counts] of steps.entries()) {
    if (counts.length !== sum.length)
      throw new RangeError(`${name}[${step}] has ${counts.length} buckets, not ${sum.length}`);
    for (let b = 0; b < sum.length; b++) {
      if (!(counts[b] >= 0 && counts[b] < Infinity)) throw new RangeError(`${name}[${step}][${b}] is ${counts[b]}`);
      sum[b] += counts[b];
    }
  }
  return sum;
}

function requireSameBuckets(candidate: ArrayLike<number>, baseline: ArrayLike<number>): void {
  if (candidate.length !== baseline.length) {
    throw new RangeError(`candidate has ${candidate.length} buckets and baseline ${baseline.length}`);
  }
}
