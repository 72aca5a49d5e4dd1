/**
 * Exact monitoring of event rates: errors, timeouts, refusals, at every look and under any traffic ramp.
 *
 * Given the events of an interval in both arms, those of the candidate are binomial with share r e^d / (1 + r e^d), where r is the
 * ratio of the exposures in that interval and d the log ratio of the rates; the common rate cancels, whatever it does over
 * time (Lindon & Malek 2022). The log likelihood of d after all intervals is d X - A(d) + const with X the candidate's events
 * and A(d) = sum of N_t log(1 + r_t e^d). A is analytic within pi of the real axis, so its values at 64 Chebyshev points hold it
 * to the last bits for any d in [-5, 5]: that is the whole state, whatever the null, direction or number of intervals.
 */
import {
  requireCount,
  requireFraction,
  requireNonNegative,
  requireNumbers,
  requirePositive,
  requireSameLength,
} from "./check-input.ts";
import { logBetaSf } from "./distributions/beta.ts";
import { logBeta } from "./distributions/log-gamma.ts";
import { findRoot } from "./find-root.ts";

/** Events and exposure of one arm, interval by interval. */
export interface CountColumns {
  readonly events: ArrayLike<number>;
  /** Requests, seconds, tokens: >= 0, in the same measurement unit in both arms. */
  readonly exposure: ArrayLike<number>;
}

/** What the intervals so far say about the ratio of the rates: plain numbers, 1.3 kB as JSON. */
export interface CountsState {
  readonly candidateEvents: number;
  readonly baselineEvents: number;
  /** A(d) at the Chebyshev points. */
  readonly potential: readonly number[];
}

/** Which ratios are to be detected, in the harmful ("greater") or safe ("less") direction. */
export interface CountsOptions {
  /** The ratio that is tested: rates whose ratio is at most ("greater") or at least ("less") this. Default 1; in [1/12, 12]. */
  readonly nullRatio?: number;
  /** "greater": the candidate's rate is larger. */
  readonly alternative: "greater" | "less";
  /**
   * Log ratios beyond the null that the mixture looks for, equally weighted; the same at all looks. Default 32 from 2 %
   * to twelvefold. Positive, and none farther than 5 from a log ratio of 0.
   */
  readonly effects?: readonly number[];
}

const POINTS = 64;
const REACH = 5;
/** Chebyshev points of the second kind on [-REACH, REACH], and their barycentric weights. */
const points = Float64Array.from({ length: POINTS }, (_, i) => REACH * Math.cos((Math.PI * i) / (POINTS - 1)));
const weights = points.map((_, i) => (i % 2 === 0 ? 1 : -1) * (i === 0 || i === POINTS - 1 ? 0.5 : 1));

const odds = points.map((d) => Math.exp(d));

/**
 * Log ratios beyond the null that the mixture looks for, equally weighted: from 2 % to twelvefold, evenly on the log scale,
 * because a million events can show 2 % and ten events only a multiple.
 */
const EFFECTS = Array.from({ length: 32 }, (_, i) => 0.02 * 125 ** (i / 31));
/** Nulls farther than this from 1 leave no room for the alternatives within REACH. */
const LARGEST_NULL = 2.5;

/** The state before the first interval. */
export function startCounts(): CountsState {
  return { candidateEvents: 0, baselineEvents: 0, potential: Array.from({ length: POINTS }, () => 0) };
}

/**
 * Takes in new intervals.
 *
 * @param state      from `startCounts` or the last update. Not modified.
 * @param candidate  events and exposure per interval; the same intervals as the baseline.
 * @throws RangeError when lengths differ, events are not whole or stand without exposure, an exposure is negative.
 *
 * An interval in which an arm has no exposure says nothing about the ratio and is skipped.
 */
export function addCounts(state: CountsState, candidate: CountColumns, baseline: CountColumns): CountsState {
  requireColumns("candidate", candidate);
  requireColumns("baseline", baseline);
  requireSameLength("candidate.events", candidate.events, "baseline.events", baseline.events);
  const potential = Float64Array.from(state.potential);
  let { candidateEvents, baselineEvents } = state;
  for (let t = 0; t < candidate.events.length; t++) {
    const ratio = candidate.exposure[t] / baseline.exposure[t];
    const events = candidate.events[t] + baseline.events[t];
    if (!(ratio > 0 && ratio < Infinity) || events === 0) continue;
    candidateEvents += candidate.events[t];
    baselineEvents += baseline.events[t];
    for (let i = 0; i < POINTS; i++) potential[i] += events * Math.log1p(ratio * odds[i]);
  }
  return { candidateEvents, baselineEvents, potential: Array.from(potential) };
}

/**
 * How strongly do the counts so far speak against a ratio of rates, valid at every look?
 *
 * @param options  null ratio and direction. "greater" with nullRatio 1 tests for harm, "less" with nullRatio 1 + margin for safety.
 * @returns log of the e-value: reject at level alpha when it reaches log(1 / alpha) at any look. 0 without events.
 * @throws RangeError when nullRatio is outside [1/12, 12], or an effect is not positive or too large.
 *
 * Exact for Poisson counts at any common rate, ramp and stopping time; the e-value is a mean of likelihood ratios, each a martingale at
 * the null and a supermartingale beyond it. For yes-or-no outcomes exact at nullRatio 1 (less variable than binomial, so
 * conservative); at other ratios the more so the rarer the events. For ratios only: not for a margin in percentage points. Not for
 * bursts (dispersion.ts): cluster those by minute or user.
 * Source: Lindon & Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS 35.
 * @example countsLogE(addCounts(startCounts(), { events: [12], exposure: [100] }, { events: [2], exposure: [100] }), { alternative: "greater" }) // 2.51194
 */
export function countsLogE(
  state: CountsState,
  { nullRatio = 1, alternative, effects = EFFECTS }: CountsOptions,
): number {
  requirePositive("nullRatio", nullRatio);
  const d0 = Math.log(nullRatio);
  if (Math.abs(d0) > LARGEST_NULL) throw new RangeError(`nullRatio is ${nullRatio}, not in [1/12, 12]`);
  const side = alternative === "greater" ? 1 : -1;
  requireNumbers("effects", effects);
  effects.forEach((effect, j) => {
    requirePositive(`effects[${j}]`, effect);
    if (Math.abs(d0 + side * effect) > REACH)
      throw new RangeError(`effects[${j}] is ${effect}, beyond a log ratio of 5`);
  });
  return logMixture(state, d0, side, effects);
}

/**
 * Between which values does the ratio of the rates lie, at all looks at once?
 *
 * @param options  `confidence` default 0.95, split evenly over both sides.
 * @returns `estimate` = maximum-likelihood ratio (1 without events); `lower` and `upper` in [0, Infinity]: the null ratios that
 *          `countsLogE` does not reject. Beyond 1/12 and 12 it does not look: 0 and Infinity stand for that.
 * @throws RangeError when confidence is outside (0, 1).
 * @example countsInterval(addCounts(startCounts(), { events: [12], exposure: [100] }, { events: [2], exposure: [100] })).estimate // 6.0000
 */
export function countsInterval(
  state: CountsState,
  { confidence = 0.95 }: { readonly confidence?: number } = {},
): { readonly estimate: number; readonly lower: number; readonly upper: number } {
  requireFraction("confidence", confidence);
  const threshold = Math.log(2 / (1 - confidence));
  return {
    estimate: ratioEstimate(state),
    lower: boundOf(state, threshold, 1),
    upper: boundOf(state, threshold, -1),
  };
}

/**
 * The same e-value when the ratio of exposures is constant, from totals alone, with a beta mixture over the candidate's share.
 *
 * @param candidateEvents  events of the candidate so far.
 * @param baselineEvents   events of the baseline so far.
 * @param options  `nullShare`: the candidate's share of events under the null, exposure share times ratio, in (0, 1). `a`, `b`: shapes of
 *                 the mixture, default 1/2. `alternative`: "two-sided" (default) mixes over all shares, "greater" and "less" only
 *                 over those beyond the null.
 * @returns log of the e-value.
 * @throws RangeError when counts are not whole, or a share or shape is out of range.
 *
 * Source: Robbins (1970); Lindon & Malek (2022). @example betaMixtureLogE(30, 12, { nullShare: 0.5 }) // 1.88339
 */
export function betaMixtureLogE(
  candidateEvents: number,
  baselineEvents: number,
  options: {
    readonly nullShare: number;
    readonly a?: number;
    readonly b?: number;
    readonly alternative?: "two-sided" | "greater" | "less";
  },
): number {
  const { nullShare, a = 0.5, b = 0.5, alternative = "two-sided" } = options;
  requireCount("candidateEvents", candidateEvents);
  requireCount("baselineEvents", baselineEvents);
  requireFraction("nullShare", nullShare);
  requirePositive("a", a);
  requirePositive("b", b);
  // By symmetry "less" is "greater" for the share of the baseline.
  if (alternative === "less") {
    return betaMixtureLogE(baselineEvents, candidateEvents, {
      nullShare: 1 - nullShare,
      a: b,
      b: a,
      alternative: "greater",
    });
  }
  const after = a + candidateEvents;
  const rest = b + baselineEvents;
  const whole =
    logBeta(after, rest) -
    logBeta(a, b) -
    candidateEvents * Math.log(nullShare) -
    baselineEvents * Math.log1p(-nullShare);
  return alternative === "two-sided" ? whole : whole + logBetaSf(nullShare, after, rest) - logBetaSf(nullShare, a, b);
}

/** log of the mean over effects of the likelihood ratio of d0 + side * effect to d0. */
function logMixture(state: CountsState, d0: number, side: 1 | -1, effects: readonly number[]): number {
  const base = potentialAt(state.potential, d0);
  let top = -Infinity;
  const terms = effects.map((effect) => {
    const term = side * effect * state.candidateEvents - (potentialAt(state.potential, d0 + side * effect) - base);
    top = Math.max(top, term);
    return term;
  });
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0) / terms.length);
}

/** A(d) by barycentric interpolation. */
function potentialAt(potential: readonly number[], d: number): number {
  let numerator = 0;
  let denominator = 0;
  for (let i = 0; i < POINTS; i++) {
    const distance = d - points[i];
    if (distance === 0) return potential[i];
    const weight = weights[i] / distance;
    numerator += weight * potential[i];
    denominator += weight;
  }
  return numerator / denominator;
}

/** The e-value falls in d0 for "greater" and rises for "less", because A is convex: one change of sign. */
function boundOf(state: CountsState, threshold: number, side: 1 | -1): number {
  const excess = (d0: number): number => logMixture(state, d0, side, EFFECTS) - threshold;
  // The least favourable end for a rejection: nothing is rejected, so there is no bound.
  if (excess(-side * LARGEST_NULL) < 0) return side === 1 ? 0 : Infinity;
  if (excess(side * LARGEST_NULL) >= 0) return Math.exp(side * LARGEST_NULL);
  return Math.exp(findRoot(excess, -LARGEST_NULL, LARGEST_NULL, 1e-10));
}

/** Where the slope of A equals the candidate's events. */
function ratioEstimate({ candidateEvents, baselineEvents, potential }: CountsState): number {
  if (candidateEvents + baselineEvents === 0) return 1;
  if (candidateEvents === 0) return 0;
  if (baselineEvents === 0) return Infinity;
  const h = 1e-4;
  const slope = (d: number): number => (potentialAt(potential, d + h) - potentialAt(potential, d - h)) / (2 * h);
  const low = -REACH + 0.1;
  const high = REACH - 0.1;
  if (slope(low) >= candidateEvents) return Math.exp(low);
  if (slope(high) <= candidateEvents) return Math.exp(high);
  return Math.exp(findRoot((d) => slope(d) - candidateEvents, low, high, 1e-10));
}

function requireColumns(name: string, { events, exposure }: CountColumns): void {
  requireSameLength(`${name}.events`, events, `${name}.exposure`, exposure);
  for (let t = 0; t < events.length; t++) {
    requireCount(`${name}.events[${t}]`, events[t]);
    requireNonNegative(`${name}.exposure[${t}]`, exposure[t]);
    if (events[t] > 0 && exposure[t] === 0)
      throw new RangeError(`${name}.events[${t}] is ${events[t]} without exposure`);
  }
}
