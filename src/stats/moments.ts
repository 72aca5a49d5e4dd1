import { requireNumbers } from "./check-input.ts";

/** Number, mean and variance of a sample. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** With n - 1 in the denominator; Infinity, which is to say unknown, for one value. */
  readonly variance: number;
}

/**
 * Mean and variance in two passes over the distances from the first value.
 *
 * @param values  n >= 1 finite numbers. Not modified.
 * @returns the variance of equal values is exactly 0, whatever they are: 0.1 has no exact double, and a mean that is
 *          off by one rounding would otherwise give a tiny variance and an enormous t.
 * @throws RangeError when there is no value or one is NaN or infinite.
 * @example moments([1, 2, 3, 4]).variance // 1.66667
 */
export function moments(values: ArrayLike<number>): Moments {
  requireNumbers("values", values);
  const n = values.length;
  const origin = values[0];
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i] - origin;
  const shift = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const distance = values[i] - origin - shift;
    squares += distance * distance;
  }
  return { n, mean: origin + shift, variance: n === 1 ? Infinity : squares / (n - 1) };
}
