import { requireCounts, requireSameLength } from "./check-input.ts";
import { chiSquareIndependence } from "./chi-square-test.ts";
import { populationStability, type PopulationStability } from "./population-stability.ts";
import { quantileBins } from "./quantile-bins.ts";
import { sum } from "./sum.ts";

/** Below this expected count in an arm the chi-square law is rough; such categories are taken together. */
const MIN_EXPECTED = 5;
/** Bins of a numeric feature. */
const BINS = 10;

export interface MixShift {
  readonly statistic: number;
  readonly df: number;
  readonly p: number;
  readonly cramersV: number;
  /** The share of units that would have to change their category for the mixes to agree, in [0, 1]. */
  readonly totalVariation: number;
  readonly stability: PopulationStability;
  /** Indices of the categories tested together because each was too rare. */
  readonly merged: readonly number[];
  /** Per category: share in the candidate less share in the baseline. */
  readonly shareDifferences: Float64Array;
}

/**
 * Do both arms see the same mix of categories: prompt classes, tenants, regions, model routes?
 *
 * @param candidate  units per category, whole numbers, at least one positive.
 * @param baseline   the same categories in the baseline.
 * @returns chi-square test with rare categories merged, Cramer's V, total variation, the stability index of the
 *          merged categories.
 * @throws RangeError when lengths differ, a count is not whole, or an arm has no units.
 *
 * Only for what is known when a unit is routed: a mix that the candidate itself changes is an effect, not a cause.
 * Over many features correct for their number (Benjamini-Hochberg). One count per unit.
 * Source: Pearson (1900), Phil. Mag. 50, 157-175; merging by Cochran (1954), Biometrics 10, 417-451.
 * @example mixShift([64, 36], [70, 30]).totalVariation // 0.06
 */
export function mixShift(candidate: ArrayLike<number>, baseline: ArrayLike<number>): MixShift {
  requireCounts("candidate", candidate);
  requireCounts("baseline", baseline);
  requireSameLength("candidate", candidate, "baseline", baseline);
  const n = sum(candidate);
  const m = sum(baseline);
  if (n === 0) throw new RangeError("candidate holds no units");
  if (m === 0) throw new RangeError("baseline holds no units");

  const shareDifferences = Float64Array.from(candidate, (count, j) => count / n - baseline[j] / m);
  const { columns, merged } = mergeRare(candidate, baseline, Math.min(n, m) / (n + m));
  const table = [columns.map(([c]) => c), columns.map(([, b]) => b)] as const;
  const { statistic, df, p, cramersV } = chiSquareIndependence(table);
  return {
    statistic,
    df,
    p,
    cramersV,
    totalVariation: shareDifferences.reduce((sum, difference) => sum + Math.abs(difference), 0) / 2,
    stability: populationStability(...table),
    merged,
    shareDifferences,
  };
}

/**
 * The same for a numeric feature such as the length of the prompt, cut into bins by the quantiles of both arms
 * together.
 *
 * @param candidate  n >= 1 finite numbers, one per unit. Not modified.
 * @param baseline   m >= 1 finite numbers.
 * @param options    `bins`, at most so many, default 10.
 * @returns as `mixShift`, with the edges of the bins.
 * @throws RangeError when a sample is empty or holds a NaN or infinity, or bins is not a whole number of at least 2.
 * @example numericMixShift([1, 2, 3, 4], [1, 2, 3, 4]).totalVariation // 0
 */
export function numericMixShift(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: { readonly bins?: number } = {},
): MixShift & { readonly edges: Float64Array } {
  const cut = quantileBins(candidate, baseline, options.bins ?? BINS);
  return { ...mixShift(cut.candidate, cut.baseline), edges: cut.edges };
}

/**
 * Takes together the categories that expect fewer than five units in the smaller arm, and with them the next rarest
 * until they expect five.
 */
function mergeRare(candidate: ArrayLike<number>, baseline: ArrayLike<number>, smallerShare: number) {
  const order = Array.from(candidate, (_, j) => j).sort(
    (a, b) => candidate[a] + baseline[a] - candidate[b] - baseline[b] || a - b,
  );
  const columns: [number, number][] = [];
  const merged: number[] = [];
  let rest: [number, number] = [0, 0];
  for (const j of order) {
    const both = candidate[j] + baseline[j];
    const open = merged.length > 0 && (rest[0] + rest[1]) * smallerShare < MIN_EXPECTED;
    if (both * smallerShare < MIN_EXPECTED || open) {
      merged.push(j);
      rest = [rest[0] + candidate[j], rest[1] + baseline[j]];
    } else columns.push([candidate[j], baseline[j]]);
  }
  if (merged.length > 0) columns.push(rest);
  merged.sort((a, b) => a - b);
  return { columns, merged };
}
