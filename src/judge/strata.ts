import type { UnitsState } from "../model/look-state.ts";
import { mixShift } from "../stats/mix-shift.ts";
import { mergeSorted } from "../stats/merge-sorted.ts";
import { isUnevenInTime } from "./uneven-time.ts";

/** Units of both arms that are alike in what was known before a version acted, and their share of all traffic. */
export interface Stratum {
  readonly names: readonly string[];
  readonly weight: number;
  /** Ascending. */
  readonly baseline: Float64Array;
  readonly candidate: Float64Array;
}

/** A stratum with fewer units in an arm is taken together with other small ones. */
const MIN_STRATUM_UNITS = 10;

/**
 * Both arms by stratum, so that each arm can be compared at the same mix. One stratum that holds all where none are declared, or where they are too small.
 */
export function strataOf(baseline: UnitsState, candidate: UnitsState): Stratum[] {
  const all = baseline.values.length + candidate.values.length;
  const whole: Stratum = { names: [], weight: 1, baseline: baseline.values, candidate: candidate.values };
  if (baseline.strata === null || candidate.strata === null) return timeStrata(baseline, candidate) ?? [whole];
  const names = [...new Set([...baseline.strata, ...candidate.strata].map(({ name }) => name))].sort();
  const valuesIn = (strata: NonNullable<UnitsState["strata"]>, name: string) =>
    strata.find((stratum) => stratum.name === name)?.values ?? NONE;
  const groups = names.map((name): Stratum => {
    const [b, c] = [valuesIn(baseline.strata ?? [], name), valuesIn(candidate.strata ?? [], name)];
    return { names: [name], weight: (b.length + c.length) / all, baseline: b, candidate: c };
  });
  const isSmall = (group: Stratum) => Math.min(group.baseline.length, group.candidate.length) < MIN_STRATUM_UNITS;
  const large = groups.filter((group) => !isSmall(group)).sort((a, b) => a.weight - b.weight);
  let rest = groups
    .filter(isSmall)
    .reduce<Stratum | null>((sum, group) => (sum === null ? group : together(sum, group)), null);
  // What is small together takes in the smallest of the others, until it is large enough.
  while (rest !== null && isSmall(rest) && large.length > 0) {
    const smallest = large.shift();
    if (smallest !== undefined) rest = together(rest, smallest);
  }
  const result = rest === null ? large : [...large, rest];
  return result.length < 2 ? [whole] : result;
}

const NONE = new Float64Array(0);

/**
 * Stretches of time as strata, where the arms shared traffic unevenly over time; null where they did not. In a ramp the candidate sees little of the early hours:
 * what rises for both during the day would look like its fault (measured: 88 % false rollbacks of a harmless candidate in a ramp from 5 to 50 % while latency rose
 * by a half).
 *
 * They weigh by the harmonic mean of both arms' units, which is the most precise where the effect does not change with time.
 */
function timeStrata(baseline: UnitsState, candidate: UnitsState): Stratum[] | null {
  const [b, c] = [baseline.blocks, candidate.blocks];
  if (b === undefined || c === undefined) return null;
  const names = [...new Set([...b, ...c].map(({ name }) => name))].sort();
  if (names.length < 2) return null;
  const valuesIn = (blocks: typeof b, name: string) => blocks.find((block) => block.name === name)?.values ?? NONE;
  const [own, other] = [names.map((name) => valuesIn(c, name)), names.map((name) => valuesIn(b, name))];
  const sizes = (parts: readonly Float64Array[]) => parts.map(({ length }) => length);
  if (!isUnevenInTime(sizes(own), sizes(other))) return null;
  const groups: Stratum[] = [];
  let open: Stratum | null = null;
  for (const [index, name] of names.entries()) {
    const block: Stratum = { names: [name], weight: 0, baseline: other[index] ?? NONE, candidate: own[index] ?? NONE };
    const grown: Stratum = open === null ? block : together(open, block);
    const isLarge = Math.min(grown.baseline.length, grown.candidate.length) >= MIN_STRATUM_UNITS;
    if (isLarge) groups.push(grown);
    open = isLarge ? null : grown;
  }
  // What is left at the end joins its neighbour in time.
  const last = groups.pop();
  if (last === undefined) return null;
  groups.push(open === null ? last : together(last, open));
  if (groups.length < 2) return null;
  const harmonic = groups.map((group) => {
    const [n, m] = [group.candidate.length, group.baseline.length];
    return (n * m) / (n + m);
  });
  const all = harmonic.reduce((sum, weight) => sum + weight, 0);
  return groups.map((group, index) => ({ ...group, weight: (harmonic[index] ?? 0) / all }));
}

function together(a: Stratum, b: Stratum): Stratum {
  return {
    names: [...a.names, ...b.names],
    weight: a.weight + b.weight,
    baseline: mergeSorted(a.baseline, b.baseline),
    candidate: mergeSorted(a.candidate, b.candidate),
  };
}

/** Units per stratum of both arms, for comparing the mixes. */
export function mixOf(
  baseline: UnitsState,
  candidate: UnitsState,
): { names: string[]; baseline: number[]; candidate: number[] } | null {
  if (baseline.strata === null || candidate.strata === null) return null;
  const names = [...new Set([...baseline.strata, ...candidate.strata].map(({ name }) => name))].sort();
  const sizes = (strata: NonNullable<UnitsState["strata"]>) =>
    names.map((name) => strata.find((stratum) => stratum.name === name)?.values.length ?? 0);
  return { names, baseline: sizes(baseline.strata), candidate: sizes(candidate.strata) };
}

/** Strata that one arm hardly has although the other has many: adjusting cannot make them good. Null where the mixes can be matched. */
export function unmatchedStrata(baseline: UnitsState, candidate: UnitsState): { names: string[]; p: number } | null {
  const mix = mixOf(baseline, candidate);
  if (mix === null) return null;
  const all = baseline.values.length + candidate.values.length;
  const names = mix.names.filter((_, index) => {
    const [b, c] = [mix.baseline[index] ?? 0, mix.candidate[index] ?? 0];
    return Math.min(b, c) < HARDLY_THERE && b + c >= LARGE_STRATUM * all;
  });
  if (names.length === 0) return null;
  const { p } = mixShift(mix.candidate, mix.baseline);
  return p < UNMATCHED_ALPHA ? { names, p } : null;
}

/** A few units would have to stand for a large stratum with all their luck. */
const HARDLY_THERE = 2 * MIN_STRATUM_UNITS;
const LARGE_STRATUM = 0.05;
const UNMATCHED_ALPHA = 0.001;
