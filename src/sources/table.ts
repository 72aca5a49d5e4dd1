import { open } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { TouchstoneError } from "../errors.ts";

/** A CSV or NDJSON file as columns of cells: texts from CSV, JSON values from NDJSON. */
export interface Table {
  readonly path: string;
  readonly rows: number;
  readonly columns: ReadonlyMap<string, readonly unknown[]>;
}

/**
 * Reads a whole file.
 *
 * The format follows the name (.csv, .ndjson, .jsonl); under any other name a file that begins with `{` is NDJSON.
 *
 * @throws TouchstoneError `input_unavailable` when it cannot be read, `invalid_input` when it is empty, binary, too large or malformed.
 */
export async function readTable(path: string, maxBytes: number): Promise<Table> {
  const text = await readText(path, maxBytes);
  const ndjson = /\.(?:ndjson|jsonl)$/i.test(path) || (!/\.csv$/i.test(path) && /^\s*\{/.test(text));
  const table = ndjson ? readNdjson(path, text) : readCsv(path, text);
  if (table.rows === 0) throw new TouchstoneError("invalid_input", `${path} holds no rows`);
  return table;
}

async function readText(path: string, maxBytes: number): Promise<string> {
  let bytes: Buffer;
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > maxBytes)
        throw new TouchstoneError("invalid_input", `${path} has ${size} bytes, more than the ${maxBytes} allowed`);
      bytes = await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof TouchstoneError) throw cause;
    throw new TouchstoneError(
      "input_unavailable",
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  if (bytes.subarray(0, 8192).includes(0))
    throw new TouchstoneError("invalid_input", `${path} is a binary file; CSV or NDJSON is needed`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TouchstoneError("invalid_input", `${path} is not UTF-8 text; CSV or NDJSON is needed`, { cause });
  }
}

function readCsv(path: string, text: string): Table {
  let records: string[][];
  try {
    records = parse(text, { bom: true, skip_empty_lines: true, relax_column_count: false });
  } catch (cause) {
    throw new TouchstoneError(
      "invalid_input",
      `${path} is not CSV: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const [header, ...rows] = records;
  if (header === undefined) throw new TouchstoneError("invalid_input", `${path} holds no rows`);
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined)
    throw new TouchstoneError("invalid_input", `${path} has two columns named ${JSON.stringify(twice)}`);
  return {
    path,
    rows: rows.length,
    columns: new Map(header.map((name, index) => [name, rows.map((row) => row[index])])),
  };
}

function readNdjson(path: string, text: string): Table {
  const columns = new Map<string, unknown[]>();
  let rows = 0;
  let line = 0;
  for (const record of text.split("\n")) {
    line += 1;
    if (record.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(record);
    } catch (cause) {
      throw new TouchstoneError(
        "invalid_input",
        `${path}:${line} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new TouchstoneError("invalid_input", `${path}:${line} is not a JSON object`);
    for (const [name, cell] of Object.entries(value)) {
      let column = columns.get(name);
      if (column === undefined) {
        column = [];
        columns.set(name, column);
      }
      column[rows] = cell;
    }
    rows += 1;
  }
  for (const column of columns.values()) column.length = rows;
  return { path, rows, columns };
}
