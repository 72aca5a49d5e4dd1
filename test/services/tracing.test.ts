import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { migrateRecord } from "../../src/wire.ts";
import { readConfig } from "../../src/config.ts";
import { askServer } from "../street.ts";
import { startOtlpReceiver } from "../tracing/otlp-receiver.ts";
import { createDatabase } from "./database.ts";
import { startTouchstoneProcess } from "./servers.ts";

const postgresUrl = inject("postgresUrl");
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

/** Looks each second; nothing can be decided before the end, since nobody writes a sample. */
const ANALYSIS = {
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name: "long" },
  spec: {
    unit: "session",
    plan: { mode: "scheduled", duration: "10m", every: "1s", step: "1s", settle: "0s", warmup: "0s", followUp: "0s" },
    metrics: [
      {
        name: "quality",
        kind: "score",
        scale: [1, 5],
        source: "evals",
        query: {
          sql: "select score as value, session_id as unit, started_at as at from scores where version = :version and started_at >= :start and started_at < :end",
        },
      },
    ],
  },
};

describe.skipIf(postgresUrl === null)("traces of processes", () => {
  test("a run that one worker leaves and another takes up stays one trace, from the caller's span on", async () => {
    const receiver = await startOtlpReceiver();
    const database = await createDatabase(postgresUrl ?? "");
    await database.query("create table scores (version text, score float8, session_id text, started_at timestamptz)");
    const folder = mkdtempSync(join(tmpdir(), "touchstone-tracing-"));
    const sources = join(folder, "sources.yaml");
    writeFileSync(sources, "sources:\n- { name: evals, type: postgres, url: env:EVALS_URL }\n");
    const env = {
      DATABASE_URL: database.url,
      TOUCHSTONE_SOURCES: sources,
      EVALS_URL: database.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
    await migrateRecord(readConfig(env));
    const api = await startTouchstoneProcess(["--role", "api"], env);
    const first = await startTouchstoneProcess(["--role", "worker"], env);
    const processes = [api, first];
    onTestFinished(async () => {
      await Promise.all(processes.map((server) => server.stop("SIGKILL")));
      await database.drop();
      await receiver.close();
      rmSync(folder, { recursive: true });
    });

    const started = await askServer(
      api.url,
      "POST",
      "/v1/runs",
      { analysis: ANALYSIS, baseline: { label: "v1" }, candidate: { label: "v2" } },
      { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` },
    );
    expect(started.status, started.text).toBe(202);
    const { id } = started.body;
    const looks = () => receiver.spans.filter(({ name }) => name === "look");
    await expect.poll(() => looks().length, { timeout: 20_000 }).toBeGreaterThan(0);
    await first.stop("SIGKILL");
    const before = looks().length;
    const second = await startTouchstoneProcess(["--role", "worker"], env);
    processes.splice(1, 1, second);
    await expect.poll(() => looks().length, { timeout: 30_000 }).toBeGreaterThan(before + 1);

    const start = receiver.spans.find(({ name }) => name === "start run");
    expect(start).toMatchObject({ traceId: TRACE_ID, parentId: "b7ad6b7169203331" });
    for (const look of looks()) {
      expect(look).toMatchObject({ traceId: TRACE_ID, parentId: start?.spanId, attributes: { "touchstone.run": id } });
      const within = receiver.spans.filter(({ parentId }) => parentId === look.spanId);
      // The thread of the look has sent them: two arms, and the judgement.
      expect(within.map(({ name }) => name).toSorted()).toEqual(["judge", "query", "query"]);
      for (const span of within) {
        expect(span.traceId).toBe(TRACE_ID);
        expect(span.startMs).toBeGreaterThanOrEqual(look.startMs - 1);
        expect(span.endMs).toBeLessThanOrEqual(look.endMs + 1);
      }
    }
    expect(new Set(looks().map(({ attributes }) => attributes["touchstone.worker"])).size).toBe(2);
    const numbers = looks().map(({ attributes }) => attributes["touchstone.look"]);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
    for (const line of second
      .log()
      .split("\n")
      .filter((text) => text.includes('"looked"')))
      expect(JSON.parse(line)).toMatchObject({ run: id, trace_id: TRACE_ID });
    expect(second.log()).toContain('"looked"');

    const told = JSON.stringify(receiver.spans);
    expect(told).not.toContain("select score");
    expect(told).not.toContain(new URL(database.url).pathname.slice(1));
  }, 90_000);
});
