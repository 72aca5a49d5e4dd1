import type { KayentaConfiguration } from "./metric.ts";
import { percentile } from "./statistics.ts";

/**
 * The points that are judged: missing ones removed or taken for 0, then outliers removed if that is asked for.
 *
 * @throws RangeError when outliers are to be removed with a factor that is not positive; Kayenta fails the whole judgement.
 */
export function transformPoints(
  points: ArrayLike<number>,
  { nanStrategy, outliers }: Pick<KayentaConfiguration, "nanStrategy" | "outliers">,
): Float64Array {
  const all = Float64Array.from(points);
  const values =
    nanStrategy === "remove"
      ? all.filter((value) => !Number.isNaN(value))
      : all.map((value) => (Number.isNaN(value) ? 0 : value));
  return outliers.strategy === "remove" ? removeOutliers(values, outliers.outlierFactor) : values;
}

/**
 * Keeps what lies within `factor` times the interquartile range of the quartiles, or within the 1st and the 99th percentile,
 * whichever reaches further. So hardly more than one point in a hundred can go on either end. A point on a fence stays.
 *
 * @throws RangeError when the factor is not positive.
 */
export function removeOutliers(values: Float64Array, factor: number): Float64Array {
  if (!(factor > 0)) throw new RangeError(`outlierFactor is ${factor}, not a positive number`);
  if (values.length === 0) return values;
  const sorted = values.toSorted();
  const [lowest, low, high, highest] = [0.01, 0.25, 0.75, 0.99].map((share) => percentile(sorted, share)) as [
    number,
    number,
    number,
    number,
  ];
  const reach = factor * (high - low);
  const [lowFence, highFence] = [Math.min(lowest, low - reach), Math.max(highest, high + reach)];
  return values.filter((value) => !(value > highFence || value < lowFence));
}
