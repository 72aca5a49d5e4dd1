/**
 * Asymptotic confidence sequences: an estimate with its variance, looked at as often as one likes.
 *
 * The e-value averages the likelihood ratio of the estimate over a normal law of effects with standard deviation tau (one-sided:
 * over its positive half). It is a martingale without an effect, so that P(ever E >= 1 / alpha) <= alpha. Everything that has an
 * estimate, a variance and independent increments fits; validity is asymptotic, so wait for a burn-in: 30 units for rank
 * statistics, 100 for means, 9 minutes for series. Counts and bounded scores have exact e-values of their own.
 */
import {
  requireFinite,
  requireFraction,
  requireNonNegative,
  requirePositive,
  type Alternative,
} from "./check-input.ts";
import { logNormalCdf, normalQuantileLogUpper, normalSf } from "./distributions/normal.ts";
import { logStudentTSf, studentTQuantileUpper } from "./distributions/student-t.ts";
import { findRoot } from "./find-root.ts";

/** An estimate with its variance, as cluster-robust, rank and series statistics give it. */
export interface VarianceEstimate {
  readonly estimate: number;
  /** Variance of the estimate, >= 0; Infinity where there is none, as for the logarithm of a mean of 0. */
  readonly variance: number;
  /** Degrees of freedom of that variance; default Infinity. */
  readonly df?: number;
}

/**
 * How strongly does an estimate speak against "no effect", valid at every look?
 *
 * @param evidence  estimate, variance and df; t is turned into z with the same tail.
 * @param options   `tau` > 0: the size of effect to be found, in the unit of the estimate (0.05 for theta, twice the margin
 *                  for log ratios; see `tightestTau`), fixed for the whole run. `nullValue`: default 0.
 *                  `alternative`: "greater" tests effects at or below nullValue.
 * @returns `logE`: reject at level alpha when it reaches log(1 / alpha) at any look; `z`. A variance of 0 proves nothing: logE is 0.
 *          So is it at variance Infinity, whatever the estimate.
 * @throws RangeError when a number is not finite, the variance is negative, df or tau is not positive.
 *
 * An always-valid p-value is min(1, exp(-max logE)) over the looks so far.
 * Source: Robbins (1970), Ann. Math. Stat. 41, 1397-1409; Johari et al. (2022), Oper. Res. 70, 1806-1821 (mixture SPRT); Waudby-Smith et
 * al. (2024), Ann. Stat. 52, 2613-2640 (asymptotic validity).
 * @example mixtureEValue({ estimate: 0.12, variance: 0.0016 }, { tau: 0.1, alternative: "greater" }).logE // 3.5793
 */
export function mixtureEValue(
  evidence: VarianceEstimate,
  options: { readonly tau: number; readonly nullValue?: number; readonly alternative?: Alternative },
): { readonly logE: number; readonly z: number } {
  const { estimate, variance, df = Infinity } = evidence;
  const { tau, nullValue = 0, alternative = "two-sided" } = options;
  requireEvidence(evidence);
  requirePositive("tau", tau);
  requireFinite("nullValue", nullValue);
  if (variance === 0 || variance === Infinity) return { logE: 0, z: 0 };
  const z = zOf((estimate - nullValue) / Math.sqrt(variance), df);
  const q = (tau * tau) / (variance + tau * tau);
  if (alternative === "two-sided") return { logE: logTwoSided(z, q), z };
  return { logE: logOneSided(alternative === "greater" ? z : -z, q), z };
}

/**
 * Between which values does the effect lie, at all looks at once?
 *
 * @param options  as for `mixtureEValue`; `confidence` default 0.95. `alternative`: "greater" gives a lower bound only and
 *                 "less" an upper one, each at the full 1 - confidence.
 * @returns `lower`, `upper`: exactly the null values that `mixtureEValue` does not reject; infinite where the variance is 0 or Infinity or
 *          the degrees of freedom are too few for the level.
 * @throws RangeError as `mixtureEValue`, and when confidence is outside (0, 1).
 *
 * One-sided it is slightly narrower than the closed form of Waudby-Smith et al. (2024), which `form: "closed"` gives and
 * which other software shows; two-sided they are the same.
 * @example mixtureInterval({ estimate: 0.12, variance: 0.0016 }, { tau: 0.1 }).lower // -0.00164
 */
export function mixtureInterval(
  evidence: VarianceEstimate,
  options: {
    readonly tau: number;
    readonly confidence?: number;
    readonly alternative?: Alternative;
    readonly form?: "exact" | "closed";
  },
): { readonly lower: number; readonly upper: number } {
  const { estimate, variance, df = Infinity } = evidence;
  const { tau, confidence = 0.95, alternative = "two-sided", form = "exact" } = options;
  requireEvidence(evidence);
  requirePositive("tau", tau);
  requireFraction("confidence", confidence);
  if (variance === 0 || variance === Infinity) return { lower: -Infinity, upper: Infinity };
  const critical = form === "closed" && alternative !== "two-sided" ? closedZ : criticalZ;
  const width = Math.sqrt(variance) * tOf(critical(variance, tau, 1 - confidence, alternative), df);
  return {
    lower: alternative === "less" ? -Infinity : estimate - width,
    upper: alternative === "greater" ? Infinity : estimate + width,
  };
}

/** The z at which the e-value reaches 1 / alpha, at the present variance: the boundary in force. */
export function criticalZ(variance: number, tau: number, alpha: number, alternative: Alternative): number {
  requirePositive("variance", variance);
  requirePositive("tau", tau);
  requireFraction("alpha", alpha);
  const q = (tau * tau) / (variance + tau * tau);
  const target = -Math.log(alpha);
  if (alternative === "two-sided") return Math.sqrt((2 / q) * (target - 0.5 * Math.log1p(-q)));
  // From above: a one-sided e-value is at least the two-sided one where z > 0, which meets 1 / alpha by then.
  const high = Math.sqrt((2 / q) * (target - 0.5 * Math.log1p(-q)));
  return findRoot((z) => logOneSided(z, q) - target, -high, high, 1e-12);
}

/** The closed form of Waudby-Smith et al. (2024) for one side: never smaller than `criticalZ`. */
function closedZ(variance: number, tau: number, alpha: number): number {
  const q = (tau * tau) / (variance + tau * tau);
  return Math.sqrt((2 / q) * Math.log1p(1 / (2 * alpha * Math.sqrt(1 - q))));
}

/**
 * Which tau makes the confidence sequence tightest at a given variance, for example at the planned end of a run?
 *
 * Choose it for a late rather than an early look: with tau at one standard error of the end the maximum sample is 2.6 times a
 * fixed test's, with 2 to 5 it is 1.9 to 2.
 *
 * Source: Waudby-Smith et al. (2024), appendix; one-sided at twice the level. @example tightestTau(0.01, { confidence: 0.95 }) // 0.282
 */
export function tightestTau(
  variance: number,
  {
    confidence = 0.95,
    alternative = "two-sided",
  }: { readonly confidence?: number; readonly alternative?: Alternative } = {},
): number {
  requirePositive("variance", variance);
  requireFraction("confidence", confidence);
  const level = (alternative === "two-sided" ? 1 : 2) * (1 - confidence);
  if (level >= 1) throw new RangeError(`confidence is ${confidence}, too low for a one-sided sequence`);
  const l = -2 * Math.log(level);
  return Math.sqrt(variance * (l + Math.log1p(l)));
}

/** log of sqrt(1 - q) exp(q z^2 / 2), the mixture over N(0, tau^2); q = tau^2 / (variance + tau^2). */
function logTwoSided(z: number, q: number): number {
  return 0.5 * Math.log1p(-q) + 0.5 * q * z * z;
}

/** log of 2 sqrt(1 - q) exp(q z^2 / 2) Phi(z sqrt(q)), the mixture over the positive half. */
function logOneSided(z: number, q: number): number {
  return Math.LN2 + logTwoSided(z, q) + logNormalCdf(z * Math.sqrt(q));
}

/** The z with the tail of t. */
function zOf(t: number, df: number): number {
  if (df === Infinity) return t;
  const z = normalQuantileLogUpper(logStudentTSf(Math.abs(t), df));
  return t < 0 ? -z : z;
}

/** The t with the tail of z; Infinity where that tail is too small to be a double with all its digits. */
function tOf(z: number, df: number): number {
  if (df === Infinity) return z;
  const tail = normalSf(z);
  return tail < SMALLEST_NORMAL ? Infinity : studentTQuantileUpper(tail, df);
}

const SMALLEST_NORMAL = 2 ** -1022;

function requireEvidence({ estimate, variance, df = Infinity }: VarianceEstimate): void {
  if (variance !== Infinity) {
    requireFinite("estimate", estimate);
    requireNonNegative("variance", variance);
  }
  if (!(df > 0)) throw new RangeError(`df is ${df}, not positive`);
}
