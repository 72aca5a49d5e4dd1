import { realpath, stat } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { TouchstoneError } from "../errors.ts";
import { canonicalJson } from "../model/canonical.ts";
import { queryForm, type Query } from "../model/query.ts";
import type { Answer } from "../model/samples.ts";
import { checkText, fillText } from "./placeholder.ts";
import { createRowCollector } from "./rows.ts";
import type { MetricSource, SourceRequest } from "./source.ts";
import { readTable, type Table } from "./table.ts";

/** The file that holds one arm. */
export interface ArmFile {
  /** Names the file in messages and tells two arms apart. */
  readonly path: string;
  readonly table: () => Promise<Table>;
}

export interface FileOptions {
  readonly name: string;
  /** @throws TouchstoneError when there can be no such file. */
  readonly fileOf: (request: SourceRequest) => ArmFile;
}

/** CSV and NDJSON files, one metric per query of columns. */
export const createFileSource = ({ name, fileOf }: FileOptions): MetricSource => ({
  type: "file",

  check(query) {
    const form = queryForm(query);
    if (form !== "value" && form !== "counts")
      return [`asks for ${form}, but ${name} reads files; give value, or events and exposure`];
    return Object.values(query.where ?? {}).flatMap(checkText);
  },

  render(request) {
    const { query } = request.metric;
    return JSON.stringify([name, fileOf(request).path, columnsOf(query), canonicalJson(whereOf(request))]);
  },

  async fetch(request, signal) {
    const { metric, window } = request;
    let table: Table;
    try {
      table = await fileOf(request).table();
    } catch (error) {
      throw toSourceError(error, name);
    }
    signal.throwIfAborted();
    return select(table, metric.query, whereOf(request), request, metric.query.at === undefined ? null : window);
  },
});

/** Parsed files kept, so that the metrics of one look read each file once. */
const KEPT_TABLES = 4;

/**
 * Finds the file of an arm in an operator's folder.
 *
 * @param root     nothing outside it is read, symbolic links followed.
 * @param pattern  path within root with placeholders.
 */
export function fileInFolder(root: string, pattern: string, maxBytes: number): FileOptions["fileOf"] {
  const tables = new Map<string, Promise<Table>>();

  const tableAt = async (path: string): Promise<Table> => {
    const [real, realRoot] = await Promise.all([realPath(path), realPath(root)]);
    if (!real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep)) {
      throw new TouchstoneError("source_refused", `${path} lies outside the folder of the source`);
    }
    const { mtimeMs, size } = await stat(real);
    const key = `${real}\0${mtimeMs}\0${size}`;
    let table = tables.get(key);
    if (table === undefined) {
      table = readTable(real, maxBytes);
      tables.set(key, table);
      table.catch(() => tables.delete(key));
      for (const oldest of tables.keys()) if (tables.size > KEPT_TABLES) tables.delete(oldest);
    }
    return table;
  };

  return (request) => {
    const path = resolve(root, fillText(pattern, request));
    return { path, table: () => tableAt(path) };
  };
}

function select(
  table: Table,
  query: Query,
  where: Readonly<Record<string, string>>,
  request: SourceRequest,
  window: SourceRequest["window"],
): Answer {
  const column = (name: string | undefined): readonly unknown[] | null => {
    if (name === undefined) return null;
    const cells = table.columns.get(name);
    if (cells === undefined) {
      throw new TouchstoneError(
        "invalid_query",
        `metric ${request.metric.name} reads column ${JSON.stringify(name)}, which ${table.path} lacks; it has ${[...table.columns.keys()].join(", ")}`,
      );
    }
    return cells;
  };
  const { value, events, exposure, unit, at, stratum, instrument, gold, covariate, traceUrl } = columnsOf(query);
  const cells = {
    value: column(value),
    events: column(events),
    exposure: column(exposure),
    unit: column(unit),
    at: column(at),
    stratum: column(stratum),
    instrument: column(instrument),
    gold: column(gold),
    covariate: column(covariate),
    traceUrl: column(traceUrl),
  };
  const filters = Object.entries(where).map(([name, text]) => [column(name) ?? [], text] as const);
  const collector = createRowCollector(
    {
      counts: cells.events !== null,
      unit: cells.unit !== null,
      at: cells.at !== null,
      stratum: cells.stratum !== null,
      instrument: cells.instrument !== null,
      gold: cells.gold !== null,
      covariate: cells.covariate !== null,
      traceUrl: cells.traceUrl !== null,
    },
    window,
  );
  for (let row = 0; row < table.rows; row++) {
    if (!filters.every(([filter, text]) => toText(filter[row]) === text)) continue;
    collector.add({
      value: cells.value?.[row],
      events: cells.events?.[row],
      exposure: cells.exposure?.[row],
      unit: cells.unit?.[row],
      at: cells.at?.[row],
      stratum: cells.stratum?.[row],
      instrument: cells.instrument?.[row],
      gold: cells.gold?.[row],
      covariate: cells.covariate?.[row],
      traceUrl: cells.traceUrl?.[row],
    });
  }
  return collector.finish([]);
}

const COLUMNS = [
  "value",
  "events",
  "exposure",
  "unit",
  "at",
  "stratum",
  "instrument",
  "gold",
  "covariate",
  "traceUrl",
] as const;

/** The keys of a query that name columns. */
function columnsOf(query: Query): Pick<Query, (typeof COLUMNS)[number]> {
  return Object.fromEntries(COLUMNS.map((key) => [key, query[key]]));
}

function whereOf(request: SourceRequest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.metric.query.where ?? {}).map(([name, text]) => [name, fillText(text, request)]),
  );
}

function toText(cell: unknown): string {
  return cell === null || cell === undefined ? "" : typeof cell === "string" ? cell : JSON.stringify(cell);
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new TouchstoneError(
      "input_unavailable",
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function toSourceError(error: unknown, name: string): unknown {
  if (!(error instanceof TouchstoneError)) return error;
  const code =
    error.code === "input_unavailable"
      ? "source_unavailable"
      : error.code === "invalid_input"
        ? "source_malformed"
        : error.code;
  return new TouchstoneError(code, `${name}: ${error.message}`, { cause: error });
}
