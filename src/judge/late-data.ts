import type { ArmState } from "../model/look-state.ts";
import type { Samples } from "../model/samples.ts";
import { onOneGrid } from "./exponential-grid.ts";
import { formatNumber } from "./format.ts";
import { isContinuation } from "./accumulate.ts";
import { joinSteps, pickSteps, rowOf, stepsWhere, TOUCH, type Steps, type StepsState } from "./steps.ts";

/**
 * Data that arrives after it was asked for. Each look asks for the last steps of the look before once more: where they have changed, the source was still taking
 * them in, and what is newest now may be incomplete as well.
 */

/** So many of the last steps are asked for again. */
export const RECHECKED_STEPS = 2;

/** Sums that differ by less were rounded in another order. */
const ROUNDING = 1e-9;

/** A change of more than this share of what changed is no wobble: nothing is promoted over it. */
const LATE_SHARE = 0.05;
/** Of counts so few change by chance of when they were scraped. */
const FEW_COUNTS = 20;

/**
 * An answer that begins before what is new, taken apart: the new steps, and those of the old ones that are not as they were taken in.
 *
 * @param before  what has been taken in; null at the first look.
 * @param taken   of the old steps those that end in (from, to] are compared.
 */
export function splitAnswer(
  before: ArmState | null,
  samples: Samples,
  taken: { readonly from: number; readonly to: number },
): { readonly fresh: Samples; readonly revised: Steps | null } {
  if (samples.shape === "samples") return { fresh: samples, revised: null };
  if (before?.shape === "histogram" && samples.shape === "histogram" && !isContinuation(before, samples)) {
    const grid = onOneGrid(before, samples);
    if (grid !== null) return splitAnswer(grid.before, grid.added, taken);
  }
  const fresh = stepsWhere(samples, (at) => at > taken.to + TOUCH);
  if (before === null || !isComparable(before, samples)) return { fresh, revised: null };
  const places = placesOf(before);
  const changed = Array.from(samples.at, (_, step) => step).filter((step) => {
    const at = samples.at[step] ?? 0;
    if (at <= taken.from + TOUCH || at > taken.to + TOUCH) return false;
    const place = places.get(keyOf(at));
    return place === undefined || differs(rowOf(before, place), rowOf(samples, step));
  });
  return { fresh, revised: changed.length === 0 ? null : pickSteps(samples, changed) };
}

/** What an arm holds once its last steps stand as the source has them now, and what that changed. */
export interface Revised {
  readonly arm: ArmState;
  /** How much: steps, and their numbers before and after. */
  readonly text: string;
  /** More than a wobble. */
  readonly isMaterial: boolean;
}

/** Old steps in place of what was taken in of them: nothing counts twice. */
export function revise(before: ArmState, revised: Steps): Revised {
  if (before.shape === "units" || before.shape !== revised.shape)
    throw new RangeError(`steps of a ${revised.shape} cannot take the place of ${before.shape}`);
  const changed = new Set(Array.from(revised.at, keyOf));
  const kept = stepsWhere(before, (at) => !changed.has(keyOf(at)));
  const [was, is] = [totalsOf(stepsWhere(before, (at) => changed.has(keyOf(at)))), totalsOf(revised)];
  const few = before.shape === "series" ? 0 : FEW_COUNTS;
  const places = placesOf(before);
  const share = Math.max(
    ...is.map(({ column }) => {
      let [moved, size] = [0, 0];
      for (let step = 0; step < revised.at.length; step++) {
        const place = places.get(keyOf(revised.at[step] ?? 0));
        const then = place === undefined ? 0 : valueOf(before, place, column);
        const now = valueOf(revised, step, column);
        moved += Math.abs(now - then);
        size += Math.max(Math.abs(now), Math.abs(then));
      }
      return moved / Math.max(size, few, Number.MIN_VALUE);
    }),
  );
  const steps = revised.at.length;
  const replaced = before.at.length - kept.at.length;
  const numbers = is.map(
    ({ name, total }, index) =>
      `${name} ${formatNumber(total)} instead of ${replaced === 0 ? "none" : formatNumber(was[index]?.total ?? 0)}`,
  );
  return {
    arm: {
      ...merged(kept, revised),
      rows: before.rows + steps - replaced,
      lastAt: Math.max(before.lastAt ?? -Infinity, revised.at.at(-1) ?? -Infinity),
    },
    text: `${steps === 1 ? "one of its last steps has" : `${steps} of its last steps have`} changed since the look before: ${numbers.join(", ")}`,
    isMaterial: share > LATE_SHARE,
  };
}

type Column = "value" | "events" | "exposure" | "observations";

function columnsOf({ shape }: Steps): readonly Column[] {
  switch (shape) {
    case "series":
      return ["value"];
    case "counts":
      return ["exposure", "events"];
    case "histogram":
      return ["observations"];
  }
}

function valueOf(steps: Steps, step: number, column: Column): number {
  const row = rowOf(steps, step);
  if (column === "exposure") return row[1] ?? 0;
  if (column === "observations") return row.reduce((sum, count) => sum + count, 0);
  return row[0] ?? 0;
}

/** What people are told of the steps: sums of counts, the mean of a series. */
function totalsOf(steps: Steps): { column: Column; name: string; total: number }[] {
  return columnsOf(steps).map((column) => {
    let total = 0;
    for (let step = 0; step < steps.at.length; step++) total += valueOf(steps, step, column);
    return column === "value"
      ? { column, name: "mean", total: total / Math.max(1, steps.at.length) }
      : { column, name: column, total };
  });
}

/** Steps that were taken together to stay small cannot be told apart any more. */
function isComparable(before: ArmState, samples: Steps): before is ArmState & Steps {
  if (before.shape === "units" || !isContinuation(before, samples)) return false;
  return samples.stepSeconds > 0 && before.stepSeconds === samples.stepSeconds;
}

function differs(then: Float64Array, now: Float64Array): boolean {
  return then.some((value, index) => {
    const other = now[index] ?? 0;
    return Math.abs(value - other) > ROUNDING * Math.max(Math.abs(value), Math.abs(other));
  });
}

/** Both, in the order of time. */
function merged(kept: StepsState, added: Steps): StepsState {
  const joined = joinSteps(kept, added);
  if (joined === null) throw new RangeError(`steps of a ${added.shape} cannot stand beside ${kept.shape}`);
  const order = Array.from(joined.at, (_, step) => step).sort((a, b) => (joined.at[a] ?? 0) - (joined.at[b] ?? 0));
  return pickSteps(joined, order);
}

const keyOf = (at: number): number => Math.round(at / TOUCH);

function placesOf({ at }: { readonly at: Float64Array }): ReadonlyMap<number, number> {
  return new Map(Array.from(at, (time, place) => [keyOf(time), place]));
}
