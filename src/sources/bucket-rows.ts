import { TouchstoneError } from "../errors.ts";
import type { Window } from "../model/run.ts";
import type { Answer, Histogram } from "../model/samples.ts";
import { epochSeconds } from "../model/time.ts";
import { createFaultTally, readNumber, readTime } from "./cell.ts";
import { coarsest, layOut, onGrid, ZERO } from "./exponential-buckets.ts";

/**
 * How rows name their buckets: by the upper edge (`le`), or by the exponent on an exponential grid (`bucket`), whose fineness (`schema`) every row repeats.
 */
export type BucketColumns = "edges" | "exponents";

/** One row, cell by cell, as the source gave it: so many values in one bucket, at a time. */
export interface BucketRow {
  readonly le?: unknown;
  readonly bucket?: unknown;
  readonly schema?: unknown;
  readonly count?: unknown;
  readonly at?: unknown;
}

/** As Prometheus and OpenTelemetry have it: from 65,536 times per bucket to 0.3 %. */
const SCHEMAS = { coarsest: -4, finest: 8 };

/** A row whose time is the start of a step lies in it, whatever the last digit of a double says: a microsecond, as fine as times of Postgres are. */
const TOUCH = 1e-6;

/**
 * Adds rows of buckets up to a histogram per step. Steps are counted back from the end of the window, where one look ends and the next begins.
 *
 * A row outside the window is dropped without a fault. An empty `bucket` holds the zeros.
 *
 * @throws TouchstoneError `source_malformed`, when a row is added whose schema is none or another than that of the rows before.
 */
export function createBucketCollector(
  columns: BucketColumns,
  window: Window,
  stepSeconds: number,
  source: string,
): { add(row: BucketRow): void; finish(warnings: readonly string[]): Answer } {
  const faults = createFaultTally();
  const byStep = new Map<number, Map<number, number>>();
  const [start, end] = [epochSeconds(window.start), epochSeconds(window.end)];
  let schema: number | null = null;

  /** Null where the cells name no bucket; that is told. */
  const keyOf = (row: BucketRow): number | null => {
    if (columns === "edges") {
      const edge = readNumber(row.le);
      if (edge === "infinite" && !String(row.le).startsWith("-")) return Infinity;
      if (typeof edge === "number") return edge;
      faults.add(edge, row.le);
      return null;
    }
    const own = readNumber(row.schema);
    if (typeof own !== "number" || !Number.isInteger(own) || own < SCHEMAS.coarsest || own > SCHEMAS.finest)
      throw malformed(
        source,
        `schema ${String(row.schema)}; it is a whole number from ${SCHEMAS.coarsest} to ${SCHEMAS.finest}`,
      );
    if (schema !== null && own !== schema)
      throw malformed(source, `schema ${own} beside ${schema}; give one, the same in every row and of every version`);
    schema = own;
    if (row.bucket === null) return ZERO;
    const exponent = readNumber(row.bucket);
    if (typeof exponent === "number" && Number.isInteger(exponent)) return exponent;
    faults.add(typeof exponent === "number" ? "not_a_number" : exponent, row.bucket);
    return null;
  };

  return {
    add(row) {
      const time = readTime(row.at);
      if (typeof time !== "number") {
        faults.add("bad_time", row.at);
        return;
      }
      if (time < start || time >= end) return;
      const count = readNumber(row.count);
      if (typeof count !== "number" || count < 0) {
        faults.add(typeof count === "number" ? "negative" : count, row.count);
        return;
      }
      const key = keyOf(row);
      if (key === null) return;
      const back = Math.max(1, Math.ceil((end - time - TOUCH) / stepSeconds));
      const step = end - (back - 1) * stepSeconds;
      const buckets = byStep.get(step) ?? new Map<number, number>();
      byStep.set(step, buckets.set(key, (buckets.get(key) ?? 0) + count));
    },
    finish(warnings) {
      const samples =
        columns === "edges" ? layOutEdges(byStep, stepSeconds) : layOutExponents(byStep, schema ?? 0, stepSeconds);
      return { samples, faults: faults.list, warnings };
    },
  };
}

type ByStep = ReadonlyMap<number, ReadonlyMap<number, number>>;

/** On all edges that any row names; beyond the last of them nothing was seen. */
function layOutEdges(byStep: ByStep, stepSeconds: number): Histogram {
  const steps = [...byStep.keys()].sort((a, b) => a - b);
  const edges = [...new Set([...[...byStep.values()].flatMap((buckets) => [...buckets.keys()]), Infinity])].sort(
    (a, b) => a - b,
  );
  return {
    shape: "histogram",
    stepSeconds,
    at: Float64Array.from(steps),
    upperEdges: Float64Array.from(steps.length === 0 ? [] : edges),
    counts: Float64Array.from(steps.flatMap((step) => edges.map((edge) => byStep.get(step)?.get(edge) ?? 0))),
  };
}

function layOutExponents(byStep: ByStep, schema: number, stepSeconds: number): Histogram {
  const points = [...byStep].map(([at, buckets]) => {
    const counts = new Map(buckets);
    counts.delete(ZERO);
    return { at, schema, zeros: buckets.get(ZERO) ?? 0, counts };
  });
  const wanted = coarsest(points, schema);
  return layOut(new Map(points.map((point) => [point.at, onGrid(point, wanted)])), wanted, stepSeconds);
}

function malformed(source: string, what: string): TouchstoneError {
  return new TouchstoneError("source_malformed", `${source} answered with ${what}`);
}
