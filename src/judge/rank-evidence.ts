import { hodgesLehmannSorted, typicalShift } from "../stats/hodges-lehmann.ts";
import { mannWhitneySorted } from "../stats/mann-whitney.ts";
import { rankSummary, type Deflation } from "../stats/rank-summary.ts";
import { shiftInterval } from "../stats/shift-interval.ts";
import { inferSuperiority, placementVariance, superiorityTails } from "../stats/superiority.ts";
import { informationOf, differenceOf, factorOf, finiteOrNull, type Evidence, type Level } from "./evidence.ts";

/** Below this many units in an arm p-values come from the exact law of Mann–Whitney's U; from there on the placement variance holds for any pair of laws. */
export const EXACT_BELOW = 30;

export interface RankArms {
  /** Ascending. */
  readonly baseline: Float64Array;
  readonly candidate: Float64Array;
}

/**
 * The typical value by ranks: does a random candidate unit tend to be larger than a random baseline unit, and by how much?
 *
 * A level is tested on the candidate deflated by it (divided by 1.05, or less 200 ms): it lies above the level when the deflated candidate still tends to be larger.
 *
 * @param scale  relative: by which factor. difference: by how much, in the measurement unit.
 */
export function bodyEvidence(
  { baseline, candidate }: RankArms,
  scale: "relative" | "difference",
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const trials = Math.min(baseline.length, candidate.length);
  const exact = trials < EXACT_BELOW;
  const deflationOf = (level: Level): Deflation =>
    scale === "relative" ? { divisor: factorOf(level) } : { shift: differenceOf(level) };
  const tested = new Map<number, { greater: number; less: number }>();
  // Each test is a pass over all units, and both sides of a level ask for the same one.
  const tails = (level: Level): { greater: number; less: number } => {
    const place = scale === "relative" ? factorOf(level) : differenceOf(level);
    const known = tested.get(place) ?? test(deflationOf(level));
    tested.set(place, known);
    return known;
  };
  const test = (deflation: Deflation): { greater: number; less: number } => {
    if (exact) {
      const { pGreater, pLess } = mannWhitneySorted(deflated(candidate, deflation), baseline);
      return { greater: pGreater, less: pLess };
    }
    return superiorityTails({ ...placementVariance(rankSummary(candidate, baseline, deflation)), trials }, 0.5);
  };
  const toScale = (value: number): number => (scale === "relative" ? value - 1 : value);
  const ratioOrDifference = scale === "relative" ? "ratio" : "difference";
  let shift: number | null = null;
  const shiftOf = (): number => (shift ??= typicalShift(candidate, baseline, ratioOrDifference));

  const bounds = (alphaLower: number, alphaUpper: number): { lower: number; upper: number } => {
    if (!exact) return shiftInterval(candidate, baseline, { alphaLower, alphaUpper, scale: ratioOrDifference });
    const side = (alpha: number, alternative: "greater" | "less") =>
      hodgesLehmannSorted(candidate, baseline, { confidence: 1 - alpha, alternative, scale: ratioOrDifference });
    return { lower: side(alphaLower, "greater").lower, upper: side(alphaUpper, "less").upper };
  };

  return {
    component: "body",
    method: exact ? "exact Mann–Whitney, Hodges–Lehmann" : "superiority with placement variance, inverted over shifts",
    scale,
    // Dear, and not needed for every look. Zeros against positive values have no factor: the effect is shown as a doubling, or as nothing left.
    get estimate() {
      return Number.isFinite(shiftOf()) ? toScale(shiftOf()) : 1;
    },
    place: (level) => (scale === "relative" ? toScale(factorOf(level)) : differenceOf(level)),
    above: (level) => tails(level).greater,
    below: (level) => tails(level).less,
    bounds(alphaLower, alphaUpper) {
      const { lower, upper } = bounds(alphaLower, alphaUpper);
      return { lower: finiteOrNull(toScale(lower)), upper: finiteOrNull(toScale(upper)) };
    },
    effectiveUnits: { baseline: baseline.length, candidate: candidate.length },
    information: informationOf(baseline.length, candidate.length),
    ...bars,
  };
}

/**
 * How often a random candidate unit scores higher than a random baseline unit, equal counts half; less 1/2. For scores on a scale with few steps,
 * where a shift of all values has no meaning.
 *
 * @param perPoint  what one point on the scale of the score is worth here: a tolerance of d points is one of d · perPoint in superiority.
 */
export function superiorityEvidence(
  { baseline, candidate }: RankArms,
  perPoint: number,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const trials = Math.min(baseline.length, candidate.length);
  const placed = { ...placementVariance(rankSummary(candidate, baseline)), trials };
  const exact = trials < EXACT_BELOW ? mannWhitneySorted(candidate, baseline) : null;
  const place = (level: Level): number => differenceOf(level) * perPoint;
  const tails = (level: Level): { greater: number; less: number } => superiorityTails(placed, 0.5 + place(level));
  return {
    component: "body",
    method:
      exact === null
        ? "superiority with placement variance"
        : "exact Mann–Whitney, superiority with placement variance",
    scale: "superiority",
    estimate: placed.estimate - 0.5,
    place,
    above: (level) => (exact !== null && level.kind === "none" ? exact.pGreater : tails(level).greater),
    below: (level) => (exact !== null && level.kind === "none" ? exact.pLess : tails(level).less),
    bounds(alphaLower, alphaUpper) {
      const lower = inferSuperiority(placed, { alternative: "greater", confidence: 1 - alphaLower }).lower;
      const upper = inferSuperiority(placed, { alternative: "less", confidence: 1 - alphaUpper }).upper;
      return { lower: lower - 0.5, upper: upper - 0.5 };
    },
    effectiveUnits: { baseline: baseline.length, candidate: candidate.length },
    information: informationOf(baseline.length, candidate.length),
    ...bars,
  };
}

/** Sorted stays sorted: the deflation keeps the order. */
function deflated(values: Float64Array, { divisor = 1, shift = 0 }: Deflation): Float64Array {
  return divisor === 1 && shift === 0 ? values : values.map((value) => value / divisor - shift);
}
