import type { Counts, SampleRows, Series } from "../../src/model/samples.ts";
import { atMinute, MINUTES } from "./workload.ts";

/** A row as it is drawn. */
export interface Row {
  /** Minutes since the start. */
  readonly minutes: number;
  readonly value: number;
  readonly unit?: string;
  readonly stratum?: string;
}

/** Rows as a source returns them: in the order of time, units and strata as indices. */
export function toRows(rows: readonly Row[]): SampleRows {
  const ordered = [...rows].sort((a, b) => a.minutes - b.minutes);
  const units = index(ordered.map(({ unit }) => unit));
  const strata = index(ordered.map(({ stratum }) => stratum));
  return {
    shape: "samples",
    values: Float64Array.from(ordered, ({ value }) => value),
    units: units.indices,
    unitNames: units.names,
    at: Float64Array.from(ordered, ({ minutes }) => atMinute(minutes)),
    strata: strata.indices,
    stratumNames: strata.names,
  };
}

/**
 * Independent requests at an even pace.
 *
 * @param draw  the value of the request at this minute; NaN when its record is lost.
 */
export function requests(perMinute: number, draw: (minutes: number) => number): SampleRows {
  const values = new Float64Array(perMinute * MINUTES);
  const at = new Float64Array(values.length);
  let kept = 0;
  for (let i = 0; i < values.length; i++) {
    const minutes = (i + 0.5) / perMinute;
    const value = draw(minutes);
    if (Number.isNaN(value)) continue;
    values[kept] = value;
    at[kept] = atMinute(minutes);
    kept += 1;
  }
  return {
    shape: "samples",
    values: values.slice(0, kept),
    units: null,
    unitNames: [],
    at: at.slice(0, kept),
    strata: null,
    stratumNames: [],
  };
}

/** One value a minute. */
export function minuteSeries(values: Float64Array): Series {
  return { shape: "series", stepSeconds: 60, at: stepEnds(values.length), values };
}

/** Bad events among all, every minute. */
export function minuteCounts(draw: (minute: number) => { events: number; exposure: number }): Counts {
  const events = new Float64Array(MINUTES);
  const exposure = new Float64Array(MINUTES);
  for (let minute = 0; minute < MINUTES; minute++) {
    const step = draw(minute);
    events[minute] = step.events;
    exposure[minute] = step.exposure;
  }
  return { shape: "counts", stepSeconds: 60, at: stepEnds(MINUTES), events, exposure };
}

function stepEnds(length: number): Float64Array {
  return Float64Array.from({ length }, (_, minute) => atMinute(minute + 1));
}

function index(names: readonly (string | undefined)[]): { indices: Int32Array | null; names: string[] } {
  const known = new Map<string, number>();
  const indices = new Int32Array(names.length);
  for (const [i, name] of names.entries()) {
    if (name === undefined) return { indices: null, names: [] };
    const at = known.get(name) ?? known.size;
    known.set(name, at);
    indices[i] = at;
  }
  return { indices: names.length === 0 ? null : indices, names: [...known.keys()] };
}
