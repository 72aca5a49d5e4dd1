import { NUMBER } from "../model/amount.ts";
import type { Metric } from "../model/analysis.ts";
import { readTime } from "./cell.ts";

/** One line of a recording. */
export interface ReplayRecord {
  readonly key: string | number | null;
  readonly arm: string;
  readonly metric: string;
  /** Seconds since the epoch. */
  readonly at: number;
  readonly shape: RecordShape;
  readonly value: number;
  readonly events: number;
  readonly exposure: number;
  /** Observations by upper edge; null where the record has no buckets. */
  readonly buckets: ReadonlyMap<number, number> | null;
  readonly unit: string;
  readonly stratum: string;
}

/** What a record holds; all records of a metric hold the same. */
export interface RecordShape {
  readonly holds: "value" | "counts" | "buckets";
  readonly unit: boolean;
  readonly stratum: boolean;
}

export interface RecordRules {
  readonly by: string | null;
  readonly known: ReadonlyMap<string, Metric>;
  readonly wanted: readonly string[];
  /** Ends the reading: the fault begins with its field. */
  readonly fail: (fault: string) => never;
  readonly warn: (text: string) => void;
}

type Line = Readonly<Record<string, unknown>>;

const FIELDS = new Set(["key", "arm", "metric", "value", "events", "exposure", "buckets", "unit", "at", "stratum"]);

/** A line as a record; null when its metric is none of the analysis. By hand and not by a schema: files have millions of lines. */
export function readRecord(text: string, { by, known, wanted, fail, warn }: RecordRules): ReplayRecord | null {
  const line = readObject(text, fail);
  const metric = readName(line, "metric", fail);
  const definition = known.get(metric);
  if (definition === undefined) {
    warn(`the metric ${metric} is none of the analysis; its records are left out`);
    return null;
  }
  const arm = readName(line, "arm", fail);
  const key = readKey(line, by, fail);
  const at = readAt(line, fail);
  for (const field in line)
    if (!FIELDS.has(field) && field !== by) warn(`the field ${field} is none of a record; it is left out`);
  const shape: RecordShape = {
    holds: holdsOf(line, fail),
    unit: isGiven(line.unit),
    stratum: isGiven(line.stratum),
  };
  const record = {
    key,
    arm,
    metric,
    at,
    shape,
    value: 0,
    events: 0,
    exposure: 0,
    buckets: null,
    unit: "",
    stratum: "",
  };
  // Of an arm that nobody asked for the name is enough.
  if (!wanted.includes(arm)) return record;
  const named = {
    ...record,
    unit: shape.unit ? readIdentity(line.unit, "unit", fail) : "",
    stratum: shape.stratum ? readIdentity(line.stratum, "stratum", fail) : "",
  };
  switch (shape.holds) {
    case "value":
      return { ...named, value: readValue(line.value, definition, fail) };
    case "counts": {
      const events = readAmount(line.events, "events", fail);
      const exposure = readAmount(line.exposure, "exposure", fail);
      if (events > exposure) fail(`events is ${events}, more than the exposure of ${exposure}`);
      return { ...named, events, exposure };
    }
    case "buckets":
      return { ...named, buckets: readBuckets(line.buckets, fail) };
  }
}

function readObject(text: string, fail: RecordRules["fail"]): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail(`is not JSON: ${show(text)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("is not a JSON object");
  return value as Line;
}

function readName(line: Line, field: "arm" | "metric", fail: RecordRules["fail"]): string {
  const name = line[field];
  if (!isGiven(name)) return fail(`${field} is missing`);
  return typeof name === "string" ? name : fail(`${field} is ${show(name)}, not a text`);
}

function readKey(line: Line, by: string | null, fail: RecordRules["fail"]): string | number | null {
  const field = by ?? "key";
  const key = line[field];
  if (!isGiven(key)) return by === null ? null : fail(`${field} is missing`);
  if (typeof key === "string" || typeof key === "number") return key;
  return fail(`${field} is ${show(key)}, neither a text nor a number`);
}

function readAt({ at }: Line, fail: RecordRules["fail"]): number {
  if (!isGiven(at)) return fail("at is missing");
  const time = readTime(at);
  if (typeof time === "number" && Math.abs(time) <= LATEST) return time;
  return fail(`at is ${show(at)}, neither ISO 8601 with its zone (2026-11-20T08:00:00Z) nor seconds since 1970`);
}

/** The end of the year 9999. */
const LATEST = 253_402_300_799;

function holdsOf({ value, events, exposure, buckets }: Line, fail: RecordRules["fail"]): RecordShape["holds"] {
  const counts = events !== undefined || exposure !== undefined;
  const given = [value !== undefined && "value", counts && "events", buckets !== undefined && "buckets"].filter(
    (name) => name !== false,
  );
  if (given.length > 1) return fail(`${given.join(" and ")} are given; a record holds one of them`);
  if (value !== undefined) return "value";
  if (buckets !== undefined) return "buckets";
  if (!counts) return fail("value is missing, and so are events with exposure, and buckets");
  if (events === undefined) return fail("events is missing beside exposure");
  return exposure === undefined ? fail("exposure is missing beside events") : "counts";
}

function readValue(value: unknown, { kind }: Metric, fail: RecordRules["fail"]): number {
  if (kind === "errors" && typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number" && Number.isFinite(value)) return value === 0 ? 0 : value;
  return fail(`value is ${show(value)}, not a finite number`);
}

function readAmount(value: unknown, field: string, fail: RecordRules["fail"]): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value === 0 ? 0 : value;
  return fail(`${field} is ${show(value)}, not a number from 0 on`);
}

function readIdentity(value: unknown, field: string, fail: RecordRules["fail"]): string {
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : fail(`${field} is ${show(value)}, neither a text nor a number`);
}

function readBuckets(value: unknown, fail: RecordRules["fail"]): Map<number, number> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return fail(`buckets is ${show(value)}, not an object of upper edge and count`);
  const buckets = new Map<number, number>();
  for (const [name, count] of Object.entries(value)) {
    const edge = /^\+?Inf(?:inity)?$/i.test(name) ? Infinity : NUMBER.test(name) ? Number(name) : Number.NaN;
    if (Number.isNaN(edge)) fail(`buckets names the edge ${show(name)}, neither a number nor +Inf`);
    buckets.set(edge, (buckets.get(edge) ?? 0) + readAmount(count, `buckets[${show(name)}]`, fail));
  }
  return buckets.size === 0 ? fail("buckets is empty") : buckets;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
