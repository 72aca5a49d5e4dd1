import { TouchstoneError } from "../errors.ts";

/** The one SQL dialect of the record, spoken to a Postgres server or to PGlite in this process. */
export interface Sql {
  /**
   * Rows of one statement.
   *
   * @param prepared  a name for this text alone: the database plans it once for each connection. For statements that are asked all the time, and whose best plan does not hang on the values.
   * @throws TouchstoneError `store_unavailable` when the database cannot answer.
   */
  query<Row extends object>(text: string, values?: readonly SqlValue[], prepared?: string): Promise<Row[]>;
  /** All or nothing; `work` must ask only through the handle it is given. */
  transaction<T>(work: (sql: Ask) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Inside or outside a transaction. */
export type Ask = Pick<Sql, "query">;

export type SqlValue = string | number | boolean | null | readonly string[];

/** A violated constraint or a wrong statement is our bug and passes through; everything else means that the database cannot serve now. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof TouchstoneError) return error;
  const state = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^(?:0A|2[0-9]|42)/.test(state)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TouchstoneError("store_unavailable", `the database cannot answer: ${message}`, { cause: error });
}
