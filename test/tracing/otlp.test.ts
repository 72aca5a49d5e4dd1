import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { createLogger } from "../../src/log.ts";
import { createOtlpTracing } from "../../src/tracing/otlp.ts";
import type { Tracing } from "../../src/tracing/tracing.ts";
import { startOtlpReceiver, type OtlpReceiver } from "./otlp-receiver.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async function receive(): Promise<OtlpReceiver> {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  return receiver;
}

/** The vendor reads the environment of the process, so the test writes there. */
function open(env: Readonly<Record<string, string>>, lines: string[] = []): Tracing {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  return createOtlpTracing({ log: createLogger("info", { write: (line) => void lines.push(line) }) });
}

test("a span continues the trace it is given, and its children lie under it", async () => {
  const { url, spans } = await receive();
  const tracing = open({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  const span = tracing.start("look", {
    parent: PARENT,
    kind: "consumer",
    attributes: { a: 1, b: "two", c: undefined },
  });
  const child = span.child("query", { kind: "client", atMs: 1_700_000_000_123.25 });
  child.fail("source_timeout");
  child.end({ atMs: 1_700_000_000_124.5 });
  span.set({ later: true });
  span.event("verdict", { "touchstone.verdict": "promote" });
  span.end();
  await tracing.close();
  const [query, look] = spans;
  expect(spans.length).toBe(2);
  expect(look).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    parentId: "b7ad6b7169203331",
    kind: "consumer",
    attributes: { a: 1, b: "two", later: true },
    events: [{ name: "verdict", attributes: { "touchstone.verdict": "promote" } }],
    failed: false,
    resource: { "service.name": "touchstone", "service.version": "0.1.0" },
  });
  expect(query).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    parentId: look?.spanId,
    kind: "client",
    startMs: 1_700_000_000_123.25,
    endMs: 1_700_000_000_124.5,
    attributes: { "error.type": "source_timeout" },
    failed: true,
  });
  expect(span.traceParent).toBe(`00-${look?.traceId}-${look?.spanId}-01`);
});

test("without a parent a span begins a trace of its own", async () => {
  const { url, spans } = await receive();
  const tracing = open({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  for (const name of ["a", "b"]) tracing.start(name, { parent: null }).end();
  await tracing.close();
  expect(spans.map(({ name, parentId }) => [name, parentId])).toEqual([
    ["a", ""],
    ["b", ""],
  ]);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
});

test("name of the service, headers and sampler are those of the environment", async () => {
  const { url, spans, headers } = await receive();
  const tracing = open({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc",
    OTEL_SERVICE_NAME: "judge",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    OTEL_TRACES_SAMPLER: "parentbased_always_off",
  });
  const unsampled = tracing.start("a root", { parent: null });
  expect(unsampled.traceParent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  unsampled.end();
  tracing.start("a child", { parent: PARENT }).end();
  await tracing.close();
  expect(spans.map(({ name }) => name)).toEqual(["a child"]);
  expect(spans[0]?.resource).toMatchObject({ "service.name": "judge", "deployment.environment.name": "test" });
  expect(headers[0]?.authorization).toBe("Bearer abc");
});

test("a trace that its caller does not sample is not sampled here, and stays so for whoever continues it", async () => {
  const { url, spans } = await receive();
  const tracing = open({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  const span = tracing.start("look", { parent: PARENT.replace(/01$/, "00") });
  expect(span.traceParent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
  span.end();
  await tracing.close();
  expect(spans).toEqual([]);
});

test("a collector that refuses is told of once, and closing is bounded in time", async () => {
  const { url, answerWith, headers } = await receive();
  answerWith(400);
  const lines: string[] = [];
  const tracing = open({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: "1" }, lines);
  for (const count of [1, 2, 3]) {
    tracing.start("a", { parent: null }).end();
    await expect.poll(() => headers.length).toBe(count);
  }
  await expect.poll(() => lines.length).toBe(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "warn", msg: "the collector does not take traces" });
  answerWith(200);
  tracing.start("a", { parent: null }).end();
  await expect.poll(() => lines.length).toBe(2);
  expect(lines[1]).toMatch(/takes traces again/);
  answerWith(503);
  tracing.start("a", { parent: null }).end();
  const started = performance.now();
  await tracing.close();
  expect(performance.now() - started).toBeLessThan(5_000);
}, 15_000);
