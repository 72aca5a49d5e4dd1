/**
 * The summary statistics that Kayenta reports and decides with.
 *
 * `stats/moments.ts` and `typeSevenQuantile` answer the same questions, but sum and round in another order, and call the
 * variance of one value unknown where Kayenta says 0. A ratio exactly at a threshold, or a point exactly at a fence, hangs
 * on the last bit, so the order of operations here is that of commons-math 3.6.1.
 */

export interface KayentaStatistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** With n - 1 in the denominator. */
  readonly std: number;
  readonly count: number;
}

/** All five are 0 when there are no values. NaN or Infinity where infinities among the values make them so. */
export function summarize(values: Float64Array): KayentaStatistics {
  const count = values.length;
  if (count === 0) return { min: 0, max: 0, mean: 0, std: 0, count };
  return { ...extremes(values), mean: mean(values), std: Math.sqrt(variance(values)), count };
}

/** The mean, then the mean of what is left: one infinity makes it NaN. @param values  at least one. */
export function mean(values: Float64Array): number {
  const first = sumOf(values) / values.length;
  let residual = 0;
  for (const value of values) residual += value - first;
  return first + residual / values.length;
}

/** mean(experiment) / mean(control); NaN when either mean is 0. @param experiment, control  at least one value each. */
export function meanRatio(experiment: Float64Array, control: Float64Array): number {
  const [above, below] = [mean(experiment), mean(control)];
  return above === 0 || below === 0 ? NaN : above / below;
}

/** The quantile by linear interpolation between order statistics (R's type 7). @param sorted  at least one value. */
export function percentile(sorted: Float64Array, share: number): number {
  const last = sorted.length - 1;
  const position = 1 + last * share;
  const below = Math.floor(position);
  if (position >= sorted.length) return sorted[last] ?? NaN;
  const low = sorted[below - 1] ?? NaN;
  const high = sorted[below] ?? NaN;
  return low + (position - below) * (high - low);
}

export function extremes(values: Float64Array): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function variance(values: Float64Array): number {
  const n = values.length;
  if (n === 1) return 0;
  const centre = mean(values);
  let squares = 0;
  let residual = 0;
  for (const value of values) {
    const distance = value - centre;
    squares += distance * distance;
    residual += distance;
  }
  return (squares - (residual * residual) / n) / (n - 1);
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
