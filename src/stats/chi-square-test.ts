import { requireCounts, requireSameLength } from "./check-input.ts";
import { chiSquareSf } from "./distributions/chi-square.ts";
import { sum } from "./sum.ts";

export interface ChiSquareTest {
  readonly statistic: number;
  readonly df: number;
  readonly p: number;
  /** The smallest expected count; below 5 the p-value is rough. */
  readonly minExpected: number;
}

/**
 * Chi-square test of independence: do the rows of a table have the same distribution over its columns?
 *
 * @param table  two or more rows of counts (whole numbers), all of the same length: one row per arm, one column per
 *               category.
 * @returns Pearson's `statistic`, `df`, `p` in (0, 1]; `cramersV` in [0, 1], the strength of the dependence whatever
 *          the size of the sample; `minExpected`.
 * @throws RangeError when there are fewer than two rows, lengths differ, a count is not whole, or all are 0.
 *
 * Rows and columns without any count are left out; with one row or column left, statistic 0, df 0, p = 1. One count
 * per unit, never per request of the same user.
 * Source: Pearson (1900), Phil. Mag. 50, 157-175; Cramer (1946), Mathematical Methods of Statistics, 21.9.
 * @example chiSquareIndependence([[10, 20], [20, 10]]).p // 0.00982327
 */
export function chiSquareIndependence(
  table: readonly ArrayLike<number>[],
): ChiSquareTest & { readonly cramersV: number } {
  if (table.length < 2) throw new RangeError(`table has ${table.length} rows, fewer than 2`);
  table.forEach((row, i) => {
    requireCounts(`table[${i}]`, row);
    requireSameLength("table[0]", table[0], `table[${i}]`, row);
  });
  const rows = table.map(sum);
  const columns = Array.from(table[0], (_, j) => table.reduce((total, row) => total + row[j], 0));
  const total = sum(rows);
  if (total === 0) throw new RangeError("table holds no counts");

  const usedRows = rows.filter((count) => count > 0).length;
  const usedColumns = columns.filter((count) => count > 0).length;
  const df = (usedRows - 1) * (usedColumns - 1);
  let statistic = 0;
  let minExpected = Infinity;
  table.forEach((row, i) => {
    for (let j = 0; j < row.length; j++) {
      const expected = (rows[i] * columns[j]) / total;
      if (expected === 0) continue;
      statistic += (row[j] - expected) ** 2 / expected;
      minExpected = Math.min(minExpected, expected);
    }
  });
  if (df === 0) return { statistic: 0, df, p: 1, minExpected, cramersV: 0 };
  const cramersV = Math.min(1, Math.sqrt(statistic / total / Math.min(usedRows - 1, usedColumns - 1)));
  return { statistic, df, p: tail(statistic, df), minExpected, cramersV };
}

/**
 * Chi-square test of fit: do counts follow given shares?
 *
 * @param counts   one or more whole numbers.
 * @param weights  as many positive numbers; their proportions are the expected shares.
 * @returns Pearson's `statistic`, `df` = categories - 1, `p` in (0, 1], `minExpected`. No counts at all: p = 1.
 * @throws RangeError when lengths differ, a count is not whole, or a weight is not positive.
 * @example chiSquareFit([4950, 5210], [1, 1]).p // 0.00989588
 */
export function chiSquareFit(counts: ArrayLike<number>, weights: ArrayLike<number>): ChiSquareTest {
  requireCounts("counts", counts);
  requireSameLength("counts", counts, "weights", weights);
  for (let j = 0; j < weights.length; j++) {
    if (!(weights[j] > 0 && weights[j] < Infinity))
      throw new RangeError(`weights[${j}] is ${weights[j]}, not positive`);
  }
  const total = sum(counts);
  const weight = sum(weights);
  const df = counts.length - 1;
  let statistic = 0;
  let minExpected = Infinity;
  for (let j = 0; j < counts.length; j++) {
    const expected = (total * weights[j]) / weight;
    if (expected > 0) statistic += (counts[j] - expected) ** 2 / expected;
    minExpected = Math.min(minExpected, expected);
  }
  return { statistic, df, p: df === 0 || total === 0 ? 1 : tail(statistic, df), minExpected };
}

function tail(statistic: number, df: number): number {
  return Math.max(Number.MIN_VALUE, chiSquareSf(statistic, df));
}
