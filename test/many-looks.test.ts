import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunView } from "../src/model/run.ts";
import { seeded } from "../src/stats/random.ts";
import { run as runCommand } from "./cli/run.ts";
import { startStreet, type Street } from "./street.ts";

/** Runs that look more than once, and runs of more than one candidate, through the whole embedded street. */

const AGENT = fileURLToPath(new URL("../fixtures/agent", import.meta.url));
const ROWS_PER_SECOND = 200;
const RECORDED_SECONDS = 150;

let street: Street;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "touchstone-live-"));
  // Sessions of the coming seconds: v2 fails four times as often as v1, v3 as often, v4 half as often.
  const start = Date.now() / 1000;
  for (const [label, rate, seed] of [
    ["v1", 0.1, 1],
    ["v2", 0.4, 2],
    ["v3", 0.1, 3],
    ["v4", 0.05, 4],
  ] as const) {
    const random = seeded(seed);
    const rows = Array.from({ length: ROWS_PER_SECOND * RECORDED_SECONDS }, (_, row) =>
      [`${label}-${row}`, new Date((start + row / ROWS_PER_SECOND) * 1000).toISOString(), random() < rate ? 1 : 0].join(
        ",",
      ),
    );
    await writeFile(join(folder, `${label}.csv`), `session,at,failed\n${rows.join("\n")}\n`);
  }
  street = await startStreet(
    `sources:\n- { name: live, type: file, root: ${JSON.stringify(folder)} }\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`,
  );
}, 60_000);

afterAll(async () => {
  await street.stop();
  await rm(folder, { recursive: true });
});

const analysis = (plan: object, more: object = {}) => ({
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name: "live" },
  spec: {
    unit: "session",
    plan: { every: "1s", step: "1s", settle: "0s", ...plan },
    metrics: [
      {
        name: "failures",
        kind: "errors",
        source: "live",
        margin: "10pp",
        query: { value: "failed", unit: "session", at: "at" },
      },
    ],
    ...more,
  },
});

async function verdictOf(body: object): Promise<RunView> {
  const started = await street.ask("POST", "/v1/runs", body);
  expect(started.status, started.text).toBe(202);
  const read = await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`);
  return RunView.parse(read.body);
}

const arms = (candidate: string) => ({ baseline: { label: "v1" }, candidate: { label: candidate } });

test("a scheduled run looks until it knows, and keeps every look", async () => {
  const run = await verdictOf({ analysis: analysis({ mode: "scheduled", duration: "10s" }), ...arms("v2") });
  expect(run).toMatchObject({ status: "done", verdict: "rollback", dueAt: null });
  const looks = (await street.ask("GET", `/v1/runs/${run.id}/looks`)).body.items;
  expect(looks.length).toBe(run.lastLook?.n);
  expect(looks.map(({ n }: { n: number }) => n)).toEqual(looks.map((_: unknown, index: number) => index + 1));
  expect(looks.slice(0, -1).every(({ decision }: { decision: string }) => decision === "continue")).toBe(true);
  expect(looks.at(-1).decision).toBe("rollback");
}, 30_000);

test("a candidate that burns its error budget in both windows is rolled back, and the report says how fast", async () => {
  const limited = analysis({ mode: "scheduled", duration: "20s" });
  const [metric] = limited.spec.metrics;
  // 40 % of v2's sessions fail: twenty times the budget of 2 %. The margin is so wide that only the limit can speak.
  const burn = { objective: "98%", windows: [{ rate: 10, long: "4s", short: "1s" }] };
  const metrics = [{ ...metric, margin: "80pp", limit: { burn } }];
  const run = await verdictOf({ analysis: { ...limited, spec: { ...limited.spec, metrics } }, ...arms("v2") });
  expect(run).toMatchObject({ status: "done", verdict: "rollback" });
  expect(run.reasons.map(({ code }) => code)).toEqual(["critical_limit_breached"]);
  expect(run.reasons[0]?.text).toMatch(
    /^failures is beyond its limit: the candidate burns its 98% error budget at [\d.]+ times the sustainable rate over /,
  );
  expect(run.findings?.[0]?.limits[0]).toMatchObject({ statistic: "burn", limit: 10, state: "breached" });
  const report = await street.ask("GET", run.links.report, undefined, { accept: "text/html" });
  expect(report.text).toContain("burn of 98% over 4s and 1s max 10");
}, 30_000);

test("between two looks a run is running, says when the next one is due, and can be cancelled", async () => {
  const quiet = analysis({ mode: "scheduled", duration: "60s", minDuration: "60s" });
  const started = await street.ask("POST", "/v1/runs", { analysis: quiet, ...arms("v3") });
  let run = RunView.parse(started.body);
  while (run.lastLook === null) run = RunView.parse((await street.ask("GET", `/v1/runs/${run.id}?wait=1s`)).body);
  expect(run).toMatchObject({ status: "running", verdict: null, lastLook: { decision: "continue" } });
  expect(Date.parse(run.dueAt ?? "")).toBeGreaterThan(Date.parse(run.lastLook.at));
  expect(run.summary).toMatch(/^continue: /);
  expect((await street.ask("POST", `/v1/runs/${run.id}/cancel`)).body.status).toBe("cancelled");
}, 30_000);

test("a run that a promotion does not end goes on, and finishing it gives the verdict", async () => {
  const body = { analysis: analysis({ mode: "continuous", maxDuration: "1h" }), ...arms("v4"), promotionEnds: false };
  const started = await street.ask("POST", "/v1/runs", body);
  expect(started.status, started.text).toBe(202);
  let run = RunView.parse(started.body);
  let promotions = 0;
  while (promotions < 2) {
    const last = run.lastLook?.n;
    run = RunView.parse((await street.ask("GET", `/v1/runs/${run.id}?wait=1s`)).body);
    if (run.lastLook?.n !== last && run.lastLook?.decision === "promote") promotions += 1;
  }
  expect(run).toMatchObject({ status: "running", verdict: null, effectiveVerdict: null });
  expect(run.summary).toMatch(/^promote: /);
  await street.ask("POST", `/v1/runs/${run.id}/finish`);
  run = RunView.parse((await street.ask("GET", `/v1/runs/${run.id}?wait=30s`)).body);
  expect(run).toMatchObject({ status: "done", verdict: "promote" });
  const verified = await runCommand(["verify", run.id], { TOUCHSTONE_URL: street.url });
  expect(verified.code, verified.out + verified.err).toBe(0);
}, 30_000);

test("a rainbow run cannot go on after a promotion", async () => {
  const body = { analysis: analysis({ mode: "once" }), baseline: { label: "v1" }, candidates: [{ label: "v3" }] };
  expect(await street.ask("POST", "/v1/runs", { ...body, promotionEnds: false })).toMatchObject({
    status: 422,
    body: { code: "invalid_request", issues: [{ pointer: "/promotionEnds" }] },
  });
});

test("a run that is told to finish looks once more and decides", async () => {
  const quiet = analysis({ mode: "scheduled", duration: "60s", minDuration: "60s" });
  const started = await street.ask("POST", "/v1/runs", { analysis: quiet, ...arms("v3") });
  let run = RunView.parse(started.body);
  while (run.lastLook === null) run = RunView.parse((await street.ask("GET", `/v1/runs/${run.id}?wait=1s`)).body);
  expect((await street.ask("POST", `/v1/runs/${run.id}/finish`)).status).toBe(200);
  const ended = RunView.parse((await street.ask("GET", `/v1/runs/${run.id}?wait=20s`)).body);
  expect(ended).toMatchObject({ status: "done", verdict: "pause" });
  expect(ended.reasons[0]?.code).toBe("too_early");
  expect((await street.ask("POST", `/v1/runs/${run.id}/finish`)).body.detail).toMatch(/is done and stays so/);
}, 40_000);

test("attempts of a rollout share one error budget", async () => {
  const attempt = (n: number) =>
    verdictOf({
      analysis: "batch-eval",
      baseline: { label: "v1" },
      candidate: { label: "v3" },
      window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
      rollout: { namespace: "agents", name: "support", revision: "7", attempt: n },
    });
  const budgets: number[] = [];
  for (const n of [1, 2, 3]) {
    const { links } = await attempt(n);
    const report = await street.ask("GET", links.report, undefined, { accept: "application/json" });
    budgets.push(report.body.budgets.rollback);
  }
  expect(budgets.map((budget) => Number(budget.toFixed(10)))).toEqual([0.04, 0.008, 0.0016]);
});

test("a continuous run promotes without a known end", async () => {
  const run = await verdictOf({ analysis: analysis({ mode: "continuous", maxDuration: "30s" }), ...arms("v3") });
  expect(run).toMatchObject({ status: "done", verdict: "promote" });
}, 40_000);

test("a rainbow run gives each candidate its verdict, its own the worst of them, and names the best", async () => {
  const run = await verdictOf({
    analysis: "batch-eval",
    baseline: { label: "v1" },
    candidates: [{ label: "v2" }, { label: "v3" }, { label: "v4" }],
    window: { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" },
  });
  expect(run.verdict).toBe("rollback");
  expect(run.candidates?.map(({ version, verdict }) => [version.label, verdict])).toEqual([
    ["v2", "rollback"],
    ["v3", "promote"],
    ["v4", "promote"],
  ]);
  expect(run.best).toBe("v4");
  expect(run.comparisons).toMatchObject({ look: 1, error: 0.05, pairs: [{ version: "v4", against: "v3" }] });
  expect(run.comparisons?.unbeaten).toContain("v4");
  expect(run.summary).toMatch(/^rollback: v2 rollback, v3 promote, v4 promote; /);
  expect(run.candidate).toBeUndefined();
  const page = await street.ask("GET", `/v1/runs/${run.id}/report`, undefined, { accept: "text/html" });
  expect(page.text).toContain("v3: promote");
  expect(page.text).toContain(run.comparisons?.pairs[0]?.text.slice(0, 20));
});

test("a rainbow run of many looks compares its safe versions when each has its verdict", async () => {
  const run = await verdictOf({
    analysis: analysis({ mode: "scheduled", duration: "10s" }),
    baseline: { label: "v1" },
    candidates: [{ label: "v2" }, { label: "v3" }, { label: "v4" }],
  });
  expect(run.candidates?.map(({ verdict }) => verdict)).toEqual(["rollback", "promote", "promote"]);
  expect(run.comparisons).toMatchObject({ look: run.lastLook?.n, pairs: [{ version: "v4", against: "v3" }] });
  expect(run.comparisons?.pairs[0]?.metrics).toMatchObject([{ metric: "failures", reason: null }]);
  const looks = (await street.ask("GET", `/v1/runs/${run.id}/looks`)).body.items;
  expect(looks.at(-1).summary).toBe(run.summary);
}, 40_000);

test("two arms that share a label would share a verdict: they are refused", async () => {
  const track = (name: string) => ({ label: "v1", labels: { track: name } });
  const refused = await street.ask("POST", "/v1/runs", {
    analysis: "batch-eval",
    baseline: track("stable"),
    candidate: track("canary"),
  });
  expect(refused.status).toBe(422);
  expect(refused.body.issues).toEqual([{ pointer: "/candidate/label", detail: "is the baseline's label, v1" }]);
});

test("times that no run could have are refused by name", async () => {
  const fault = async (plan: object) =>
    (await street.ask("POST", "/v1/runs", { analysis: analysis(plan), ...arms("v3") })).body.issues;
  expect(await fault({ mode: "scheduled", duration: "99999999999h" })).toEqual([
    { pointer: "/analysis/spec/plan/duration", detail: "must be at most 3650d" },
  ]);
  const late = await street.ask("POST", "/v1/runs", {
    analysis: "batch-eval",
    ...arms("v3"),
    window: { start: "2026-01-01T00:00:00Z", end: "9999-12-31T23:59:59Z" },
  });
  expect(late.body.issues).toEqual([{ pointer: "/window/end", detail: "must lie before the year 3000" }]);
  for (const wait of ["abc", "30", "1h"]) {
    const answer = await street.ask("GET", `/v1/runs/run_x?wait=${wait}`);
    expect([wait, answer.status, answer.body.issues?.[0]?.pointer]).toEqual([wait, 400, "/wait"]);
  }
  for (const path of ["/v1/runs/a%00b", "/v1/analyses/a%00b"]) expect((await street.ask("GET", path)).status).toBe(404);
  expect((await street.ask("GET", "/v1/runs?version=a%00")).status).toBe(400);
});

test("a request names one candidate or several, each once", async () => {
  const fault = async (body: object) => {
    const refused = await street.ask("POST", "/v1/runs", {
      analysis: "batch-eval",
      baseline: { label: "v1" },
      ...body,
    });
    expect(refused.status).toBe(422);
    return refused.body.issues;
  };
  expect(await fault({})).toEqual([{ pointer: "/candidate", detail: "is missing; give candidate, or candidates" }]);
  expect(await fault({ candidate: { label: "v2" }, candidates: [{ label: "v3" }] })).toEqual([
    { pointer: "/candidates", detail: "stands beside candidate; give one of them" },
  ]);
  expect(await fault({ candidates: [{ label: "v2" }, { label: "v2" }, { label: "v1" }] })).toEqual([
    { pointer: "/candidates/1/label", detail: "stands twice, v2" },
    { pointer: "/candidates/2/label", detail: "is the baseline's label, v1" },
  ]);
});

test("every decided run so far, whatever its plan, is judged again to the same bytes", async () => {
  const verified = await runCommand(["verify", "--all"], { TOUCHSTONE_URL: street.url });
  expect(verified.out).toMatch(/\n(?:[7-9]|\d\d) identical, 0 differ, 0 cannot be verified/);
  expect(verified.code).toBe(0);
}, 30_000);
