import { Worker as Thread } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { SourceConfig } from "../../src/model/source.ts";
import type { ObserveLimits } from "../../src/sources/source-limits.ts";
import { wireAdmission, type SourcesSpec } from "../../src/wire-sources.ts";
import { createLookThreads } from "../../src/worker/look-threads.ts";
import { runOf } from "../fixtures.ts";
import { analysisWith } from "../judge/samples.ts";
import { listen, sendJson } from "../sources/http-server.ts";

/** Looks in threads as a worker runs them, against one source: its limits hold for all of them together. */

const NOW = "2026-11-20T09:00:00.000Z";
const EMPTY = { status: "success", data: { resultType: "matrix", result: [] } };
const METRICS = Array.from(
  { length: 6 },
  (_, i) => `- { name: m${i}, kind: gauge, unit: step, source: prom, query: { series: 'x${i}{v="{{ version }}"}' } }`,
).join("\n");

/** The thread of the program, from its source instead of the bundle. */
const BEGIN_THREAD = `import("tsx/esm/api").then(({ tsImport }) =>
  tsImport(${JSON.stringify(new URL("../../src/look-thread.ts", import.meta.url).href)}, ${JSON.stringify(import.meta.url)}))`;

function looksIn(threads: number, url: string, options: object) {
  const spec: SourcesSpec = {
    configs: [SourceConfig.parse({ name: "prom", type: "prometheus", url, ...options })],
    environment: {},
  };
  const seen: string[] = [];
  const observe: ObserveLimits = {
    waited: () => undefined,
    inProgress: (_, queries) => void seen.push(`running ${queries}`),
    retried: (_, code) => void seen.push(`retried ${code}`),
    throttled: () => undefined,
    breaker: (_, state) => void seen.push(state),
  };
  const started: Thread[] = [];
  const start = (): Thread => {
    const thread = new Thread(BEGIN_THREAD, { eval: true, workerData: { sources: spec, evidenceLimitBytes: 0 } });
    started.push(thread);
    return thread;
  };
  const pool = createLookThreads(start, threads, wireAdmission(spec.configs, observe));
  onTestFinished(() => pool.close());
  const run = { ...runOf(), analysis: analysisWith(METRICS, "plan: { mode: once }") };
  const observer = { query: () => undefined, parts: () => undefined };
  const look = (signal = new AbortController().signal) => pool.runLook(run, null, NOW, signal, observer);
  return { look, seen, started };
}

test("three looks in three threads together ask no more at once than the source allows, and use all of it", async () => {
  let [running, most] = [0, 0];
  const { url, asked } = await listen((_, response) => {
    running += 1;
    most = Math.max(most, running);
    setTimeout(() => {
      running -= 1;
      sendJson(response, EMPTY);
    }, 20);
  });
  const { look } = looksIn(3, url, { concurrency: 4 });
  await Promise.all([look(), look(), look()]);
  expect(asked.length).toBe(36);
  expect(most).toBe(4);
}, 30_000);

test("one look alone may use all that the source allows", async () => {
  let [running, most] = [0, 0];
  const { url } = await listen((_, response) => {
    running += 1;
    most = Math.max(most, running);
    setTimeout(() => {
      running -= 1;
      sendJson(response, EMPTY);
    }, 20);
  });
  const { look } = looksIn(3, url, { concurrency: 4 });
  await look();
  expect(most).toBe(4);
}, 30_000);

test("the rate holds over all threads", async () => {
  const at: number[] = [];
  const { url } = await listen((_, response) => {
    at.push(performance.now());
    sendJson(response, EMPTY);
  });
  const { look } = looksIn(3, url, { rate: 40 });
  // Threads take long to start: the second round is the one that asks all at once.
  await Promise.all([look(), look(), look()]);
  at.length = 0;
  await Promise.all([look(), look(), look()]);
  expect(at.length).toBe(36);
  // 35 gaps of 25 ms, less what the first was under way.
  expect((at.at(-1) ?? 0) - (at[0] ?? 0)).toBeGreaterThan(800);
}, 30_000);

test("what the looks of one thread learn of a dead source spares it the looks of all others", async () => {
  const { url, asked } = await listen((_, response) => sendJson(response, {}, 503));
  const { look, seen } = looksIn(2, url, { retries: 1, breakAfter: 3, breakFor: "1h" });
  const { report } = await look();
  expect(report.verdict).toBe("pause");
  expect(new Set(report.findings.map(({ finding }) => finding))).toEqual(new Set(["source_error"]));
  expect(seen.filter((what) => what === "open" || what === "closed")[1]).toBe("open");
  const before = asked.length;
  const others = await Promise.all([look(), look()]);
  expect(asked.length).toBe(before);
  for (const other of others) {
    expect(other.report.verdict).toBe("pause");
    expect(other.report.reasons.find(({ code }) => code === "source_error")?.text).toMatch(
      /prom is not asked since .*Z, after \d+ queries in a row without an answer; .*prom answered 503.*source_unavailable/,
    );
  }
}, 30_000);

test("a source that fails at one version's queries is asked for the others all the same", async () => {
  const { url, asked } = await listen((_, response) => sendJson(response, {}, 500));
  const { look, seen } = looksIn(2, url, { retries: 0, breakAfter: 1, breakFor: "1h" });
  const { report } = await look();
  expect(report.reasons.find(({ code }) => code === "source_error")?.text).toMatch(/prom answered 500.*source_failed/);
  const before = asked.length;
  await look();
  expect(asked.length).toBe(2 * before);
  expect(seen).not.toContain("open");
}, 30_000);

test("a look that is given up, and a thread that dies, give their turns back", async () => {
  let isOpen = false;
  const { url, asked } = await listen((_, response) => (isOpen ? sendJson(response, EMPTY) : undefined));
  const { look, seen, started } = looksIn(1, url, { concurrency: 2, retries: 0 });
  const controller = new AbortController();
  const given = Promise.allSettled([look(controller.signal)]);
  await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(2);
  controller.abort(new Error("enough"));
  expect(await given).toMatchObject([{ status: "rejected", reason: { message: "enough" } }]);
  await expect.poll(() => seen.at(-1)).toBe("running 0");
  const lost = Promise.allSettled([look()]);
  await expect.poll(() => asked.length).toBe(4);
  await started[0]?.terminate();
  expect(await lost).toMatchObject([{ status: "rejected", reason: { name: "LookThreadDied" } }]);
  expect(seen.at(-1)).toBe("running 0");
  isOpen = true;
  expect((await look()).report.findings.map(({ finding }) => finding)).toEqual(
    METRICS.split("\n").map(() => "no_data"),
  );
}, 30_000);
