import { requireCount, requireNumbers, requireSameLength } from "./check-input.ts";
import type { Effect } from "./effect.ts";
import type { EffectInfluence } from "./influence.ts";
import { satterthwaite } from "./satterthwaite.ts";

/**
 * One arm's values, one per unit, with the code of the stratum of each: a class of prompts, a tenant, a region, known
 * before the version acted.
 */
export interface StratifiedArm {
  readonly values: ArrayLike<number>;
  readonly strata: ArrayLike<number>;
}

/** Some strata of the input taken together, because each alone was too small, or one large enough by itself. */
export interface Stratum {
  readonly codes: readonly number[];
  /** Its share in the traffic of both arms. */
  readonly weight: number;
  readonly candidate: Float64Array;
  readonly baseline: Float64Array;
}

export interface PostStratified extends Effect {
  readonly strata: readonly (Omit<Stratum, "candidate" | "baseline"> & {
    readonly candidateUnits: number;
    readonly baselineUnits: number;
    readonly effect: Effect;
  })[];
  readonly unadjusted: Effect;
  /** The pooled and the adjusted estimate point in opposite directions, each by more than two standard errors. */
  readonly simpson: boolean;
}

/** A stratum with fewer units in an arm is merged with other small ones. */
const MIN_UNITS = 10;
/** Standard errors beyond which a sign counts. */
const SIMPSON_Z = 2;

/**
 * What is the effect at the same mix of strata in both arms? Post-stratification: estimate per stratum, then weigh by
 * pooled traffic.
 *
 * @param candidate  values and stratum codes (whole numbers), one per unit, n >= 1.
 * @param baseline   the same for the baseline.
 * @param estimator  the effect between two samples, for example `(c, b) => welch(c, b)`; called per stratum and once
 *                   for all units.
 * @param options    `minUnits` per arm and stratum, default 10.
 * @returns estimate = sum w_s estimate_s, variance = sum w_s^2 variance_s, df by Satterthwaite; the strata as used;
 *          the unadjusted effect; `simpson`.
 * @throws RangeError when lengths differ, an arm is empty, or a number is not finite.
 *
 * Strata with fewer than `minUnits` units in an arm are merged into one "other"; if that is still too small it takes
 * in the smallest of the rest. With one stratum left the answer is the unadjusted effect. The weights are the shares
 * of both arms' units, taken as fixed. Only for strata that the version cannot influence: when the candidate itself
 * drives hard sessions away, adjusting hides the harm.
 * Source: Holt & Smith (1979), J. R. Stat. Soc. A 142, 33-46; Miratrix, Sekhon & Yu (2013), J. R. Stat. Soc. B 75,
 * 369-396.
 */
export function postStratified(
  candidate: StratifiedArm,
  baseline: StratifiedArm,
  estimator: (candidate: Float64Array, baseline: Float64Array) => Effect,
  options: { readonly minUnits?: number } = {},
): PostStratified {
  const groups = strataOf(candidate, baseline, options.minUnits ?? MIN_UNITS);
  const unadjusted = estimator(Float64Array.from(candidate.values), Float64Array.from(baseline.values));
  const strata = groups.map((stratum) => ({
    codes: stratum.codes,
    weight: stratum.weight,
    candidateUnits: stratum.candidate.length,
    baselineUnits: stratum.baseline.length,
    effect: groups.length === 1 ? unadjusted : estimator(stratum.candidate, stratum.baseline),
  }));
  const adjusted = weighedTogether(strata.map(({ weight, effect }) => ({ weight, effect })));
  return { ...adjusted, strata, unadjusted, simpson: isSimpson(adjusted, unadjusted) };
}

/**
 * The weighted sum of independent effects.
 *
 * @throws RangeError when there is none.
 * @example weighedTogether([{ weight: 0.5, effect: { estimate: 1, variance: 4, df: 9 } }, { weight: 0.5, effect: { estimate: 3, variance: 4, df: 9 } }]).variance // 2
 */
export function weighedTogether(parts: readonly { readonly weight: number; readonly effect: Effect }[]): Effect {
  if (parts.length === 0) throw new RangeError("parts is empty");
  let estimate = 0;
  const variances: number[] = [];
  for (const { weight, effect } of parts) {
    estimate += weight * effect.estimate;
    variances.push(weight * weight * effect.variance);
  }
  const variance = variances.reduce((sum, part) => sum + part, 0);
  const df = satterthwaite(
    variances,
    parts.map((part) => part.effect.df),
  );
  return { estimate, variance, df };
}

/** Simpson's paradox: do two estimates of one effect have opposite signs, each by more than two standard errors? */
export function isSimpson(adjusted: Effect, unadjusted: Effect): boolean {
  const z = (effect: Effect) => (effect.variance > 0 ? effect.estimate / Math.sqrt(effect.variance) : 0);
  return z(adjusted) * z(unadjusted) < 0 && Math.min(Math.abs(z(adjusted)), Math.abs(z(unadjusted))) > SIMPSON_Z;
}

/**
 * The same with influence values, for units with several rows: pass the answer to `clusterRobust`.
 *
 * @param estimator  the effect with influence values between two samples, for example
 *                   `(c, b) => differenceInfluence(meanInfluence(c), meanInfluence(b))`.
 * @returns influence values in the order of the input rows, each times the weight of its stratum.
 */
export function postStratifiedInfluence(
  candidate: StratifiedArm,
  baseline: StratifiedArm,
  estimator: (candidate: Float64Array, baseline: Float64Array) => EffectInfluence,
  options: { readonly minUnits?: number } = {},
): EffectInfluence {
  const groups = strataOf(candidate, baseline, options.minUnits ?? MIN_UNITS);
  const groupOf = new Map<number, number>();
  groups.forEach((group, k) => {
    for (const code of group.codes) groupOf.set(code, k);
  });
  const effects = groups.map((group) => estimator(group.candidate, group.baseline));
  const spread = (strata: ArrayLike<number>, psiOf: (effect: EffectInfluence) => ArrayLike<number>) => {
    const next = new Int32Array(groups.length);
    return Float64Array.from(strata, (code) => {
      const k = groupOf.get(code) as number;
      return groups[k].weight * psiOf(effects[k])[next[k]++];
    });
  };
  let estimate = 0;
  groups.forEach((group, k) => (estimate += group.weight * effects[k].estimate));
  return {
    estimate,
    candidate: spread(candidate.strata, (effect) => effect.candidate),
    baseline: spread(baseline.strata, (effect) => effect.baseline),
  };
}

/**
 * The strata that are large enough in both arms, the rest merged, in ascending order of their first code.
 *
 * @returns at least one stratum; their weights add up to 1, their values keep the order of the input.
 */
export function strataOf(candidate: StratifiedArm, baseline: StratifiedArm, minUnits: number): Stratum[] {
  requireArm("candidate", candidate);
  requireArm("baseline", baseline);
  requireCount("minUnits", minUnits, 1);
  const counts = new Map<number, [candidate: number, baseline: number]>();
  count(counts, candidate.strata, 0);
  count(counts, baseline.strata, 1);

  const fewest = ([c, b]: readonly [number, number]) => Math.min(c, b);
  const bySize = [...counts].sort(([codeA, a], [codeB, b]) => fewest(a) - fewest(b) || codeA - codeB);
  const other: { codes: number[]; counts: [number, number] } = { codes: [], counts: [0, 0] };
  const large: { codes: number[]; counts: [number, number] }[] = [];
  for (const [code, [c, b]] of bySize) {
    const otherIsShort = other.codes.length > 0 && fewest(other.counts) < minUnits;
    if (Math.min(c, b) < minUnits || otherIsShort) {
      other.codes.push(code);
      other.counts = [other.counts[0] + c, other.counts[1] + b];
    } else large.push({ codes: [code], counts: [c, b] });
  }
  const groups = other.codes.length > 0 ? [...large, other] : large;
  for (const group of groups) group.codes.sort((a, b) => a - b);
  groups.sort((a, b) => a.codes[0] - b.codes[0]);

  const total = candidate.values.length + baseline.values.length;
  return groups.map(({ codes, counts: [c, b] }) => {
    const members = new Set(codes);
    return {
      codes,
      weight: (c + b) / total,
      candidate: pick(candidate, members, c),
      baseline: pick(baseline, members, b),
    };
  });
}

function requireArm(name: string, arm: StratifiedArm): void {
  requireNumbers(`${name}.values`, arm.values);
  requireNumbers(`${name}.strata`, arm.strata);
  requireSameLength(`${name}.values`, arm.values, `${name}.strata`, arm.strata);
}

function count(counts: Map<number, [number, number]>, codes: ArrayLike<number>, arm: 0 | 1): void {
  for (let i = 0; i < codes.length; i++) {
    const pair = counts.get(codes[i]);
    if (pair !== undefined) pair[arm]++;
    else counts.set(codes[i], arm === 0 ? [1, 0] : [0, 1]);
  }
}

function pick(arm: StratifiedArm, members: ReadonlySet<number>, size: number): Float64Array {
  const values = new Float64Array(size);
  let next = 0;
  for (let i = 0; i < arm.values.length; i++) if (members.has(arm.strata[i])) values[next++] = arm.values[i];
  return values;
}
