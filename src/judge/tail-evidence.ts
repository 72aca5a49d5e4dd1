import { proportionRatioInterval, proportionRatioTest } from "../stats/proportion-ratio.ts";
import { fisherExact } from "../stats/fisher.ts";
import { factorOf, finiteOrNull, informationOf, type Evidence } from "./evidence.ts";
import type { Tolerance } from "../model/amount.ts";
import { forgive } from "./forgive.ts";
import type { RankArms } from "./rank-evidence.ts";

/** The share of all units, both arms together, that the tail holds. */
export const TAIL_SHARE = 0.05;

/**
 * The tail: which arm holds more of the pooled worst 5 %? A regression that makes 3 % of requests four times slower moves the median by nothing,
 * the mean by 9 % and this by 29 %.
 *
 * The candidate is compared as it would be without the accepted worsening: where all values lie within a few percent of each other, a shift inside the margin
 * would fill the tail, and nobody would be hurt.
 *
 * @param worse     which end is the bad one.
 * @param forgiven  the metric's margin.
 */
export function tailEvidence(
  { baseline, candidate: original }: RankArms,
  worse: "higher" | "lower",
  forgiven: Tolerance,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): Evidence {
  const candidate = forgive(original, worse === "higher" ? 1 : -1, forgiven);
  const limit = pooledQuantile(baseline, candidate, worse === "higher" ? 1 - TAIL_SHARE : TAIL_SHARE);
  const count = (values: Float64Array) => ({ events: countBeyond(values, limit, worse), trials: values.length });
  const c = count(candidate);
  const b = count(baseline);
  // Half a value more in each arm: where the baseline has none beyond, its ratio would be infinite.
  const ratio = (c.events + 0.5) / (c.trials + 1) / ((b.events + 0.5) / (b.trials + 1));
  return {
    component: "tail",
    method: `share beyond the pooled ${worse === "higher" ? "95th" : "5th"} percentile: Fisher's exact test, score test of the ratio against the margin`,
    scale: "relative",
    estimate: ratio - 1,
    place: (level) => factorOf(level) - 1,
    above: (level) =>
      level.kind === "none"
        ? fisherExact(c, b, { alternative: "greater" }).p
        : proportionRatioTest(c, b, { nullRatio: factorOf(level), alternative: "greater" }).p,
    below: (level) =>
      level.kind === "none"
        ? fisherExact(c, b, { alternative: "less" }).p
        : proportionRatioTest(c, b, { nullRatio: factorOf(level), alternative: "less" }).p,
    bounds(alphaLower, alphaUpper) {
      const { lower } = proportionRatioInterval(c, b, { confidence: 1 - alphaLower, alternative: "greater" });
      const { upper } = proportionRatioInterval(c, b, { confidence: 1 - alphaUpper, alternative: "less" });
      return { lower: finiteOrNull(lower - 1), upper: finiteOrNull(upper - 1) };
    },
    effectiveUnits: { baseline: baseline.length, candidate: candidate.length },
    information: informationOf(baseline.length, candidate.length),
    ...bars,
  };
}

/** How many ascending values lie beyond the limit on the bad side. */
export function countBeyond(values: Float64Array, limit: number, worse: "higher" | "lower"): number {
  return worse === "higher" ? values.length - countUpTo(values, limit, true) : countUpTo(values, limit, false);
}

/** The value with this share of all units at or below it, by merging two sorted arms. */
export function pooledQuantile(a: Float64Array, b: Float64Array, share: number): number {
  const target = Math.ceil(share * (a.length + b.length));
  let i = 0;
  let j = 0;
  let value = Number.NaN;
  while (i + j < target) {
    const fromA = j >= b.length || (i < a.length && (a[i] ?? 0) <= (b[j] ?? 0));
    value = (fromA ? a[i++] : b[j++]) ?? Number.NaN;
  }
  return value;
}

/** How many values lie below the limit, or at it too. */
function countUpTo(values: Float64Array, limit: number, inclusive: boolean): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = values[middle] ?? 0;
    if (inclusive ? value <= limit : value < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
