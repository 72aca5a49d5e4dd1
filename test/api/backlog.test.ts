import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { createLogger } from "../../src/log.ts";
import { wireSources } from "../../src/wire-sources.ts";
import { startTouchstone } from "../../src/wire.ts";
import { askServer } from "../street.ts";

const FIXTURES = new URL("../../fixtures/agent", import.meta.url).pathname;

test("above the bound new runs are refused with a time to come back, and known ones are answered", async () => {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-backlog-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const config = readConfig({
    PORT: "0",
    TOUCHSTONE_DATA_DIR: folder,
    TOUCHSTONE_CONCURRENCY: "1",
    TOUCHSTONE_MAX_WAITING: "2",
  });
  const touchstone = await startTouchstone(config, "all", {
    sources: wireSources({ configs: [{ name: "files", type: "file", root: FIXTURES }], environment: {} }),
    log: createLogger("silent"),
    // A look that takes for ever.
    runLook: (_run, _previous, _now, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  });
  onTestFinished(() => touchstone.stop(), 30_000);
  const url = touchstone.url ?? "";
  const post = (key: string) =>
    askServer(
      url,
      "POST",
      "/v1/runs",
      { analysis: "batch-eval", baseline: { label: "v1" }, candidate: { label: "v2" } },
      { "idempotency-key": key },
    );
  const first = await post("0");
  expect(first.status).toBe(202);
  let posted = 0;
  await expect.poll(async () => (await post(String((posted += 1)))).status, { timeout: 20_000 }).toBe(503);
  const refused = await post("one-too-many");
  expect(refused).toMatchObject({ status: 503, body: { code: "overloaded" } });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await post("0")).body.id).toBe(first.body.id);
}, 60_000);
