import { NUMBER } from "../model/amount.ts";
import type { ValueFault, ValueFaultKind } from "../model/samples.ts";

/** One cell of an answer: a finite number, or why it is none. */
export type Cell = number | ValueFaultKind;

/**
 * The number in a text by a strict grammar. `Number("")` and `Number(null)` are 0 and `parseFloat("12abc")` is 12: neither may ever decide a rollout.
 */
export function readNumber(text: unknown): Cell {
  if (text === null || text === undefined || text === "") return "missing";
  if (typeof text === "number") return Number.isNaN(text) ? "nan" : Number.isFinite(text) ? text : "infinite";
  if (typeof text === "boolean") return text ? 1 : 0;
  if (typeof text !== "string") return "not_a_number";
  if (NUMBER.test(text)) {
    const number = Number(text);
    return Number.isFinite(number) ? number : "infinite";
  }
  if (/^[+-]?nan$/i.test(text)) return "nan";
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return "infinite";
  return "not_a_number";
}

/**
 * Seconds since the epoch. Accepted: ISO 8601 with its zone (`T` or a space), seconds as a number, milliseconds as a number from 1e11 on.
 * A time without a zone is refused: it means another instant on every machine.
 */
export function readTime(text: unknown): Cell {
  if (text === null || text === undefined || text === "") return "missing";
  const number = readNumber(text);
  if (typeof number === "number") return number >= 1e11 ? number / 1000 : number;
  if (typeof text !== "string") return "bad_time";
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}(?::?\d{2})?)$/i.exec(text);
  if (match === null) return "bad_time";
  const [, day, clock, zone = "Z"] = match;
  const offset =
    zone.toUpperCase() === "Z"
      ? "Z"
      : /^[+-]\d{2}$/.test(zone)
        ? `${zone}:00`
        : zone.length === 5
          ? `${zone.slice(0, 3)}:${zone.slice(3)}`
          : zone;
  const milliseconds = Date.parse(`${day}T${clock}${offset}`);
  return Number.isFinite(milliseconds) ? milliseconds / 1000 : "bad_time";
}

/** Counts what was not a value, by kind, with the first example of each. */
export interface FaultTally {
  /** @param at  seconds since the epoch, where the fault has a time. */
  add(kind: ValueFaultKind, raw: unknown, at?: number): void;
  readonly list: readonly ValueFault[];
}

/** Times of steps are compared with this much slack in seconds. */
const TOUCH = 1e-3;

/** @param toldUpTo  faults up to this time were counted before, in seconds since the epoch. */
export function createFaultTally(toldUpTo = -Infinity): FaultTally {
  const faults = new Map<ValueFaultKind, { count: number; example: string }>();
  return {
    add(kind, raw, at = Infinity) {
      if (at <= toldUpTo + TOUCH) return;
      const fault = faults.get(kind);
      if (fault !== undefined) fault.count += 1;
      else faults.set(kind, { count: 1, example: toExample(raw) });
    },
    get list() {
      return [...faults]
        .map(([kind, { count, example }]) => ({ kind, count, example }))
        .sort((a, b) => (a.kind < b.kind ? -1 : 1));
    },
  };
}

function toExample(raw: unknown): string {
  const text = raw === undefined ? "absent" : (JSON.stringify(raw) ?? typeof raw);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
