import { requireFraction } from "./check-input.ts";
import { requireRate, type Rate } from "./counts.ts";
import { gammaQuantile, gammaQuantileUpper } from "./distributions/gamma.ts";
import type { Interval, IntervalOptions } from "./proportion-interval.ts";

/**
 * Between which values does the rate of a Poisson count lie?
 *
 * @param rate  events over a positive exposure; the answer is in events per measurement unit of the exposure.
 * @returns `estimate` = events / exposure; `lower` and `upper`, exact: they cover at least `confidence`; 0 or
 *          Infinity where the alternative leaves a side open. Without events, lower is 0.
 * @throws RangeError when events is not a whole number, exposure is not positive, or confidence is outside (0, 1).
 *
 * Not for bursts: when one cause makes several events the interval is too narrow (dispersion.ts tells).
 * Source: Garwood (1936), Biometrika 28, 437-442.
 * @example rateInterval({ events: 10, exposure: 1 }).upper // 18.3904
 */
export function rateInterval(rate: Rate, options: IntervalOptions = {}): Interval {
  requireRate("rate", rate);
  const { confidence = 0.95, alternative = "two-sided" } = options;
  requireFraction("confidence", confidence);
  const tail = alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence;
  const { events, exposure } = rate;
  return {
    estimate: events / exposure,
    lower: alternative === "less" || events === 0 ? 0 : gammaQuantile(tail, events) / exposure,
    upper: alternative === "greater" ? Infinity : gammaQuantileUpper(tail, events + 1) / exposure,
  };
}
