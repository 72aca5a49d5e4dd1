import { blockLength } from "./block-length.ts";
import { requireCount, requireFraction, requireNumbers, requireSameLength } from "./check-input.ts";
import { randomInteger, type Random } from "./random.ts";

/** One arm's rows with the code of the unit of each. */
export interface ClusteredArm {
  readonly values: ArrayLike<number>;
  readonly units: ArrayLike<number>;
}

/**
 * The rows of one arm in one resample. A unit that was drawn twice appears as two units with two codes. Valid until
 * the next resample.
 */
export interface ResampledArm {
  readonly values: Float64Array;
  readonly units: Int32Array;
}

/** What is bootstrapped; its variance is used by the studentised interval only. */
export interface Statistic {
  readonly estimate: number;
  readonly variance: number;
}

export interface BootstrapOptions {
  /** Default 999: the 25th smallest and the 25th largest are then the ends of a 95 % interval. */
  readonly resamples?: number;
  readonly confidence?: number;
  /** Default true: the interval comes from (estimate* - estimate) / error*. False: from estimate* - estimate. */
  readonly studentised?: boolean;
}

export interface Bootstrapped {
  readonly estimate: number;
  /** Of the estimates over the resamples. */
  readonly variance: number;
  readonly lower: number;
  readonly upper: number;
  /**
   * Resamples on which the statistic was not finite or, if studentised, had no positive variance; they are left out.
   */
  readonly failed: number;
}

const RESAMPLES = 999;
/** With a larger share of failures the interval would be that of a luckier population, and is infinite instead. */
const MAX_FAILED = 0.1;

/**
 * Between which values does an effect lie whose variance has no formula? Whole units are drawn with replacement.
 *
 * @param candidate  rows and the codes of their units, whole numbers; the same code in both arms is one unit, drawn
 *                   with all its rows.
 * @param baseline   the same for the baseline.
 * @param statistic  the effect on a sample, with a variance that fits units (Infinity where `studentised` is false).
 * @returns the estimate on the data; its variance over the resamples; a two-sided interval; `failed`.
 * @throws RangeError when lengths differ, an arm is empty, a number is not finite, or an option is out of range.
 *
 * Units that are in the candidate only, in the baseline only and in both are drawn apart, so the arms keep their
 * numbers of units. Below ten units per arm no bootstrap can tell. Not for series: see `stationaryBootstrap`.
 * Source: Davison & Hinkley (1997), Bootstrap Methods and their Application, 2.4 and 5.2; Field & Welsh (2007), J. R.
 * Stat. Soc. B 69, 369-390.
 */
export function clusterBootstrap(
  candidate: ClusteredArm,
  baseline: ClusteredArm,
  statistic: (candidate: ResampledArm, baseline: ResampledArm) => Statistic,
  options: BootstrapOptions,
  random: Random,
): Bootstrapped {
  requireArm("candidate", candidate);
  requireArm("baseline", baseline);
  const groups = unitGroups(candidate.units, baseline.units);
  const buffers = [growingRows(candidate.values), growingRows(baseline.values)] as const;
  const sample = (choose: (size: number, i: number) => number) => {
    buffers[0].clear();
    buffers[1].clear();
    let code = 0;
    for (const group of groups) {
      for (let i = 0; i < group.length; i++) {
        const unit = group[choose(group.length, i)];
        buffers[0].append(unit.candidateRows, code);
        buffers[1].append(unit.baselineRows, code);
        code++;
      }
    }
    return statistic(buffers[0].rows(), buffers[1].rows());
  };
  const observed = sample((_, i) => i);
  return resample(observed, () => sample((size) => randomInteger(random, size)), options);
}

/**
 * Between which values does a statistic of a series lie? Blocks of random length are drawn and joined, so
 * neighbouring steps stay together.
 *
 * @param columns    one or more series of the same n >= 9 steps in the order of time; a step keeps all its columns,
 *                   so pairs stay pairs.
 * @param statistic  of columns of length n, with a variance that fits series (`longRunVariance`; Infinity where
 *                   `studentised` is false).
 * @param options    `blockLength`, mean length >= 1; by default the longest that `blockLength` gives for a column.
 * @returns as `clusterBootstrap`.
 * @throws RangeError when columns differ in length or have fewer than 9 steps, a number is not finite, or an option
 * is out of range.
 *
 * The series is bent to a circle, so every step is drawn equally often. With strong autocorrelation (0.7 and above)
 * and fewer than some hundred steps the interval is too narrow.
 * Source: Politis & Romano (1994), JASA 89, 1303-1313; Goncalves & Vogelsang (2011), Econometric Theory 27, 745-791.
 */
export function stationaryBootstrap(
  columns: readonly ArrayLike<number>[],
  statistic: (columns: readonly Float64Array[]) => Statistic,
  options: BootstrapOptions & { readonly blockLength?: number },
  random: Random,
): Bootstrapped {
  if (columns.length === 0) throw new RangeError("columns is empty");
  columns.forEach((column, k) => {
    requireNumbers(`columns[${k}]`, column, 9);
    requireSameLength("columns[0]", columns[0], `columns[${k}]`, column);
  });
  const length = options.blockLength ?? Math.max(...columns.map(blockLength));
  if (!(length >= 1)) throw new RangeError(`blockLength is ${length}, less than 1`);
  const n = columns[0].length;
  const drawn = columns.map(() => new Float64Array(n));
  const observed = statistic(columns.map((column) => Float64Array.from(column)));
  const sample = () => {
    let step = 0;
    for (let i = 0; i < n; i++) {
      step = i === 0 || random() * length < 1 ? randomInteger(random, n) : (step + 1) % n;
      for (let k = 0; k < columns.length; k++) drawn[k][i] = columns[k][step];
    }
    return statistic(drawn);
  };
  return resample(observed, sample, options);
}

function resample(observed: Statistic, sample: () => Statistic, options: BootstrapOptions): Bootstrapped {
  const { resamples = RESAMPLES, confidence = 0.95, studentised = true } = options;
  requireCount("resamples", resamples, 1);
  requireFraction("confidence", confidence);
  const { estimate } = observed;
  const errors = new Float64Array(resamples);
  const roots = new Float64Array(resamples);
  let kept = 0;
  for (let i = 0; i < resamples; i++) {
    const drawn = sample();
    const error = drawn.estimate - estimate;
    const root = studentised ? error / Math.sqrt(drawn.variance) : error;
    // A constant resample has no root, unless it errs by nothing.
    if (!Number.isFinite(root) || (studentised && !(drawn.variance < Infinity))) continue;
    errors[kept] = error;
    roots[kept] = root;
    kept++;
  }
  const failed = resamples - kept;
  const variance = secondMoment(errors.subarray(0, kept));
  const scale = studentised ? Math.sqrt(observed.variance) : 1;
  const unknown = failed > MAX_FAILED * resamples || !(scale > 0 && scale < Infinity) || !Number.isFinite(estimate);
  if (unknown) return { estimate, variance, lower: -Infinity, upper: Infinity, failed };
  const sorted = roots.subarray(0, kept).sort();
  const tail = (1 - confidence) / 2;
  return {
    estimate,
    variance,
    lower: estimate - scale * orderStatistic(sorted, 1 - tail),
    upper: estimate - scale * orderStatistic(sorted, tail),
    failed,
  };
}

function secondMoment(errors: Float64Array): number {
  if (errors.length < 2) return Infinity;
  let sum = 0;
  let squares = 0;
  for (const error of errors) {
    sum += error;
    squares += error * error;
  }
  return Math.max(0, squares - (sum * sum) / errors.length) / (errors.length - 1);
}

/**
 * The (R + 1) p-th smallest of R numbers, between neighbours by interpolation; infinite when there are too few
 * resamples for it.
 */
function orderStatistic(sorted: Float64Array, p: number): number {
  const position = (sorted.length + 1) * p;
  const below = Math.floor(position + POSITION_SLACK);
  if (below < 1) return -Infinity;
  if (below > sorted.length || (below === sorted.length && position > below + POSITION_SLACK)) return Infinity;
  const low = sorted[below - 1];
  const part = Math.max(0, position - below);
  return part === 0 ? low : low + part * (sorted[below] - low);
}

/** 1000 * 0.975 is 975 but for rounding. */
const POSITION_SLACK = 1e-9;

interface Unit {
  readonly candidateRows: number[];
  readonly baselineRows: number[];
}

function requireArm(name: string, arm: ClusteredArm): void {
  requireNumbers(`${name}.values`, arm.values);
  requireNumbers(`${name}.units`, arm.units);
  requireSameLength(`${name}.values`, arm.values, `${name}.units`, arm.units);
}

/** Units in the candidate only, in the baseline only, and in both; in order of appearance. */
function unitGroups(candidate: ArrayLike<number>, baseline: ArrayLike<number>): Unit[][] {
  const units = new Map<number, Unit>();
  const unitOf = (code: number) => {
    const known = units.get(code);
    if (known !== undefined) return known;
    const unit = { candidateRows: [], baselineRows: [] };
    units.set(code, unit);
    return unit;
  };
  for (let i = 0; i < candidate.length; i++) unitOf(candidate[i]).candidateRows.push(i);
  for (let i = 0; i < baseline.length; i++) unitOf(baseline[i]).baselineRows.push(i);
  const groups: Unit[][] = [[], [], []];
  for (const unit of units.values()) {
    const group = unit.baselineRows.length === 0 ? 0 : unit.candidateRows.length === 0 ? 1 : 2;
    groups[group].push(unit);
  }
  return groups;
}

/** Rows that are filled anew for every resample; the memory grows when large units are drawn often. */
function growingRows(source: ArrayLike<number>) {
  let values = new Float64Array(2 * source.length);
  let units = new Int32Array(2 * source.length);
  let length = 0;
  return {
    clear: () => {
      length = 0;
    },
    append: (rows: readonly number[], code: number) => {
      if (length + rows.length > values.length) {
        const size = 2 * (length + rows.length);
        const grownValues = new Float64Array(size);
        const grownUnits = new Int32Array(size);
        grownValues.set(values);
        grownUnits.set(units);
        values = grownValues;
        units = grownUnits;
      }
      for (const row of rows) {
        values[length] = source[row];
        units[length] = code;
        length++;
      }
    },
    rows: (): ResampledArm => ({ values: values.subarray(0, length), units: units.subarray(0, length) }),
  };
}
