import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { migrateRecord } from "../../src/wire.ts";
import { listenForEvents } from "../notify/receiver.ts";
import { askServer } from "../street.ts";
import { createDatabase } from "./database.ts";
import { startTouchstoneProcess } from "./servers.ts";

const serverUrl = inject("postgresUrl");
const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;

describe.skipIf(serverUrl === null)("notifications on Postgres", () => {
  test("a worker killed between the answer of the receiver and the record: another tells again, the same id and bytes", async () => {
    const database = await createDatabase(serverUrl ?? "");
    onTestFinished(() => database.drop());
    const folder = mkdtempSync(join(tmpdir(), "touchstone-notifications-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const kills: (() => Promise<void>)[] = [];
    const { url, received } = await listenForEvents((_one, response) => {
      const kill = kills.pop();
      if (kill === undefined) return void response.writeHead(200).end();
      // The receiver has the event, and nobody is left to hear that it has.
      void kill().then(() => response.writeHead(200).end());
    });
    const [sources, targets] = [join(folder, "sources.yaml"), join(folder, "targets.yaml")];
    writeFileSync(sources, `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`);
    writeFileSync(
      targets,
      `targets:\n- { name: pager, type: webhook, url: "${url}", secrets: [env:SECRET], allowPrivate: true }\n`,
    );
    const env = {
      DATABASE_URL: database.url,
      TOUCHSTONE_SOURCES: sources,
      TOUCHSTONE_TARGETS: targets,
      SECRET,
    };
    await migrateRecord(readConfig(env));
    const [api, worker] = await Promise.all([
      startTouchstoneProcess(["--role", "api"], env),
      startTouchstoneProcess(["--role", "worker"], env),
    ]);
    onTestFinished(() => api.stop());
    kills.push(() => worker.stop("SIGKILL"));
    const started = await askServer(api.url, "POST", "/v1/runs", {
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: "v2" },
      window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
      notify: ["pager"],
    });
    expect(started.status, started.text).toBe(202);
    await expect.poll(() => received.length, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => kills.length, { timeout: 20_000 }).toBe(0);
    const waiting = await askServer(api.url, "GET", `/v1/runs/${started.body.id}/deliveries`);
    expect(waiting.body.items).toMatchObject([{ attempts: 1, deliveredAt: null, givenUpAt: null }]);
    const metrics = await askServer(api.url, "GET", "/metrics");
    expect(metrics.text).toMatch(/^touchstone_outbox_waiting 1$/m);

    const another = await startTouchstoneProcess(["--role", "worker"], env);
    onTestFinished(() => another.stop());
    // Otherwise the lease of the dead lapses by itself, after 40 seconds.
    await database.query("update touchstone.outbox set lease_until = now()");
    await expect.poll(() => received.length, { timeout: 20_000 }).toBe(2);
    await expect
      .poll(async () => (await askServer(api.url, "GET", `/v1/runs/${started.body.id}/deliveries`)).body.items, {
        timeout: 20_000,
      })
      .toMatchObject([{ attempts: 2, deliveredAt: expect.any(String) }]);
    expect(received[1]?.body).toBe(received[0]?.body);
    expect(received[1]?.headers["webhook-id"]).toBe(received[0]?.headers["webhook-id"]);
    for (const { body, headers } of received) expect(new Webhook(SECRET).verify(body, headers)).toBeTruthy();
    expect(another.log()).not.toContain(SECRET);
  });
});
