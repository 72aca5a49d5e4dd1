/**
 * Planning: what can a run of this size find, how many units does it need, and what will more time bring?
 *
 * All formulas are for one-sided tests of level alpha and normal statistics. `inflation` for repeated looks comes from
 * `costOfLooks` (group-sequential.ts) and multiplies units; a design effect for clustered units does the same.
 */
import { requireFinite, requireFraction, requirePositive } from "./check-input.ts";
import { normalCdf, normalQuantileUpper } from "./distributions/normal.ts";

/** Errors that a plan allows. */
export interface PlanErrors {
  /** One-sided level. */
  readonly alpha: number;
  /** Probability to find the effect when it is there; default 0.8. */
  readonly power?: number;
}

/** How units are shared and what makes them worth less. */
export interface PlanShape extends PlanErrors {
  /** The candidate's share of the units, in (0, 1); default 1/2. */
  readonly share?: number;
  /** Variance relative to independent units, >= 1 for clusters; default 1. */
  readonly designEffect?: number;
  /** Maximum sample relative to one look; default 1. See `costOfLooks`. */
  readonly inflation?: number;
}

/** Units of both arms, not rounded. */
export interface PlannedUnits {
  readonly candidate: number;
  readonly baseline: number;
  readonly total: number;
}

/**
 * The smallest effect that a test with this variance finds with the given power.
 *
 * @param variance  of the estimate, > 0. @param options  `critical`: the boundary for z in force. `power` default 0.8.
 * @returns (critical + z_power) sqrt(variance), in the unit of the estimate. If it exceeds the margin at the planned end, the plan
 *          can prove neither harm nor safety.
 * @throws RangeError when variance is not positive, critical is not finite, or power is outside (0, 1).
 * @example smallestDetectableEffect(0.0004, { critical: 1.6448536 }) // 0.0497
 */
export function smallestDetectableEffect(
  variance: number,
  { critical, power = 0.8 }: { readonly critical: number; readonly power?: number },
): number {
  requirePositive("variance", variance);
  requireFinite("critical", critical);
  requireFraction("power", power);
  return (critical - normalQuantileUpper(power)) * Math.sqrt(variance);
}

/**
 * Units needed to find a difference of means.
 *
 * @param effect  distance from the null to what is true: for non-inferiority the margin minus the true effect. Not 0.
 * @param sd      standard deviation of a unit, one for both arms or one each.
 * @returns n = (z_alpha + z_power)^2 (s_c^2 / f + s_b^2 / (1 - f)) / effect^2, times designEffect and inflation, shared by f.
 * @throws RangeError when effect is 0 or a number is out of range.
 * @example unitsForMeans(0.25, 1, { alpha: 0.05 }).candidate // 197.8
 */
export function unitsForMeans(
  effect: number,
  sd: number | { readonly candidate: number; readonly baseline: number },
  shape: PlanShape,
): PlannedUnits {
  const { candidate, baseline } = typeof sd === "number" ? { candidate: sd, baseline: sd } : sd;
  requirePositive("sd.candidate", candidate);
  requirePositive("sd.baseline", baseline);
  const share = shareOf(shape);
  return planned((candidate ** 2 / share + baseline ** 2 / (1 - share)) / squareOf("effect", effect), shape);
}

/**
 * Units needed to find a probability of superiority theta (Mann-Whitney) other than 1/2.
 *
 * @param theta  P(candidate > baseline) + half of P(equal), in (0, 1), not 1/2.
 * @returns N = (z_alpha + z_power)^2 / (12 f (1 - f) (theta - 1/2)^2), times designEffect and inflation.
 * @throws RangeError when theta is 1/2 or a number is out of range.
 *
 * The variance is that without an effect and without ties: good for |theta - 1/2| < 0.2; ties make it smaller.
 * Source: Noether (1987), J. Am. Stat. Assoc. 82, 645-647. @example unitsForSuperiority(0.55, { alpha: 0.05 }).total // 824.3
 */
export function unitsForSuperiority(theta: number, shape: PlanShape): PlannedUnits {
  requireFraction("theta", theta);
  const share = shareOf(shape);
  return planned(1 / (12 * share * (1 - share) * squareOf("theta - 1/2", theta - 0.5)), shape);
}

/**
 * Units (trials) needed to find a difference of proportions.
 *
 * @param candidate  true proportion of the candidate in [0, 1]. @param baseline  of the baseline.
 * @param options    `margin`: the difference under the null, default 0; the distance is candidate - baseline - margin.
 * @returns (z_alpha + z_power)^2 (p_c q_c / f + p_b q_b / (1 - f)) / distance^2, times designEffect and inflation.
 * @throws RangeError when the distance is 0 or both proportions are 0 or 1: then count events with `unitsForMeans` by hand.
 * @example unitsForProportions(0.04, 0.01, { alpha: 0.05 }).total // 663.6
 */
export function unitsForProportions(
  candidate: number,
  baseline: number,
  { margin = 0, ...shape }: PlanShape & { readonly margin?: number },
): PlannedUnits {
  for (const [name, p] of [
    ["candidate", candidate],
    ["baseline", baseline],
  ] as const) {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`${name} is ${p}, not in [0, 1]`);
  }
  const share = shareOf(shape);
  const variance = (candidate * (1 - candidate)) / share + (baseline * (1 - baseline)) / (1 - share);
  if (variance === 0) throw new RangeError("candidate and baseline are both 0 or 1: their difference has no variance");
  return planned(variance / squareOf("candidate - baseline - margin", candidate - baseline - margin), shape);
}

/**
 * Events of both arms together needed to find a ratio of rates.
 *
 * @param ratio  true ratio relative to that under the null, positive, not 1.
 * @param shape  `share`: the candidate's share of the exposure.
 * @returns (z_alpha + z_power)^2 (1 + r)^2 / (r log^2 ratio) with r = f / (1 - f), times designEffect and inflation.
 * @throws RangeError when ratio is 1 or not positive.
 *
 * The variance is that without an effect; fair for ratios between 1/2 and 2, and counts of at least some ten events per arm.
 * Source: Schoenfeld (1983), Biometrics 39, 499-503. @example eventsForRateRatio(1.5, { alpha: 0.05 }) // 150.4
 */
export function eventsForRateRatio(ratio: number, shape: PlanShape): number {
  requirePositive("ratio", ratio);
  const share = shareOf(shape);
  return planned(1 / (share * (1 - share) * squareOf("log(ratio)", Math.log(ratio))), shape).total;
}

/**
 * With which probability will the final z reach its boundary, given z now?
 *
 * @param z         at present. @param options  `fraction`: information now / information at the end, in (0, 1). `critical`: the final
 *                  boundary. `drift`: mean of z at the end under the effect assumed, effect / sqrt(variance at the end); 0 for none,
 *                  z / sqrt(fraction) for the present trend.
 * @returns Phi((z sqrt(t) + drift (1 - t) - critical) / sqrt(1 - t)); looks in between are ignored, so it is slightly low.
 * @throws RangeError when a number is not finite or fraction is outside (0, 1).
 *
 * Source: Lan & Wittes (1988), Biometrics 44, 579-585. @example conditionalPower(1.2, { fraction: 0.5, critical: 1.96, drift: 2.8 }) // 0.658
 */
export function conditionalPower(
  z: number,
  { fraction, critical, drift }: { readonly fraction: number; readonly critical: number; readonly drift: number },
): number {
  requireFinite("z", z);
  requireFraction("fraction", fraction);
  requireFinite("critical", critical);
  requireFinite("drift", drift);
  return normalCdf((z * Math.sqrt(fraction) + drift * (1 - fraction) - critical) / Math.sqrt(1 - fraction));
}

/** What more units would bring: the forecast of a pause. */
export interface Forecast {
  /** The estimate drawn towards 0 in proportion to its noise: est tau^2 / (tau^2 + variance). */
  readonly shrunken: number;
  /** Units needed in all; Infinity when no number of units gets there at the shrunken effect. */
  readonly needed: number;
  /** Units still missing, at least 0. */
  readonly extra: number;
}

/**
 * How many more units until the estimate, if it stays where it is, proves what it seems to show?
 *
 * @param estimate  effect in the harmful direction. @param variance  of the estimate, > 0, falling as 1 / units. @param units  so far, > 0.
 * @param options   `distance`: "harm" needs the effect above 0, or the margin, where "safety" needs it below.
 *                  `criticalAt`: the boundary at a multiple of the present information; a constant function at one look.
 *                  `tau`: sd of effects thought possible, > 0. `power` default 0.8.
 * @returns information needed is ((critical + z_power) / distance)^2, iterated since the boundary changes with it.
 * @throws RangeError when a number is out of range.
 * @example extraUnits({ estimate: 0.02, variance: 0.0009, units: 400 }, { towards: { margin: 0.05 }, criticalAt: () => 1.645, tau: 0.1 }).extra // 1821.96
 */
export function extraUnits(
  { estimate, variance, units }: { readonly estimate: number; readonly variance: number; readonly units: number },
  options: {
    /** "harm": prove the effect above 0. A margin: prove it below the margin. */
    readonly towards: "harm" | { readonly margin: number };
    readonly criticalAt: (informationRatio: number) => number;
    readonly tau: number;
    readonly power?: number;
  },
): Forecast {
  const { towards, criticalAt, tau, power = 0.8 } = options;
  requireFinite("estimate", estimate);
  requirePositive("variance", variance);
  requirePositive("units", units);
  requirePositive("tau", tau);
  requireFraction("power", power);
  const shrunken = (estimate * tau * tau) / (tau * tau + variance);
  const distance = towards === "harm" ? shrunken : towards.margin - shrunken;
  if (!(distance > 0)) return { shrunken, needed: Infinity, extra: Infinity };
  const zPower = -normalQuantileUpper(power);
  let ratio = 1;
  for (let i = 0; i < ROUNDS; i++) {
    // No promise is made on less than what is there.
    ratio = Math.max(1, variance * ((criticalAt(ratio) + zPower) / distance) ** 2);
  }
  return { shrunken, needed: units * ratio, extra: units * (ratio - 1) };
}

/** The boundary changes slowly with information: after four rounds the answer stands still in all but its last digits. */
const ROUNDS = 4;

function planned(
  unit: number,
  { alpha, power = 0.8, designEffect = 1, inflation = 1, share = 0.5 }: PlanShape,
): PlannedUnits {
  requireFraction("alpha", alpha);
  requireFraction("power", power);
  requirePositive("designEffect", designEffect);
  requirePositive("inflation", inflation);
  if (power <= alpha) throw new RangeError(`power is ${power}, not above alpha (${alpha})`);
  const total = (normalQuantileUpper(alpha) - normalQuantileUpper(power)) ** 2 * unit * designEffect * inflation;
  return { candidate: share * total, baseline: (1 - share) * total, total };
}

function shareOf({ share = 0.5 }: PlanShape): number {
  requireFraction("share", share);
  return share;
}

function squareOf(name: string, distance: number): number {
  requireFinite(name, distance);
  if (distance === 0) throw new RangeError(`${name} is 0: no number of units finds it`);
  return distance * distance;
}
