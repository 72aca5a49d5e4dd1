import type { Metric } from "../model/analysis.ts";
import type { ArmState, Tallies } from "../model/look-state.ts";
import type { Proportion } from "../stats/counts.ts";

/** How time is cut into cells, where a limit looks at windows of it: a window is so many cells back from the present one. */
export interface Cells {
  /** Seconds since the epoch at which the first cell begins. */
  readonly from: number;
  readonly seconds: number;
  /** Units enter this long after they began, and belong to the cell in which they enter. */
  readonly followUp: number;
  /** Seconds since the epoch up to which there is evidence; null: as far as the rows go. */
  readonly edge: number | null;
}

/** Where windows end, and how much time before that has been seen. */
export interface WindowEnd {
  readonly cell: number;
  readonly seenSeconds: number;
}

/** Times of steps are compared with this much slack in seconds. */
const TOUCH = 1e-3;

/**
 * Bad events of one slice of time by cells.
 *
 * @param at  seconds since the epoch: of the end of a step, or of the first row of a unit.
 * @returns null where no limit of the metric asks for it.
 */
export function toTallies(
  { at, events, trials }: { readonly at: Float64Array; readonly events: Float64Array; readonly trials: Float64Array },
  byRow: boolean,
  { limits, worse }: Pick<Metric, "limits" | "worse">,
  { from, seconds, followUp }: Cells,
): Tallies | null {
  if (!limits.some(({ burn }) => burn !== undefined)) return null;
  const cell = at.map((time) =>
    byRow ? Math.floor((time - from + followUp) / seconds) + 1 : Math.ceil((time - TOUCH - from) / seconds),
  );
  // Where fewer events are worse, those that did not happen are the bad ones.
  const bad = worse === "lower" ? trials.map((all, index) => all - (events[index] ?? 0)) : events;
  return addUp({ cell, events: bad, trials });
}

export function joinTallies(a: Tallies, b: Tallies): Tallies {
  const both = (column: keyof Tallies) => Float64Array.from([...a[column], ...b[column]]);
  return addUp({ cell: both("cell"), events: both("events"), trials: both("trials") });
}

/** One entry per cell, ascending. */
function addUp({ cell, events, trials }: Tallies): Tallies {
  const cells = Float64Array.from(new Set(cell)).sort();
  const placeOf = new Map(Array.from(cells, (name, place) => [name, place]));
  const sums = { cell: cells, events: new Float64Array(cells.length), trials: new Float64Array(cells.length) };
  for (const [index, name] of cell.entries()) {
    const place = placeOf.get(name) ?? 0;
    sums.events[place] = (sums.events[place] ?? 0) + (events[index] ?? 0);
    sums.trials[place] = (sums.trials[place] ?? 0) + (trials[index] ?? 0);
  }
  return sums;
}

/** What no window will reach any more is forgotten. */
export function latestTallies(tallies: Tallies, { limits }: Pick<Metric, "limits">, cells: Cells): Tallies {
  if (cells.edge === null) return tallies;
  const longest = Math.max(...limits.map(({ burn }) => burn?.longSeconds ?? 0));
  const first = edgeCell(cells.edge, cells) - Math.round(longest / cells.seconds) + 1;
  const keep = tallies.cell.findIndex((cell) => cell >= first);
  const tail = (column: Float64Array) => (keep < 0 ? new Float64Array(0) : column.slice(keep));
  return { cell: tail(tallies.cell), events: tail(tallies.events), trials: tail(tallies.trials) };
}

/** Null where neither arm has a time to end at. */
export function windowEndOf(cells: Cells, candidate: ArmState, baseline: ArmState): WindowEnd | null {
  const { edge, from, followUp, seconds } = cells;
  if (edge !== null)
    return { cell: edgeCell(edge, cells), seenSeconds: edge - from - (isByRow(candidate) ? followUp : 0) };
  const arms = [candidate, baseline].flatMap(({ tallies }) => tallies ?? []);
  const last = Math.max(...arms.map(({ cell }) => cell.at(-1) ?? -Infinity));
  const first = Math.min(...arms.map(({ cell }) => cell[0] ?? Infinity));
  return last === -Infinity ? null : { cell: last, seenSeconds: (last - first + 1) * seconds };
}

/** The events of the window of this length that ends now; null where it holds none. */
export function inWindow({ cell, events, trials }: Tallies, end: WindowEnd, cells: number): Proportion | null {
  const sum = { events: 0, trials: 0 };
  for (const [place, name] of cell.entries()) {
    if (name <= end.cell - cells || name > end.cell) continue;
    sum.events += events[place] ?? 0;
    sum.trials += trials[place] ?? 0;
  }
  const whole = Math.round(sum.trials);
  return whole === 0 ? null : { events: Math.min(whole, Math.round(sum.events)), trials: whole };
}

/** Rows with times of their own enter with their units; steps when they end. */
export function isByRow(arm: ArmState): boolean {
  return arm.shape === "units" || (arm.shape === "counts" && arm.stepSeconds === 0);
}

function edgeCell(edge: number, { from, seconds }: Cells): number {
  return Math.ceil((edge - from) / seconds - 1e-9);
}
