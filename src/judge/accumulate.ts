import type { Metric } from "../model/analysis.ts";
import type { ArmState, Tallies, UnitsState } from "../model/look-state.ts";
import type { Answer, Counts, Histogram, SampleRows, Samples, Series } from "../model/samples.ts";
import { mergeSorted } from "../stats/merge-sorted.ts";
import { sortSample } from "../stats/sort-sample.ts";
import { addMarks, NO_MARKS, shortHashOf } from "./marks.ts";
import { concat, joinSteps, pickSteps, take, TOUCH, type StepsState } from "./steps.ts";
import { joinTallies, latestTallies, toTallies, type Cells } from "./tallies.ts";
import { joinColumns, unitColumns } from "./unit-columns.ts";
import { enteringUnits, type EnteringUnits, type EntrySlice } from "./units.ts";

/** Beyond as many units an arm's values are rounded, so that what is kept between looks stays small. */
export const ROUND_ABOVE = 4096;
/** Beyond as many steps neighbouring ones are taken together. */
export const MOST_STEPS = 1024;
const MOST_HISTOGRAM_STEPS = 256;

export interface Accumulation {
  /** The plan's step. */
  readonly stepSeconds: number;
  /** Stretches of time by which units are kept as well; null where the run has no window with an end in sight. */
  readonly blocks: { readonly from: number; readonly seconds: number } | null;
  /** By which bad events are counted, where a limit looks at windows of time. */
  readonly cells: Cells;
  /** What enters now; null: everything. */
  readonly slice: EntrySlice | null;
  /** More looks may follow, so that what is kept must stay small. */
  readonly compact: boolean;
}

/** What one slice of time brought of one arm, before it is added to what came before. */
export interface Newcomers {
  /** Seconds since the epoch: when a unit was complete, or the middle of a step. */
  readonly at: Float64Array;
  readonly values: Float64Array;
  /** How often each value came. */
  readonly times: Float64Array;
}

/**
 * What an arm holds after one more slice of time: the new units or steps, added to those that came before.
 *
 * @param before  null at the first look, and where every look asks for everything again.
 * @returns `newcomers` is null where they are not plain values in time: without times, in strata, beside gold labels or covariates, and in every other shape
 *          than units and counts.
 */
export function accumulate(
  before: ArmState | null,
  { samples, faults }: Answer,
  metric: AccumulatedMetric,
  accumulation: Accumulation,
): { readonly arm: ArmState; readonly newcomers: Newcomers | null } {
  const { compact, stepSeconds, cells } = accumulation;
  const { state: added, newcomers } = toState(
    isSeriesByRow(samples, metric) ? toSeries(samples, stepSeconds) : samples,
    faults,
    metric,
    accumulation,
    compact ? new Set(before?.shape === "units" ? before.entered : []) : null,
  );
  const both = before === null ? added : join(before, added, metric);
  if (!compact) return { arm: both, newcomers };
  const small = compacted(both);
  const arm = small.tallies === undefined ? small : { ...small, tallies: latestTallies(small.tallies, metric, cells) };
  return { arm, newcomers };
}

/** What of a metric says how rows become units. */
type AccumulatedMetric = Pick<Metric, "perUnit" | "unit" | "kind" | "design" | "worse" | "limits">;

function toState(
  samples: Samples,
  faults: Answer["faults"],
  metric: AccumulatedMetric,
  { slice, blocks, cells }: Accumulation,
  known: ReadonlySet<number> | null,
): { readonly state: ArmState; readonly newcomers: Newcomers | null } {
  const { perUnit, unit, design } = metric;
  const unusable = faults.filter(({ kind }) => kind !== "counter_reset");
  const tally = { invalid: unusable.reduce((sum, { count }) => sum + count, 0), faults: [...unusable] };
  switch (samples.shape) {
    case "samples": {
      const hashes = known === null || samples.units === null ? null : samples.unitNames.map(shortHashOf);
      const isKnown = (index: number) => hashes !== null && known?.has(hashes[index] ?? 0) === true;
      const entering = enteringUnits(samples, perUnit, slice, isKnown);
      const { names, strata } = entering;
      const state: UnitsState = {
        shape: "units",
        ...tally,
        rows: entering.rows,
        lastAt: entering.lastAt,
        values: sorted(entering.values),
        strata:
          strata === null
            ? null
            : samples.stratumNames
                .map((name, code) => ({
                  name,
                  values: sorted(entering.values.filter((_, place) => strata[place] === code)),
                }))
                .filter(({ values }) => values.length > 0)
                .sort(byName),
        ...unitColumns(samples, entering, metric),
        ...(entering.began === null
          ? {}
          : tallied(
              { at: entering.began, events: entering.values, trials: entering.values.map(() => 1) },
              true,
              metric,
              cells,
            )),
        ...(blocks === null || entering.began === null || strata !== null || design === "paired"
          ? {}
          : { blocks: byBlock(entering.values, entering.began, blocks) }),
        ...(hashes === null || names === null
          ? {}
          : { entered: Float64Array.from(names, (index) => hashes[index] ?? 0) }),
        ...(design === "paired" && names !== null
          ? {
              named: byUnitName(
                Array.from(names, (index) => samples.unitNames[index] ?? ""),
                entering.values,
              ),
            }
          : {}),
        // Steps have no identity, and the tasks of an evaluation or of pairs are meant to be in both arms.
        marks:
          names === null || unit === "task" || unit === "step" || design === "paired"
            ? null
            : addMarks(
                NO_MARKS,
                Array.from(names, (index) => samples.unitNames[index] ?? ""),
              ),
      };
      return { state, newcomers: newUnits(samples, entering, slice) };
    }
    case "series":
      return { state: { ...entered(samples, slice), ...tally, rows: samples.at.length }, newcomers: null };
    case "counts": {
      const isTimed = samples.timed !== false;
      const steps = entered(samples, isTimed ? slice : null);
      return {
        state: { ...steps, ...tally, rows: samples.at.length, ...(isTimed ? talliesOf(steps, metric, cells) : {}) },
        newcomers: isTimed ? newEvents(steps, slice) : null,
      };
    }
    case "histogram":
      return { state: { ...entered(samples, slice), ...tally, rows: samples.at.length }, newcomers: null };
  }
}

/** The same arm once some of its steps have been revised: what was counted by cells of time is counted anew. */
export function retallied(arm: ArmState, metric: AccumulatedMetric, cells: Cells): ArmState {
  return arm.tallies === undefined || arm.shape !== "counts" ? arm : { ...arm, ...talliesOf(arm, metric, cells) };
}

function talliesOf(counts: Counts, metric: AccumulatedMetric, cells: Cells): Pick<ArmState, "tallies"> {
  const { at, events, exposure, stepSeconds } = counts;
  return tallied({ at, events, trials: exposure }, stepSeconds === 0, metric, cells);
}

/** The events by cells of time, where a limit asks for them. */
function tallied(...counted: Parameters<typeof toTallies>): Pick<ArmState, "tallies"> {
  const tallies = toTallies(...counted);
  return tallies === null ? {} : { tallies };
}

function newUnits(
  { gold, covariates }: SampleRows,
  { values, began, strata }: EnteringUnits,
  slice: EntrySlice | null,
): Newcomers | null {
  if (began === null || strata !== null || gold !== undefined || covariates !== undefined) return null;
  const followUp = slice?.followUp ?? 0;
  return { at: began.map((time) => time + followUp), values, times: new Float64Array(values.length).fill(1) };
}

/** Of each step the exposures without an event, and those with one; rows with times of their own enter as units do. */
function newEvents({ at, stepSeconds, events, exposure }: Counts, slice: EntrySlice | null): Newcomers {
  const middle = at.map((time) => (stepSeconds > 0 ? time - stepSeconds / 2 : time + (slice?.followUp ?? 0)));
  const bad = events.map(Math.round);
  return {
    at: concat(middle, middle),
    values: new Float64Array(2 * at.length).fill(1, at.length),
    times: concat(
      exposure.map((all, step) => Math.max(0, Math.round(all) - (bad[step] ?? 0))),
      bad,
    ),
  };
}

function byBlock(
  values: Float64Array,
  began: Float64Array,
  { from, seconds }: NonNullable<Accumulation["blocks"]>,
): NonNullable<UnitsState["blocks"]> {
  const places = new Map<number, number[]>();
  for (let unit = 0; unit < values.length; unit++) {
    const block = Math.max(0, Math.floor(((began[unit] ?? 0) - from) / seconds));
    const own = places.get(block) ?? [];
    own.push(unit);
    places.set(block, own);
  }
  return [...places]
    .map(([block, units]) => ({ name: String(block).padStart(3, "0"), values: sorted(take(values, units)) }))
    .sort(byName);
}

/** Rows that each stand for a step of time, with that time: a series, however the source wrote it down. */
function isSeriesByRow(
  samples: Samples,
  { unit, kind }: AccumulatedMetric,
): samples is SampleRows & { at: Float64Array } {
  return (
    samples.shape === "samples" && unit === "step" && kind !== "errors" && samples.units === null && samples.at !== null
  );
}

/** The series that a metric's samples are, if they are one. */
export function seriesOf(samples: Samples, metric: AccumulatedMetric, stepSeconds: number): Series | null {
  if (samples.shape === "series") return samples;
  return isSeriesByRow(samples, metric) ? toSeries(samples, stepSeconds) : null;
}

function toSeries({ at, values }: SampleRows & { at: Float64Array }, stepSeconds: number): Series {
  const order = Array.from(at, (_, row) => row).sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0));
  return { shape: "series", stepSeconds, at: take(at, order), values: take(values, order) };
}

function byUnitName(names: readonly string[], values: Float64Array): NonNullable<UnitsState["named"]> {
  const order = Array.from(names, (_, place) => place).sort((a, b) => ((names[a] ?? "") < (names[b] ?? "") ? -1 : 1));
  return { names: order.map((place) => names[place] ?? ""), values: take(values, order) };
}

/** Often nothing is new. */
const sorted = (values: Float64Array): Float64Array => (values.length === 0 ? values : sortSample(values, "values"));

const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/** The steps that end in (from, to]. */
function entered<T extends Series | Counts | Histogram>(
  steps: T,
  slice: EntrySlice | null,
): T & { readonly lastAt: number | null } {
  const all = Array.from(steps.at, (_, step) => step);
  // Rows with times of their own begin where they stand; a step is named by its end.
  const isStep = steps.stepSeconds > 0;
  const isIn = (at: number) =>
    slice === null ||
    (isStep ? at > slice.from + TOUCH && at <= slice.edge + TOUCH : at >= slice.from && at < slice.to);
  const keep = all.filter((step) => isIn(steps.at[step] ?? 0));
  const kept = keep.length === all.length ? steps : pickSteps(steps, keep);
  return { ...kept, lastAt: kept.at.at(-1) ?? null };
}

/** @throws RangeError when the shapes differ: a metric keeps its shape through a run. */
function join(before: ArmState, added: ArmState, metric: Pick<Metric, "worse">): ArmState {
  const tally = {
    rows: before.rows + added.rows,
    invalid: before.invalid + added.invalid,
    faults: joinFaults(before.faults, added.faults),
    lastAt: added.lastAt ?? before.lastAt,
    ...joinedTallies(before.tallies, added.tallies),
  };
  if (before.shape === "units" && added.shape === "units") {
    return {
      shape: "units",
      ...tally,
      ...(added.entered === undefined
        ? {}
        : { entered: concat(before.entered ?? NOBODY, added.entered).slice(-MOST_REMEMBERED) }),
      values: mergeSorted(before.values, added.values),
      strata: joinStrata(before.strata, added.strata),
      ...(before.blocks === undefined && added.blocks === undefined
        ? {}
        : { blocks: joinStrata(before.blocks ?? null, added.blocks ?? null) ?? [] }),
      ...joinColumns(before, added, metric),
      marks:
        before.marks === null || added.marks === null
          ? (before.marks ?? added.marks)
          : joinMarks(before.marks, added.marks),
    };
  }
  const joined = before.shape === "units" || added.shape === "units" ? null : joinSteps(before, added);
  if (joined !== null && added.shape !== "units") {
    const steps = { ...joined, ...tally };
    // Steps that have been taken together before take in the new, shorter ones.
    return steps.stepSeconds > added.stepSeconds ? coarsened(steps, steps.stepSeconds) : steps;
  }
  throw new RangeError(`the arm came as ${before.shape} before and as ${added.shape} now`);
}

/**
 * So many units are remembered by name, the latest ones: a session that goes on after it was counted must not be counted again. One that comes back after so many
 * others is a new visit.
 */
const MOST_REMEMBERED = 20_000;
const NOBODY = new Float64Array(0);

/** Whether a later slice can be added: of one shape, one step length, the same buckets. */
export function isContinuation(before: ArmState, samples: Samples): boolean {
  if (before.shape === "units") return samples.shape === "samples";
  if (before.shape === "series" && samples.shape === "samples") return true;
  if (before.shape !== samples.shape) return false;
  // Without a step there are no buckets either.
  if (before.shape !== "histogram" || samples.shape !== "histogram" || samples.at.length === 0) return true;
  const { upperEdges } = samples;
  return (
    before.upperEdges.length === upperEdges.length &&
    before.upperEdges.every((edge, index) => edge === upperEdges[index])
  );
}

function joinedTallies(before: Tallies | undefined, added: Tallies | undefined): Pick<ArmState, "tallies"> {
  if (before === undefined || added === undefined) {
    const known = before ?? added;
    return known === undefined ? {} : { tallies: known };
  }
  return { tallies: joinTallies(before, added) };
}

function joinFaults(a: ArmState["faults"], b: ArmState["faults"]): ArmState["faults"] {
  const all = new Map(a.map((fault) => [fault.kind, fault]));
  for (const fault of b) {
    const known = all.get(fault.kind);
    all.set(fault.kind, known === undefined ? fault : { ...known, count: known.count + fault.count });
  }
  return [...all.values()];
}

function joinStrata(a: UnitsState["strata"], b: UnitsState["strata"]): UnitsState["strata"] {
  if (a === null || b === null) return a ?? b;
  const all = new Map(a.map(({ name, values }) => [name, values]));
  for (const { name, values } of b) {
    const known = all.get(name);
    all.set(name, known === undefined ? values : mergeSorted(known, values));
  }
  return [...all].map(([name, values]) => ({ name, values })).sort(byName);
}

function joinMarks(a: NonNullable<UnitsState["marks"]>, b: NonNullable<UnitsState["marks"]>): UnitsState["marks"] {
  const shift = Math.max(a.shift, b.shift);
  const kept = new Set([...a.hashes, ...b.hashes].filter((hash) => hash % 2 ** shift === 0));
  return addMarks({ shift, hashes: Float64Array.from(kept).sort() }, []);
}

function compacted(arm: ArmState): ArmState {
  switch (arm.shape) {
    case "units":
      if (arm.values.length <= ROUND_ABOVE) return arm;
      return {
        ...arm,
        values: arm.values.map(toElevenBits),
        // Rounded alike, so that labelled scores are still found among all.
        ...(arm.gold === undefined ? {} : { gold: { ...arm.gold, judged: arm.gold.judged.map(toElevenBits) } }),
        strata: arm.strata?.map(({ name, values }) => ({ name, values: values.map(toElevenBits) })) ?? null,
        ...(arm.blocks === undefined
          ? {}
          : { blocks: arm.blocks.map(({ name, values }) => ({ name, values: values.map(toElevenBits) })) }),
      };
    case "series":
    case "counts":
      return arm.at.length <= MOST_STEPS || arm.stepSeconds === 0 ? arm : coarsened(arm, 2 * arm.stepSeconds);
    case "histogram":
      return arm.at.length <= MOST_HISTOGRAM_STEPS ? arm : coarsened(arm, 2 * arm.stepSeconds);
  }
}

/** Dekker's splitting: the nearest number with 11 significant bits. Keeps order, and is its own inverse from the second time on. */
function toElevenBits(value: number): number {
  const big = value * (2 ** 42 + 1);
  return Number.isFinite(big) ? big - (big - value) : value;
}

/** Which steps of this length the given ones belong to, on a grid of whole multiples since the epoch, so that both arms are taken together alike. */
function groupsOf(at: Float64Array, stepSeconds: number): { at: Float64Array; group: Int32Array } {
  const group = new Int32Array(at.length);
  const ends: number[] = [];
  for (let step = 0; step < at.length; step++) {
    const end = Math.ceil(((at[step] ?? 0) - TOUCH) / stepSeconds) * stepSeconds;
    if (ends.at(-1) !== end) ends.push(end);
    group[step] = ends.length - 1;
  }
  return { at: Float64Array.from(ends), group };
}

function addUp(column: Float64Array, group: Int32Array, groups: number): Float64Array {
  const sums = new Float64Array(groups);
  for (let step = 0; step < column.length; step++) {
    const place = group[step] ?? 0;
    sums[place] = (sums[place] ?? 0) + (column[step] ?? 0);
  }
  return sums;
}

/** The arm in steps of this length: counts add up, values of a series are averaged. */
export function coarsened<T extends StepsState>(arm: T, stepSeconds: number): T {
  const { at, group } = groupsOf(arm.at, stepSeconds);
  if (arm.shape === "series") {
    const sums = addUp(arm.values, group, at.length);
    const sizes = addUp(new Float64Array(arm.values.length).fill(1), group, at.length);
    return { ...arm, stepSeconds, at, values: sums.map((sum, place) => sum / (sizes[place] ?? 1)) };
  }
  if (arm.shape === "counts") {
    const events = addUp(arm.events, group, at.length);
    return { ...arm, stepSeconds, at, events, exposure: addUp(arm.exposure, group, at.length) };
  }
  const buckets = arm.upperEdges.length;
  const counts = new Float64Array(at.length * buckets);
  for (let step = 0; step < arm.at.length; step++)
    for (let bucket = 0; bucket < buckets; bucket++) {
      const place = (group[step] ?? 0) * buckets + bucket;
      counts[place] = (counts[place] ?? 0) + (arm.counts[step * buckets + bucket] ?? 0);
    }
  return { ...arm, stepSeconds, at, counts };
}
