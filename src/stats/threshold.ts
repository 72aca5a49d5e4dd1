import { requireFinite, requireFraction, requireNumbers } from "./check-input.ts";
import { requireProportion, requireRate, type Proportion, type Rate } from "./counts.ts";
import { betaCdf, betaSf } from "./distributions/beta.ts";
import { gammaCdf, gammaSf } from "./distributions/gamma.ts";
import { hallInverse, hallTransform } from "./hall-transform.ts";
import { proportionInterval } from "./proportion-interval.ts";
import { rateInterval } from "./rate-interval.ts";
import { studentTQuantileUpper, studentTSf } from "./distributions/student-t.ts";

export interface ThresholdOptions {
  /** "max" (default): values above the limit are bad; "min": values below it are. */
  readonly limitIs?: "max" | "min";
  /**
   * One-sided levels, each in (0, 1), default 0.05: how often a limit that holds may be called breached, and the
   * other way round.
   */
  readonly alphaBreached?: number;
  readonly alphaHolds?: number;
}

/**
 * What one arm shows about a limit. At most one of `breached` and `holds` is true; neither means that the data do not
 * say.
 */
export interface ThresholdFinding {
  readonly estimate: number;
  /** One-sided bounds: the one on the good side at 1 - alphaBreached, the one on the bad side at 1 - alphaHolds. */
  readonly lower: number;
  readonly upper: number;
  /** Against the hypothesis that the limit holds. */
  readonly pBreached: number;
  /** Against the hypothesis that the limit is breached. */
  readonly pHolds: number;
  readonly breached: boolean;
  readonly holds: boolean;
}

/**
 * Is a quantile of the values beyond a limit? Asked as: does more than the allowed share of values lie beyond it?
 *
 * @param values   n >= 1 finite numbers, any order, one per unit. Not modified.
 * @param limit    in the same measurement unit; a value equal to the limit is within it.
 * @param options  `quantile`, the order in (0, 1): 0.95 with limitIs "max" allows 5 % of the values above the limit;
 *                 0.05 with limitIs "min" allows 5 % below.
 * @returns `estimate`, `lower`, `upper`: the share of values beyond the limit with its exact binomial bounds, in [0,
 *          1], to be compared with `allowed`.
 * @throws RangeError when values are empty or hold a NaN or infinity, or limit, quantile or an alpha is out of range.
 *
 * Exact for independent values of any distribution: it needs neither a density nor an interpolated quantile. With n
 * values and no exceedance a p95 is proven only from n = 59 on (0.95^59 < 0.05). Not for values that share a unit.
 * Source: Clopper & Pearson (1934), Biometrika 26, 404-413; David & Nagaraja, Order Statistics (2003), 7.1.
 * @example quantileThreshold(Array.from({ length: 59 }, () => 1), 4, { quantile: 0.95 }).holds // true
 */
export function quantileThreshold(
  values: ArrayLike<number>,
  limit: number,
  options: ThresholdOptions & { readonly quantile: number },
): ThresholdFinding & { readonly exceedances: number; readonly allowed: number } {
  requireNumbers("values", values);
  requireFinite("limit", limit);
  requireFraction("options.quantile", options.quantile);
  const { limitIs = "max", quantile } = options;
  let exceedances = 0;
  for (let i = 0; i < values.length; i++) {
    if (limitIs === "max" ? values[i] > limit : values[i] < limit) exceedances++;
  }
  const allowed = limitIs === "max" ? 1 - quantile : quantile;
  const share = { events: exceedances, trials: values.length };
  const finding = proportionThreshold(share, allowed, { ...options, limitIs: "max" });
  return { ...finding, exceedances, allowed };
}

/**
 * Is the probability of an event beyond a limit?
 *
 * @param proportion  events among trials >= 1.
 * @param limit       a probability in [0, 1]; a probability equal to the limit is within it.
 * @returns shares in [0, 1]; bounds and p by the exact binomial law, so neither error is more frequent than its alpha.
 * @throws RangeError when counts are not whole, events exceed trials, or limit or an alpha is out of range.
 * @example proportionThreshold({ events: 9, trials: 60 }, 0.05).breached // true
 */
export function proportionThreshold(
  proportion: Proportion,
  limit: number,
  options: ThresholdOptions = {},
): ThresholdFinding {
  requireProportion("proportion", proportion);
  if (!(limit >= 0 && limit <= 1)) throw new RangeError(`limit is ${limit}, not between 0 and 1`);
  const { events, trials } = proportion;
  // P(X >= events) and P(X <= events) at the limit, by the beta law.
  const high = events === 0 ? 1 : limit === 0 ? 0 : limit === 1 ? 1 : betaCdf(limit, events, trials - events + 1);
  const low = events === trials ? 1 : limit === 0 ? 1 : limit === 1 ? 0 : betaSf(limit, events + 1, trials - events);
  const bound = (confidence: number, alternative: "greater" | "less") =>
    proportionInterval(proportion, { confidence, alternative, method: "clopper-pearson" });
  return finding(events / trials, high, low, bound, options);
}

/**
 * Is the rate of a Poisson count beyond a limit?
 *
 * @param rate   events over a positive exposure.
 * @param limit  events per measurement unit of the exposure, at least 0; a rate equal to the limit is within it.
 * @returns rates; bounds and p by the exact Poisson law.
 * @throws RangeError when events is not a whole number, exposure is not positive, or limit or an alpha is out of range.
 * @example rateThreshold({ events: 0, exposure: 300 }, 0.01).holds // true
 */
export function rateThreshold(rate: Rate, limit: number, options: ThresholdOptions = {}): ThresholdFinding {
  requireRate("rate", rate);
  if (!(limit >= 0 && Number.isFinite(limit))) throw new RangeError(`limit is ${limit}, not a rate of 0 or more`);
  const { events, exposure } = rate;
  const mean = limit * exposure;
  const high = events === 0 ? 1 : mean === 0 ? 0 : gammaCdf(mean, events);
  const low = mean === 0 ? 1 : gammaSf(mean, events + 1);
  const bound = (confidence: number, alternative: "greater" | "less") =>
    rateInterval(rate, { confidence, alternative });
  return finding(events / exposure, high, low, bound, options);
}

/**
 * Is the mean of the values beyond a limit?
 *
 * @param values   n >= 1 finite numbers, one per unit. Not modified.
 * @param limit    in the same measurement unit; a mean equal to the limit is within it.
 * @param options  `range`: the lowest and highest value that can occur, where it is known (a score from 1 to 5).
 * @returns means in the measurement unit of the values; bounds and p by Student's t on n - 1 degrees of freedom after
 *          Hall's transform, which takes out the skewness.
 * @throws RangeError when values are empty, not finite or outside the range, or limit, range or an alpha is out of
 * range.
 *
 * Values that are all equal have no variance to judge by. With a range their mean is bounded by the most that values
 * not yet seen can do: other values have a probability of at most 1 - alpha^(1/n), and lie at the end of the range.
 * Without a range, or with one value, nothing is proven: p = 1, infinite bounds. Very heavy tails still mislead it
 * when values are few: at a lognormal sigma of 1.5 a limit at the mean is called held in 14 % of cases with 30
 * values, 9 % with 300.
 * Source: Hall (1992), J. R. Stat. Soc. B 54, 221-228.
 * @example meanThreshold([4, 5, 4, 5, 4, 5], 3, { limitIs: "min" }).holds // true
 */
export function meanThreshold(
  values: ArrayLike<number>,
  limit: number,
  options: ThresholdOptions & { readonly range?: readonly [lowest: number, highest: number] } = {},
): ThresholdFinding {
  requireNumbers("values", values);
  requireFinite("limit", limit);
  const { range } = options;
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i] / n;
  let squares = 0;
  let cubes = 0;
  let lowest = values[0];
  let highest = values[0];
  for (let i = 0; i < n; i++) {
    const distance = values[i] - mean;
    squares += distance * distance;
    cubes += distance * distance * distance;
    lowest = Math.min(lowest, values[i]);
    highest = Math.max(highest, values[i]);
  }
  if (range !== undefined && !(range[0] <= lowest && highest <= range[1])) {
    throw new RangeError(`values run from ${lowest} to ${highest}, outside the range ${range[0]} to ${range[1]}`);
  }
  if (lowest === highest) return constantThreshold(lowest, n, limit, options);

  const spread = Math.sqrt(squares / (n - 1));
  const error = spread / Math.sqrt(n);
  const skewness = n > 2 ? (cubes * n) / ((n - 1) * (n - 2)) / spread ** 3 / Math.sqrt(n) : 0;
  const t = hallTransform((mean - limit) / error, skewness);
  const bound = (confidence: number, alternative: "greater" | "less") => {
    const critical = studentTQuantileUpper(1 - confidence, n - 1);
    return alternative === "greater"
      ? { lower: mean - hallInverse(critical, skewness) * error, upper: Infinity }
      : { lower: -Infinity, upper: mean - hallInverse(-critical, skewness) * error };
  };
  return finding(mean, studentTSf(t, n - 1), studentTSf(-t, n - 1), bound, options);
}

function constantThreshold(
  value: number,
  n: number,
  limit: number,
  options: ThresholdOptions & { readonly range?: readonly [lowest: number, highest: number] },
): ThresholdFinding {
  const { range } = options;
  // The largest probability of other values that n equal ones leave room for, at level alpha; p is the level at which
  // it just reaches the limit.
  const room = (confidence: number) => -Math.expm1(Math.log1p(-confidence) / n);
  const p = (needed: number) => (needed > 0 ? (1 - Math.min(1, needed)) ** n : 1);
  const bound = (confidence: number, alternative: "greater" | "less") => {
    if (range === undefined || n === 1) return { lower: -Infinity, upper: Infinity };
    return alternative === "greater"
      ? { lower: value - room(confidence) * (value - range[0]), upper: Infinity }
      : { lower: -Infinity, upper: value + room(confidence) * (range[1] - value) };
  };
  const known = range !== undefined && n > 1;
  const high = known ? p((value - limit) / (value - range[0])) : 1;
  const low = known ? p((limit - value) / (range[1] - value)) : 1;
  return finding(value, high, low, bound, options);
}

/** `high` is small when the quantity is proven above the limit, `low` when it is proven below. */
function finding(
  estimate: number,
  high: number,
  low: number,
  bound: (confidence: number, alternative: "greater" | "less") => { readonly lower: number; readonly upper: number },
  options: ThresholdOptions,
): ThresholdFinding {
  const { limitIs = "max", alphaBreached = 0.05, alphaHolds = 0.05 } = options;
  requireFraction("alphaBreached", alphaBreached);
  requireFraction("alphaHolds", alphaHolds);
  const [pBreached, pHolds] = limitIs === "max" ? [high, low] : [low, high];
  const breached = pBreached < alphaBreached;
  return {
    estimate,
    lower: bound(1 - (limitIs === "max" ? alphaBreached : alphaHolds), "greater").lower,
    upper: bound(1 - (limitIs === "max" ? alphaHolds : alphaBreached), "less").upper,
    pBreached,
    pHolds,
    breached,
    // With levels above 1/2 both could be called; a breach goes first.
    holds: !breached && pHolds < alphaHolds,
  };
}
