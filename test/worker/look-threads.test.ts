import { Worker as Thread } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { createLookThreads, LookThreadDied, type LookObserver, type RunLook } from "../../src/worker/look-threads.ts";
import { runOf } from "../fixtures.ts";

const NOW = "2026-11-20T09:00:00.000Z";

/** A thread that speaks the protocol and does what the id of the run says. */
const THREAD = `
const { parentPort } = require("node:worker_threads");
const aborted = new Map();
parentPort.postMessage({ kind: "ready" });
parentPort.on("message", ({ kind, id, run }) => {
  if (kind === "abort") return aborted.get(id)?.();
  const judged = { report: { summary: run.id }, state: { v: 1, looks: 1 } };
  if (run.id === "ok") return parentPort.postMessage({ kind: "judged", id, judged });
  if (run.id === "observe") {
    parentPort.postMessage({ kind: "query", id, query: { source: "s", outcome: "ok" } });
    parentPort.postMessage({ kind: "query", id: id - 1, query: { source: "of another look", outcome: "ok" } });
    parentPort.postMessage({ kind: "parts", id, parts: [{ part: "judge", name: "v2" }] });
    return parentPort.postMessage({ kind: "judged", id, judged });
  }
  if (run.id === "bug") return parentPort.postMessage({ kind: "failed", id, error: new RangeError("a bug") });
  if (run.id === "die") process.exit(3);
  if (run.id === "polite") return aborted.set(id, () => parentPort.postMessage({ kind: "failed", id, error: new Error("aborted") }));
  if (run.id === "spin") for (;;);
});
`;

const asksNoSource = () => Promise.reject(new Error("this thread asks no source"));

function threads(size: number, observer: LookObserver = { query: () => undefined, parts: () => undefined }) {
  let started = 0;
  const pool = createLookThreads(
    () => {
      started += 1;
      return new Thread(THREAD, { eval: true });
    },
    size,
    asksNoSource,
  );
  onTestFinished(() => pool.close());
  const run = (id: string, signal = new AbortController().signal): ReturnType<RunLook> =>
    pool.runLook(runOf({ id }), null, NOW, signal, observer);
  return { run, warmUp: () => pool.warmUp(), close: () => pool.close(), started: () => started };
}

test("a look comes back from its thread, and threads are used again", async () => {
  const { run, started } = threads(2);
  for (let i = 0; i < 5; i++) expect((await run("ok")).report.summary).toBe("ok");
  expect(started()).toBe(1);
});

test("warming up starts every thread before the first look", async () => {
  const { run, warmUp, started } = threads(3);
  await warmUp();
  expect(started()).toBe(3);
  expect((await run("ok")).report.summary).toBe("ok");
  expect(started()).toBe(3);
});

test("a thread that cannot start is told before any run is taken up", async () => {
  const pool = createLookThreads(() => new Thread("throw new Error('broken bundle')", { eval: true }), 1, asksNoSource);
  onTestFinished(() => pool.close());
  await expect(pool.warmUp()).rejects.toThrow("a thread cannot start: broken bundle");
});

test("more looks than threads wait their turn", async () => {
  const { run, started } = threads(2);
  expect((await Promise.all(Array.from({ length: 20 }, () => run("ok")))).length).toBe(20);
  expect(started()).toBe(2);
});

test("what happens in a look is told before it comes back, and only of this look", async () => {
  const told: unknown[] = [];
  const { run } = threads(1, { query: (query) => told.push(query), parts: (parts) => told.push(...parts) });
  await run("observe");
  expect(told).toEqual([
    { source: "s", outcome: "ok" },
    { part: "judge", name: "v2" },
  ]);
});

test("a bug in a look arrives as it was thrown", async () => {
  await expect(threads(1).run("bug")).rejects.toThrow(new RangeError("a bug"));
});

test("a thread that dies takes its look with it, and another takes its place", async () => {
  const { run, started } = threads(1);
  await expect(run("die")).rejects.toBeInstanceOf(LookThreadDied);
  expect((await run("ok")).report.summary).toBe("ok");
  expect(started()).toBe(2);
});

test("an aborted look ends with the reason of its signal, also when the thread does not listen", async () => {
  const { run } = threads(2);
  for (const id of ["polite", "spin"]) {
    const controller = new AbortController();
    const looking = run(id, controller.signal);
    setImmediate(() => controller.abort(new Error("enough")));
    await expect(looking).rejects.toThrow("enough");
  }
  expect((await run("ok")).report.summary).toBe("ok");
}, 10_000);

test("closing ends looks that are under way and those that wait", async () => {
  const { run, close } = threads(1);
  const looks = [run("polite"), run("ok")];
  const outcomes = Promise.allSettled(looks);
  setImmediate(() => void close());
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
