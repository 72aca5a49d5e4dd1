import { requireCounts, requireSameLength } from "./check-input.ts";
import { chiSquareSf } from "./distributions/chi-square.ts";

/** Added to each count, so that an empty bin does not make the index infinite. */
const HALF = 0.5;
/** Standard deviations above what chance alone gives, and the index below which a shift is too small to matter. */
const NOISE_SDS = 3;
const SMALLEST = 0.02;

export interface PopulationStability {
  readonly psi: number;
  /** Mean and standard deviation of the index when both arms have the same mix. */
  readonly expected: number;
  readonly sd: number;
  /** Of an index as large by chance. */
  readonly p: number;
  /** More than three standard deviations above what chance gives, and above 0.02. */
  readonly shifted: boolean;
}

/**
 * Population stability index: how far apart are the mixes of two arms, and farther than chance?
 *
 * @param candidate  units per bin or category, whole numbers, at least one positive.
 * @param baseline   the same bins of the baseline.
 * @returns `psi` = sum of (a - b) log(a / b) over shares a, b of counts + 1/2; what chance gives; `p`; `shifted`.
 * @throws RangeError when lengths differ, a count is not whole, or an arm has no units.
 *
 * The folklore limits 0.1 and 0.25 know no sample size: with ten bins and 100 units per arm the index is 0.18 on
 * average without any shift. Without a shift it is about (1/m + 1/n) times chi-square with bins - 1 degrees of
 * freedom; bins that are empty in both arms do not count.
 * Source: Yurdakul & Naranjo (2020), J. Risk Model Validation 14(4), 89-100.
 * @example populationStability([50, 50], [50, 50]).psi // 0
 */
export function populationStability(candidate: ArrayLike<number>, baseline: ArrayLike<number>): PopulationStability {
  requireCounts("candidate", candidate);
  requireCounts("baseline", baseline);
  requireSameLength("candidate", candidate, "baseline", baseline);
  let n = 0;
  let m = 0;
  let bins = 0;
  for (let j = 0; j < candidate.length; j++) {
    n += candidate[j];
    m += baseline[j];
    if (candidate[j] + baseline[j] > 0) bins++;
  }
  if (n === 0) throw new RangeError("candidate holds no units");
  if (m === 0) throw new RangeError("baseline holds no units");

  let psi = 0;
  for (let j = 0; j < candidate.length; j++) {
    if (candidate[j] + baseline[j] === 0) continue;
    const a = (candidate[j] + HALF) / (n + HALF * bins);
    const b = (baseline[j] + HALF) / (m + HALF * bins);
    psi += (a - b) * Math.log(a / b);
  }
  const noise = 1 / n + 1 / m;
  const df = bins - 1;
  const expected = df * noise;
  const sd = Math.sqrt(2 * df) * noise;
  const p = df === 0 ? 1 : Math.max(Number.MIN_VALUE, chiSquareSf(Math.max(0, psi) / noise, df));
  return { psi, expected, sd, p, shifted: psi > expected + NOISE_SDS * sd && psi > SMALLEST };
}
