import { requireFraction, type Alternative } from "./check-input.ts";
import { studentTQuantileUpper, studentTSf } from "./distributions/student-t.ts";
import { findRoot } from "./find-root.ts";
import { pFromTails, type Tails } from "./p-from-tails.ts";
import { rankSummary, type RankSummary } from "./rank-summary.ts";
import { satterthwaite } from "./satterthwaite.ts";
import { sortSample } from "./sort-sample.ts";

export interface SuperiorityOptions {
  /** The superiority under the null hypothesis, in (0, 1). */
  readonly against?: number;
  readonly alternative?: Alternative;
  readonly confidence?: number;
  /** `logit` makes the interval on the scale log(theta / (1 - theta)); the test is the same. */
  readonly scale?: "plain" | "logit";
}

export interface Superiority {
  readonly estimate: number;
  readonly variance: number;
  readonly df: number;
  readonly statistic: number;
  readonly p: number;
  readonly lower: number;
  readonly upper: number;
  /** The data hardly vary, or hardly overlap: the variance is a floor and not an estimate. */
  readonly floored: boolean;
}

/**
 * How likely is a random candidate value to be larger than a random baseline value (equal counts half), and is that
 * different from `against`?
 *
 * @param candidate  n >= 1 finite numbers, any order, any measurement unit; ordinal scores too. Not modified.
 * @param baseline   m >= 1 finite numbers in the same measurement unit.
 * @param options    against (default 1/2), alternative ("greater": superiority is above `against`), confidence (default
 *                   0.95), scale.
 * @returns `estimate` = theta in [0, 1]; `variance` of the estimate, with `df`; `statistic` = (estimate - against) /
 *          sqrt(variance); `p` in (0, 1]; interval in [0, 1] of the values that the test with the same alternative does
 *          not reject.
 * @throws RangeError when a sample is empty or holds a NaN or infinity, or against or confidence is not in (0, 1).
 *
 * The variance is that of the placements, S10 / n + S01 / m, so that unequal spread and ties need no assumption; df
 * after Satterthwaite. It is what decides (Mann-Whitney's p is reported beside it): valid for any pair of laws, where
 * Mann-Whitney assumes equal ones. Where all but a few values of an arm share one place (constants, near constants,
 * full separation), placements say nothing about the values not seen yet: the variance is floored as if FLOOR_EVENTS
 * values lay at the far end, so thirty identical scores do not prove equality, and p is then the smaller of the floored
 * one and of Hoeffding's bound exp(-k KL(estimate, against)), k = min(n, m), exact for any law. No p is below against^k
 * (for "less", (1 - against)^k), which is what full separation proves: Clopper and Pearson's bound for k successes in k
 * trials. The limits keep to the same bounds. Not for paired samples; rows of a unit are not independent
 * (superiority-influence.ts with cluster-robust.ts). Below 5 per arm nothing is proven.
 * Source: Brunner & Munzel (2000), Biometrical Journal 42, 17-25; DeLong, DeLong & Clarke-Pearson (1988), Biometrics
 * 44, 837-845; Hoeffding (1963), JASA 58, 13-30, section 5 (two-sample U statistics).
 * @example superiority([19, 22, 16, 29, 24], [20, 11, 17, 12]).estimate // 0.85
 */
export function superiority(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: SuperiorityOptions = {},
): Superiority {
  return superioritySorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), options);
}

/** The same from samples that `sortSample` returned. */
export function superioritySorted(
  candidate: Float64Array,
  baseline: Float64Array,
  options: SuperiorityOptions = {},
): Superiority {
  return superiorityFromSummary(rankSummary(candidate, baseline), options);
}

/** The same from a summary: shared with other rank statistics, of a deflated candidate, or of histograms. */
export function superiorityFromSummary(summary: RankSummary, options: SuperiorityOptions = {}): Superiority {
  return inferSuperiority(placementVariance(summary), options);
}

/** Theta, the variance of its estimate and the degrees of freedom of that. */
export interface PlacementVariance {
  readonly estimate: number;
  readonly variance: number;
  readonly df: number;
  readonly floored: boolean;
  /** How many independent pairs could be formed: the size of the smaller arm. */
  readonly trials: number;
}

/**
 * The variance by placements, floored where they cannot know it (see `superiority`).
 *
 * @example placementVariance(rankSummary(Float64Array.of(1, 2, 3, 4, 5), Float64Array.of(2, 3, 4, 5, 6))).variance // 0.0328
 */
export function placementVariance(summary: RankSummary): PlacementVariance {
  const { n, m, u } = summary;
  const estimate = u / (n * m);
  const reach = floorReach(estimate);
  const ofCandidate = summary.candidateSquares / Math.max(1, n - 1) / n;
  const ofBaseline = summary.baselineSquares / Math.max(1, m - 1) / m;
  const candidate = flooredVariance(ofCandidate, n, summary.candidateMode, reach);
  const baseline = flooredVariance(ofBaseline, m, summary.baselineMode, reach);
  return {
    estimate,
    variance: candidate + baseline,
    df: satterthwaite([candidate, baseline], [Math.max(1, n - 1), Math.max(1, m - 1)]),
    floored: candidate !== ofCandidate || baseline !== ofBaseline,
    trials: Math.min(n, m),
  };
}

/**
 * How many values at the far end the floor supposes: (log(1 / alpha) / z_alpha)^2 makes a normal bound reach as far as
 * the exact one for no event in n trials, 1 - alpha^(1/n). That is 3.3 at 5 %, 3.9 at 1 %, 5 at 0.1 %.
 */
export const FLOOR_EVENTS = 4;

/**
 * How far from the mean the unseen values of the floor lie: as far as both directions allow, and half the scale under
 * full separation.
 */
export function floorReach(estimate: number): number {
  return estimate === 0 || estimate === 1 ? 0.5 : Math.min(estimate, 1 - estimate);
}

/**
 * The variance that an arm of `size` values brings in, or its floor when fewer than FLOOR_EVENTS values lie outside the
 * commonest place.
 */
export function flooredVariance(variance: number, size: number, mode: number, reach: number): number {
  const elsewhere = size - mode;
  if (variance !== 0 && (elsewhere >= FLOOR_EVENTS || elsewhere >= size / 2)) return variance;
  const floor = FLOOR_EVENTS * (reach / size) ** 2;
  // A floor that only its rounding puts above the variance would make one arm order floored and the other not.
  return floor > variance * (1 + ROUNDING) ? floor : variance;
}

const ROUNDING = 1e-12;

/** Test and interval of a superiority whose variance is known by other means: weights, clusters, steps. */
export function inferSuperiority(placed: PlacementVariance, options: SuperiorityOptions = {}): Superiority {
  const { against = 0.5, alternative = "two-sided", confidence = 0.95, scale = "plain" } = options;
  requireFraction("against", against);
  requireFraction("confidence", confidence);
  const { estimate, variance, df, floored } = placed;
  const statistic = (estimate - against) / Math.sqrt(variance);
  const p = pFromTails(superiorityTails(placed, against), alternative);
  const level = alternative === "two-sided" ? (1 - confidence) / 2 : 1 - confidence;
  const reach = studentTQuantileUpper(level, df) * Math.sqrt(variance);
  const lower = alternative === "less" ? 0 : lowerLimit(placed, level, reach, scale);
  const upper = alternative === "greater" ? 1 : 1 - lowerLimit(mirrored(placed), level, reach, scale);
  return { estimate, variance, df, statistic, p, lower, upper, floored };
}

/** Both one-sided p-values of the test that theta is `against`. */
export function superiorityTails(placed: PlacementVariance, against: number): Tails {
  return { greater: upperTail(placed, against), less: upperTail(mirrored(placed), 1 - against) };
}

function mirrored({ estimate, variance, df, floored, trials }: PlacementVariance): PlacementVariance {
  return { estimate: 1 - estimate, variance, df, floored, trials };
}

/** The p-value against "theta is at most `against`". */
function upperTail(placed: PlacementVariance, against: number): number {
  const { estimate, variance, df, floored, trials } = placed;
  const p = studentTSf((estimate - against) / Math.sqrt(variance), df);
  const separated = against ** trials;
  return Math.max(separated, floored ? Math.min(p, hoeffding(estimate, against, trials)) : p);
}

/** The smallest `against` that `upperTail` does not put below the level. */
function lowerLimit(placed: PlacementVariance, level: number, reach: number, scale: "plain" | "logit"): number {
  const { estimate, floored, trials } = placed;
  const inside = estimate > 0 && estimate < 1;
  const limit =
    scale === "logit" && inside
      ? 1 / (1 + ((1 - estimate) / estimate) * Math.exp(reach / (estimate * (1 - estimate))))
      : estimate - reach;
  const separated = level ** (1 / trials);
  const wide = floored ? Math.max(limit, hoeffdingLimit(estimate, level, trials)) : limit;
  return Math.max(0, Math.min(wide, separated));
}

/** The chance of an estimate this large when theta is `against`, at most: exp(-k KL(estimate, against)). */
function hoeffding(estimate: number, against: number, trials: number): number {
  return estimate <= against ? 1 : Math.exp(-trials * divergence(estimate, against));
}

function hoeffdingLimit(estimate: number, level: number, trials: number): number {
  const allowed = -Math.log(level) / trials;
  if (estimate === 0) return 0;
  if (estimate === 1) return level ** (1 / trials);
  return findRoot((against) => divergence(estimate, against) - allowed, Number.MIN_VALUE, estimate);
}

/** The Kullback-Leibler divergence of two shares. */
function divergence(share: number, from: number): number {
  const yes = share === 0 ? 0 : share * Math.log(share / from);
  const no = share === 1 ? 0 : (1 - share) * Math.log((1 - share) / (1 - from));
  return yes + no;
}
