import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { forkLooker } from "../../src/worker/fork-looker.ts";
import { createLookApart, LookEndedItsProcess } from "../../src/worker/look-apart.ts";
import { LookThreadDied, type RunLook } from "../../src/worker/look-threads.ts";
import { runOf } from "../fixtures.ts";

const NOW = "2026-11-20T09:00:00.000Z";

/** A process that speaks the protocol and does what its birth and the id of the run say. */
const PROGRAM = `
process.once("message", (data) => {
  if (data.broken) process.exit(4);
  process.on("message", ({ kind, id, run }) => {
    if (kind === "abort") return;
    const judged = { report: { summary: String(process.pid) }, state: { v: 1, looks: 1 } };
    if (run.id === "ok" || (run.id === "die once" && data.second)) process.send({ kind: "judged", id, judged });
    else if (run.id === "bug") process.send({ kind: "failed", id, error: new RangeError("a bug") });
    else if (run.id === "crash") process.send({ kind: "crashed", detail: "RangeError: out of memory" }, () => process.exit(1));
    else if (run.id.startsWith("die")) process.kill(process.pid, "SIGKILL");
    else process.send({ kind: "query", id, query: { source: "s", outcome: "ok" } });
  });
  if (!data.slow) process.send({ kind: "ready" });
});
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-look-apart-"));
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** @param births  what each process is told in its turn; the last one is told to all that follow. */
function apart(...births: object[]) {
  const program = pathToFileURL(join(folder, "program.mjs"));
  let started = 0;
  const inThreads: RunLook = () => Promise.reject(new Error("in a thread"));
  const looks = createLookApart(
    () => {
      started += 1;
      const birth = births.length > 1 ? births.shift() : births[0];
      if (birth === undefined) throw new Error("spawn ENOMEM");
      return forkLooker(program, birth);
    },
    () => Promise.reject(new Error("this process asks no source")),
    inThreads,
  );
  onTestFinished(() => looks.close());
  const look = (id: string, signal = new AbortController().signal, onQuery = () => {}) =>
    looks.runLook(runOf({ id }), null, NOW, signal, { query: onQuery, parts: () => undefined });
  return { look, close: () => looks.close(), started: () => started };
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

test("each look has a process of its own, which ends with it", async () => {
  const { look } = apart({});
  const pids = (await Promise.all([look("ok"), look("ok")])).map(({ report }) => Number(report.summary));
  expect(new Set([...pids, process.pid]).size).toBe(3);
  await expect.poll(() => pids.some(isAlive)).toBe(false);
});

test("a look that ends two processes has proven it, one that ends one has not", async () => {
  const guilty = apart({});
  await expect(guilty.look("die")).rejects.toThrow(LookEndedItsProcess);
  expect(guilty.started()).toBe(2);
  await expect(apart({}).look("die")).rejects.toThrow(/both processes .* exited with SIGKILL$/);
  await expect(apart({}).look("crash")).rejects.toThrow(/: RangeError: out of memory$/);
  expect((await apart({}, { second: true }).look("die once")).state.looks).toBe(1);
});

test("a bug in a look is one, and no death", async () => {
  const { look, started } = apart({});
  await expect(look("bug")).rejects.toThrow(new RangeError("a bug"));
  expect(started()).toBe(1);
});

test("where no process is to be had the look is done in a thread", async () => {
  await expect(apart({ broken: true }).look("ok")).rejects.toThrow("in a thread");
  await expect(apart().look("ok")).rejects.toThrow("in a thread");
});

test("a look that is no longer wanted ends with the reason of its signal, also while its process starts", async () => {
  for (const birth of [{}, { slow: true }]) {
    const controller = new AbortController();
    const abort = () => controller.abort(new Error("enough"));
    const looking = apart(birth).look("never", controller.signal, abort);
    if ("slow" in birth) setTimeout(abort, 100);
    await expect(looking).rejects.toThrow("enough");
  }
});

test("a look whose process is ended by its own worker proves nothing", async () => {
  const { look, close, started } = apart({});
  await expect(look("never", undefined, () => void close())).rejects.toThrow(LookThreadDied);
  expect(started()).toBe(1);
});
