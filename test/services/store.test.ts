import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { checkSchema, migrate, SCHEMA_VERSION } from "../../src/store/migrations.ts";
import { createPostgresSql } from "../../src/store/postgres.ts";
import { createKeepingStore } from "../../src/store/sql-keeping.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { canaryConfigContract } from "../contract/canary-config-contract.ts";
import { scheduleContract } from "../contract/schedule-contract.ts";
import { storeContract } from "../contract/store-contract.ts";
import { startFaultProxy } from "../campaign/fault-proxy.ts";
import { explaining } from "../../bench/scaling/explaining.ts";
import { createDatabase } from "./database.ts";
import { startPostgres } from "./servers.ts";

const serverUrl = inject("postgresUrl");
const ignore = () => undefined;

/** A database of its own with the tables, until the test ends. */
async function migrated() {
  const other = await createDatabase(serverUrl ?? "");
  const sql = createPostgresSql({ connectionString: other.url, poolSize: 3, onError: ignore });
  onTestFinished(async () => {
    await sql.close();
    await other.drop();
  });
  await migrate(sql);
  return { other, sql };
}

describe.skipIf(serverUrl === null)("Postgres", () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createDatabase(serverUrl ?? "");
  });
  afterAll(() => database.drop());

  const open = () =>
    Promise.resolve(createPostgresSql({ connectionString: database.url, poolSize: 10, onError: ignore }));
  storeContract("Postgres", open);
  scheduleContract("Postgres", open);
  canaryConfigContract("Postgres", open);

  test("an empty database is refused with what to do, and two migrations at once take turns", async () => {
    const other = await createDatabase(serverUrl ?? "");
    const open = () => createPostgresSql({ connectionString: other.url, poolSize: 2, onError: ignore });
    const [a, b] = [open(), open()];
    await expect(checkSchema(a)).rejects.toThrow(
      new RegExp(`schema version 0, this program needs ${SCHEMA_VERSION}; run: touchstone migrate`),
    );
    const taken = await Promise.all([migrate(a), migrate(b)]);
    expect(taken.map((steps) => steps.length).toSorted((x, y) => x - y)).toEqual([0, SCHEMA_VERSION]);
    await checkSchema(b);
    await Promise.all([a.close(), b.close()]);
    await other.drop();
  });

  test("what every sweep asks reads few rows, however many runs are live", async () => {
    const { other, sql } = await migrated();
    await other.query(
      `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, status, due_at)
       select 'run_' || i, 'default', repeat(md5(i::text), 20), '', 'a', 'v1', 'v2', 'running', now() + (i - 100) * interval '1 second' from generate_series(1, 5000) i`,
    );
    await other.query("vacuum analyze");
    const nodes: string[] = [];
    const store = createSqlStore(explaining(sql, (plan) => nodes.push(...plan.nodes)));
    await store.claimRun("w", 6);
    await store.claimRun("w", 6, "run_7");
    await store.endCrashLoops();
    await store.dueSchedules(20);
    await store.claimDeliveries(40, 1, []);
    await store.countWaiting(50_000);
    expect(nodes).toContain("runs_suspect 0");
    for (const node of nodes.filter((node) => /^(?:WHOLE TABLE )?runs/.test(node)))
      expect(node).toMatch(/^runs_(?:due|pkey|suspect) \d{1,3}$/);
  });

  test("a record of very many rows is measured by a part of them, a small one exactly", async () => {
    const { other, sql } = await migrated();
    await other.query(
      `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, due_at)
       select 'run_' || i, 'default', repeat('x', 1000), '', 'a', 'v1', 'v2', now() from generate_series(1, 5000) i`,
    );
    await other.query("analyze");
    const store = createSqlStore(sql);
    const { contentBytes: exact } = await store.measure();
    expect(exact).toBe(5000 * 1004);
    // As if there were a million, of which a fifth is read.
    await other.query("update pg_class set reltuples = 1e6 where oid = 'touchstone.runs'::regclass");
    const { contentBytes: estimated } = await store.measure();
    expect(estimated).not.toBe(exact);
    // A fifth of 700 pages: more than a third off comes once in ten thousand times.
    expect(Math.abs(estimated / exact - 1)).toBeLessThan(1 / 3);
  });

  test("while one process deletes old runs another does not", async () => {
    const other = await createDatabase(serverUrl ?? "");
    const sql = createPostgresSql({ connectionString: other.url, poolSize: 3, onError: ignore });
    await migrate(sql);
    const store = createSqlStore(sql);
    let release = (): void => undefined;
    let tell = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const taken = new Promise<void>((resolve) => (tell = resolve));
    // The first is in the middle of its transaction as long as this test wants.
    const slow = createKeepingStore({
      ...sql,
      transaction: (work) =>
        sql.transaction(async (tx) => {
          const result = await work(tx);
          tell();
          await held;
          return result;
        }),
    });
    const first = slow.deleteEndedRuns(1, 10);
    await taken;
    expect(await store.deleteEndedRuns(1, 10)).toBeNull();
    expect(await store.deleteOldKeys(1, 10)).toBeNull();
    release();
    expect(await first).toEqual({ runs: 0, contentBytes: 0 });
    expect(await store.deleteEndedRuns(1, 10)).toEqual({ runs: 0, contentBytes: 0 });
    await store.close();
    await other.drop();
  });

  test("a database that cannot be reached is unavailable, in bounded time", async () => {
    const store = createSqlStore(
      createPostgresSql({ connectionString: "postgres://postgres@127.0.0.1:1/x", poolSize: 1, onError: ignore }),
    );
    await expect(store.ping()).rejects.toMatchObject({ code: "store_unavailable" });
    await store.close();
  });

  test("a database that dies inside a transaction fails it, and the process lives", async () => {
    const server = await startPostgres();
    onTestFinished(() => server.stop("SIGQUIT"));
    const heard: string[] = [];
    const sql = createPostgresSql({
      connectionString: server.url,
      poolSize: 1,
      onError: ({ message }) => void heard.push(message),
    });
    onTestFinished(() => sql.close());
    const work = sql.transaction(async (tx) => {
      await tx.query("select 1");
      await server.halt("SIGQUIT");
      await expect.poll(() => heard).toContain("Connection terminated unexpectedly");
      await tx.query("select 1");
    });
    await expect(work).rejects.toMatchObject({ code: "store_unavailable" });
  });

  test("a frozen database fails a transaction after one time limit, not after a second one for its rollback", async () => {
    const proxy = await startFaultProxy(Number(new URL(serverUrl ?? "").port));
    const sql = createPostgresSql({
      connectionString: (serverUrl ?? "").replace(/:\d+\//, `:${proxy.port}/`),
      poolSize: 1,
      onError: ignore,
    });
    onTestFinished(async () => {
      await sql.close();
      await proxy.close();
    });
    await sql.query("select 1");
    proxy.set({ kind: "blackhole" });
    const started = performance.now();
    await expect(sql.transaction((tx) => tx.query("select 1"))).rejects.toMatchObject({ code: "store_unavailable" });
    // A statement has 6 s.
    expect(performance.now() - started).toBeLessThan(10_000);
    proxy.set({ kind: "none" });
    expect(await sql.query("select 1 as one")).toEqual([{ one: 1 }]);
  });
});
