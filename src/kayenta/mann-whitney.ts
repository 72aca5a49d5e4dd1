import { normalQuantile } from "../stats/distributions/normal.ts";
import { brentRoot } from "./brent.ts";
import { extremes } from "./statistics.ts";

export interface ShiftEstimate {
  /** May lie above `upper`: where zeros dominate, the rank sum is no monotone function of the shift. */
  readonly lower: number;
  readonly upper: number;
  readonly estimate: number;
}

/**
 * Kayenta's interval and estimate for the shift between two sides: the roots of the standardised rank sum.
 *
 * @param experiment  at least one value, none of them NaN; infinities are allowed. Not modified.
 * @param control     likewise.
 * @param confidence  of the two-sided interval, in (0, 1).
 * @returns null when the shifted values are all tied at a point that the search visits, which one value a side brings
 *          about: the rank sum has no variance there, and Kayenta gives up.
 *
 * The shape of R's `wilcox.test(exact = FALSE, conf.int = TRUE)`, roots to an absolute 1e-4 included; but the estimate keeps
 * the continuity correction, which R turns off for it. Where the interval cannot be reached at this confidence its end is the
 * outermost shift, not infinity, so tiny samples with a clean separation look certain.
 * Not `stats/shift-interval.ts`, which inverts another test exactly, and not `stats/rank-summary.ts`, which refuses
 * infinities and takes -0 for 0; Kayenta ranks them.
 * Source: spinnaker/kayenta, MannWhitney; Bauer (1972), J. Am. Stat. Assoc. 67, 687-690.
 * @example shiftEstimate(Float64Array.of(10, 20, 30, 40), Float64Array.of(1, 2, 3, 4), 0.95) // { lower: 6, upper: 39, estimate: 22.5 }
 */
export function shiftEstimate(
  experiment: Float64Array,
  control: Float64Array,
  confidence: number,
): ShiftEstimate | null {
  const [x, y] = [extremes(experiment), extremes(control)];
  const [low, high] = [x.min - y.max, x.max - y.min];
  const sortedControl = toRankable(control);
  let isTied = false;
  const standardised = (shift: number): number => {
    const value = standardisedRankSum(experiment, sortedControl, shift);
    if (value === null) isTied = true;
    return value ?? NaN;
  };
  const root = (offset: number): number => {
    const atLow = standardised(low) - offset;
    const atHigh = standardised(high) - offset;
    if (atLow <= 0) return low;
    if (atHigh >= 0) return high;
    return brentRoot((shift) => standardised(shift) - offset, low, high, atLow, atHigh);
  };
  const z = lowerQuantile(confidence);
  const lower = root(-z);
  const upper = root(z);
  // Here Kayenta asks neither whether the ends bracket a root nor on which side of it they lie.
  const estimate = brentRoot(standardised, low, high, standardised(low), standardised(high));
  return isTied ? null : { lower, upper, estimate };
}

/**
 * P(experiment > control) + P(equal) / 2, Kayenta's `cles`: 0.5 when neither tends to be larger.
 *
 * @param experiment, control  at least one value each, none of them NaN.
 */
export function commonLanguageEffect(experiment: Float64Array, control: Float64Array): number {
  const { pairs } = rank(experiment, toRankable(control), 0);
  return (2 * pairs) / (2 * experiment.length * control.length);
}

/**
 * The normal quantiles of Kayenta's library, to the last bit: one bit off, a root may wander by its tolerance.
 */
const LOWER_QUANTILES: ReadonlyMap<number, number> = new Map([
  [0.9, -1.644853626951473],
  [0.95, -1.959963984540054],
  [0.98, -2.326347874040841],
  [0.99, -2.5758293035489004],
]);

function lowerQuantile(confidence: number): number {
  return LOWER_QUANTILES.get(confidence) ?? normalQuantile((1 - confidence) / 2);
}

/** The rank sum of experiment - shift, centred, half a pair nearer to 0, in standard deviations given the ties; null when all values are tied. */
function standardisedRankSum(experiment: Float64Array, sortedControl: Float64Array, shift: number): number | null {
  const [m, n] = [experiment.length, sortedControl.length];
  const { pairs, tieSum } = rank(experiment, sortedControl, shift);
  const distance = pairs - (m * n) / 2;
  const deviation = Math.sqrt(((m * n) / 12) * (m + n + 1 - tieSum / ((m + n) * (m + n - 1))));
  if (deviation === 0) return null;
  return (distance - Math.sign(distance) * 0.5) / deviation;
}

/**
 * How experiment - shift ranks among the control.
 *
 * @returns `pairs` in which the experiment is larger, equal ones counted half, which is its rank sum less m (m + 1) / 2;
 *          `tieSum`, the sum of t^3 - t over groups of t equal values of both sides together.
 */
function rank(experiment: Float64Array, sortedControl: Float64Array, shift: number): { pairs: number; tieSum: number } {
  const x = toRankable(experiment.map((value) => value - shift));
  const y = sortedControl;
  let pairs = 0;
  let tieSum = 0;
  let i = 0;
  let j = 0;
  while (i < x.length || j < y.length) {
    const below = j;
    const value = nextOf(x, i, y, j);
    let [ofX, ofY] = [0, 0];
    for (; i < x.length && Object.is(x[i], value); i++) ofX += 1;
    for (; j < y.length && Object.is(y[j], value); j++) ofY += 1;
    const group = ofX + ofY;
    pairs += ofX * (below + ofY / 2);
    tieSum += group * group * group - group;
  }
  return { pairs, tieSum };
}

/** Ascending. Infinity - Infinity is no number; Kayenta ranks it with the largest. */
function toRankable(values: Float64Array): Float64Array {
  return values.map((value) => (Number.isNaN(value) ? Infinity : value)).sort();
}

/** The smaller of both heads; -0 is below 0, as it is to typed arrays and to Java. */
function nextOf(x: Float64Array, i: number, y: Float64Array, j: number): number {
  const a = x[i];
  const b = y[j];
  if (a === undefined) return b ?? NaN;
  if (b === undefined) return a;
  if (a === b) return Object.is(a, -0) ? a : b;
  return a < b ? a : b;
}
