import { normalQuantileUpper, normalSf } from "../stats/distributions/normal.ts";
import { longRunVariance } from "../stats/long-run-variance.ts";
import { moments } from "../stats/moments.ts";
import type { Evidence } from "./evidence.ts";

/** With fewer steps an arm's own dependence cannot be seen; the other arm's stands for it. */
const KNOWN_FROM = 9;

/**
 * How many times the variance of a mean over steps is what independent steps would give, at least 1, and why that may not be believed.
 *
 * @param baseline, candidate  values in the order of time.
 */
export function dependenceOf(
  baseline: Float64Array,
  candidate: Float64Array,
): { readonly factor: number; readonly bar: string | null } {
  let factor = 1;
  let bar: string | null = null;
  const long = [baseline, candidate].filter((values) => values.length >= KNOWN_FROM);
  if (long.length === 0) return { factor, bar: "too few steps to know how much neighbours resemble each other" };
  for (const values of long) {
    const independent = moments(values).variance / values.length;
    if (independent === 0) continue;
    const { variance, size } = longRunVariance(values);
    factor = Math.max(factor, variance / independent);
    if (!size.enough)
      bar = `neighbouring steps resemble each other (autocorrelation ${size.corrected.toFixed(2)}): ${values.length} steps are worth ${size.effectiveSteps.toFixed(1)} independent ones`;
  }
  return { factor, bar };
}

/** The same evidence from values of which `factor` say as much as one independent value. */
export function widened(evidence: Evidence, factor: number, bar: string | null): Evidence {
  const shrink = (p: number): number => (p <= 0 || p >= 1 ? p : normalSf(normalQuantileUpper(p) / Math.sqrt(factor)));
  // The level that the narrow interval needs to be as wide as the true one.
  const stretch = (alpha: number): number => Math.max(1e-15, normalSf(normalQuantileUpper(alpha) * Math.sqrt(factor)));
  const { baseline, candidate } = evidence.effectiveUnits;
  return {
    component: evidence.component,
    method: `${evidence.method}, widened ${factor.toPrecision(3)} times for dependence between steps`,
    scale: evidence.scale,
    get estimate() {
      return evidence.estimate;
    },
    place: (level) => evidence.place(level),
    above: (level) => shrink(evidence.above(level)),
    below: (level) => shrink(evidence.below(level)),
    bounds: (alphaLower, alphaUpper) => evidence.bounds(stretch(alphaLower), stretch(alphaUpper)),
    effectiveUnits: { baseline: baseline / factor, candidate: candidate / factor },
    information: evidence.information,
    promotionBar: evidence.promotionBar ?? bar,
    rollbackBar: evidence.rollbackBar ?? bar,
  };
}
