import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { TouchstoneError } from "../errors.ts";
import { takeLock } from "./lock-file.ts";
import { toStoreError, type Sql, type SqlValue } from "./sql.ts";

/**
 * The record in this process: Postgres as WebAssembly in a folder.
 *
 * It survives a killed process, not a power cut (it never fsyncs), and it belongs to one process at a time, which the lock file keeps true.
 *
 * @param dataDir  the folder; made when absent. Null: in memory, for tests.
 * @param onLockLost  told when another process took the folder over, because this one was frozen; it must stop at once.
 * @throws TouchstoneError `store_unavailable` when another process holds the folder.
 */
export async function createPgliteSql(dataDir: string | null, onLockLost: () => void): Promise<Sql> {
  if (dataDir !== null) await mkdir(dataDir, { recursive: true });
  const lock = dataDir === null ? null : await takeLock(join(dataDir, "lock"), onLockLost);
  let db: PGlite;
  try {
    db = await PGlite.create({
      ...(dataDir === null ? {} : { dataDir: join(dataDir, "record") }),
      // As node-postgres does, so that one store runs on both.
      parsers: { 20: (text: string) => text },
      startParams: [...PGlite.defaultStartParams, "-c", "shared_buffers=8MB"],
    });
  } catch (cause) {
    await lock?.release();
    throw new TouchstoneError(
      "store_unavailable",
      `the embedded record in ${dataDir} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const ask = async <Row extends object>(
    target: Pick<PGlite, "query">,
    text: string,
    values: readonly SqlValue[] = [],
  ): Promise<Row[]> => {
    try {
      return (await target.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw toStoreError(error);
    }
  };

  return {
    query: (text, values) => ask(db, text, values),
    transaction: (work) => db.transaction((tx) => work({ query: (text, values) => ask(tx, text, values) })),
    async close() {
      await db.close();
      await lock?.release();
    },
  };
}
