import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test, vi } from "vitest";
import { PostMortem, RunEvent } from "../src/model/event.ts";
import { listenForEvents } from "./notify/receiver.ts";
import { startStreet } from "./street.ts";

vi.setConfig({ testTimeout: 60_000 });

const AGENT = fileURLToPath(new URL("../fixtures/agent", import.meta.url));
const SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const EVENTUALLY = { timeout: 20_000, interval: 5 };

test("a verdict and its override reach the targets that the run and the operator name, signed, and no other", async () => {
  const [pager, log, chat] = await Promise.all(
    ["pager", "log", "chat"].map(() => listenForEvents((_one, response) => response.writeHead(204).end())),
  );
  const folder = await mkdtemp(join(tmpdir(), "touchstone-targets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "targets.yaml");
  await writeFile(
    path,
    `targets:
- { name: pager, type: webhook, url: "${pager?.url}/hook", secrets: [env:SECRET], allowPrivate: true, verdicts: [rollback] }
- { name: log, type: webhook, url: "${log?.url}", secrets: [env:SECRET], allowPrivate: true, always: true }
- { name: chat, type: slack, url: env:CHAT, allowPrivate: true }
`,
  );
  const street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`, {
    TOUCHSTONE_TARGETS: path,
    SECRET,
    CHAT: chat?.url ?? "",
  });
  onTestFinished(() => street.stop());
  const listed = await street.ask("GET", "/v1/targets");
  expect(listed.body).toEqual({
    items: [
      { name: "pager", type: "webhook", always: false },
      { name: "log", type: "webhook", always: true },
      { name: "chat", type: "slack", always: false },
    ],
    nextCursor: null,
  });

  const judge = async (candidate: string): Promise<{ id: string; version: number }> => {
    const started = await street.ask("POST", "/v1/runs", {
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: candidate },
      window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
      notify: ["pager", "chat"],
    });
    expect(started.status, started.text).toBe(202);
    return (await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`)).body;
  };
  const worse = await judge("v2");
  const better = await judge("v4");
  const overridden = await street.ask("POST", `/v1/runs/${worse.id}/override`, {
    verdict: "promote",
    reason: "the cost was agreed with the customer",
    expectedVersion: worse.version,
  });
  expect(overridden.status, overridden.text).toBe(200);
  await expect.poll(() => log?.received.length, EVENTUALLY).toBe(3);
  await expect.poll(() => chat?.received.length, EVENTUALLY).toBe(3);
  await expect.poll(() => pager?.received.length, EVENTUALLY).toBe(2);

  const told = (log?.received ?? []).map(({ body, headers }) =>
    RunEvent.parse(new Webhook(SECRET).verify(body, headers)),
  );
  const byRun = (id: string) =>
    told
      .filter(({ data }) => data.run === id)
      .map(({ type, data: { verdict, effectiveVerdict } }) => [type, verdict, effectiveVerdict])
      .toSorted(([a = ""], [b = ""]) => String(a).localeCompare(String(b)));
  expect(byRun(worse.id)).toEqual([
    ["run.done", "rollback", "rollback"],
    ["run.overridden", "rollback", "promote"],
  ]);
  expect(byRun(better.id)).toEqual([["run.done", "promote", "promote"]]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(3);
  expect(pager?.received[0]?.path).toBe("/hook");

  const deliveries = await street.ask("GET", `/v1/runs/${better.id}/deliveries`);
  const states = deliveries.body.items.map(
    ({ target, deliveredAt, lastError }: { target: string; deliveredAt: string | null; lastError: string | null }) => [
      target,
      deliveredAt !== null,
      lastError,
    ],
  );
  expect(states).toEqual([
    ["chat", true, null],
    ["log", true, null],
    ["pager", false, "the target does not want run.done with promote"],
  ]);
  await expect
    .poll(async () => (await street.ask("GET", "/metrics")).text, EVENTUALLY)
    .toMatch(/^touchstone_deliveries_total\{target="log",outcome="delivered"\} 3$/m);
  const { text } = await street.ask("GET", "/metrics");
  expect(text).toMatch(/^touchstone_outbox_waiting 0$/m);
  expect(text).toMatch(/^touchstone_outbox_lag_seconds 0$/m);
  expect(text).toMatch(/^touchstone_target_breaker_open\{target="pager"\} 0$/m);
});

test("a rollback after too much exposure is told with its evidence, and no other", async () => {
  const [incidents, quiet] = await Promise.all(
    ["incidents", "quiet"].map(() => listenForEvents((_one, response) => response.writeHead(204).end())),
  );
  const folder = await mkdtemp(join(tmpdir(), "touchstone-targets-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "targets.yaml");
  const shared = "type: postmortem, secrets: [env:SECRET], allowPrivate: true, always: true";
  await writeFile(
    path,
    `targets:
- { name: incidents, ${shared}, url: "${incidents?.url}", exposure: { units: 50 } }
- { name: quiet, ${shared}, url: "${quiet?.url}", exposure: { units: 1000000, duration: 1d } }
`,
  );
  const street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`, {
    TOUCHSTONE_TARGETS: path,
    SECRET,
  });
  onTestFinished(() => street.stop());
  const ids: string[] = [];
  for (const candidate of ["v4", "v2"]) {
    const started = await street.ask("POST", "/v1/runs", {
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: candidate },
      window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
    });
    ids.push((await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`)).body.id);
  }
  const settled = async (id: string) =>
    (await street.ask("GET", `/v1/runs/${id}/deliveries`)).body.items.filter(
      ({ nextAt }: { nextAt: string | null }) => nextAt === null,
    ).length;
  for (const id of ids) await expect.poll(() => settled(id), EVENTUALLY).toBe(2);
  expect(quiet?.received).toEqual([]);
  expect(incidents?.received.length).toBe(1);
  const [told] = incidents?.received ?? [];
  const postMortem = PostMortem.parse(new Webhook(SECRET).verify(told?.body ?? "", told?.headers ?? {}));
  const [, worse = ""] = ids;
  const report = await street.ask("GET", `/v1/runs/${worse}/report`, undefined, { accept: "application/json" });
  const looks = await street.ask("GET", `/v1/runs/${worse}/looks`);
  expect(postMortem).toMatchObject({
    id: told?.headers["webhook-id"],
    type: "run.postmortem",
    bound: { units: 50 },
    data: {
      run: worse,
      effectiveVerdict: "rollback",
      severity: "critical",
      links: { report: `/v1/runs/${worse}/report` },
    },
    pack: { report: report.body, looks: looks.body.items },
  });
  expect(postMortem.data.exposure?.units).toBeGreaterThan(50);
  const reasons = new Set(postMortem.data.reasons.map(({ metric }) => metric));
  expect(new Set(postMortem.pack.drivers.map(({ metric }) => metric))).toEqual(reasons);
  expect(postMortem.pack.drivers[0]).toMatchObject({ candidate: "v2", finding: "worse" });
});
