import { requireCount, type Alternative } from "./check-input.ts";
import { binomialCdf, binomialPmf, binomialSf } from "./distributions/binomial.ts";
import { pFromTails } from "./p-from-tails.ts";

/** The items on which exactly one of the two versions had the event; the others say nothing about the difference. */
export interface DiscordantCounts {
  readonly candidateOnly: number;
  readonly baselineOnly: number;
}

/**
 * McNemar's exact test: on the same items, does the candidate have the event more or less often than the baseline?
 *
 * @param counts   items on which only the candidate, or only the baseline, had the event: whole numbers.
 * @param options  `method`: "exact" (default), the binomial test of the discordant items against 1/2, conservative;
 *                 "mid-p" counts the observed table half: its size stays at the nominal level on average and hardly
 *                 exceeds it.
 * @returns `p` in (0, 1]; `estimate` = candidateOnly / (candidateOnly + baselineOnly), 1/2 when no item is discordant
 *          (then p = 1).
 * @throws RangeError when a count is not a whole number of at least 0.
 *
 * Not for unpaired arms, nor for items of one family that stand or fall together (cluster-robust.ts).
 * Source: McNemar (1947), Psychometrika 12, 153-157; mid-p: Fagerland, Lydersen & Laake (2013), BMC Med. Res.
 * Methodol. 13, 91.
 * @example mcNemar({ candidateOnly: 2, baselineOnly: 12 }).p // 0.0129395
 */
export function mcNemar(
  counts: DiscordantCounts,
  options: { readonly alternative?: Alternative; readonly method?: "exact" | "mid-p" } = {},
): { readonly p: number; readonly estimate: number } {
  const { candidateOnly, baselineOnly } = counts;
  requireCount("counts.candidateOnly", candidateOnly);
  requireCount("counts.baselineOnly", baselineOnly);
  const { alternative = "two-sided", method = "exact" } = options;
  const n = candidateOnly + baselineOnly;
  if (n === 0) return { p: 1, estimate: 0.5 };

  const spared = method === "mid-p" ? binomialPmf(candidateOnly, n, 0.5) / 2 : 0;
  const greater = (candidateOnly === 0 ? 1 : binomialSf(candidateOnly - 1, n, 0.5)) - spared;
  const less = binomialCdf(candidateOnly, n, 0.5) - spared;
  return { p: pFromTails({ greater, less }, alternative), estimate: candidateOnly / n };
}
