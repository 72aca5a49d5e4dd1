import type { Alternative } from "./check-input.ts";
import { requireProportion, type Proportion } from "./counts.ts";
import { hypergeometricCdf, hypergeometricPmf, hypergeometricSf } from "./distributions/hypergeometric.ts";

/**
 * Tables whose probabilities differ by less than this are equally likely; R's fisher.test uses the same slack for
 * rounding.
 */
const EQUAL_SLACK = 1e-7;

/**
 * Fisher's exact test: do candidate and baseline have the same probability of an event, given the total number of
 * events?
 *
 * @param candidate  events among trials >= 1, whole numbers.
 * @param baseline   the same for the baseline.
 * @returns `p` in (0, 1]; `oddsRatio`, the sample odds ratio of the candidate against the baseline in [0, Infinity],
 *          1 when it is 0/0.
 * @throws RangeError when a count is not a whole number, or there are more events than trials.
 *
 * Exact for all sizes, and conservative: its true size is often half the nominal one with small counts, where
 * Boschloo's test has more power at the same guarantee. Two-sided: all tables no more likely than the observed one
 * (the rule of R and scipy). `midP` counts the observed table half: no longer a guarantee, but on average at its level,
 * for tables too large for Boschloo's test (Lancaster 1961, JASA 56, 223-234). Not for repeated looks, for paired items, or where one user brings several trials.
 * Source: Fisher (1935), J. R. Stat. Soc. 98, 39-54.
 * @example fisherExact({ events: 8, trials: 10 }, { events: 1, trials: 6 }).p // 0.034965
 */
export function fisherExact(
  candidate: Proportion,
  baseline: Proportion,
  options: { readonly alternative?: Alternative; readonly midP?: boolean } = {},
): { readonly p: number; readonly oddsRatio: number } {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  const { alternative = "two-sided", midP = false } = options;
  const x = candidate.events;
  const population = candidate.trials + baseline.trials;
  const successes = x + baseline.events;
  const draws = candidate.trials;

  const cross = x * (baseline.trials - baseline.events);
  const otherCross = baseline.events * (candidate.trials - x);
  const oddsRatio = cross === 0 && otherCross === 0 ? 1 : cross / otherCross;

  const p =
    alternative === "greater"
      ? hypergeometricSf(x - 1, population, successes, draws)
      : alternative === "less"
        ? hypergeometricCdf(x, population, successes, draws)
        : twoSided(x, population, successes, draws);
  const half = midP ? hypergeometricPmf(x, population, successes, draws) / 2 : 0;
  return { p: Math.min(1, Math.max(Number.MIN_VALUE, p - half)), oddsRatio };
}

/**
 * The tail of x, and from the other side of the mode every table no more likely than x. The probabilities fall away
 * from the mode.
 */
function twoSided(x: number, population: number, successes: number, draws: number): number {
  const lowest = Math.max(0, draws + successes - population);
  const highest = Math.min(draws, successes);
  const mode = Math.floor(((draws + 1) * (successes + 1)) / (population + 2));
  const limit = hypergeometricPmf(x, population, successes, draws) * (1 + EQUAL_SLACK);
  const unlikely = (k: number) => hypergeometricPmf(k, population, successes, draws) <= limit;

  if (unlikely(mode)) return 1;
  if (x < mode) {
    const right = firstTrue(mode, highest + 1, (k) => k > highest || unlikely(k));
    const tail = right > highest ? 0 : hypergeometricSf(right - 1, population, successes, draws);
    return hypergeometricCdf(x, population, successes, draws) + tail;
  }
  const left = mode - firstTrue(0, mode - lowest + 1, (d) => d > mode - lowest || unlikely(mode - d));
  const tail = left < lowest ? 0 : hypergeometricCdf(left, population, successes, draws);
  return hypergeometricSf(x - 1, population, successes, draws) + tail;
}

/** The smallest whole number in [low, high] where a condition holds that, once true, stays true; true at `high`. */
function firstTrue(low: number, high: number, holds: (k: number) => boolean): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
