import { requireCounts, requireNumbers, requireSameLength } from "./check-input.ts";
import { chiSquareSf } from "./distributions/chi-square.ts";

/** The rounding error of the variance, per step, from which on it is not trusted. */
const LOST_DIGITS = 1e-4;

/**
 * Pearson's test of over-dispersion: do the events of successive steps vary more than chance would let them?
 *
 * @param events    events per step, whole numbers, at least 2 steps.
 * @param exposure  exposure per step, positive; for `law: "binomial"` the trials per step, whole numbers >= events.
 * @param options   `law`: "poisson" (default) for events over time, tokens or many rare trials; "binomial" where a
 *                  step has few trials.
 * @returns `statistic` = sum of (events - expected)^2 / (expected (1 - share)), share 0 for "poisson"; `df` = steps -
 *          1; `dispersion` = statistic / df, about 1 under the law; `p`, upper tail, in (0, 1].
 * @throws RangeError when lengths differ, a count is not whole, or an exposure is not positive or below its events.
 *
 * Given the total, the mean and the variance of the statistic are known exactly; p is the tail of the scaled
 * chi-square with these two moments, which holds when most steps have no event at all, where the plain chi-square
 * does not. No event, or nothing but events: dispersion 1, p = 1. A dispersion above 2 says that events come in
 * bursts: take the step or the user as the unit (cluster-robust.ts).
 * Source: Fisher (1950), Biometrics 6, 17-24; moments: Haldane (1937), Biometrika 29, 133-143, for the binomial law
 * from factorial moments.
 * @example dispersion([3, 1, 4, 1, 5, 9, 2, 6], [1, 1, 1, 1, 1, 1, 1, 1]).dispersion // 1.94931
 */
export function dispersion(
  events: ArrayLike<number>,
  exposure: ArrayLike<number>,
  options: { readonly law?: "poisson" | "binomial" } = {},
): { readonly statistic: number; readonly df: number; readonly dispersion: number; readonly p: number } {
  requireCounts("events", events, 2);
  requireNumbers("exposure", exposure, 2);
  requireSameLength("events", events, "exposure", exposure);
  const { law = "poisson" } = options;
  const steps = events.length;
  let total = 0;
  let trials = 0;
  for (let i = 0; i < steps; i++) {
    if (!(exposure[i] > 0)) throw new RangeError(`exposure[${i}] is ${exposure[i]}, not a positive number`);
    if (law === "binomial") {
      if (!Number.isSafeInteger(exposure[i]))
        throw new RangeError(`exposure[${i}] is ${exposure[i]}, not a whole number`);
      if (exposure[i] < events[i]) {
        throw new RangeError(`exposure[${i}] is ${exposure[i]}, less than its ${events[i]} events`);
      }
    }
    total += events[i];
    trials += exposure[i];
  }
  const df = steps - 1;
  if (total === 0 || (law === "binomial" && total === trials)) return { statistic: df, df, dispersion: 1, p: 1 };

  const share = total / trials;
  const left = law === "binomial" ? 1 - share : 1;
  let statistic = 0;
  for (let i = 0; i < steps; i++) {
    const expected = exposure[i] * share;
    statistic += (events[i] - expected) ** 2 / (expected * left);
  }
  const { mean, variance } =
    law === "binomial" ? binomialMoments(exposure, total, trials) : poissonMoments(exposure, total, trials);
  if (!(variance > 0)) return { statistic, df, dispersion: statistic / df, p: 1 };
  // A chi-square with 2 mean^2 / variance degrees of freedom, times variance / (2 mean), has this mean and variance.
  const p = chiSquareSf((2 * mean * statistic) / variance, (2 * mean * mean) / variance);
  return { statistic, df, dispersion: statistic / df, p: Math.min(1, p) };
}

/** Mean and variance of the statistic when the events are thrown into the steps in proportion to their exposure. */
function poissonMoments(exposure: ArrayLike<number>, total: number, sum: number) {
  const steps = exposure.length;
  let reciprocals = 0;
  for (let i = 0; i < steps; i++) reciprocals += sum / exposure[i];
  return { mean: steps - 1, variance: 2 * (steps - 1) + (reciprocals - steps * steps - 2 * steps + 2) / total };
}

/**
 * The same when the events are drawn among the trials without replacement. The statistic is a multiple of sum x^2/n,
 * less a constant; its moments follow from the factorial moments of the multivariate hypergeometric law, E[x^(r)
 * y^(s)] = n^(r) m^(s) E^(r+s) / N^(r+s).
 */
function binomialMoments(trials: ArrayLike<number>, total: number, sum: number) {
  const steps = trials.length;
  const f1 = total / sum;
  const f2 = (f1 * (total - 1)) / (sum - 1);
  const f3 = sum > 2 ? (f2 * (total - 2)) / (sum - 2) : 0;
  const f4 = sum > 3 ? (f3 * (total - 3)) / (sum - 3) : 0;
  // With x^2 = x^(2) + x, and x^4 = x^(4) + 6 x^(3) + 7 x^(2) + x; per step n: x^2/n has mean f2 (n - 1) + f1.
  let fourth = 0;
  let lessOne = 0;
  let lessOneSquared = 0;
  for (let i = 0; i < steps; i++) {
    const n = trials[i];
    const d = n - 1;
    fourth += (f4 * d * (n - 2) * (n - 3) + 6 * f3 * d * (n - 2) + 7 * f2 * d + f1) / n;
    lessOne += d;
    lessOneSquared += d * d;
  }
  const pairs = steps * (steps - 1);
  const dd = lessOne * lessOne - lessOneSquared;
  const cross = f4 * dd + 2 * f3 * (steps - 1) * lessOne + f2 * pairs;
  const first = f2 * lessOne + f1 * steps;
  const mean = ((steps - 1) * sum) / (sum - 1);
  const scale = 1 / (f1 * (1 - f1));
  const variance = scale * scale * (fourth + cross - first * first);
  // With very many events the subtraction keeps no digits, and the variance is that of the chi-square.
  const lost = scale * scale * Number.EPSILON * first * first;
  return { mean, variance: lost < LOST_DIGITS * steps ? variance : 2 * (steps - 1) };
}
