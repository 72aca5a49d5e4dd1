import type { Window } from "../model/run.ts";
import type { Answer } from "../model/samples.ts";
import { epochSeconds } from "../model/time.ts";
import { createFaultTally, readNumber, readTime, type Cell } from "./cell.ts";

/** Which columns an answer of rows has beside its value, or its events and exposure. */
export interface RowColumns {
  readonly counts: boolean;
  readonly unit: boolean;
  readonly at: boolean;
  readonly stratum: boolean;
  readonly instrument?: boolean;
  readonly gold?: boolean;
  readonly covariate?: boolean;
  readonly traceUrl?: boolean;
}

/** One row, cell by cell, as the source gave it. */
export interface RawRow {
  readonly value?: unknown;
  readonly events?: unknown;
  readonly exposure?: unknown;
  readonly unit?: unknown;
  readonly at?: unknown;
  readonly stratum?: unknown;
  readonly instrument?: unknown;
  readonly gold?: unknown;
  readonly covariate?: unknown;
  readonly traceUrl?: unknown;
}

/**
 * Collects rows into columns: what is a value goes in, what is not is counted.
 *
 * A row outside the window is dropped without a fault. Without an `at` column the window cannot apply and every row counts.
 */
export function createRowCollector(
  columns: RowColumns,
  window: Window | null,
): { add(row: RawRow): void; finish(warnings: readonly string[]): Answer } {
  const faults = createFaultTally();
  const values = createColumn();
  const exposures = createColumn();
  const times = createColumn();
  const units = createDictionary();
  const strata = createDictionary();
  const instruments = createDictionary();
  const golds = createColumn();
  const covariates = createColumn();
  const traceUrls = createDictionary();
  const start = window === null ? -Infinity : epochSeconds(window.start);
  const end = window === null ? Infinity : epochSeconds(window.end);

  return {
    add(row) {
      let at = 0;
      if (columns.at) {
        const time = readTime(row.at);
        if (typeof time !== "number") {
          faults.add("bad_time", row.at);
          return;
        }
        if (time < start || time >= end) return;
        at = time;
      }
      const value = readNumber(columns.counts ? row.events : row.value);
      if (typeof value !== "number") {
        faults.add(value, columns.counts ? row.events : row.value);
        return;
      }
      if (columns.unit && isAbsent(row.unit)) {
        faults.add("missing", row.unit);
        return;
      }
      if (columns.counts) {
        const exposure = readNumber(row.exposure);
        if (typeof exposure !== "number") {
          faults.add(exposure, row.exposure);
          return;
        }
        if (value < 0 || exposure < 0) {
          faults.add("negative", value < 0 ? row.events : row.exposure);
          return;
        }
        if (value > exposure) {
          faults.add("events_above_exposure", `${value} of ${exposure}`);
          return;
        }
        exposures.push(exposure);
      }
      // A label or a covariate that is not there is none; one that is no number is a fault of its row.
      const gold = columns.gold === true ? optionalNumber(row.gold) : Number.NaN;
      const covariate = columns.covariate === true ? optionalNumber(row.covariate) : Number.NaN;
      if (typeof gold !== "number" || typeof covariate !== "number") {
        const [fault, raw] = typeof gold === "number" ? [covariate, row.covariate] : [gold, row.gold];
        if (typeof fault !== "number") faults.add(fault, raw);
        return;
      }
      if (columns.gold === true) golds.push(gold);
      if (columns.covariate === true) covariates.push(covariate);
      if (columns.instrument === true) instruments.push(isAbsent(row.instrument) ? "" : toName(row.instrument));
      if (columns.traceUrl === true) traceUrls.push(isAbsent(row.traceUrl) ? "" : toName(row.traceUrl));
      values.push(value === 0 ? 0 : value);
      if (columns.at) times.push(at);
      if (columns.unit) units.push(toName(row.unit));
      if (columns.stratum) strata.push(isAbsent(row.stratum) ? "" : toName(row.stratum));
    },
    finish(warnings) {
      if (columns.counts) {
        const at = columns.at ? times.finish() : Float64Array.from({ length: values.length() }, (_, row) => row);
        return {
          samples: {
            shape: "counts",
            stepSeconds: 0,
            at,
            events: values.finish(),
            exposure: exposures.finish(),
            timed: columns.at,
          },
          faults: faults.list,
          warnings,
        };
      }
      return {
        samples: {
          shape: "samples",
          values: values.finish(),
          units: columns.unit ? units.finish() : null,
          unitNames: units.names(),
          at: columns.at ? times.finish() : null,
          strata: columns.stratum ? strata.finish() : null,
          stratumNames: strata.names(),
          ...(columns.instrument === true
            ? { instruments: { codes: instruments.finish(), names: instruments.names() } }
            : {}),
          ...(columns.gold === true ? { gold: golds.finish() } : {}),
          ...(columns.covariate === true ? { covariates: covariates.finish() } : {}),
          ...(columns.traceUrl === true ? { traceUrls: { codes: traceUrls.finish(), names: traceUrls.names() } } : {}),
        },
        faults: faults.list,
        warnings,
      };
    },
  };
}

function optionalNumber(cell: unknown): Cell {
  return isAbsent(cell) ? Number.NaN : readNumber(cell);
}

function isAbsent(cell: unknown): boolean {
  return cell === null || cell === undefined || cell === "";
}

function toName(cell: unknown): string {
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

/** A Float64Array that grows: a million rows cost 8 MB and no million objects. */
function createColumn(): { push(value: number): void; length(): number; finish(): Float64Array } {
  let buffer = new Float64Array(1024);
  let length = 0;
  return {
    push(value) {
      if (length === buffer.length) {
        const larger = new Float64Array(2 * length);
        larger.set(buffer);
        buffer = larger;
      }
      buffer[length] = value;
      length += 1;
    },
    length: () => length,
    finish: () => buffer.slice(0, length),
  };
}

function createDictionary(): { push(name: string): void; finish(): Int32Array; names(): string[] } {
  const indexes = new Map<string, number>();
  const column = createColumn();
  return {
    push(name) {
      let index = indexes.get(name);
      if (index === undefined) {
        index = indexes.size;
        indexes.set(name, index);
      }
      column.push(index);
    },
    finish: () => Int32Array.from(column.finish()),
    names: () => [...indexes.keys()],
  };
}
