import { linearRegression, mean } from "simple-statistics";

/** One figure at one time. */
export interface Point {
  /** Since the soak began. */
  readonly hours: number;
  readonly value: number;
}

/** A straight line through the points of one figure. */
export interface Trend {
  readonly mean: number;
  readonly perHour: number;
  /** Of `perHour`. */
  readonly standardError: number;
}

/**
 * Least squares.
 *
 * @param points  three or more, at different times.
 * @throws RangeError of fewer.
 */
export function trendOf(points: readonly Point[]): Trend {
  if (points.length < 3) throw new RangeError(`a trend needs three points, and there are ${points.length}`);
  const { m, b } = linearRegression(points.map(({ hours, value }) => [hours, value]));
  const middle = mean(points.map(({ hours }) => hours));
  const spread = points.reduce((sum, { hours }) => sum + (hours - middle) ** 2, 0);
  const residual = points.reduce((sum, { hours, value }) => sum + (value - b - m * hours) ** 2, 0);
  return {
    mean: mean(points.map(({ value }) => value)),
    perHour: m,
    standardError: Math.sqrt(residual / (points.length - 2) / spread),
  };
}

/** How much a figure may rise in an hour and still be called flat. */
export interface Tolerance {
  readonly absolute: number;
  /** Of the mean. */
  readonly share: number;
}

/** Growing is what rises by more than is tolerated, and by more than two standard errors. */
export function isGrowing({ mean: level, perHour, standardError }: Trend, { absolute, share }: Tolerance): boolean {
  return perHour > Math.max(absolute, share * level) && perHour > 2 * standardError;
}
