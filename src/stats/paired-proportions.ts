import { requirePositive, type Alternative } from "./check-input.ts";
import { requirePairedCounts, type PairedCounts } from "./counts.ts";
import { betaQuantileUpper } from "./distributions/beta.ts";
import { binomialPmf, binomialSf } from "./distributions/binomial.ts";
import { normalSf } from "./distributions/normal.ts";

/** The border of the null hypothesis: a difference or a ratio of the candidate's probability to the baseline's. */
export type PairedBorder = { readonly difference: number } | { readonly ratio: number };

export interface PairedProportions {
  readonly p: number;
  /** Standard normal on the border, positive when the candidate lies above it; 0 when nothing varies. */
  readonly statistic: number;
  /** Items on which only one of the two had the event, as the border lets expect them. */
  readonly expectedDiscordant: number;
  readonly method: "exact" | "asymptotic";
}

/** With as many discordant items, observed and expected, the score test keeps its level (docs/statistics/counts.md). */
const MANY_DISCORDANT = 30;
/** The exact test leaves out nuisance values that the data exclude with this error, and adds it to p. */
const NUISANCE_ERROR = 1e-5;
/** Nuisance values that are tried, even on the scale on which standard errors are equally wide. */
const NUISANCE_STEPS = 48;
/** Counts less probable than this add nothing. */
const NEGLIGIBLE = 1e-12;
/** Statistics that differ by less are equally extreme. */
const EQUAL_SLACK = 1e-9;

/**
 * On the same items, does the candidate have an event more often (or less) than the baseline plus a difference, or times a ratio?
 *
 * @param counts       items by what happened to both versions.
 * @param border       `{ difference }` in (-1, 1), or `{ ratio }` > 0. McNemar's test (mcnemar.ts) is the exact one for no difference.
 * @param alternative  "less": p is small when the candidate is proven below the border; "greater": above.
 * @param method       "auto": for a difference with fewer than MANY_DISCORDANT discordant items the exact unconditional test, else the score test.
 *                     A ratio has the score test only: with fewer than five expected events in an arm it errs.
 * @returns `p` in [0, 1]; the score `statistic`; `expectedDiscordant`; the method.
 * @throws RangeError when counts are not whole or all 0, or the border is out of range.
 *
 * The exact p is the largest probability, over the unknown share of items on which only the baseline has the event, of a table as extreme by the score statistic.
 * Without an event a ratio teaches nothing: p = 1. Not for items of one family that stand or fall together.
 * Source: Tango (1998), Stat. Med. 17, 891-908; exact: Hsueh, Liu & Chen (2001), Biometrics 57, 478-483, with the nuisance interval of Berger & Boos (1994),
 * JASA 89, 1012-1016; ratio: Nam & Blackwelder (2002), Stat. Med. 21, 689-699.
 * @example pairedProportionsTest({ both: 20, candidateOnly: 12, baselineOnly: 9, neither: 259 }, { difference: 0.05 }, "less").p // 0.00951693
 */
export function pairedProportionsTest(
  counts: PairedCounts,
  border: PairedBorder,
  alternative: Exclude<Alternative, "two-sided">,
  method: "auto" | "exact" | "asymptotic" = "auto",
): PairedProportions {
  requirePairedCounts("counts", counts);
  if ("ratio" in border) {
    requirePositive("border.ratio", border.ratio);
    const score = ratioScore(counts, border.ratio);
    const { statistic, expectedDiscordant } = score;
    return { p: tailOf(score, alternative), statistic, expectedDiscordant, method: "asymptotic" };
  }
  const { difference } = border;
  if (!(difference > -1 && difference < 1))
    throw new RangeError(`border.difference is ${difference}, not strictly between -1 and 1`);
  const { candidateOnly, baselineOnly } = counts;
  const items = counts.both + candidateOnly + baselineOnly + counts.neither;
  const score = differenceScore(candidateOnly, baselineOnly, items, difference);
  const { statistic, expectedDiscordant } = score;
  const few = Math.min(candidateOnly + baselineOnly, expectedDiscordant) < MANY_DISCORDANT;
  if (method === "asymptotic" || (method === "auto" && !few))
    return { p: tailOf(score, alternative), statistic, expectedDiscordant, method: "asymptotic" };
  // Above the border is below the mirrored one with the arms exchanged.
  const p =
    alternative === "less"
      ? exactLess(candidateOnly, baselineOnly, items, difference)
      : exactLess(baselineOnly, candidateOnly, items, -difference);
  return { p, statistic, expectedDiscordant, method: "exact" };
}

/** Where nothing varies there is nothing to weigh, and p is 1. */
function tailOf({ statistic, varies }: Score, alternative: "less" | "greater"): number {
  return varies ? normalSf(alternative === "greater" ? statistic : -statistic) : 1;
}

interface Score {
  readonly statistic: number;
  readonly varies: boolean;
  readonly expectedDiscordant: number;
}

function toScore(distance: number, variance: number, expectedDiscordant: number): Score {
  const varies = variance > 0;
  return { statistic: varies ? distance / Math.sqrt(variance) : 0, varies, expectedDiscordant };
}

/** The most likely share of baseline-only items, when candidate-only ones are `difference` more, solves a quadratic equation. */
function differenceScore(candidateOnly: number, baselineOnly: number, items: number, difference: number): Score {
  const half = ((2 * items - candidateOnly + baselineOnly) * difference - candidateOnly - baselineOnly) / 2;
  const product = 2 * items * baselineOnly * difference * (1 - difference);
  const root = Math.sqrt(Math.max(0, half * half + product));
  const share = Math.max(0, -difference, (root - half) / (2 * items));
  const variance = items * (2 * share + difference * (1 - difference));
  const distance = candidateOnly - baselineOnly - items * difference;
  return toScore(distance, variance, items * (2 * share + difference));
}

/** Given the items with any event, the most likely share of candidate-only ones solves a quadratic equation too. */
function ratioScore({ both, candidateOnly, baselineOnly, neither }: PairedCounts, ratio: number): Score {
  const events = both + candidateOnly + baselineOnly;
  if (events === 0) return toScore(0, 0, 0);
  const items = events + neither;
  const seen = events / items;
  const a = ratio * (1 + ratio) * events;
  const half =
    (seen * ((ratio * ratio - 1) * (both + candidateOnly) + ratio * ratio * (candidateOnly + baselineOnly))) / 2;
  const c = candidateOnly * ratio * (ratio - 1) * seen * seen;
  const onlyCandidate = (half + Math.sqrt(Math.max(0, half * half - a * c))) / a;
  const onlyBaseline = Math.max(0, ratio * onlyCandidate - (ratio - 1) * seen);
  const variance = items * ratio * (onlyCandidate + onlyBaseline);
  const distance = both + candidateOnly - ratio * (both + baselineOnly);
  return toScore(distance, variance, items * (onlyCandidate + onlyBaseline));
}

/** The largest probability of a statistic as small as the observed one, over the shares of baseline-only items that the data leave possible. */
function exactLess(candidateOnly: number, baselineOnly: number, items: number, difference: number): number {
  const observed = differenceScore(candidateOnly, baselineOnly, items, difference).statistic;
  const limit = observed + EQUAL_SLACK * Math.max(1, Math.abs(observed));
  const least = Math.max(0, -difference);
  const most = (1 - difference) / 2;
  const likely = baselineOnly === items ? 1 : betaQuantileUpper(NUISANCE_ERROR, baselineOnly + 1, items - baselineOnly);
  const highest = Math.min(most, Math.max(least, likely));
  // For each number of candidate-only items, the fewest baseline-only ones with which a table is as extreme: the statistic rises with one and falls with the other.
  const thresholds: number[] = [];
  const thresholdOf = (count: number): number => {
    for (let next = thresholds.length; next <= count; next++) {
      let least = thresholds[next - 1] ?? 0;
      while (least <= items - next && differenceScore(next, least, items, difference).statistic > limit) least += 1;
      thresholds.push(least);
    }
    return thresholds[count] ?? 0;
  };
  const probability = (share: number): number => {
    const own = Math.min(1, Math.max(0, share + difference));
    const other = own >= 1 ? 0 : Math.min(1, share / (1 - own));
    const mode = Math.min(items, Math.floor((items + 1) * own));
    const add = (count: number): number => {
      const chance = binomialPmf(count, items, own);
      const threshold = thresholdOf(count);
      if (threshold > items - count) return chance;
      sum += chance * (threshold === 0 ? 1 : binomialSf(threshold - 1, items - count, other));
      return chance;
    };
    let sum = 0;
    for (let count = mode; count >= 0 && add(count) > NEGLIGIBLE; count--);
    for (let count = mode + 1; count <= items && add(count) > NEGLIGIBLE; count++);
    return sum;
  };
  let largest = 0;
  const [from, to] = [Math.asin(Math.sqrt(least)), Math.asin(Math.sqrt(highest))];
  for (let step = 0; step <= NUISANCE_STEPS; step++)
    largest = Math.max(largest, probability(Math.sin(from + ((to - from) * step) / NUISANCE_STEPS) ** 2));
  return Math.min(1, largest + NUISANCE_ERROR);
}
