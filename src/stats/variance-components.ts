import { requireFraction, requireNumbers, requirePositive } from "./check-input.ts";
import { betaQuantile, betaQuantileUpper } from "./distributions/beta.ts";
import type { Interval } from "./proportion-interval.ts";

/** A metric whose judge agrees with itself less than this may not be required. */
export const MIN_RELIABILITY = 0.6;

export interface VarianceComponents {
  /** Variance of the judge about an item's own mean, and of the items' means. */
  readonly judge: number;
  readonly item: number;
  /** Test-retest reliability: item / (item + judge) in [0, 1], with its interval. */
  readonly reliability: Interval;
  /** Items, and items with at least two scores. */
  readonly items: number;
  readonly repeated: number;
}

/**
 * How much of the spread of scores is the items', and how much is the judge's?
 *
 * @param items    one row per item: one or more finite scores of the same judge. Two scores on some 5 % of the items
 *                 are enough to tell.
 * @param options  `confidence` of the interval for the reliability, two-sided.
 * @returns `judge` >= 0; `item`, 0 when the items differ by no more than the judge's noise explains; `reliability`.
 * @throws RangeError when there are fewer than 2 items, none has two scores, or a score is not finite.
 *
 * One-way analysis of variance for unequal numbers of scores. All scores equal: reliability 0, interval (0, 1). The
 * interval is exact for normal scores with equally many repeats, else that of Thomas and Hultquist.
 * Source: Searle, Casella & McCulloch, Variance Components (1992), 3.6; Thomas & Hultquist (1978), Ann. Stat. 6,
 * 582-587.
 * @example varianceComponents([[4, 5], [2, 2], [3, 4], [1, 1]]).judge // 0.25
 */
export function varianceComponents(
  items: readonly ArrayLike<number>[],
  options: { readonly confidence?: number } = {},
): VarianceComponents {
  const { confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  if (items.length < 2) throw new RangeError(`items has ${items.length} rows, fewer than 2`);
  const means = new Float64Array(items.length);
  let scores = 0;
  let squaredSizes = 0;
  let reciprocals = 0;
  let within = 0;
  let repeated = 0;
  items.forEach((row, i) => {
    requireNumbers(`items[${i}]`, row);
    const k = row.length;
    let sum = 0;
    for (let r = 0; r < k; r++) sum += row[r] - row[0];
    means[i] = row[0] + sum / k;
    for (let r = 0; r < k; r++) within += (row[r] - row[0] - sum / k) ** 2;
    scores += k;
    squaredSizes += k * k;
    reciprocals += 1 / k;
    if (k > 1) repeated++;
  });
  if (repeated === 0) throw new RangeError("no item has two scores");

  const df = scores - items.length;
  const judge = within / df;
  const grand = items.reduce((sum, row, i) => sum + (means[i] * row.length) / scores, 0);
  const between = items.reduce((sum, row, i) => sum + row.length * (means[i] - grand) ** 2, 0) / (items.length - 1);
  const perItem = (scores - squaredSizes / scores) / (items.length - 1);
  const item = Math.max(0, (between - judge) / perItem);

  const estimate = item > 0 ? item / (item + judge) : 0;
  const bounds = reliabilityBounds(means, judge, items.length / reciprocals, df, confidence);
  return { judge, item, reliability: { estimate, ...bounds }, items: items.length, repeated };
}

/**
 * How many times should a judge score each item, to know the mean best for the money?
 *
 * @param components  from `varianceComponents`.
 * @param costs       of one more item (with its run of the agent) and of one more score, positive, in any common
 *                    measurement unit.
 * @returns sqrt(cost of an item / cost of a score * judge / item variance), rounded, at least 1; Infinity when the
 *          items do not differ.
 * @throws RangeError when a cost is not positive.
 * @example bestRepeats({ judge: 0.5, item: 1 }, { item: 8, score: 1 }) // 2
 */
export function bestRepeats(
  components: Pick<VarianceComponents, "judge" | "item">,
  costs: { readonly item: number; readonly score: number },
): number {
  requirePositive("costs.item", costs.item);
  requirePositive("costs.score", costs.score);
  if (components.judge === 0) return 1;
  if (components.item === 0) return Infinity;
  return Math.max(1, Math.round(Math.sqrt(((costs.item / costs.score) * components.judge) / components.item)));
}

/**
 * From the F ratio of the unweighted means' variance to the judge's, with the harmonic mean of the numbers of scores.
 */
function reliabilityBounds(means: Float64Array, judge: number, harmonic: number, df: number, confidence: number) {
  let sum = 0;
  for (const mean of means) sum += mean - means[0];
  const centre = means[0] + sum / means.length;
  let squares = 0;
  for (const mean of means) squares += (mean - centre) ** 2;
  const spread = squares / (means.length - 1);
  if (judge === 0) return { lower: 0, upper: 1 };
  const ratio = (harmonic * spread) / judge;
  const tail = (1 - confidence) / 2;
  const bound = (quantile: number) => {
    const signal = ratio / quantile - 1;
    return Math.min(1, Math.max(0, signal / (signal + harmonic)));
  };
  return {
    lower: bound(fQuantile(tail, means.length - 1, df, true)),
    upper: bound(fQuantile(tail, means.length - 1, df, false)),
  };
}

/** A quantile of the F law at the upper or the lower tail, from the beta law. */
function fQuantile(tail: number, df1: number, df2: number, upper: boolean): number {
  const x = upper ? betaQuantileUpper(tail, df1 / 2, df2 / 2) : betaQuantile(tail, df1 / 2, df2 / 2);
  return (df2 * x) / (df1 * (1 - x));
}
