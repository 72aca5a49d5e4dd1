import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RolloutListItem, RolloutView } from "../src/model/rollout.ts";
import { seeded } from "../src/stats/random.ts";
import { run as runCommand } from "./cli/run.ts";
import { startStreet, type Street } from "./street.ts";

const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };

/** Rollouts in five stages, and then in two regions at once. */
const ANALYSIS = {
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name: "staged" },
  spec: {
    unit: "task",
    args: { region: "*" },
    stages: [
      { name: "1", weight: "1%", duration: "30m" },
      { name: "5", weight: "5%", duration: "30m" },
      { name: "eu", weight: "50%", group: "regions", args: { region: "eu" } },
      { name: "us", weight: "50%", group: "regions", args: { region: "us" } },
    ],
    metrics: [
      {
        name: "quality",
        kind: "score",
        scale: [1, 5],
        margin: 0.5,
        source: "files",
        query: { value: "score", unit: "task", at: "at", where: { region: "{{ args.region }}" } },
      },
    ],
  },
};

/** Rows for both regions and for the stages before, which are of no region; the worse version is worse in one region only. */
function rowsOf(seed: number, drop: Readonly<Record<string, number>>): string {
  const random = seeded(seed);
  const lines = ["task,at,score,region"];
  for (const region of ["*", "eu", "us"])
    for (let i = 0; i < 300; i++) {
      const score = Math.min(5, Math.max(1, Math.round(3.5 + 2 * (random() - 0.5) - (drop[region] ?? 0))));
      lines.push(`${region}${seed}-${i},2026-11-19T08:${String(i % 30).padStart(2, "0")}:00Z,${score},${region}`);
    }
  return `${lines.join("\n")}\n`;
}

describe("rollouts", () => {
  let street: Street;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "touchstone-rollouts-"));
    await writeFile(join(folder, "old.csv"), rowsOf(1, {}));
    await writeFile(join(folder, "good.csv"), rowsOf(2, {}));
    await writeFile(join(folder, "bad-in-us.csv"), rowsOf(3, { us: 1.5 }));
    street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(folder)} }\n`);
    await street.ask("PUT", "/v1/analyses/staged", ANALYSIS);
  }, 60_000);
  afterAll(async () => {
    await street.stop();
    await rm(folder, { recursive: true });
  });

  const post = (candidate: string, rollout: object, more: object = {}) =>
    street.ask("POST", "/v1/runs", {
      analysis: "staged",
      baseline: { label: "old" },
      candidate: { label: candidate },
      window: WINDOW,
      rollout: { namespace: "prod", ...rollout },
      ...more,
    });

  const verdictOf = async (...wanted: Parameters<typeof post>) => {
    const started = await post(...wanted);
    expect(started.status, started.text).toBe(202);
    return (await street.ask("GET", `/v1/runs/${started.body.id}?wait=30s`)).body;
  };

  const read = async (path: string): Promise<RolloutView> => {
    const answer = await street.ask("GET", `/v1/rollouts/${path}`);
    expect(answer.status, answer.text).toBe(200);
    return RolloutView.parse(answer.body);
  };
  const statesOf = ({ stages }: Pick<RolloutView, "stages">) => stages.map(({ name, state }) => [name, state]);

  test("a stage that the analysis does not declare is refused with those that it does", async () => {
    const issues = (detail: string) => ({
      status: 422,
      body: { code: "invalid_request", issues: [{ pointer: "/rollout/stage", detail }] },
    });
    const names = "the analysis staged declares 1, 5, eu, us";
    expect(await post("good", { name: "x", revision: "1", stage: "10" })).toMatchObject(
      issues(`is 10, which is no stage; ${names}`),
    );
    expect(await post("good", { name: "x", revision: "1" })).toMatchObject(issues(`is missing; ${names}`));
    expect(await post("good", { name: "x", revision: "1", stage: "eu" }, { args: { region: "us" } })).toMatchObject({
      status: 422,
      body: { issues: [{ pointer: "/args/region" }] },
    });
    expect((await street.ask("GET", "/v1/rollouts/prod/x")).status).toBe(404);
  });

  test("a rollout goes through its stages, and says where it stands, what is spent and what comes next", async () => {
    const place = { name: "agent", revision: "1" };
    expect(await verdictOf("good", { ...place, stage: "1" })).toMatchObject({ verdict: "promote" });
    const first = await read("prod/agent");
    expect(statesOf(first)).toEqual([
      ["1", "promoted"],
      ["5", "not_started"],
      ["eu", "not_started"],
      ["us", "not_started"],
    ]);
    expect(first).toMatchObject({ state: "waiting", revision: "1", candidates: [{ label: "good" }], alsoJudged: [] });
    // The promoted stage has used up its share, 0.8 of a quarter of 5 %.
    expect(first.budgets.rollback.spent).toBeCloseTo(0.01, 12);
    expect(first.budgets.rollback.left).toBeCloseTo(0.04, 12);
    expect(first.stages[0]?.rollback.budget).toBeCloseTo(0.0125, 12);
    expect(first.next).toMatchObject({ stages: ["5"], advice: expect.stringMatching(/^advice only/) });
    expect(first.next?.weight).toBeGreaterThanOrEqual(0.05);
    await verdictOf("good", { ...place, stage: "5" });
    expect((await read("prod/agent/1")).next?.stages).toEqual(["eu", "us"]);
    await verdictOf("good", { ...place, stage: "eu" });
    await verdictOf("good", { ...place, stage: "us" });
    const last = await read("prod/agent?analysis=staged");
    expect(last).toMatchObject({ state: "promoted", next: null });
    expect(last.budgets.rollback.spent).toBeCloseTo(0.04, 12);
    const { verdict, report } = {
      verdict: last.stages[0]?.runs[0]?.verdict,
      report: last.stages[0]?.runs[0]?.links.report,
    };
    expect(verdict).toBe("promote");
    // The stage's own budget stands in the report: its share, of which a first attempt has 0.8.
    expect((await street.ask("GET", report ?? "")).body.budgets.rollback).toBeCloseTo(0.01, 12);
  });

  test("a ring fails alone: the others go on, and only they", async () => {
    const place = { name: "rings", revision: "7" };
    await verdictOf("bad-in-us", { ...place, stage: "1" });
    await verdictOf("bad-in-us", { ...place, stage: "5" });
    // Still running: a window that is not over.
    const end = new Date(Date.now() + 3_600_000).toISOString();
    const running = await post("bad-in-us", { ...place, stage: "eu" }, { window: { start: WINDOW.start, end } });
    expect(running.status).toBe(202);
    expect(await verdictOf("bad-in-us", { ...place, stage: "us" })).toMatchObject({ verdict: "rollback" });
    const view = await read("prod/rings/7");
    expect(view).toMatchObject({ state: "partly_rolled_back", next: null });
    expect(statesOf(view).slice(2)).toEqual([
      ["eu", "running"],
      ["us", "rolled_back"],
    ]);
    expect((await street.ask("GET", `/v1/runs/${running.body.id}`)).body.status).not.toBe("cancelled");
    await street.ask("POST", `/v1/runs/${running.body.id}/cancel`);
    const again = await verdictOf("bad-in-us", { ...place, stage: "eu" });
    expect(again).toMatchObject({ verdict: "promote", rollout: { attempt: 2 } });
    expect((await read("prod/rings")).state).toBe("partly_rolled_back");
  });

  test("a person's verdict counts for the rollout too", async () => {
    const place = { name: "overridden", revision: "1" };
    const { id, version } = await verdictOf("good", { ...place, stage: "1" });
    const override = { verdict: "rollback", reason: "the support team saw it fail", expectedVersion: version };
    expect((await street.ask("POST", `/v1/runs/${id}/override`, override)).status).toBe(200);
    expect(await read("prod/overridden")).toMatchObject({ state: "rolled_back", next: null });
  });

  test("runs whose analysis declares no stages are grouped as well, and share one budget", async () => {
    const { stages: _, args: __, ...spec } = ANALYSIS.spec;
    const metrics = [{ ...spec.metrics[0], query: { value: "score", unit: "task", at: "at" } }];
    const analysis = { ...ANALYSIS, metadata: { name: "plain" }, spec: { ...spec, metrics } };
    const place = { name: "plain", revision: "a/b" };
    for (const stage of ["step-2", "step-4"]) await verdictOf("good", { ...place, stage }, { analysis });
    const view = await read("prod/plain/a%2Fb");
    expect(view).toMatchObject({ state: "promoted", next: null, revision: "a/b" });
    expect(view.stages.map(({ name, declared, rollback }) => [name, declared, rollback.spent])).toEqual([
      ["step-2", false, expect.closeTo(0.04, 12)],
      ["step-4", false, expect.closeTo(0.008, 12)],
    ]);
    expect((await street.ask("GET", view.links.self)).body).toEqual(JSON.parse(JSON.stringify(view)));
  });

  test("rollouts are listed page by page, the one with the newest run first", async () => {
    const first = await street.ask("GET", "/v1/rollouts?limit=1&namespace=prod");
    expect(first.body.items.map((item: unknown) => RolloutListItem.parse(item).name)).toEqual(["plain"]);
    const names: string[] = [];
    let path: string | null = "/v1/rollouts?limit=2";
    while (path !== null) {
      const { body } = await street.ask("GET", path);
      names.push(...body.items.map((item: unknown) => RolloutListItem.parse(item).name));
      path = body.nextCursor === null ? null : `/v1/rollouts?limit=2&cursor=${body.nextCursor}`;
    }
    expect(names).toEqual(["plain", "overridden", "rings", "agent"]);
    expect((await street.ask("GET", "/v1/rollouts?cursor=x")).status).toBe(400);
    expect((await street.ask("GET", "/v1/rollouts/prod/nobody")).body).toMatchObject({
      code: "not_found",
      detail: "there is no rollout prod/nobody",
    });
    expect((await street.ask("POST", "/v1/rollouts/prod/agent")).status).toBe(405);
  });

  test("the command line prints the table", async () => {
    const env = { TOUCHSTONE_URL: street.url };
    const { code, out, err } = await runCommand(["rollout", "prod/rings@7"], env);
    expect(code, err).toBe(0);
    expect(out).toMatch(/^prod\/rings@7: partly rolled back \(staged, old → bad-in-us\)\n/);
    expect(out).toMatch(/^us \[regions\] +50% +rolled back +1 .*rollback: quality/m);
    expect(out).toMatch(/^eu \[regions\] +50% +promoted +2 /m);
    expect(out).toMatch(/^rollback budget 5%: [\d.]+% spent, [\d.]+% left, over all stages and attempts$/m);
    const json = await runCommand(["rollout", "prod/agent", "-o", "json"], env);
    expect(RolloutView.parse(JSON.parse(json.out)).state).toBe("promoted");
    expect(await runCommand(["rollout", "agent"], env)).toMatchObject({ code: 64 });
    expect(await runCommand(["rollout", "prod/nobody"], env)).toMatchObject({ code: 64, out: "" });
  });
});
