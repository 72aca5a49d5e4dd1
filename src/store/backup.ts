import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import { ENGINE } from "../model/engine.ts";
import { currentVersion, migrate, SCHEMA_VERSION } from "./migrations.ts";
import type { Ask, Sql } from "./sql.ts";

/**
 * A backup is the rows, not the files: gzipped lines of JSON, which another version of Postgres reads as well and in which nothing but content takes room.
 *
 * A head; for each table its name and number of rows, then as many rows; an end with the digest of all lines but the head. Whoever reads it back writes it out again
 * and compares the digests.
 */
const Head = z.object({ touchstone: z.literal("backup/1"), engine: z.string(), schema: z.int().min(1) });
const Table = z.object({
  table: z.string(),
  rows: z.int().min(0),
  sequences: z.record(z.string(), z.tuple([z.string(), z.boolean()])),
});
const End = z.object({ end: z.literal(true), digest: z.string() });

/** Of lines in whatever order, since a table gives its rows as they happen to lie: the sum of their SHA-256. */
function createDigest(): { add(line: string): void; toString(): string } {
  let sum = 0n;
  return {
    add: (line) => (sum = (sum + BigInt(`0x${createHash("sha256").update(line).digest("hex")}`)) % 2n ** 256n),
    toString: () => `sum-sha256:${sum.toString(16).padStart(64, "0")}`,
  };
}

/** What was written or read back. */
export interface BackupSummary {
  readonly schema: number;
  readonly engine: string;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
}

/** Nobody else may write meanwhile. @throws TouchstoneError `input_unavailable` when the file cannot be written. */
export async function writeBackup(sql: Sql, path: string): Promise<BackupSummary> {
  const head = { touchstone: "backup/1" as const, engine: ENGINE, schema: await currentVersion(sql) };
  const tables: Record<string, number> = {};
  const digest = createDigest();
  async function* lines() {
    yield `${JSON.stringify(head)}\n`;
    for await (const line of contentLines(sql, (name, rows) => (tables[name] = rows))) {
      digest.add(line);
      yield `${line}\n`;
    }
    yield `${JSON.stringify({ end: true, digest: digest.toString() })}\n`;
  }
  // Under its name there is never half of a backup.
  const unfinished = `${path}.unfinished`;
  try {
    await pipeline(Readable.from(lines()), createGzip(), createWriteStream(unfinished));
    const file = await open(unfinished, "r+");
    await file.sync();
    await file.close();
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { force: true });
    if (cause instanceof TouchstoneError) throw cause;
    throw new TouchstoneError("input_unavailable", `${path} cannot be written: ${toMessage(cause)}`, { cause });
  }
  return { schema: head.schema, engine: head.engine, tables };
}

/**
 * Fills an empty record from a backup, checks that it holds what the backup holds, and brings it to the newest schema.
 *
 * @throws TouchstoneError `input_unavailable` when the file cannot be read; `invalid_input` when it is no whole backup, or one of a newer program.
 */
export async function readBackup(sql: Sql, path: string): Promise<BackupSummary> {
  const lines = linesOf(path);
  const head = toHead(await lines.next(), path);
  await migrate(sql, head.schema);
  const { tables, digest } = await sql
    .transaction((tx) => load(tx, lines, path))
    .catch((cause: unknown) => {
      if (cause instanceof TouchstoneError) throw cause;
      throw new TouchstoneError("invalid_input", `${path} cannot be read back: ${toMessage(cause)}`, { cause });
    });
  const restored = createDigest();
  for await (const line of contentLines(sql, () => undefined)) restored.add(line);
  if (restored.toString() !== digest)
    throw new TouchstoneError("invalid_input", `${path} is damaged: what was restored from it has another digest`);
  await migrate(sql);
  return { schema: head.schema, engine: head.engine, tables };
}

/** The schema that a backup was written under. @throws TouchstoneError as `readBackup`. */
export async function backupSchema(path: string): Promise<number> {
  const lines = linesOf(path);
  try {
    return toHead(await lines.next(), path).schema;
  } finally {
    await lines.return(undefined);
  }
}

function toHead({ value }: IteratorResult<string, unknown>, path: string): z.infer<typeof Head> {
  const head = parseLine(Head, typeof value === "string" ? value : "", path, "does not begin as a backup");
  if (head.schema > SCHEMA_VERSION)
    throw new TouchstoneError(
      "invalid_input",
      `${path} was written by ${head.engine} with schema version ${head.schema}; this program knows ${SCHEMA_VERSION}, so use a newer one`,
    );
  return head;
}

/** So many at a time: a row with the evidence of a look may have megabytes. */
const ROWS_AT_ONCE = 20;

/** Every table with its rows. What migrations were taken is no content. */
async function* contentLines(sql: Ask, onTable: (name: string, rows: number) => void): AsyncGenerator<string> {
  for (const name of await tableNames(sql)) {
    const table = tableOf(name);
    const [counted] = await sql.query<{ n: number }>(`select count(*)::int as n from ${table}`);
    const rows = counted?.n ?? 0;
    onTable(name, rows);
    yield JSON.stringify({ table: name, rows, sequences: await sequencesOf(sql, name) });
    let last = "(0,0)";
    for (;;) {
      const page = await sql.query<{ place: string; row: string }>(
        `select ctid::text as place, translate(row_to_json(t)::text, E'\\n\\r', '  ') as row from ${table} t where ctid > $1::tid order by ctid limit ${ROWS_AT_ONCE}`,
        [last],
      );
      for (const { row } of page) yield row;
      const end = page.at(-1);
      if (end === undefined) break;
      last = end.place;
    }
  }
}

async function load(
  tx: Ask,
  lines: AsyncIterator<string>,
  path: string,
): Promise<{ tables: Record<string, number>; digest: string }> {
  const known = await tableNames(tx);
  const tables: Record<string, number> = {};
  const found = createDigest();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true)
      throw new TouchstoneError("invalid_input", `${path} ends in the middle: it is not a whole backup`);
    return value;
  };
  // Rows come back as they were: no trigger changes them, and a table may refer to one that comes later.
  await tx.query("set local session_replication_role = replica");
  for (const name of known) await tx.query(`delete from ${tableOf(name)}`);
  for (;;) {
    const line = await next();
    if (line.startsWith('{"end"')) {
      const { digest } = parseLine(End, line, path, "has no end that can be read");
      if (found.toString() !== digest)
        throw new TouchstoneError("invalid_input", `${path} is damaged: its digest differs`);
      return { tables, digest };
    }
    found.add(line);
    const { table, rows, sequences } = parseLine(Table, line, path, "does not name a table where it should");
    if (!known.includes(table) || tables[table] !== undefined)
      throw new TouchstoneError("invalid_input", `${path} holds a table ${table}, which does not belong there`);
    const columns = await columnsOf(tx, table);
    for (let read = 0; read < rows; read += ROWS_AT_ONCE) {
      const batch: string[] = [];
      while (batch.length < Math.min(ROWS_AT_ONCE, rows - read)) {
        const row = await next();
        found.add(row);
        batch.push(row);
      }
      await tx.query(
        `insert into ${tableOf(table)} (${columns}) overriding system value
         select ${columns} from json_populate_recordset(null::${tableOf(table)}, $1::json)`,
        [`[${batch.join(",")}]`],
      );
    }
    for (const [column, [value, called]] of Object.entries(sequences))
      await tx.query("select setval(pg_get_serial_sequence($1, $2), $3::bigint, $4)", [
        tableOf(table),
        column,
        value,
        called,
      ]);
    tables[table] = rows;
  }
}

async function tableNames(sql: Ask): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'touchstone' and tablename <> 'migrations' order by tablename collate "C"`,
  );
  return rows.map(({ name }) => name);
}

const tableOf = (name: string): string => `touchstone.${quoted(name)}`;
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Those that can be written, for both sides of an insert. */
async function columnsOf(sql: Ask, table: string): Promise<string> {
  const rows = await sql.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = 'touchstone' and table_name = $1 and is_generated = 'NEVER' order by ordinal_position`,
    [table],
  );
  return rows.map(({ name }) => quoted(name)).join(", ");
}

/** Where the numbering of columns stands: the next row must not take a number that was given before. */
async function sequencesOf(sql: Ask, table: string): Promise<Record<string, [value: string, called: boolean]>> {
  const rows = await sql.query<{ name: string; sequence: string }>(
    `select column_name as name, pg_get_serial_sequence($1, column_name) as sequence from information_schema.columns
     where table_schema = 'touchstone' and table_name = $2 and pg_get_serial_sequence($1, column_name) is not null`,
    [tableOf(table), table],
  );
  const sequences: Record<string, [string, boolean]> = {};
  for (const { name, sequence } of rows) {
    const [state] = await sql.query<{ value: string; called: boolean }>(
      `select last_value::text as value, is_called as called from ${sequence}`,
    );
    sequences[name] = [state?.value ?? "1", state?.called ?? false];
  }
  return sequences;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const text = createGunzip();
  // What goes wrong in the file ends the reading of the text with its error.
  pipeline(createReadStream(path), text).catch(() => undefined);
  let pieces: Buffer[] = [];
  try {
    for await (const chunk of text as AsyncIterable<Buffer>) {
      let begin = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, begin)) {
        yield Buffer.concat([...pieces, chunk.subarray(begin, end)]).toString("utf8");
        pieces = [];
        begin = end + 1;
      }
      pieces.push(chunk.subarray(begin));
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code.startsWith("Z_"))
      throw new TouchstoneError("invalid_input", `${path} is not a whole backup: ${toMessage(cause)}`, { cause });
    throw new TouchstoneError("input_unavailable", `${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}

/** Alone ends a line: what else people call a line break may stand in a text. */
const NEWLINE = 0x0a;

function parseLine<T>(schema: z.ZodType<T>, line: string, path: string, fault: string): T {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new TouchstoneError("invalid_input", `${path} is not a backup of Touchstone: it ${fault}`);
  return parsed.data;
}

const toMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
