import { expect, onTestFinished, test } from "vitest";
import { createLogger } from "../../src/log.ts";
import { createPgliteSql } from "../../src/store/pglite.ts";
import { migrate } from "../../src/store/migrations.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { vacuum } from "../../src/store/vacuum.ts";
import type { DeletedRuns } from "../../src/store/keeping.ts";
import { seeded } from "../../src/stats/random.ts";
import { createTelemetry } from "../../src/telemetry.ts";
import { keep, startKeeper, type KeeperDependencies } from "../../src/worker/keeper.ts";

const DAY = 86_400;
const NEVER = new AbortController().signal;

interface Asked {
  readonly olderThan: number;
  readonly limit: number;
}

/** A record of ended runs, each with its age in seconds and its bytes. */
function recordOf(runs: { age: number; bytes: number }[], vacuumed: () => void = () => undefined) {
  const asked: Asked[] = [];
  const telemetry = createTelemetry();
  const dependencies: KeeperDependencies = {
    store: {
      deleteEndedRuns: (olderThan, limit): Promise<DeletedRuns> => {
        asked.push({ olderThan, limit });
        const old = runs
          .filter(({ age }) => age > olderThan)
          .sort((a, b) => b.age - a.age)
          .slice(0, limit);
        for (const one of old) runs.splice(runs.indexOf(one), 1);
        return Promise.resolve({ runs: old.length, contentBytes: old.reduce((sum, { bytes }) => sum + bytes, 0) });
      },
      deleteOldKeys: () => Promise.resolve(0),
      measure: () => Promise.resolve({ contentBytes: runs.reduce((sum, { bytes }) => sum + bytes, 0), diskBytes: 7 }),
    },
    vacuum: () => Promise.resolve(vacuumed()),
    telemetry,
    log: createLogger("silent"),
  };
  const metric = async (name: string) => (await telemetry.registry.getSingleMetric(name)?.get())?.values;
  return { dependencies, asked, metric };
}

test("runs beyond the age are deleted in batches, then the record is vacuumed and measured", async () => {
  const runs = Array.from({ length: 120 }, (_, i) => ({ age: (i + 1) * DAY, bytes: 10 }));
  let vacuumed = 0;
  const { dependencies, asked, metric } = recordOf(runs, () => (vacuumed += 1));
  await keep(dependencies, { ageSeconds: 10.5 * DAY, contentBytes: null }, NEVER);
  expect(runs.length).toBe(10);
  expect(asked.map(({ limit }) => limit)).toEqual([50, 50, 50]);
  expect(vacuumed).toBe(1);
  expect(await metric("touchstone_runs_deleted_total")).toMatchObject([{ value: 110 }]);
  expect(await metric("touchstone_record_bytes")).toMatchObject([
    { value: 100, labels: { of: "content" } },
    { value: 7, labels: { of: "disk" } },
  ]);
});

test("beyond the size the oldest go until it is kept, and none of the last day", async () => {
  const runs = Array.from({ length: 120 }, (_, i) => ({ age: (i + 2) * DAY, bytes: 10 }));
  const { dependencies } = recordOf(runs);
  await keep(dependencies, { ageSeconds: null, contentBytes: 650 }, NEVER);
  // Two batches: one was not enough.
  expect(runs.length).toBe(20);
  expect(Math.max(...runs.map(({ age }) => age))).toBe(21 * DAY);

  const young = Array.from({ length: 5 }, () => ({ age: DAY / 2, bytes: 10 }));
  await keep(recordOf(young).dependencies, { ageSeconds: null, contentBytes: 1 }, NEVER);
  expect(young.length).toBe(5);
});

test("without bounds nothing is deleted, and while another process deletes this one does not", async () => {
  const runs = [{ age: 10_000 * DAY, bytes: 1e12 }];
  const { dependencies, asked } = recordOf(runs);
  await keep(dependencies, { ageSeconds: null, contentBytes: null }, NEVER);
  expect([runs.length, asked.length]).toEqual([1, 0]);
  let times = 0;
  const busy = { ...dependencies.store, deleteEndedRuns: () => ((times += 1), Promise.resolve(null)) };
  await keep({ ...dependencies, store: busy }, { ageSeconds: DAY, contentBytes: 1 }, NEVER);
  expect(times).toBe(2);
});

test("of rounds that meet one comes to its end", async () => {
  const random = seeded(7);
  for (let n = 0; n < 200; n += 1) {
    const runs = Array.from({ length: 170 }, (_, i) => ({ age: (i + 2) * DAY, bytes: 10 }));
    const { dependencies } = recordOf(runs);
    let held = false;
    const alone = async <T>(work: () => Promise<T>): Promise<T | null> => {
      const turns = async () => {
        for (let turn = Math.floor(random() * 4); turn > 0; turn -= 1) await Promise.resolve();
      };
      await turns();
      if (held) return null;
      held = true;
      await turns();
      return work().finally(() => (held = false));
    };
    const { deleteEndedRuns, deleteOldKeys, measure } = dependencies.store;
    const store: KeeperDependencies["store"] = {
      deleteEndedRuns: (...of) => alone(() => deleteEndedRuns(...of)),
      deleteOldKeys: (...of) => alone(async () => (await deleteOldKeys(...of)) ?? 0),
      measure,
    };
    const round = () => keep({ ...dependencies, store }, { ageSeconds: DAY, contentBytes: null }, NEVER);
    await Promise.all([round(), round(), round()]);
    expect(runs.length).toBe(0);
  }
});

test("a round that fails is counted and the next one comes", async () => {
  const { dependencies, metric } = recordOf([]);
  let rounds = 0;
  const failing = {
    ...dependencies.store,
    measure: () => ((rounds += 1), Promise.reject(new Error("the record is away"))),
  };
  const keeper = startKeeper(
    { ...dependencies, store: failing },
    { ageSeconds: null, contentBytes: null, firstMs: 1, everyMs: 1 },
  );
  onTestFinished(() => keeper.stop());
  await expect.poll(() => rounds).toBeGreaterThan(2);
  expect((await metric("touchstone_sweep_errors_total"))?.[0]?.value).toBeGreaterThan(1);
  await keeper.stop();
  const after = rounds;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(rounds).toBe(after);
});

test("a vacuum gives back what was deleted, and stops between two tables", async () => {
  const sql = await createPgliteSql(null, () => undefined);
  onTestFinished(() => sql.close());
  await migrate(sql);
  const store = createSqlStore(sql);
  await sql.query(
    "insert into touchstone.analyses (project, name, origin, document, digest) select 'p', 'a' || i, 'api', repeat(md5(i::text), 30), '' from generate_series(1, 2000) i",
  );
  await sql.query("delete from touchstone.analyses");
  const before = (await store.measure()).diskBytes;
  await vacuum(sql, AbortSignal.abort());
  expect((await store.measure()).diskBytes).toBe(before);
  await vacuum(sql, NEVER);
  expect((await store.measure()).diskBytes).toBeLessThan(before / 2);
}, 60_000);
