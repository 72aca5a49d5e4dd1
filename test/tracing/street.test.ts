import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startStreet, type Street } from "../street.ts";
import { startOtlpReceiver, treeOf, type OtlpReceiver, type ReceivedSpan } from "./otlp-receiver.ts";

const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const SOURCES = `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`;
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const REQUEST = {
  analysis: "batch-eval",
  baseline: { label: "v1" },
  candidate: { label: "v2" },
  window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
};

let receiver: OtlpReceiver;
let street: Street;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "10" };
  // The vendor reads the environment of the process itself.
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  street = await startStreet(SOURCES, env);
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await street.stop();
  await receiver.close();
});

/** The trace of a run, once its look has arrived, which ends after everything in it. */
async function spansOf(run: string): Promise<ReceivedSpan[]> {
  const lookOf = () =>
    receiver.spans.find(({ name, attributes }) => name === "look" && attributes["touchstone.run"] === run);
  await expect.poll(lookOf).toBeDefined();
  return receiver.spans.filter(({ traceId }) => traceId === lookOf()?.traceId);
}

test("a run is one trace: its start under the caller's span, its look under that, queries and tests within", async () => {
  const started = await street.ask("POST", "/v1/runs", REQUEST, {
    traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`,
  });
  const run = await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`);
  expect(run.body).toMatchObject({ verdict: "rollback" });
  expect(run.body).not.toHaveProperty("traceParent");
  const spans = await spansOf(started.body.id);
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
  const queries = ["quality", "failures", "latency", "cost"].flatMap((metric) =>
    ["v1", "v2"].map((version) => `    query files ${metric} ${version}`),
  );
  const tree = treeOf(spans, "b7ad6b7169203331");
  expect(tree.slice(0, 2)).toEqual(["start run", "  look 1"]);
  expect(tree.filter((line) => line.includes("query")).toSorted()).toEqual(queries.toSorted());
  expect(tree.filter((line) => !line.includes("query")).slice(2)).toEqual([
    "    judge v2",
    "      metric quality",
    "        test mean",
    "        test body",
    "        test named tests",
    "      metric failures",
    "        test rate",
    "        test named tests",
    "      metric latency",
    "        test body",
    "        test mean",
    "        test tail",
    "        test named tests",
    "      metric cost",
    "        test body",
    "        test mean",
    "        test tail",
    "        test named tests",
  ]);

  const byName = (name: string) => spans.filter((span) => span.name === name);
  const [look] = byName("look");
  const [judge] = byName("judge");
  expect(byName("start run")[0]).toMatchObject({
    kind: "producer",
    attributes: {
      "touchstone.run": started.body.id,
      "touchstone.analysis": "batch-eval",
      "touchstone.outcome": "created",
    },
  });
  expect(look).toMatchObject({
    kind: "consumer",
    attributes: {
      "touchstone.run": started.body.id,
      "touchstone.outcome": "stored",
      "touchstone.decision": "rollback",
    },
    events: [{ name: "verdict", attributes: { "touchstone.verdict": "rollback" } }],
  });
  expect(byName("query")[0]?.attributes).toMatchObject({
    "touchstone.source.type": "file",
    "touchstone.outcome": "ok",
    "touchstone.rows": 2000,
  });
  // Each part takes its time within what it is part of; the clock of a look is read in whole milliseconds.
  for (const span of spans) {
    const parent = spans.find(({ spanId }) => spanId === span.parentId);
    if (parent === undefined || parent.name === "start run") continue;
    expect(span.startMs).toBeGreaterThanOrEqual(parent.startMs - 1);
    expect(span.endMs).toBeLessThanOrEqual(parent.endMs + 1);
  }
  for (const query of byName("query")) expect(query.endMs).toBeLessThanOrEqual((judge?.startMs ?? 0) + 1);
  expect((judge?.endMs ?? 0) - (judge?.startMs ?? 0)).toBeGreaterThan(1);
});

test("a source that fails is a failed span with the code and without what it said", async () => {
  const started = await street.ask("POST", "/v1/runs", { ...REQUEST, candidate: { label: "v9" } });
  await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`);
  const refused = await street.ask("POST", "/v1/runs", { ...REQUEST, analysis: "nobody-has-this" });
  expect(refused.status).toBe(404);
  const spans = await spansOf(started.body.id);
  const failed = spans.filter((span) => span.failed);
  expect(
    failed.map(({ name, attributes }) => [name, attributes["error.type"], attributes["touchstone.version"]]),
  ).toEqual(Array.from({ length: 4 }, () => ["query", "source_unavailable", "v9"]));
  await expect.poll(() => receiver.spans.filter(({ name, failed: f }) => name === "start run" && f).length).toBe(1);
  expect(receiver.spans.find(({ name, failed: f }) => name === "start run" && f)?.attributes).toEqual({
    "error.type": "not_found",
  });
  expect(JSON.stringify(receiver.spans)).not.toContain("v9.csv");
});
