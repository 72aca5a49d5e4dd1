import pg from "pg";
import { TouchstoneError } from "../errors.ts";
import { queryForm } from "../model/query.ts";
import type { Answer } from "../model/samples.ts";
import { createBucketCollector, type BucketColumns, type BucketRow } from "./bucket-rows.ts";
import { valueOf } from "./placeholder.ts";
import type { Persist } from "./retries.ts";
import { createRowCollector, type RawRow, type RowColumns } from "./rows.ts";
import type { MetricSource, SourceRequest } from "./source.ts";
import { bindSql, type SqlParameter } from "./sql-parameters.ts";

export interface PostgresOptions {
  readonly name: string;
  /** Read anew for every connection, so that a rotated password is used. */
  readonly connectionString: () => Promise<string>;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Connections: as many as queries at once. */
  readonly poolSize: number;
  readonly maxBytes: number;
  readonly maxRows: number;
  readonly persist: Persist;
}

/** Rows per round trip: large enough to be quick, small enough that the byte cap bites early. */
const BATCH_ROWS = 5_000;

/** The answer as text, cell by cell: `NaN`, `Infinity` and numerics beyond a double are ours to judge, not the driver's to convert. */
const AS_TEXT = { getTypeParser: () => (text: string) => text };

const KNOWN_COLUMNS = ["value", "events", "exposure", "unit", "at", "stratum"];
/** Of rows with a value only. */
const VALUE_COLUMNS = ["instrument", "gold", "covariate", "traceUrl"];
/** Of rows that are buckets, beside `at`, which each of them needs. */
const BUCKET_COLUMNS = ["le", "bucket", "schema", "count"];

/**
 * A Postgres database that holds scores, sessions or costs.
 *
 * The SQL is the operator's; whoever starts a run only chooses bound parameters. Each question runs in a read-only transaction with a statement
 * timeout, through a cursor, so that a large table is never read beyond the caps.
 */
export const createPostgresSource = (options: PostgresOptions): MetricSource => {
  let open: { connectionString: string; pool: pg.Pool } | null = null;
  const poolOf = (connectionString: string): pg.Pool => {
    if (open?.connectionString === connectionString) return open.pool;
    void open?.pool.end();
    const pool = new pg.Pool({
      connectionString,
      application_name: "touchstone",
      max: options.poolSize,
      connectionTimeoutMillis: Math.min(options.timeoutMs, 10_000),
      allowExitOnIdle: true,
    });
    // A connection that breaks while idle reports here and leaves the pool; whoever asks next gets a new one.
    pool.on("error", () => undefined);
    open = { connectionString, pool };
    return pool;
  };

  return {
    type: "postgres",

    check(query) {
      const form = queryForm(query);
      if (form !== "sql") return [`asks for ${form}, but ${options.name} is a Postgres source; give sql`];
      try {
        bindSql(query.sql ?? "");
        return [];
      } catch (error) {
        if (error instanceof TouchstoneError) return [error.message];
        throw error;
      }
    },

    render(request) {
      const { text, parameters } = bindSql(request.metric.query.sql ?? "");
      return JSON.stringify([options.name, text, parameters.map((parameter) => bind(parameter, request))]);
    },

    async fetch(request, signal) {
      const { text, parameters } = bindSql(request.metric.query.sql ?? "");
      const values = parameters.map((parameter) => bind(parameter, request));
      return options.persist(async (attemptSignal) => {
        const pool = poolOf(await options.connectionString());
        return withConnection(pool, options, attemptSignal, (client) =>
          readRows(client, text, values, request, options),
        );
      }, signal);
    },
  };
};

async function withConnection<T>(
  pool: pg.Pool,
  options: PostgresOptions,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const either = AbortSignal.any([signal, deadline]);
  const lease: { client: pg.PoolClient | null } = { client: null };
  let broken = true;
  // Ending the connection ends the statement; the pool opens another.
  const cut = () => {
    lease.client?.release(true);
    lease.client = null;
  };
  try {
    either.throwIfAborted();
    const client = await pool.connect();
    lease.client = client;
    if (either.aborted) cut();
    either.throwIfAborted();
    either.addEventListener("abort", cut, { once: true });
    const answer = await work(client);
    broken = false;
    return answer;
  } catch (error) {
    if (error instanceof TouchstoneError) throw error;
    signal.throwIfAborted();
    throw toSourceError(error, deadline.aborted, options);
  } finally {
    either.removeEventListener("abort", cut);
    lease.client?.release(broken);
  }
}

async function readRows(
  client: pg.Client,
  text: string,
  values: readonly (string | null)[],
  request: SourceRequest,
  options: PostgresOptions,
): Promise<Answer> {
  await client.query("begin transaction read only");
  await client.query(
    `set local statement_timeout = ${Math.ceil(options.timeoutMs)}; set local timezone = 'UTC'; set local datestyle = 'ISO'; set local extra_float_digits = 1`,
  );
  await client.query({ text: `declare touchstone_rows no scroll cursor for ${text}`, values: [...values] });

  let collector: ReturnType<typeof createCollector> | null = null;
  let rows = 0;
  let bytes = 0;
  for (;;) {
    const batch = await client.query<RawRow & BucketRow & { readonly traceurl?: unknown }>({
      text: `fetch forward ${BATCH_ROWS} from touchstone_rows`,
      types: AS_TEXT,
    });
    const names = batch.fields.map((field) => toKnownCase(field.name));
    collector ??= createCollector(names, request, options.name);
    rows += batch.rows.length;
    if (rows > options.maxRows)
      throw new TouchstoneError(
        "source_too_large",
        `${options.name} returned more than ${options.maxRows} rows; aggregate in the SQL`,
      );
    for (const row of batch.rows) {
      for (const cell of Object.values(row)) bytes += typeof cell === "string" ? cell.length : 0;
      collector.add("traceurl" in row ? { ...row, traceUrl: row.traceurl } : row);
    }
    if (bytes > options.maxBytes)
      throw new TouchstoneError(
        "source_too_large",
        `${options.name} returned more than ${options.maxBytes} bytes; select fewer columns or aggregate in the SQL`,
      );
    if (batch.rows.length < BATCH_ROWS) break;
  }
  await client.query("rollback");
  return collector.finish([]);
}

function createCollector(names: readonly string[], { metric, window, stepSeconds }: SourceRequest, source: string) {
  const buckets = bucketColumnsOf(names, source);
  if (buckets === null) return createRowCollector(columnsOf(names, source), window);
  if (window === null)
    throw new TouchstoneError("invalid_query", `metric ${metric.name} asks ${source} for a histogram without a window`);
  return createBucketCollector(buckets, window, stepSeconds, source);
}

/** Null where the rows are no buckets. */
function bucketColumnsOf(names: readonly string[], source: string): BucketColumns | null {
  if (!BUCKET_COLUMNS.some((name) => names.includes(name))) return null;
  const forms = { edges: ["le", "count", "at"], exponents: ["bucket", "schema", "count", "at"] } as const;
  const form = names.includes("le") ? "edges" : "exponents";
  const odd = names.find((name) => !forms[form].some((known) => known === name));
  const missing = forms[form].find((name) => !names.includes(name));
  if (odd === undefined && missing === undefined) return form;
  throw new TouchstoneError(
    "source_refused",
    `the SQL for ${source} returns ${names.join(", ")}; a histogram has the columns ${forms.edges.join(", ")}, or ${forms.exponents.join(", ")}`,
  );
}

/** Postgres folds a name without quotes to lower case. */
function toKnownCase(name: string): string {
  return name === "traceurl" ? "traceUrl" : name;
}

function columnsOf(names: readonly string[], source: string): RowColumns {
  const known = [...KNOWN_COLUMNS, ...VALUE_COLUMNS, ...BUCKET_COLUMNS];
  const odd = names.find((name) => !known.includes(name));
  if (odd !== undefined)
    throw new TouchstoneError(
      "source_refused",
      `the SQL for ${source} returns a column ${odd}; name its columns ${known.join(", ")}`,
    );
  const counts = names.includes("events") || names.includes("exposure");
  const needs = counts ? ["events", "exposure"] : ["value"];
  const missing = needs.find((name) => !names.includes(name));
  if (missing !== undefined)
    throw new TouchstoneError(
      "source_refused",
      `the SQL for ${source} returns ${names.join(", ")}, but no column ${missing}`,
    );
  if (counts && names.includes("value"))
    throw new TouchstoneError(
      "source_refused",
      `the SQL for ${source} returns value beside events and exposure; give one or the other`,
    );
  const beside = VALUE_COLUMNS.find((name) => names.includes(name));
  if (counts && beside !== undefined)
    throw new TouchstoneError(
      "source_refused",
      `the SQL for ${source} returns ${beside} beside events and exposure; it goes with value`,
    );
  return {
    counts,
    unit: names.includes("unit"),
    at: names.includes("at"),
    stratum: names.includes("stratum"),
    instrument: names.includes("instrument"),
    gold: names.includes("gold"),
    covariate: names.includes("covariate"),
    traceUrl: names.includes("traceUrl"),
  };
}

function bind(parameter: SqlParameter, request: SourceRequest): string | null {
  switch (parameter.kind) {
    case "start":
    case "end":
      if (request.window === null)
        throw new TouchstoneError(
          "invalid_query",
          `metric ${request.metric.name} asks for :${parameter.kind} without a window`,
        );
      return request.window[parameter.kind];
    case "version":
    case "step":
    case "labels":
    case "args":
      return valueOf(parameter, request);
  }
}

/**
 * SQLSTATE classes: 08 connection, 40 rolled back (on a replica: by recovery), 53 resources, 57014 cancelled by the timeout, 57P the server going away. What has no
 * SQLSTATE never came from the server.
 */
function toSourceError(error: unknown, late: boolean, { name, timeoutMs }: PostgresOptions): TouchstoneError {
  const state = error instanceof pg.DatabaseError ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (late || state === "57014")
    return new TouchstoneError("source_timeout", `${name} had not answered in full after ${timeoutMs / 1000} s`, {
      cause: error,
    });
  if (state === undefined)
    return new TouchstoneError("source_unavailable", `${name} cannot be reached: ${message}`, { cause: error });
  if (/^(?:08|40|53|57P)/.test(state))
    return new TouchstoneError("source_unavailable", `${name} gave no answer (${state}): ${message}`, { cause: error });
  return new TouchstoneError("source_refused", `${name} refused the query (${state}): ${message}`, { cause: error });
}
