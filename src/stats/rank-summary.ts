import { requireFinite, requirePositive } from "./check-input.ts";

/** All that the rank statistics need of two samples, from one pass over both in ascending order. */
export interface RankSummary {
  /** Values in the candidate and in the baseline. */
  readonly n: number;
  readonly m: number;
  /** Pairs in which the candidate value is larger, equal pairs counted half: in [0, n m], a multiple of 1/2. */
  readonly u: number;
  /** Sum of t^3 - t over the groups of t equal values in both samples together. */
  readonly tieSum: number;
  /** How many different values both samples hold together: n + m without ties, 1 when all is one constant. */
  readonly distinct: number;
  /**
   * n m sup(F - G) and n m sup(G - F), F and G the shares of candidate and baseline values up to a point. Whole
   * numbers.
   */
  readonly hPlus: number;
  readonly hMinus: number;
  /** The values at which these suprema are first reached. */
  readonly hPlusAt: number;
  readonly hMinusAt: number;
  /**
   * Sum over the candidate values of (share of the baseline below, equals half, minus u / (n m)) squared, and the
   * mirror image.
   */
  readonly candidateSquares: number;
  readonly baselineSquares: number;
  /** The largest number of values of one sample that lie at the same place among the other's. */
  readonly candidateMode: number;
  readonly baselineMode: number;
}

/**
 * The candidate as it is compared: every value x stands for x / divisor - shift. Order is kept, so nothing is sorted
 * again.
 */
export interface Deflation {
  /** Positive. 1.05 asks what remains of the candidate once five percent are forgiven. */
  readonly divisor?: number;
  readonly shift?: number;
}

/**
 * How do two sorted samples interleave? The shared ground of Mann-Whitney, theta with its variance, and
 * Kolmogorov-Smirnov.
 *
 * @param candidate  n >= 1 finite numbers in ascending order, as `sortSample` returns them. Not checked again.
 * @param baseline   m >= 1 finite numbers in ascending order, same measurement unit.
 * @param deflation  compares candidate / divisor - shift instead, without another array. Dividing (not multiplying by
 *                   the reciprocal) keeps 105 / 1.05 equal to 100.
 * @throws RangeError when a sample is empty or its ends are not finite, divisor is not positive and finite, shift is not
 *         finite, or what they make of the candidate is not.
 *
 * Exact integers while n m < 2^53. One pass, O(n + m) time, no allocation. Squares are taken around a centre near their
 * mean: where the samples hardly overlap a second pass moves the centre, so that no digits are lost.
 * @example rankSummary(Float64Array.of(16, 19, 22, 24, 29), Float64Array.of(11, 12, 17, 20)).u // 17
 */
export function rankSummary(candidate: Float64Array, baseline: Float64Array, deflation: Deflation = {}): RankSummary {
  const { divisor = 1, shift = 0 } = deflation;
  requirePositive("divisor", divisor);
  requireFinite("shift", shift);
  const n = candidate.length;
  const m = baseline.length;
  if (n === 0) throw new RangeError("candidate is empty");
  if (m === 0) throw new RangeError("baseline is empty");
  // A NaN sorts to the end, and would keep the pass from ending.
  if (!Number.isFinite(baseline[0]) || !Number.isFinite(baseline[m - 1]))
    throw new RangeError("baseline is not finite");
  const least = candidate[0] / divisor - shift;
  const greatest = candidate[n - 1] / divisor - shift;
  if (!Number.isFinite(least) || !Number.isFinite(greatest)) {
    throw new RangeError(`candidate / ${divisor} - ${shift} is beyond the largest double`);
  }
  const pass = merge(candidate, baseline, divisor, shift, 0, 0);
  const centreOfCandidate = pass.candidateSum / n;
  const centreOfBaseline = -pass.candidateSum / m;
  let candidateSquares = pass.candidateSquares - pass.candidateSum * centreOfCandidate;
  let baselineSquares = pass.baselineSquares + pass.candidateSum * centreOfBaseline;
  if (candidateSquares < CANCELLED * pass.candidateSquares || baselineSquares < CANCELLED * pass.baselineSquares) {
    const near = Math.round(centreOfCandidate);
    const nearBaseline = Math.round(centreOfBaseline);
    const centred = merge(candidate, baseline, divisor, shift, near, nearBaseline);
    candidateSquares = Math.max(0, centred.candidateSquares - n * (centreOfCandidate - near) ** 2);
    baselineSquares = Math.max(0, centred.baselineSquares - m * (centreOfBaseline - nearBaseline) ** 2);
  }
  const last = Math.max(greatest, baseline[m - 1]);
  return {
    n,
    m,
    u: (pass.candidateSum + n * m) / 2,
    tieSum: pass.tieSum,
    distinct: n + m - pass.repeats,
    hPlus: pass.hPlus,
    hMinus: pass.hMinus,
    hPlusAt: pass.hPlus === 0 ? last : candidate[pass.hPlusAt] / divisor - shift,
    hMinusAt: pass.hMinus === 0 ? last : baseline[pass.hMinusAt],
    candidateSquares: candidateSquares / (2 * m) ** 2,
    baselineSquares: baselineSquares / (2 * n) ** 2,
    candidateMode: pass.candidateMode,
    baselineMode: pass.baselineMode,
  };
}

/**
 * The sizes of the groups of equal values in both samples together, in ascending order of value: what exact tests
 * condition on.
 */
export function pooledTies(candidate: Float64Array, baseline: Float64Array): Uint32Array {
  const sizes = new Uint32Array(candidate.length + baseline.length);
  let groups = 0;
  let i = 0;
  let j = 0;
  while (i < candidate.length || j < baseline.length) {
    const value = Math.min(candidate[i] ?? Infinity, baseline[j] ?? Infinity);
    const start = i + j;
    while (candidate[i] === value) i += 1;
    while (baseline[j] === value) j += 1;
    sizes[groups++] = i + j - start;
  }
  return sizes.slice(0, groups);
}

/**
 * Below this share of the sum of squares around the middle, the sum around the mean has lost six digits and is taken
 * anew.
 */
const CANCELLED = 1e-6;

/**
 * Places are counted double and from the middle: a candidate value above j and equal to t of m baseline values is at 2
 * j + t - m. The sums of both samples' places are opposite, so one is kept.
 */
function merge(
  x: Float64Array,
  y: Float64Array,
  divisor: number,
  shift: number,
  centreOfCandidate: number,
  centreOfBaseline: number,
) {
  const n = x.length;
  const m = y.length;
  let i = 0;
  let j = 0;
  let candidateSum = 0;
  let candidateSquares = 0;
  let baselineSquares = 0;
  let tieSum = 0;
  let repeats = 0;
  let lead = 0; // n m (F - G)
  let hPlus = 0;
  let hMinus = 0;
  let hPlusAt = 0;
  let hMinusAt = 0;
  let candidateMode = 0;
  let baselineMode = 0;
  let previous = NaN;
  let equal = 0;
  let a = x[0] / divisor - shift;
  let b = y[0];
  for (;;) {
    if (a < b) {
      const start = i;
      do {
        if (a === previous) {
          equal += 1;
          repeats += 1;
          tieSum += 3 * equal * (equal - 1);
        } else {
          previous = a;
          equal = 1;
        }
        i += 1;
        a = i < n ? x[i] / divisor - shift : Infinity;
      } while (a < b);
      const run = i - start;
      const place = 2 * j - m;
      candidateSum += run * place;
      candidateSquares += run * (place - centreOfCandidate) ** 2;
      if (run > candidateMode) candidateMode = run;
      lead += run * m;
      if (lead > hPlus) {
        hPlus = lead;
        hPlusAt = i - 1;
      }
    } else if (b < a) {
      const start = j;
      do {
        if (b === previous) {
          equal += 1;
          repeats += 1;
          tieSum += 3 * equal * (equal - 1);
        } else {
          previous = b;
          equal = 1;
        }
        j += 1;
        b = j < m ? y[j] : Infinity;
      } while (b < a);
      const run = j - start;
      const place = 2 * i - n;
      baselineSquares += run * (place - centreOfBaseline) ** 2;
      if (run > baselineMode) baselineMode = run;
      lead -= run * n;
      if (-lead > hMinus) {
        hMinus = -lead;
        hMinusAt = j - 1;
      }
    } else {
      if (a === Infinity) break;
      const value = a;
      const startOfCandidate = i;
      const startOfBaseline = j;
      while (a === value) {
        i += 1;
        a = i < n ? x[i] / divisor - shift : Infinity;
      }
      while (b === value) {
        j += 1;
        b = j < m ? y[j] : Infinity;
      }
      const ofCandidate = i - startOfCandidate;
      const ofBaseline = j - startOfBaseline;
      const group = ofCandidate + ofBaseline;
      const place = 2 * startOfBaseline + ofBaseline - m;
      const placeOfBaseline = 2 * startOfCandidate + ofCandidate - n;
      candidateSum += ofCandidate * place;
      candidateSquares += ofCandidate * (place - centreOfCandidate) ** 2;
      baselineSquares += ofBaseline * (placeOfBaseline - centreOfBaseline) ** 2;
      if (ofCandidate > candidateMode) candidateMode = ofCandidate;
      if (ofBaseline > baselineMode) baselineMode = ofBaseline;
      tieSum += group * group * group - group;
      repeats += group - 1;
      lead += ofCandidate * m - ofBaseline * n;
      if (lead > hPlus) {
        hPlus = lead;
        hPlusAt = i - 1;
      } else if (-lead > hMinus) {
        hMinus = -lead;
        hMinusAt = j - 1;
      }
    }
  }
  return {
    candidateSum,
    candidateSquares,
    baselineSquares,
    tieSum,
    repeats,
    hPlus,
    hMinus,
    hPlusAt,
    hMinusAt,
    candidateMode,
    baselineMode,
  };
}
