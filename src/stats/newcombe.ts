import { requireFraction } from "./check-input.ts";
import { requirePairedCounts, requireProportion, type PairedCounts, type Proportion } from "./counts.ts";
import { proportionInterval, type Interval } from "./proportion-interval.ts";

/**
 * Between which values does the difference of two probabilities lie? Newcombe's hybrid score interval, for display.
 *
 * @param candidate  events among trials >= 1.
 * @param baseline   the same for the baseline, independent of the candidate.
 * @returns `estimate` = difference of the shares, candidate - baseline; `lower` and `upper` in [-1, 1], two-sided.
 * @throws RangeError when counts are not whole, events exceed trials, or confidence is outside (0, 1).
 *
 * Closed form, never outside [-1, 1], and close to its nominal coverage on average; decisions use
 * `twoProportionsInterval`, which is the inversion of a test. Source: Newcombe (1998), Stat. Med. 17, 873-890, method
 * 10.
 * @example newcombeInterval({ events: 56, trials: 70 }, { events: 48, trials: 80 }).lower // 0.0524315
 */
export function newcombeInterval(
  candidate: Proportion,
  baseline: Proportion,
  options: { readonly confidence?: number } = {},
): Interval {
  requireProportion("candidate", candidate);
  requireProportion("baseline", baseline);
  return squareAndAdd(proportionInterval(candidate, options), proportionInterval(baseline, options), 0);
}

/**
 * The same for two versions judged on the same items: Newcombe's interval for paired proportions.
 *
 * @param counts  items by what happened to both versions.
 * @returns `estimate` = (candidateOnly - baselineOnly) / items; `lower` and `upper` in [-1, 1], two-sided.
 * @throws RangeError when counts are not whole or all 0, or confidence is outside (0, 1).
 *
 * The correlation of the two outcomes, with a continuity correction when it is positive, narrows the unpaired interval.
 * Source: Newcombe (1998), Stat. Med. 17, 2635-2650, method 10.
 * @example newcombePairedInterval({ both: 36, candidateOnly: 12, baselineOnly: 2, neither: 0 }).lower // 0.0569296
 */
export function newcombePairedInterval(counts: PairedCounts, options: { readonly confidence?: number } = {}): Interval {
  requirePairedCounts("counts", counts);
  const { confidence = 0.95 } = options;
  requireFraction("confidence", confidence);
  const { both, candidateOnly, baselineOnly, neither } = counts;
  const items = both + candidateOnly + baselineOnly + neither;
  const candidate = proportionInterval({ events: both + candidateOnly, trials: items }, { confidence });
  const baseline = proportionInterval({ events: both + baselineOnly, trials: items }, { confidence });
  return squareAndAdd(candidate, baseline, correlation(counts, items));
}

function correlation({ both, candidateOnly, baselineOnly, neither }: PairedCounts, items: number): number {
  const margins =
    Math.sqrt((both + candidateOnly) * (baselineOnly + neither)) *
    Math.sqrt((both + baselineOnly) * (candidateOnly + neither));
  if (margins === 0) return 0;
  const cross = both * neither - candidateOnly * baselineOnly;
  return (cross > 0 ? Math.max(cross - items / 2, 0) : cross) / margins;
}

/**
 * The distances from the two estimates to their bounds, added as standard errors of two estimates with this
 * correlation are.
 */
function squareAndAdd(candidate: Interval, baseline: Interval, correlation: number): Interval {
  const estimate = candidate.estimate - baseline.estimate;
  const down = distance(candidate.estimate - candidate.lower, baseline.upper - baseline.estimate, correlation);
  const up = distance(candidate.upper - candidate.estimate, baseline.estimate - baseline.lower, correlation);
  return { estimate, lower: Math.max(-1, estimate - down), upper: Math.min(1, estimate + up) };
}

function distance(a: number, b: number, correlation: number): number {
  return Math.sqrt(Math.max(0, a * a + b * b - 2 * correlation * a * b));
}
