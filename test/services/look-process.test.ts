import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ProcessData } from "../../src/look-process.ts";
import { forkLooker } from "../../src/worker/fork-looker.ts";
import { createLookApart } from "../../src/worker/look-apart.ts";
import { runOf } from "../fixtures.ts";

/** Of the bundle that people run. */
const PROGRAM = new URL("../../dist/look-process.js", import.meta.url);
const BIRTH: ProcessData = {
  workerData: { sources: { configs: [], environment: {} }, evidenceLimitBytes: 0 },
  resourceLimits: { maxOldGenerationSizeMb: 500 },
};

const refuse = () => Promise.reject(new Error("not asked for"));

test("the program's own process looks", async () => {
  const looks = createLookApart(() => forkLooker(PROGRAM, BIRTH), refuse, refuse);
  onTestFinished(() => looks.close());
  const observer = { query: () => undefined, parts: () => undefined };
  const { signal } = new AbortController();
  const { report } = await looks.runLook(runOf(), null, "2026-11-20T09:00:00.000Z", signal, observer);
  expect(report.verdict).toBe("pause");
});

test("it ends with the worker that is killed, and hears no signal that a terminal sends to both", async () => {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-look-process-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const worker = join(folder, "worker.mjs");
  writeFileSync(
    worker,
    `import { fork } from "node:child_process";
     const child = fork(${JSON.stringify(PROGRAM.pathname)}, { serialization: "advanced" });
     child.on("message", () => console.log(child.pid));
     child.send(${JSON.stringify(BIRTH)});`,
  );
  const parent = spawn(process.execPath, [worker], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve)));
  process.kill(pid, "SIGTERM");
  process.kill(pid, "SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  parent.kill("SIGKILL");
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
}, 30_000);
