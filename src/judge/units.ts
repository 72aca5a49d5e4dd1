import type { Metric } from "../model/analysis.ts";
import type { SampleRows } from "../model/samples.ts";

/** The units of one slice of time: one value each, in the order of their first rows. */
export interface EnteringUnits {
  readonly values: Float64Array;
  /** Seconds since the epoch at which each unit began; null without times. */
  readonly began: Float64Array | null;
  /** Index into the rows' `stratumNames` of each unit; null without strata. */
  readonly strata: Int32Array | null;
  /** Index into the rows' `unitNames` of each unit; null when every row is a unit. */
  readonly names: Int32Array | null;
  /** Rows that these units left behind. */
  readonly rows: number;
  /** Seconds since the epoch of the newest of them; null without times. */
  readonly lastAt: number | null;
  /** The rows that count, and the place of each one's unit among the values; empty where no column beside the values asks for them. */
  readonly counted: { readonly row: Int32Array; readonly place: Int32Array };
}

/** Which units enter: those that began in [from, to), each frozen `followUp` seconds after its first row. */
export interface EntrySlice {
  readonly from: number;
  readonly to: number;
  readonly followUp: number;
  /** Steps enter up to here: they are complete when they end. */
  readonly edge: number;
}

/**
 * One value per unit: what routing assigned is what counts, however many rows it left behind.
 *
 * A session of fifty turns is one observation, not fifty; treating its turns as independent rolled back 58 % of harmless candidates in simulation.
 *
 * @param slice    null: every row counts, whatever its time.
 * @param isKnown  whether the unit of this index in `unitNames` has entered before: what it does later changes nothing any more.
 */
export function enteringUnits(
  rows: SampleRows,
  perUnit: Metric["perUnit"],
  slice: EntrySlice | null,
  isKnown: (unit: number) => boolean = () => false,
): EnteringUnits {
  const { values, units, at, strata, unitNames } = rows;
  const timed = slice === null || at === null ? null : { at, slice };
  const asked = [rows.instruments, rows.gold, rows.covariates, rows.traceUrls].some((column) => column !== undefined);
  if (units === null) {
    const keep =
      timed === null ? null : indicesWhere(values.length, (row) => isWithin(timed.at[row] ?? 0, timed.slice));
    const places = Int32Array.from({ length: asked ? (keep ?? values).length : 0 }, (_, place) => place);
    return {
      counted: { row: asked ? (keep ?? places) : NO_ROWS, place: places },
      values: keep === null ? values : pick(values, keep),
      strata: strata === null || keep === null ? strata : pick(strata, keep),
      began: at === null || keep === null ? at : pick(at, keep),
      names: null,
      rows: keep === null ? values.length : keep.length,
      lastAt: at === null ? null : newest(keep === null ? at : pick(at, keep)),
    };
  }
  const first = new Float64Array(unitNames.length).fill(Infinity);
  const stratumOf = new Int32Array(unitNames.length);
  for (let row = 0; row < values.length; row++) {
    const unit = units[row] ?? 0;
    const time = at === null ? 0 : (at[row] ?? 0);
    if (time >= (first[unit] ?? 0)) continue;
    first[unit] = time;
    if (strata !== null) stratumOf[unit] = strata[row] ?? 0;
  }
  const enters = (unit: number): boolean => {
    const began = first[unit] ?? Infinity;
    return began < Infinity && (timed === null || isWithin(began, timed.slice)) && !isKnown(unit);
  };
  const frozenAfter = timed !== null && timed.slice.followUp > 0 ? timed.slice.followUp : Infinity;
  const result = new Float64Array(unitNames.length);
  // What rounding lost (Neumaier), so that the order of a unit's rows leaves no trace in its sum.
  const lost = new Float64Array(unitNames.length);
  const count = new Int32Array(unitNames.length);
  const row = new Int32Array(asked ? values.length : 0);
  let rowsIn = 0;
  let lastAt: number | null = null;
  for (let index = 0; index < values.length; index++) {
    const unit = units[index] ?? 0;
    if (!enters(unit)) continue;
    const time = at === null ? 0 : (at[index] ?? 0);
    if (time > (first[unit] ?? 0) + frozenAfter) continue;
    if (asked) row[rowsIn] = index;
    const value = values[index] ?? 0;
    const before = result[unit] ?? 0;
    const isFirst = count[unit] === 0;
    if (isFirst) result[unit] = value;
    else if (perUnit === "max") result[unit] = Math.max(before, value);
    else if (perUnit === "min") result[unit] = Math.min(before, value);
    else {
      const sum = before + value;
      lost[unit] =
        (lost[unit] ?? 0) + (Math.abs(before) >= Math.abs(value) ? before - sum + value : value - sum + before);
      result[unit] = sum;
    }
    count[unit] = (count[unit] ?? 0) + 1;
    rowsIn += 1;
    if (at !== null && (lastAt === null || time > lastAt)) lastAt = time;
  }
  for (let unit = 0; unit < result.length; unit++) {
    const whole = (result[unit] ?? 0) + (lost[unit] ?? 0);
    result[unit] = perUnit === "mean" ? whole / Math.max(1, count[unit] ?? 1) : whole;
  }
  const entered = indicesWhere(unitNames.length, (unit) => (count[unit] ?? 0) > 0);
  const counted = asked ? row.subarray(0, rowsIn) : NO_ROWS;
  const placeOf = new Int32Array(asked ? unitNames.length : 0);
  if (asked) for (const [place, unit] of entered.entries()) placeOf[unit] = place;
  return {
    counted: { row: counted, place: counted.map((index) => placeOf[units[index] ?? 0] ?? 0) },
    values: pick(result, entered),
    strata: strata === null ? null : pick(stratumOf, entered),
    began: at === null ? null : pick(first, entered),
    names: entered,
    rows: rowsIn,
    lastAt,
  };
}

const NO_ROWS = new Int32Array(0);

function isWithin(time: number, { from, to }: EntrySlice): boolean {
  return time >= from && time < to;
}

function indicesWhere(length: number, holds: (index: number) => boolean): Int32Array {
  const indices = new Int32Array(length);
  let found = 0;
  for (let index = 0; index < length; index++) if (holds(index)) indices[found++] = index;
  return indices.subarray(0, found);
}

function pick<T extends Float64Array | Int32Array>(column: T, indices: Int32Array): T {
  const picked = column.slice(0, indices.length) as T;
  for (let place = 0; place < indices.length; place++) picked[place] = column[indices[place] ?? 0] ?? 0;
  return picked;
}

function newest(times: Float64Array): number | null {
  return times.length === 0 ? null : times.reduce((latest, time) => Math.max(latest, time), -Infinity);
}
