import { requireCount, requireFraction, type Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { betaQuantile, betaQuantileUpper } from "./distributions/beta.ts";
import { normalQuantileUpper } from "./distributions/normal.ts";

/** An estimate with the bounds of its interval. */
export interface Interval {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

export interface IntervalOptions {
  readonly confidence?: number;
  /** "greater" asks for a lower bound only, "less" for an upper bound only, each at the full confidence. */
  readonly alternative?: Alternative;
}

/**
 * Between which values does the probability of an event lie?
 *
 * @param proportion  events among trials >= 1.
 * @param options     `method`: "wilson" (default) is right on average over probabilities and good for display;
 *                    "clopper-pearson" covers at least `confidence` whatever the probability, and is the one to
 *                    decide by.
 * @returns `estimate` = events / trials; `lower` and `upper` in [0, 1], 0 or 1 where the alternative leaves a side
 *          open.
 * @throws RangeError when counts are not whole, events exceed trials, or confidence is outside (0, 1).
 *
 * One-sided Clopper-Pearson bounds are the exact binomial test turned round: the lower bound is at most p0 exactly when
 * P(X >= events | p0) >= 1 - confidence. Not for trials that share a user or a session: see cluster-robust.ts.
 * Source: Wilson (1927), JASA 22, 209-212; Clopper & Pearson (1934), Biometrika 26, 404-413.
 * @example proportionInterval({ events: 10, trials: 100 }).upper // 0.174366
 */
export function proportionInterval(
  proportion: Proportion,
  options: IntervalOptions & { readonly method?: "wilson" | "clopper-pearson" } = {},
): Interval {
  requireProportion("proportion", proportion);
  const { confidence = 0.95, alternative = "two-sided", method = "wilson" } = options;
  requireFraction("confidence", confidence);
  const { events, trials } = proportion;
  const tail = alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence;
  const bounds = method === "wilson" ? wilson(events, trials, tail) : clopperPearson(events, trials, tail);
  return {
    estimate: events / trials,
    lower: alternative === "less" ? 0 : bounds.lower,
    upper: alternative === "greater" ? 1 : bounds.upper,
  };
}

/**
 * How likely can an event still be that was not seen in `trials` trials?
 *
 * @returns the upper bound 1 - (1 - confidence)^(1/trials), in (0, 1): the "rule of three" without its approximation.
 * @throws RangeError when trials is not a whole number of at least 1, or confidence is outside (0, 1).
 * @example zeroEventBound(100) // 0.029513
 */
export function zeroEventBound(trials: number, confidence = 0.95): number {
  requireCount("trials", trials, 1);
  requireFraction("confidence", confidence);
  return -Math.expm1(Math.log1p(-confidence) / trials);
}

/**
 * The two roots of (n + z^2) p^2 - (2x + z^2) p + x^2/n = 0; the smaller from the product of the roots, so that it
 * keeps its digits.
 */
function wilson(x: number, n: number, tail: number) {
  const z = normalQuantileUpper(tail);
  const sum = x + (z * z) / 2;
  const root = Math.abs(z) * Math.sqrt((x * (n - x)) / n + (z * z) / 4);
  const small = x === 0 ? 0 : (x * x) / n / (sum + root);
  const large = Math.min(1, (sum + root) / (n + z * z));
  // Below 50 % confidence the "lower" bound is the larger root.
  return z >= 0 ? { lower: small, upper: large } : { lower: large, upper: small };
}

function clopperPearson(x: number, n: number, tail: number) {
  return {
    lower: x === 0 ? 0 : betaQuantile(tail, x, n - x + 1),
    upper: x === n ? 1 : betaQuantileUpper(tail, x + 1, n - x),
  };
}
