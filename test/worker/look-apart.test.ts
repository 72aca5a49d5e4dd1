import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, afterAll, expect, onTestFinished, test } from "vitest";
import { createLookApart, LookEndedItsProcess } from "../../src/worker/look-apart.ts";
import { startLookProcess } from "../../src/worker/look-process.ts";
import { LookThreadDied } from "../../src/worker/look-threads.ts";
import { runOf } from "../fixtures.ts";

const NOW = "2026-11-20T09:00:00.000Z";
const OBSERVER = { query: () => undefined, parts: () => undefined };
const NO_SOURCES = { sources: { configs: [], environment: {} }, evidenceLimitBytes: 0 };

/** A process that speaks the protocol and does what the id of the run says. */
const PROGRAM = `
process.once("message", (data) => {
  if (data.broken) process.exit(4);
  process.on("message", ({ kind, id, run }) => {
    if (kind === "look" && run.id === "ok")
      process.send({ kind: "judged", id, judged: { report: { summary: String(process.pid) }, state: { v: 1, looks: 1 } } });
    if (run?.id === "bug") process.send({ kind: "failed", id, error: new RangeError("a bug") });
    if (run?.id === "die") process.kill(process.pid, "SIGKILL");
  });
  process.send({ kind: "ready" });
});
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "touchstone-look-apart-"));
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true }));

function apart(data: object = {}) {
  const program = pathToFileURL(join(folder, "program.mjs"));
  const looks = createLookApart(
    () => startLookProcess(program, data),
    () => Promise.reject(new Error("this process asks no source")),
  );
  onTestFinished(() => looks.close());
  const look = (id: string, signal = new AbortController().signal) =>
    looks.runLook(runOf({ id }), null, NOW, signal, OBSERVER);
  return { look, close: () => looks.close() };
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

test("each look has a process of its own, which ends with it", async () => {
  const { look } = apart();
  const pids = (await Promise.all([look("ok"), look("ok")])).map(({ report }) => Number(report.summary));
  expect(new Set([...pids, process.pid]).size).toBe(3);
  await expect.poll(() => pids.some(isAlive)).toBe(false);
});

test("a look that ends its process is told from one that fails, and from a process that cannot start", async () => {
  await expect(apart().look("die")).rejects.toThrow(LookEndedItsProcess);
  await expect(apart().look("die")).rejects.toThrow(/it exited with SIGKILL/);
  await expect(apart().look("bug")).rejects.toThrow(new RangeError("a bug"));
  await expect(apart({ broken: true }).look("ok")).rejects.toThrow(LookThreadDied);
});

test("a look that is no longer wanted ends with the reason of its signal", async () => {
  const controller = new AbortController();
  const looking = apart().look("never", controller.signal);
  setTimeout(() => controller.abort(new Error("enough")), 200);
  await expect(looking).rejects.toThrow("enough");
});

test("a look whose process is ended by its own worker proves nothing", async () => {
  const looks = apart();
  const looking = looks.look("never");
  setTimeout(() => void looks.close(), 200);
  await expect(looking).rejects.toThrow(LookThreadDied);
});

test("the program's own process looks, and ends with the worker that is killed", async () => {
  const program = new URL("../../dist/look-process.js", import.meta.url);
  const looks = createLookApart(
    () => startLookProcess(program, NO_SOURCES),
    () => Promise.reject(new Error("there is no source to ask")),
  );
  onTestFinished(() => looks.close());
  const { report } = await looks.runLook(runOf(), null, NOW, new AbortController().signal, OBSERVER);
  expect(report.verdict).toBe("pause");

  writeFileSync(
    join(folder, "parent.mjs"),
    `import { fork } from "node:child_process";
     const child = fork(${JSON.stringify(program.pathname)}, { serialization: "advanced" });
     child.on("message", () => console.log(child.pid));
     child.send(${JSON.stringify(NO_SOURCES)});`,
  );
  const parent = spawn(process.execPath, [join(folder, "parent.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const child = Number(await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve)));
  expect(isAlive(child)).toBe(true);
  parent.kill("SIGKILL");
  await expect.poll(() => isAlive(child), { timeout: 5_000 }).toBe(false);
}, 20_000);
