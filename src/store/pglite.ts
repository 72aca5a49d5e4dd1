import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { PGlite } from "@electric-sql/pglite";
import { TouchstoneError } from "../errors.ts";
import { takeLock } from "./lock-file.ts";
import { toStoreError, type Sql, type SqlValue } from "./sql.ts";

/** A data folder with everything in it, packed when the program was built: unpacking takes a third of the time that making one does, and of the memory. */
export interface Template {
  readonly path: string;
  /** Told when it is there but cannot be used; the folder is then made from nothing. */
  readonly onUnusable: (error: unknown) => void;
}

/**
 * The record in this process: Postgres as WebAssembly in a folder.
 *
 * It survives a killed process, not a power cut (it never fsyncs), and it belongs to one process at a time, which the lock file keeps true.
 *
 * @param dataDir  the folder; made when absent. Null: in memory, for tests.
 * @param onLockLost  told when another process took the folder over, because this one was frozen; it must stop at once.
 * @param template  what a first start begins from; null, or a file that is not there, begins from nothing.
 * @throws TouchstoneError `store_unavailable` when another process holds the folder.
 */
export async function createPgliteSql(
  dataDir: string | null,
  onLockLost: () => void,
  template: Template | null = null,
): Promise<Sql> {
  if (dataDir === null) return toSql(await openPostgres(null, null));
  await mkdir(dataDir, { recursive: true });
  const lock = await takeLock(join(dataDir, "lock"), onLockLost);
  try {
    await settleFolders(dataDir);
    const sql = toSql(await openFolder(recordFolder(dataDir), template));
    return {
      ...sql,
      async close() {
        await sql.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A packed data folder, for first starts. @param prepare  brings the empty record to its schema. */
export async function packTemplate(prepare: (sql: Sql) => Promise<void>): Promise<Uint8Array> {
  const db = await openPostgres(null, null);
  try {
    await prepare(toSql(db));
    await db.query("vacuum");
    await db.query("checkpoint");
    return new Uint8Array(await (await db.dumpDataDir("gzip")).arrayBuffer());
  } finally {
    await db.close();
  }
}

/**
 * Puts a new record in the place of the one in this folder, if any: the new one is built beside it and takes its place when `build` has ended. A process that is
 * killed at any time leaves the one or the other, whole.
 *
 * @param overwrite  false refuses when there is a record.
 * @throws TouchstoneError `store_unavailable` when another process holds the folder, `conflict` when there is a record that may not be overwritten.
 */
export async function replaceRecord(
  dataDir: string,
  { overwrite, template }: { readonly overwrite: boolean; readonly template: Template | null },
  build: (sql: Sql) => Promise<void>,
): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const lock = await takeLock(join(dataDir, "lock"), () => {
    throw new TouchstoneError("store_unavailable", `another process has taken ${dataDir} over`);
  });
  const building = join(dataDir, BUILDING);
  try {
    await settleFolders(dataDir);
    const exists = await isThere(recordFolder(dataDir));
    if (exists && !overwrite)
      throw new TouchstoneError(
        "conflict",
        `${dataDir} holds a record already; --overwrite puts this one in its place`,
      );
    const sql = toSql(await openFolder(building, template));
    try {
      await build(sql);
    } finally {
      await sql.close();
    }
    if (exists) await rename(recordFolder(dataDir), join(dataDir, REPLACED));
    await rename(building, recordFolder(dataDir));
    await rm(join(dataDir, REPLACED), { recursive: true, force: true });
  } catch (error) {
    await settleFolders(dataDir);
    throw error;
  } finally {
    await lock.release();
  }
}

/** Whether there is a record to open in this folder. */
export async function hasRecord(dataDir: string): Promise<boolean> {
  return (await isThere(recordFolder(dataDir))) || (await isThere(join(dataDir, REPLACED)));
}

const recordFolder = (dataDir: string): string => join(dataDir, "record");
const BUILDING = "record.building";
const REPLACED = "record.replaced";
/** Lies in a folder that is not complete yet. */
const INCOMPLETE = "touchstone-incomplete";

/** What a process that was killed in the middle left behind: what was whole before is put back, what was not is removed. */
async function settleFolders(dataDir: string): Promise<void> {
  const remove = (path: string) => rm(path, { recursive: true, force: true });
  const record = recordFolder(dataDir);
  if (await isThere(join(record, INCOMPLETE))) await remove(record);
  if (!(await isThere(record)) && (await isThere(join(dataDir, REPLACED))))
    await rename(join(dataDir, REPLACED), record);
  await remove(join(dataDir, REPLACED));
  await remove(join(dataDir, BUILDING));
}

/** The folder as it is, or a new one. */
async function openFolder(folder: string, template: Template | null): Promise<PGlite> {
  if (await isThere(folder)) return openPostgres(folder, null);
  const create = async (packed: Blob | null): Promise<PGlite> => {
    await mkdir(folder);
    await writeFile(join(folder, INCOMPLETE), "");
    const db = await openPostgres(folder, packed);
    await rm(join(folder, INCOMPLETE), { force: true });
    return db;
  };
  if (template !== null && (await isThere(template.path))) {
    try {
      // Unpacked here: PGlite would let a damaged file end the process.
      return await create(new Blob([await promisify(gunzip)(await readFile(template.path))]));
    } catch (error) {
      template.onUnusable(error);
      await rm(folder, { recursive: true, force: true });
    }
  }
  return create(null);
}

async function openPostgres(folder: string | null, packed: Blob | null): Promise<PGlite> {
  try {
    return await PGlite.create({
      ...(folder === null ? {} : { dataDir: folder }),
      ...(packed === null ? {} : { loadDataDir: packed }),
      // As node-postgres does, so that one store runs on both.
      parsers: { 20: (text: string) => text },
      startParams: [...PGlite.defaultStartParams, "-c", "shared_buffers=8MB"],
    });
  } catch (cause) {
    throw new TouchstoneError(
      "store_unavailable",
      `the embedded record in ${folder} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function toSql(db: PGlite): Sql {
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
    close: () => db.close(),
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
