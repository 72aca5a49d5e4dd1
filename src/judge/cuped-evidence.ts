import type { Metric } from "../model/analysis.ts";
import type { UnitsState } from "../model/look-state.ts";
import type { Effect as StatisticalEffect } from "../stats/effect.ts";
import { moments } from "../stats/moments.ts";
import { differenceOfMeans } from "../stats/welch.ts";
import { differenceOf, factorOf, finiteOrNull, informationOf, invertTests, type Evidence } from "./evidence.ts";
import { formatCount, formatPercent } from "./format.ts";
import { boundsOf, fromEffect, inferTails, withFloor } from "./mean-evidence.ts";

type Columns = NonNullable<UnitsState["covariate"]>;

/** The mean less what was known of the units before they met a version (CUPED), or why that cannot be; null without such a column. */
export type CupedEvidence = { readonly mean: Evidence } | { readonly warning: string };

export function cupedEvidence(
  baseline: UnitsState,
  candidate: UnitsState,
  { margin, kind, scale, unit }: Metric,
  bars: Pick<Evidence, "promotionBar" | "rollbackBar">,
): CupedEvidence | null {
  const { covariate: b } = baseline;
  const { covariate: c } = candidate;
  if (b === undefined || c === undefined) return null;
  const missing = b.missing + c.missing;
  if (missing > 0)
    return { warning: `${formatCount(missing, unit)} without a covariate: the mean is not adjusted by it` };
  // Values that hardly vary prove less than their variance says, with a covariate as without.
  const floored = (values: Float64Array) => {
    const own = moments(values);
    return scale !== null && withFloor(own, values, scale) !== own;
  };
  if (b.xx + c.xx === 0 || floored(baseline.values) || floored(candidate.values))
    return { warning: "nothing varies enough for the mean to be adjusted by the covariate" };

  const relative = margin.relative !== null;
  const sign = b.y < 0 ? -1 : 1;
  const at = (fraction: number): StatisticalEffect => adjusted(c, b, relative ? 1 + sign * fraction : 1);
  // The adjusted difference is linear in the factor of the baseline.
  const apart = (c.x - b.x) / (c.xx + b.xx);
  const [own, other] = [c.y - c.xy * apart, b.y + b.xy * apart];
  const estimate = relative ? (other === 0 ? 0 : sign * (own / other - 1)) : at(0).estimate;
  const here = at(relative ? estimate : 0);
  const plain = differenceOfMeans(armOf(c, 0, 1), armOf(b, 0, relative ? 1 + sign * estimate : 1), {
    pooledFloor: true,
  });
  const reduction = plain.variance > 0 ? Math.max(0, 1 - here.variance / plain.variance) : 0;
  const step = Math.sqrt(here.variance) / (relative ? Math.abs(other) : 1);
  const effectAt = (fraction: number): StatisticalEffect => ({ ...at(fraction), df: here.df });
  return {
    mean: {
      ...(relative
        ? fromEffect(
            (level) => effectAt(factorOf(level) - 1),
            () => 0,
          )
        : fromEffect(() => here, differenceOf)),
      component: "mean",
      method: `${relative ? "means compared as a ratio (Fieller)" : "difference of means"}, adjusted by a covariate (CUPED, variance −${formatPercent(reduction)})`,
      scale: relative ? "relative" : kind === "score" ? "points" : "difference",
      estimate,
      place: relative ? (level) => factorOf(level) - 1 : differenceOf,
      bounds(alphaLower, alphaUpper) {
        if (!(step > 0 && step < Infinity)) return { lower: null, upper: null };
        if (relative)
          return invertTests((fraction) => inferTails(effectAt(fraction)), estimate, step, alphaLower, alphaUpper);
        const { lower, upper } = boundsOf(here, alphaLower, alphaUpper);
        return { lower: finiteOrNull(lower), upper: finiteOrNull(upper) };
      },
      effectiveUnits: { baseline: b.units / (1 - reduction), candidate: c.units / (1 - reduction) },
      information: informationOf(b.units, c.units),
      ...bars,
    },
  };
}

/** The values less slope times covariate, the baseline's values times a factor. */
function armOf({ units, y, xx, xy, yy }: Columns, slope: number, factor: number) {
  const squares = factor * factor * yy - 2 * slope * factor * xy + slope * slope * xx;
  return { n: units, mean: factor * y, variance: units < 2 ? Infinity : Math.max(0, squares) / (units - 1) };
}

/** As `cuped` of src/stats with one covariate, from sums in place of columns: that is what a state between looks can hold. */
function adjusted(c: Columns, b: Columns, factor: number): StatisticalEffect {
  const spread = c.xx + b.xx;
  const slope = (c.xy + factor * b.xy) / spread;
  const [own, other] = [armOf(c, slope, 1), armOf(b, slope, factor)];
  const effect = differenceOfMeans(own, other, { pooledFloor: true });
  const rest = c.units + b.units - 2;
  const left = rest - 1;
  if (left <= 0) return { ...effect, variance: Infinity };
  const residual = ((c.units - 1) * own.variance + (b.units - 1) * other.variance) / left;
  return {
    estimate: effect.estimate - slope * (c.x - b.x),
    variance: (effect.variance * rest) / left + (residual * (c.x - b.x) ** 2) / spread,
    df: (effect.df * left) / rest,
  };
}
