import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import type { Doorbell } from "../../src/doorbell/doorbell.ts";
import { createLocalDoorbell } from "../../src/doorbell/local.ts";
import { judge } from "../../src/judge/judge.ts";
import { createLogger } from "../../src/log.ts";
import { migrate } from "../../src/store/migrations.ts";
import { createPgliteSql } from "../../src/store/pglite.ts";
import type { Sql } from "../../src/store/sql.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { MOST_CLAIMS } from "../../src/store/work.ts";
import type { Store } from "../../src/store/store.ts";
import type { StoredRun } from "../../src/store/runs.ts";
import { createTelemetry } from "../../src/telemetry.ts";
import { noTracing } from "../../src/tracing/none.ts";
import type { Tracing } from "../../src/tracing/tracing.ts";
import { LookEndedItsProcess } from "../../src/worker/look-apart.ts";
import { LookThreadDied, type RunLook } from "../../src/worker/look-threads.ts";
import { startWorker, type WorkerDependencies, type WorkerOptions } from "../../src/worker/worker.ts";
import { runOf } from "../fixtures.ts";

let sql: Sql;
let store: Store;
beforeAll(async () => {
  sql = await createPgliteSql(null, () => undefined);
  await migrate(sql);
  store = createSqlStore(sql);
}, 60_000);
afterAll(() => store.close());
beforeEach(async () => {
  await sql.query("delete from touchstone.runs");
});

const SILENT = { kind: "error", code: "source_unavailable", detail: "away" } as const;

/** A look without sources: every metric is a dead source, so the verdict is pause. */
const lookAtNothing: RunLook = (run, previous, now) =>
  Promise.resolve(
    judge(
      run,
      run.analysis.metrics.map((metric) => ({ metric, baseline: SILENT, candidate: SILENT })),
      previous,
      now,
    ),
  );

let ids = 0;
async function start(): Promise<string> {
  const { run } = await store.startRun({
    project: "default",
    requestDigest: "d",
    rollout: null,
    idempotency: null,
    actor: "a test",
    admit: () => undefined,
    build: (now) => ({ run: runOf({ id: `run_${(ids += 1)}` }), dueAt: now }),
  });
  return run.run.id;
}

function work(
  runLook: RunLook,
  options: Partial<WorkerOptions> = {},
  doorbell: Doorbell = createLocalDoorbell(),
  more: Partial<WorkerDependencies> = {},
) {
  const worker = startWorker(
    {
      store,
      doorbell,
      runLook,
      runLookApart: runLook,
      takeDueSlots: () => Promise.resolve(),
      telemetry: createTelemetry(),
      tracing: noTracing,
      log: createLogger("silent"),
      ...more,
    },
    { id: "w", concurrency: 2, leaseSeconds: 5, sweepMs: 50, lookTimeoutMs: 5000, ...options },
  );
  onTestFinished(() => worker.stop(0));
  return worker;
}

/** Asks the record until the run is as wanted; the test's own time limit ends it otherwise. */
async function until(id: string, wanted: (run: StoredRun) => boolean): Promise<StoredRun> {
  for (;;) {
    const run = await store.readRun("default", id);
    if (run !== null && wanted(run)) return run;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ended = (run: StoredRun) => run.dueAt === null;

test("a sweep finds a run that no bell announced", async () => {
  const id = await start();
  work(lookAtNothing);
  expect(await until(id, ended)).toMatchObject({ status: "done", verdict: "pause", looks: 1 });
});

test("a bell brings a run long before the next sweep", async () => {
  const doorbell = createLocalDoorbell();
  work(lookAtNothing, { sweepMs: 1_000_000 }, doorbell);
  const id = await start();
  doorbell.ring(id);
  expect(await until(id, ended)).toMatchObject({ status: "done" });
});

test("bells that are lost, doubled or for nobody change nothing", async () => {
  const doorbell = createLocalDoorbell();
  let looks = 0;
  work((...args) => ((looks += 1), lookAtNothing(...args)), {}, doorbell);
  const id = await start();
  for (const ring of ["run_unknown", id, id, id]) doorbell.ring(ring);
  await until(id, ended);
  doorbell.ring(id);
  expect(looks).toBe(1);
});

test("no more looks at once than the worker has room for, and all get their turn", async () => {
  let current = 0;
  let most = 0;
  const all = await Promise.all(Array.from({ length: 12 }, start));
  work(async (...args) => {
    most = Math.max(most, (current += 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    current -= 1;
    return lookAtNothing(...args);
  });
  await Promise.all(all.map((id) => until(id, ended)));
  expect(most).toBe(2);
});

test("a bug in a look fails the run with a code", async () => {
  const id = await start();
  work(() => Promise.reject(new RangeError("a bug")));
  expect(await until(id, ended)).toMatchObject({
    status: "failed",
    verdict: null,
    error: { code: "internal", detail: "a bug" },
  });
});

test("a look whose thread dies is tried again, the third time in a process of its own, which proves a crash loop", async () => {
  const id = await start();
  const looks: string[] = [];
  work(
    () => (looks.push("in a thread"), Promise.reject(new LookThreadDied("out of memory"))),
    { leaseSeconds: 0.05 },
    undefined,
    { runLookApart: () => (looks.push("apart"), Promise.reject(new LookEndedItsProcess("SIGSEGV"))) },
  );
  expect(await until(id, ended)).toMatchObject({
    status: "failed",
    error: { code: "crash_loop", detail: "SIGSEGV" },
  });
  expect(looks).toEqual(["in a thread", "in a thread", "apart"]);
});

test("a run whose workers were killed again and again is innocent when its look apart comes to an end", async () => {
  const id = await start();
  for (let i = 0; i < 5; i += 1) await store.claimRun("killed", 0, id);
  work(() => Promise.reject(new Error("not in a thread")), {}, undefined, { runLookApart: lookAtNothing });
  expect(await until(id, ended)).toMatchObject({ status: "done", verdict: "pause" });
});

test("a process for a look that cannot be started proves nothing", async () => {
  const id = await start();
  for (let i = 0; i < 2; i += 1) await store.claimRun("killed", 0, id);
  let tries = 0;
  const apart: RunLook = (...look) =>
    (tries += 1) === 1 ? Promise.reject(new LookThreadDied("a thread cannot start")) : lookAtNothing(...look);
  work(lookAtNothing, { leaseSeconds: 0.05 }, undefined, { runLookApart: apart });
  expect(await until(id, ended)).toMatchObject({ status: "done" });
  expect(tries).toBe(2);
});

test("a run that nobody can read does not stop the sweep", async () => {
  const unreadable = await start();
  await sql.query(
    `update touchstone.runs set snapshot = '{}', claims = ${MOST_CLAIMS}, lease_until = now() where id = $1`,
    [unreadable],
  );
  const id = await start();
  work(lookAtNothing);
  expect(await until(id, ended)).toMatchObject({ status: "done" });
});

test("a cancelled run is dropped by its worker", async () => {
  const id = await start();
  let reason: unknown;
  work(
    (_run, _previous, _now, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => ((reason = signal.reason), reject(signal.reason as Error))),
      ),
    { leaseSeconds: 0.3 },
  );
  await until(id, ({ status }) => status === "running");
  await store.cancelRun("default", id, "not wanted", "a test");
  await expect.poll(() => String(reason)).toMatch(/no longer this worker's/);
  expect(await store.readRun("default", id)).toMatchObject({ status: "cancelled", looks: 0 });
});

test("a long look keeps its lease", async () => {
  const id = await start();
  let looks = 0;
  const slow: RunLook = async (...args) => {
    looks += 1;
    await new Promise((resolve) => setTimeout(resolve, 900));
    return lookAtNothing(...args);
  };
  work(slow, { id: "a", leaseSeconds: 0.3 });
  work(slow, { id: "b", leaseSeconds: 0.3 });
  expect(await until(id, ended)).toMatchObject({ status: "done" });
  expect(looks).toBe(1);
});

test("a look that does not end fails the run", async () => {
  const id = await start();
  work(
    (_run, _previous, _now, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    { lookTimeoutMs: 100 },
  );
  expect(await until(id, ended)).toMatchObject({
    status: "failed",
    error: { code: "internal", detail: "the look took longer than 0.1 s" },
  });
});

test("a worker that stops hands its run back, and the next one takes it up at once", async () => {
  const id = await start();
  const stopping = work(
    (_run, _previous, _now, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    { leaseSeconds: 60 },
  );
  await until(id, ({ status }) => status === "running");
  await stopping.stop(50);
  work(lookAtNothing);
  expect(await until(id, ended)).toMatchObject({ status: "done", looks: 1 });
});

test("a stopped worker takes nothing any more", async () => {
  const doorbell = createLocalDoorbell();
  const worker = work(lookAtNothing, {}, doorbell);
  await worker.stop(1000);
  const id = await start();
  doorbell.ring(id);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(await store.readRun("default", id)).toMatchObject({ status: "queued" });
});

test("slots are taken with every sweep and counted; a record that is away for them is tried again", async () => {
  const telemetry = createTelemetry();
  let ticks = 0;
  const takeDueSlots: WorkerDependencies["takeDueSlots"] = async (onTaken) => {
    ticks += 1;
    if (ticks === 1) throw new Error("away");
    const at = "2026-11-20T08:00:00.000Z";
    const slot = { slot: at, firstSlot: at, slots: 3, run: null, code: "missed", detail: "", recordedAt: at };
    if (ticks === 2) onTaken("nightly", { ...slot, outcome: "skipped" });
  };
  const id = await start();
  work(lookAtNothing, {}, createLocalDoorbell(), { takeDueSlots, telemetry });
  // A tick that fails does not keep runs from being looked at.
  expect(await until(id, ended)).toMatchObject({ status: "done" });
  await expect.poll(() => ticks).toBeGreaterThan(2);
  expect(await telemetry.registry.getSingleMetricAsString("touchstone_schedule_slots_total")).toMatch(
    /\{outcome="skipped"\} 3$/m,
  );
  expect(await telemetry.registry.getSingleMetricAsString("touchstone_sweep_errors_total")).toMatch(/_total 1$/m);
});

/** Remembers of each span how it ended. */
function recordSpans(): { tracing: Tracing; ended: Record<string, unknown>[] } {
  const ended: Record<string, unknown>[] = [];
  const start: Tracing["start"] = (name, { parent, attributes = {} }) => {
    const all: Record<string, unknown> = { name, ...attributes };
    return {
      traceParent: parent,
      child: (childName) => start(childName, { parent }),
      set: (more) => void Object.assign(all, more),
      event: (event) => void (all["event"] = event),
      fail: (type) => void (all["failed"] = type),
      end: () => void ended.push(all),
    };
  };
  return { tracing: { start, close: () => Promise.resolve() }, ended };
}

test("each look is a span that ends as the look did", async () => {
  const { tracing, ended: spans } = recordSpans();
  const untilAborted: RunLook = (_run, _previous, _now, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  const looks: RunLook[] = [
    lookAtNothing,
    () => Promise.reject(new RangeError("a bug")),
    () => Promise.reject(new LookThreadDied("out of memory")),
    untilAborted,
    untilAborted,
  ];
  const next: RunLook = (...args) => (looks.shift() ?? lookAtNothing)(...args);
  const options = { concurrency: 1, leaseSeconds: 0.3, sweepMs: 1_000_000 };
  const outcomes = () => spans.map((span) => [span["touchstone.outcome"], span["failed"]]);
  const doorbell = createLocalDoorbell();
  const worker = work(next, options, doorbell, { tracing });
  for (const expected of [
    ["stored", undefined],
    ["failed", "RangeError"],
    ["failed", "LookThreadDied"],
  ]) {
    const before = spans.length;
    doorbell.ring(await start());
    await expect.poll(() => spans.length).toBe(before + 1);
    expect(outcomes().at(-1)).toEqual(expected);
  }
  expect(spans[0]).toMatchObject({
    "touchstone.look": 1,
    "touchstone.epoch": 1,
    "touchstone.worker": "w",
    event: "verdict",
  });
  await sql.query("delete from touchstone.runs");
  const cancelled = await start();
  doorbell.ring(cancelled);
  await until(cancelled, ({ status }) => status === "running");
  await store.cancelRun("default", cancelled, "not wanted", "a test");
  await expect.poll(() => outcomes().at(-1)).toEqual(["lease_lost", undefined]);
  const handedBack = await start();
  doorbell.ring(handedBack);
  await until(handedBack, ({ status }) => status === "running");
  await worker.stop(0);
  expect(outcomes().at(-1)).toEqual(["handed_back", undefined]);
});
