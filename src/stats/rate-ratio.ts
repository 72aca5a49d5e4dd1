import { requireFraction, requirePositive, type Alternative } from "./check-input.ts";
import { requireRate, type Rate } from "./counts.ts";
import { binomialCdf, binomialPmf, binomialSf } from "./distributions/binomial.ts";
import { pFromTails } from "./p-from-tails.ts";
import { proportionInterval, type Interval, type IntervalOptions } from "./proportion-interval.ts";
import { normalP } from "./two-proportions.ts";

export interface RateRatioOptions {
  /**
   * "exact" (default): given the total, the candidate's events are binomial; never more false alarms than stated.
   * "mid-p" counts the observed outcome half and keeps the level on average. "score": the normal approximation, whose
   * interval is Wilson's.
   */
  readonly method?: "exact" | "mid-p" | "score";
}

/**
 * Is the ratio of two Poisson rates, candidate / baseline, something else than `nullRatio`?
 *
 * @param candidate  events over a positive exposure, for example timeouts over requests or over seconds.
 * @param baseline   the same for the baseline, in the same measurement unit of exposure.
 * @returns `estimate` = ratio of the rates in [0, Infinity], 1 when neither arm has an event; `p` in (0, 1]. Without
 *          events p = 1.
 * @throws RangeError when events are not whole, an exposure or nullRatio is not positive.
 *
 * Conditional on the total, the common level of the rates cancels, whatever it does over time, as long as both
 * exposures rise and fall together. Two-sided p is twice the smaller tail. Not for bursts (dispersion.ts).
 * Source: Przyborowski & Wilenski (1940), Biometrika 31, 313-323.
 * @example rateRatioTest({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }, { alternative: "greater" }).p // 0.00968296
 */
export function rateRatioTest(
  candidate: Rate,
  baseline: Rate,
  options: RateRatioOptions & { readonly nullRatio?: number; readonly alternative?: Alternative } = {},
): { readonly p: number; readonly estimate: number } {
  requireRate("candidate", candidate);
  requireRate("baseline", baseline);
  const { nullRatio = 1, alternative = "two-sided", method = "exact" } = options;
  requirePositive("nullRatio", nullRatio);
  const estimate = rateRatio(candidate, baseline);
  const x = candidate.events;
  const total = x + baseline.events;
  if (total === 0) return { p: 1, estimate };

  const odds = (nullRatio * candidate.exposure) / baseline.exposure;
  // The arm with the smaller share is counted: a share near 1 would lose the digits of what is left.
  const mirrored = odds > 1;
  const share = mirrored ? 1 / (1 + odds) : odds / (1 + odds);
  const events = mirrored ? baseline.events : x;
  if (method === "score") {
    const variance = total * share * (1 - share);
    const statistic = (events - total * share) / Math.sqrt(variance);
    return { p: normalP(mirrored ? -statistic : statistic, variance, alternative), estimate };
  }
  const spared = method === "mid-p" ? binomialPmf(events, total, share) / 2 : 0;
  const above = (events === 0 ? 1 : binomialSf(events - 1, total, share)) - spared;
  const below = binomialCdf(events, total, share) - spared;
  const tails = mirrored ? { greater: below, less: above } : { greater: above, less: below };
  return { p: pFromTails(tails, alternative), estimate };
}

/**
 * Between which values does the ratio of two Poisson rates lie? The inversion of `rateRatioTest`.
 *
 * @param options  `method`: "exact" (default) covers at least `confidence`; "score" covers it on average.
 * @returns `estimate`; `lower` and `upper` in [0, Infinity]; without any event 0 and Infinity.
 * @throws RangeError as `rateRatioTest`, and when confidence is outside (0, 1).
 * @example rateRatioInterval({ events: 11, exposure: 800 }, { events: 3, exposure: 1011 }).lower // 1.22407
 */
export function rateRatioInterval(
  candidate: Rate,
  baseline: Rate,
  options: IntervalOptions & { readonly method?: "exact" | "score" } = {},
): Interval {
  requireRate("candidate", candidate);
  requireRate("baseline", baseline);
  const { confidence = 0.95, alternative = "two-sided", method = "exact" } = options;
  requireFraction("confidence", confidence);
  const estimate = rateRatio(candidate, baseline);
  const trials = candidate.events + baseline.events;
  if (trials === 0) return { estimate, lower: 0, upper: Infinity };

  const share = { confidence, alternative, method: method === "exact" ? "clopper-pearson" : "wilson" } as const;
  const ofCandidate = proportionInterval({ events: candidate.events, trials }, share);
  // The baseline's share is what is left; asked for by itself so that shares near 1 keep their digits.
  const mirrored = alternative === "two-sided" ? alternative : alternative === "greater" ? "less" : "greater";
  const ofBaseline = proportionInterval({ events: baseline.events, trials }, { ...share, alternative: mirrored });
  const scale = baseline.exposure / candidate.exposure;
  return {
    estimate,
    lower: (ofCandidate.lower / ofBaseline.upper) * scale,
    upper: ofBaseline.lower === 0 ? Infinity : (ofCandidate.upper / ofBaseline.lower) * scale,
  };
}

function rateRatio(candidate: Rate, baseline: Rate): number {
  if (candidate.events === 0 && baseline.events === 0) return 1;
  return candidate.events / candidate.exposure / (baseline.events / baseline.exposure);
}
