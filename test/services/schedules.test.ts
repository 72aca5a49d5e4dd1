import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { readConfig } from "../../src/config.ts";
import { ScheduleView, type ScheduleSlot } from "../../src/model/schedule.ts";
import { createPostgresSql } from "../../src/store/postgres.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { migrateRecord } from "../../src/wire.ts";
import { run } from "../cli/run.ts";
import { askServer } from "../street.ts";
import { createDatabase } from "./database.ts";
import { startTouchstoneProcess, type Server } from "./servers.ts";

const postgresUrl = inject("postgresUrl");
const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));

/** Judges the agent's files: the window of its slot of 2026 is that of the samples, 08:00 to 08:30. */
const YEARLY = `name: yearly
analysis: batch-eval
baseline: { label: v1 }
candidate: { label: v2 }
cron: 31 8 19 11 *
`;
const SLOT = "2026-11-19T08:31:00.000Z";

describe.skipIf(postgresUrl === null)("schedules across processes", () => {
  let folder: string;
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let env: Record<string, string>;
  let api: Server;
  let workers: Server[] = [];

  const startWorker = async (): Promise<Server> => {
    const worker = await startTouchstoneProcess(["--role", "worker"], env);
    workers.push(worker);
    return worker;
  };
  const ask = (method: string, path: string, body?: unknown) => askServer(api.url, method, path, body);
  const put = async (name: string, more: object): Promise<void> => {
    const body = { name, analysis: "batch-eval", baseline: { label: "v1" }, candidate: { label: "v3" }, ...more };
    const answer = await ask("PUT", `/v1/schedules/${name}`, body);
    expect(answer.status, answer.text).toBe(200);
  };
  const slotsOf = async (name: string): Promise<ScheduleSlot[]> =>
    (await ask("GET", `/v1/schedules/${name}/slots`)).body.items;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "touchstone-schedules-"));
    const sources = join(folder, "sources.yaml");
    writeFileSync(sources, `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`);
    database = await createDatabase(postgresUrl ?? "");
    env = { TOUCHSTONE_SOURCES: sources, DATABASE_URL: database.url };
    await migrateRecord(readConfig(env));
    api = await startTouchstoneProcess(["--role", "api"], env);
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    workers = [];
    await database.query("delete from touchstone.schedules");
    await database.query("delete from touchstone.runs");
  });
  afterAll(async () => {
    await api.stop();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  test("from the command line to the verdict: a slot starts a run that judges the slot's window", async () => {
    const file = join(folder, "yearly.yaml");
    writeFileSync(file, YEARLY);
    const stored = await run(["schedule", "put", "-f", file], { TOUCHSTONE_URL: api.url });
    expect(stored, stored.err).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^yearly: batch-eval, v1 → v2, 31 8/),
    });
    await database.query("update touchstone.schedules set next_at = $1", [SLOT]);
    await Promise.all([startWorker(), startWorker()]);
    await expect.poll(() => slotsOf("yearly"), { timeout: 10_000 }).toHaveLength(1);
    const [slot] = await slotsOf("yearly");
    expect(slot).toMatchObject({ slot: SLOT, outcome: "started", code: null });
    const judged = await ask("GET", `/v1/runs/${slot?.run}?wait=30s`);
    expect(judged.body).toMatchObject({
      status: "done",
      verdict: "rollback",
      schedule: { name: "yearly", slot: SLOT },
      window: { start: "2026-11-19T08:00:00.000Z", end: "2026-11-19T08:30:00.000Z" },
    });
    const read = await run(["schedule", "get", "yearly"], { TOUCHSTONE_URL: api.url });
    expect(read.out).toMatch(new RegExp(`${SLOT} +started ${slot?.run}`));
  });

  test("workers that were down over ten slots run the newest and record the others; the lag shows meanwhile", async () => {
    await put("often", { every: "10m" });
    await database.query(
      "update touchstone.schedules set anchor_at = date_trunc('second', now()) - interval '105 minutes', next_at = date_trunc('second', now()) - interval '95 minutes'",
    );
    const lag = Number(/^touchstone_schedule_lag_seconds (.+)$/m.exec((await ask("GET", "/metrics")).text)?.[1]);
    expect(lag).toBeGreaterThanOrEqual(95 * 60);
    expect(lag).toBeLessThan(97 * 60);
    await startWorker();
    await expect.poll(() => slotsOf("often"), { timeout: 10_000 }).toHaveLength(2);
    expect(await slotsOf("often")).toMatchObject([
      { outcome: "started", slots: 1 },
      { outcome: "skipped", code: "missed", slots: 9 },
    ]);
    expect((await ask("GET", "/metrics")).text).toMatch(/^touchstone_schedule_lag_seconds 0$/m);
  });

  test("workers that are killed in the middle of their slots lose none and double none", async () => {
    const names = Array.from({ length: 60 }, (_, index) => `s${index}`);
    for (const name of names) await put(name, { cron: "31 8 19 11 *" });
    await database.query("update touchstone.schedules set next_at = $1", [SLOT]);
    const taken = async () =>
      Number((await database.query("select count(*) from touchstone.schedule_slots")).rows[0].count);
    for (let kills = 0; kills < 3; kills++) {
      const before = await taken();
      const worker = await startWorker();
      await expect.poll(taken, { timeout: 10_000, interval: 1 }).toBeGreaterThan(Math.min(before, names.length - 1));
      await worker.stop("SIGKILL");
    }
    await Promise.all([startWorker(), startWorker()]);
    await expect.poll(taken, { timeout: 20_000 }).toBe(names.length);
    const { rows } = await database.query(
      "select s.schedule, s.outcome, r.id from touchstone.schedule_slots s left join touchstone.runs r on r.id = s.run_id",
    );
    expect(new Set(rows.map(({ schedule }) => schedule)).size).toBe(names.length);
    expect(rows.every(({ outcome, id }) => outcome === "started" && id !== null)).toBe(true);
    const { rows: runs } = await database.query("select count(*) from touchstone.runs");
    expect(Number(runs[0].count)).toBe(names.length);
  }, 90_000);

  test("only the clock of the database says what is due: a process two hours ahead or behind changes nothing", async () => {
    await put("early", { every: "1h" });
    await put("due", { every: "1h" });
    await database.query("update touchstone.schedules set next_at = now() - interval '1 second' where name = 'due'");
    const store = createSqlStore(
      createPostgresSql({ connectionString: database.url, poolSize: 1, onError: () => undefined }),
    );
    onTestFinished(async () => {
      vi.useRealTimers();
      await store.close();
    });
    for (const hours of [-2, 2]) {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hours * 3_600_000 });
      const due = await store.dueSchedules(10);
      vi.useRealTimers();
      expect(due.map(({ schedule }) => schedule.name)).toEqual(["due"]);
      expect(Math.abs(Date.parse(due[0]?.now ?? "") - Date.now())).toBeLessThan(60_000);
    }
  });

  test("a schedule reads back with its next slots", async () => {
    await put("often", { every: "10m" });
    const view = ScheduleView.parse((await ask("GET", "/v1/schedules/often")).body);
    const gaps = view.nextSlots
      .slice(1)
      .map((slot, index) => Date.parse(slot) - Date.parse(view.nextSlots[index] ?? ""));
    expect(gaps).toEqual([600_000, 600_000, 600_000, 600_000]);
  });
});
