import { describe, expect, inject, onTestFinished, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { migrateRecord } from "../../src/wire.ts";
import { askServer } from "../street.ts";
import { createDatabase } from "./database.ts";
import { freePort, startTouchstoneProcess } from "./servers.ts";

const postgresUrl = inject("postgresUrl");

describe.skipIf(postgresUrl === null)("a worker alone", () => {
  test("serves its health to everybody, its metrics to who has the token, and nothing else", async () => {
    const database = await createDatabase(postgresUrl ?? "");
    const port = await freePort();
    const env = {
      DATABASE_URL: database.url,
      TOUCHSTONE_METRICS_PORT: String(port),
      TOUCHSTONE_TOKEN: "a-token-of-this-test",
    };
    await migrateRecord(readConfig(env));
    const worker = await startTouchstoneProcess(["--role", "worker"], env);
    onTestFinished(async () => {
      await worker.stop();
      await database.drop();
    });
    const ask = (path: string, headers = {}) => askServer(`http://127.0.0.1:${port}`, "GET", path, undefined, headers);
    await expect
      .poll(
        () =>
          ask("/readyz").then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200);
    expect((await ask("/livez")).status).toBe(200);
    expect((await ask("/metrics")).status).toBe(401);
    const token = { authorization: "Bearer a-token-of-this-test" };
    const metrics = await ask("/metrics", token);
    expect(metrics.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(metrics.text).toMatch(/^touchstone_store_duration_seconds_count\{outcome="ok"\} [1-9]/m);
    expect(metrics.text).toMatch(/^touchstone_runs_total\{status="failed",verdict=""\} 0$/m);
    expect((await ask("/v1/runs", token)).status).toBe(404);
  }, 60_000);
});
