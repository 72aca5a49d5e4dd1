/**
 * Exact monitoring of means of values in [0, 1]: judge scores, preferences, paired differences, at every look.
 *
 * A gambler who bets the fraction lambda_t on "the next value lies above m" turns wealth W into W (1 + lambda_t (x_t - m)). If the mean
 * is at most m the wealth is a supermartingale, whatever the law of the values, so P(ever W >= 1 / alpha) <= alpha. The bets
 * are Waudby-Smith and Ramdas' plug-in: lambda_t = min(sqrt(2 log(1 / alpha) / (v_{t-1} t log(t + 1))), c / m) with the running
 * variance v, c = 1/2; they use the past only.
 *
 * Values must arrive in an order that does not depend on them, each with the same conditional mean or a mean on the
 * null's side; no independence is needed beyond that. Clustered values must be averaged per unit first.
 *
 * Source: Waudby-Smith & Ramdas (2024), J. R. Stat. Soc. B 86, 1-27.
 */
import { requireFraction } from "./check-input.ts";

/** What a gambler remembers against one null mean; plain numbers, fit for JSON. */
export interface BettingState {
  readonly count: number;
  readonly sum: number;
  /** Sum of (x_i - running mean)^2. */
  readonly squares: number;
  /** Log wealth of the bets that the mean is larger, and that it is smaller. */
  readonly logGreater: number;
  readonly logLess: number;
}

export interface BettingOptions {
  /** The null mean m, in (0, 1). */
  readonly mean: number;
  /** Level for which the bets are tuned; validity does not depend on it. Default 0.05. */
  readonly level?: number;
}

/** Never stake more than half of what the worst value could take. */
export const CAP = 0.5;

/** The state before the first value. */
export function startBetting(): BettingState {
  return { count: 0, sum: 0, squares: 0, logGreater: 0, logLess: 0 };
}

/**
 * Takes in new values in order of arrival.
 *
 * @param state   from `startBetting` or the last update, with the same options throughout. Not modified.
 * @param values  in [0, 1]; differences of paired scores as (d + 1) / 2 against m = (d0 + 1) / 2.
 * @returns the new state: `logGreater` speaks against "mean <= m", `logLess` against "mean >= m"; each rejects at level alpha at
 *          log(1 / alpha). Two-sided: the average of both e-values, see `averageLogE`.
 * @throws RangeError when a value is outside [0, 1], or mean or level is outside (0, 1).
 * @example bet(startBetting(), [1, 1, 0, 1, 1], { mean: 0.5 }).logGreater // 0.92871
 */
export function bet(state: BettingState, values: ArrayLike<number>, options: BettingOptions): BettingState {
  const { mean, level = 0.05 } = options;
  requireFraction("mean", mean);
  requireFraction("level", level);
  requireUnitInterval(values);
  let { count, sum, squares, logGreater, logLess } = state;
  const stake = 2 * Math.log(1 / level);
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    const lambda = plugIn(stake, count, squares);
    logGreater += Math.log1p(Math.min(lambda, CAP / mean) * (x - mean));
    logLess += Math.log1p(Math.min(lambda, CAP / (1 - mean)) * (mean - x));
    count++;
    sum += x;
    squares += (x - (0.5 + sum) / (count + 1)) ** 2;
  }
  return { count, sum, squares, logGreater, logLess };
}

/** The bet before value number count + 1, before its cap: sqrt(2 log(1 / alpha) / (v t log(t + 1))), v = (1/4 + squares) / t. */
export function plugIn(stake: number, count: number, squares: number): number {
  return Math.sqrt(stake / ((0.25 + squares) * Math.log(count + 2)));
}

export function requireUnitInterval(values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] >= 0 && values[i] <= 1)) throw new RangeError(`values[${i}] is ${values[i]}, not in [0, 1]`);
  }
}
