import { requireCounts, requireFraction, requireSameLength } from "./check-input.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";
import type { Interval } from "./proportion-interval.ts";

export interface KappaOptions {
  /**
   * What a disagreement costs: "none" (default) all the same; "linear" and "quadratic" by the distance of categories,
   * for ordered scores.
   */
  readonly weights?: "none" | "linear" | "quadratic";
  readonly confidence?: number;
}

export interface Kappa extends Interval {
  readonly variance: number;
  /** The weighted share of items on which the judges agree, and what it would be if they judged independently. */
  readonly observed: number;
  readonly expected: number;
}

/**
 * How well do two judges agree, beyond chance?
 *
 * @param table    table[i][j] items that the first judge put into category i and the second into j; square, whole
 *                 numbers, categories in order.
 * @param options  `weights`; `confidence`.
 * @returns `estimate` = (observed - expected) / (1 - expected), in [-1, 1]; `variance` and interval of Fleiss, Cohen
 *          and Everitt, two-sided, kept in [-1, 1].
 * @throws RangeError when the table is not square, holds no items, or a count is not whole.
 *
 * When both judges put everything into one category nothing shows that they can tell: estimate 0, interval (-1, 1).
 * The same holds where the variance is 0 for another reason, except that the estimate stands. Kappa falls with rare
 * categories; compare only on like mixes. For gaps or more than two judges: krippendorff-alpha.ts.
 * Source: Cohen (1968), Psychol. Bull. 70, 213-220; Fleiss, Cohen & Everitt (1969), Psychol. Bull. 72, 323-327.
 * @example cohenKappa([[20, 5], [10, 15]]).estimate // 0.4
 */
export function cohenKappa(table: readonly ArrayLike<number>[], options: KappaOptions = {}): Kappa {
  const { weights = "none", confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  const k = table.length;
  if (k === 0) throw new RangeError("table is empty");
  table.forEach((row, i) => {
    requireCounts(`table[${i}]`, row);
    requireSameLength("table", table, `table[${i}]`, row);
  });
  const n = table.reduce((total, row) => total + Array.from(row).reduce((sum, count) => sum + count, 0), 0);
  if (n === 0) throw new RangeError("table holds no items");

  const first = Float64Array.from(table, (row) => Array.from(row).reduce((sum, count) => sum + count, 0) / n);
  const second = Float64Array.from(table, (_, j) => table.reduce((sum, row) => sum + row[j], 0) / n);
  const weight = (i: number, j: number) => agreement(i, j, k, weights);
  // The mean weight of a category of one judge against all of the other's.
  const ofFirst = first.map((_, i) => second.reduce((sum, share, j) => sum + share * weight(i, j), 0));
  const ofSecond = second.map((_, j) => first.reduce((sum, share, i) => sum + share * weight(i, j), 0));
  let observed = 0;
  let expected = 0;
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      observed += (weight(i, j) * table[i][j]) / n;
      expected += weight(i, j) * first[i] * second[j];
    }
  }
  if (isOneCategory(first, second)) {
    return { estimate: 0, variance: Infinity, lower: -1, upper: 1, observed, expected };
  }
  const estimate = (observed - expected) / (1 - expected);
  let squares = 0;
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      const part = weight(i, j) - (ofFirst[i] + ofSecond[j]) * (1 - estimate);
      squares += (table[i][j] / n) * part * part;
    }
  }
  const centre = estimate - expected * (1 - estimate);
  const variance = Math.max(0, squares - centre * centre) / (n * (1 - expected) ** 2);
  if (!(variance > ROUNDING)) return { estimate, variance: 0, lower: -1, upper: 1, observed, expected };
  const reach = normalQuantileUpper((1 - confidence) / 2) * Math.sqrt(variance);
  return {
    estimate,
    variance,
    lower: Math.max(-1, estimate - reach),
    upper: Math.min(1, estimate + reach),
    observed,
    expected,
  };
}

/** A variance below this is what rounding leaves of 0. */
const ROUNDING = 1e-15;

/**
 * The table that `cohenKappa` takes, from two judges' scores.
 *
 * @param first       category of each item by the first judge: whole numbers from 0 to categories - 1.
 * @param second      the same by the second judge.
 * @throws RangeError when lengths differ or a score is no category.
 * @example agreementTable([0, 1, 1], [0, 1, 0], 2)[1][0] // 1
 */
export function agreementTable(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  categories: number,
): Float64Array[] {
  requireCounts("first", first);
  requireCounts("second", second);
  requireSameLength("first", first, "second", second);
  const table = Array.from({ length: categories }, () => new Float64Array(categories));
  for (let i = 0; i < first.length; i++) {
    if (first[i] >= categories) throw new RangeError(`first[${i}] is ${first[i]}, not below ${categories}`);
    if (second[i] >= categories) throw new RangeError(`second[${i}] is ${second[i]}, not below ${categories}`);
    table[first[i]][second[i]]++;
  }
  return table;
}

function agreement(i: number, j: number, k: number, weights: "none" | "linear" | "quadratic"): number {
  if (i === j) return 1;
  if (weights === "none") return 0;
  const distance = Math.abs(i - j) / (k - 1);
  return weights === "linear" ? 1 - distance : 1 - distance * distance;
}

function isOneCategory(first: Float64Array, second: Float64Array): boolean {
  return first.some((share, i) => share === 1 && second[i] === 1);
}
