import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startStreet, type Answer, type Street } from "../street.ts";
import { startPrometheus } from "./prometheus.ts";

const AGENT = fileURLToPath(new URL("../../fixtures/agent", import.meta.url));
const TOKEN = "a-token-of-some-length";
/** Argo Rollouts knows no other credentials than those of its address. */
const FROM_ARGO = { authorization: `Basic ${Buffer.from(`argo:${TOKEN}`).toString("base64")}` };
const ACCOUNTS = "metricsAccountName=prometheus&configurationAccountName=default&storageAccountName=default";
const THRESHOLDS = { pass: 90, marginal: 50 };

/** The scopes as Argo Rollouts 1.9 sends them; before, `location` was `region`, and times could be empty. */
const scopesOf = (control: object, experiment: object, times: object) => ({
  default: {
    controlScope: { location: "default", step: 60, ...times, ...control },
    experimentScope: { location: "default", step: 60, ...times, ...experiment },
  },
});

const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };

/** What the provider of Argo Rollouts does with the answers: see "Poll" in its source. */
function measure({ status, body }: Answer, { pass, marginal } = THRESHOLDS): string {
  if (status !== 200) return "Error";
  if (typeof body.complete !== "boolean") return "Error";
  if (!body.complete) return "Running";
  const score: unknown = body.result?.judgeResult?.score?.score;
  if (typeof score !== "number") return "Error";
  if (Math.trunc(score) >= pass) return "Successful";
  return Math.trunc(score) >= marginal ? "Inconclusive" : "Failed";
}

function argo(street: Street) {
  const ask = (method: string, path: string, body?: unknown) => street.ask(method, `/kayenta${path}`, body, FROM_ARGO);
  return {
    ask,
    find: async (name: string): Promise<string> => {
      const { status, body } = await ask("GET", `/canaryConfig?application=shop&configurationAccountName=default`);
      expect(status).toBe(200);
      expect(Array.isArray(body)).toBe(true);
      for (const item of body) {
        expect(Object.keys(item).sort()).toEqual([
          "applications",
          "id",
          "name",
          "updatedTimestamp",
          "updatedTimestampIso",
        ]);
        expect(Number.isInteger(item.updatedTimestamp)).toBe(true);
      }
      return body.find((item: { name: string }) => item.name === name)?.id;
    },
    start: (id: string, scopes: object, thresholds: unknown = THRESHOLDS) =>
      ask("POST", `/canary/${id}?application=shop&${ACCOUNTS}`, { scopes, thresholds }),
    poll: (id: string) => ask("GET", `/canary/${id}`),
    async pollToEnd(id: string): Promise<Answer> {
      const ended = await street.ask("GET", `/v1/runs/${id}?wait=30s`, undefined, FROM_ARGO);
      expect(ended.body.dueAt).toBeNull();
      return ask("GET", `/canary/${id}`);
    },
  };
}

describe("Argo Rollouts' kayenta provider on a stored analysis", () => {
  let street: Street;
  let client: ReturnType<typeof argo>;
  beforeAll(async () => {
    street = await startStreet(`sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`, {
      TOUCHSTONE_TOKEN: TOKEN,
    });
    client = argo(street);
  });
  afterAll(() => street.stop());

  test.each([
    ["v4", "Successful", 100, "Pass", "promote"],
    ["v2", "Failed", 0, "Fail", "rollback"],
    ["v9", "Inconclusive", 70, "Marginal", "pause"],
  ])("measures %s as %s by a whole score", async (candidate, phase, score, classification, verdict) => {
    const id = await client.find("batch-eval");
    expect(id).toBe("batch-eval");
    const started = await client.start(id, scopesOf({ scope: "v1" }, { scope: candidate }, WINDOW));
    expect(started.status, started.text).toBe(200);
    expect(started.body).toEqual({ canaryExecutionId: expect.stringMatching(/^run_[0-9a-f]{32}$/) });
    const answer = await client.pollToEnd(started.body.canaryExecutionId);
    expect(measure(answer)).toBe(phase);
    const { judgeResult, canaryDuration } = answer.body.result;
    expect(judgeResult.score).toMatchObject({ score, classification });
    expect(judgeResult.score.classificationReason).toMatch(new RegExp(`^${verdict}: `));
    expect(canaryDuration).toBe("PT30M");
    expect(answer.body).toMatchObject({
      application: "shop",
      status: "succeeded",
      complete: true,
      canaryConfigId: "batch-eval",
      pipelineId: started.body.canaryExecutionId,
      metricsAccountName: "prometheus",
      storageAccountName: "default",
      buildTimeIso: expect.any(String),
      endTimeMillis: expect.any(Number),
    });
    for (const result of judgeResult.results) {
      expect(Number.isInteger(result.controlMetadata.stats.count)).toBe(true);
      expect(typeof result.classification).toBe("string");
    }
    // What Deck draws: a pair for every result, by its id.
    const pairs = await client.ask("GET", `/metricSetPairList/${answer.body.metricSetPairListId}?accountName=default`);
    expect(pairs.status, pairs.text).toBe(200);
    expect(pairs.body.map(({ id }: { id: string }) => id)).toEqual(
      judgeResult.results.map((one: { id: string }) => one.id),
    );
    for (const [index, pair] of pairs.body.entries()) {
      const { values, scopes, name } = pair;
      expect(name).toBe(judgeResult.results[index].name);
      expect([values.control.length, values.experiment.length]).toEqual([30, 30]);
      const known = (side: unknown[]) => side.filter((value) => typeof value === "number").length;
      expect(known(values.control)).toBeGreaterThan(25);
      // There is no v9.
      if (candidate === "v9") expect(values.experiment).toEqual(Array.from({ length: 30 }, () => "NaN"));
      else expect(known(values.experiment)).toBeGreaterThan(25);
      expect(scopes.control).toEqual({
        startTimeIso: "2026-11-19T08:00:00.000Z",
        startTimeMillis: Date.parse(WINDOW.start),
        stepMillis: 60_000,
      });
      const one = await client.ask("GET", `/metricSetPairList/${started.body.canaryExecutionId}/${pair.id}`);
      expect(one.body).toEqual(pair);
    }
    expect((await client.ask("GET", `/metricSetPairList/${started.body.canaryExecutionId}/none`)).status).toBe(404);
    expect((await client.ask("GET", "/metricSetPairList/none")).status).toBe(404);
    const { scopes, thresholds } = answer.body.canaryExecutionRequest;
    expect(scopes.default.controlScope).toMatchObject({ scope: "v1", location: "default", step: 60, ...WINDOW });
    expect(thresholds).toEqual(THRESHOLDS);
  });

  test("the version of a scope of keys and values is its hash, and its parts are labels", async () => {
    const scopes = scopesOf({ scope: "namespace=shop,hash=v1" }, { scope: "namespace=shop,hash=v4" }, WINDOW);
    const { body } = await client.start("batch-eval", scopes);
    const answer = await client.pollToEnd(body.canaryExecutionId);
    expect(measure(answer)).toBe("Successful");
    const run = await street.ask("GET", `/v1/runs/${body.canaryExecutionId}`, undefined, FROM_ARGO);
    expect(run.body.baseline).toEqual({
      label: "v1",
      labels: { namespace: "shop", hash: "v1", location: "default", scope: "namespace=shop,hash=v1" },
    });
  });

  test.each([
    ["absent", {}],
    ["empty, as Argo before 1.9 sends them", { start: "", end: "" }],
    ["auto", { start: "auto", end: "auto" }],
  ])("times that are %s are left to the plan", async (_, times) => {
    const scopes = scopesOf({ scope: "v1", region: "eu" }, { scope: "v4", region: "eu", step: "60" }, times);
    const { status, body } = await client.start("batch-eval", scopes);
    expect(status).toBe(200);
    const answer = await client.poll(body.canaryExecutionId);
    const { start, end } = answer.body.canaryExecutionRequest.scopes.default.controlScope;
    expect(Date.parse(end) - Date.parse(start)).toBe(30 * 60_000);
  });

  test("the same question again is the same execution, whatever its end; another start is another", async () => {
    const start = "2026-11-19T08:00:00Z";
    const ask = async (times: object, thresholds: object = THRESHOLDS) =>
      (await client.start("batch-eval", scopesOf({ scope: "v1" }, { scope: "v3" }, times), thresholds)).body
        .canaryExecutionId;
    const first = await ask({ start, end: "2026-11-19T08:20:00Z" });
    expect(await ask({ start, end: "2026-11-19T08:25:00Z" })).toBe(first);
    await client.pollToEnd(first);
    expect(await ask({ start, end: "2026-11-19T08:30:00Z" })).toBe(first);
    expect(await ask({ start: "2026-11-19T08:01:00Z", end: "2026-11-19T08:30:00Z" })).not.toBe(first);
    expect(await ask({ start, end: "2026-11-19T08:20:00Z" }, { pass: 80, marginal: 40 })).not.toBe(first);
  });

  test("two scopes asked for in the same second may differ by that second", async () => {
    const scopes = scopesOf({ scope: "v1" }, { scope: "v4", end: "2026-11-19T08:30:01Z" }, WINDOW);
    expect((await client.start("batch-eval", scopes)).status).toBe(200);
  });

  test("an execution that waits for its time is not complete, and a cancelled one is complete without a score", async () => {
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const scopes = scopesOf({ scope: "v1" }, { scope: "v3" }, { start: "2026-11-19T08:05:00Z", end: later });
    const { body } = await client.start("batch-eval", scopes);
    const waiting = await client.poll(body.canaryExecutionId);
    expect(waiting.body).toMatchObject({
      complete: false,
      status: "not_started",
      stageStatus: { judge: "not_started" },
    });
    expect(measure(waiting)).toBe("Running");
    const cancelled = await client.ask("PUT", `/pipelines/${body.canaryExecutionId}/cancel`, "");
    expect(cancelled.status).toBe(202);
    const after = await client.poll(body.canaryExecutionId);
    expect(after.body).toMatchObject({ complete: true, status: "canceled", exception: { operation: "judge" } });
    expect(after.body.result).toBeUndefined();
    expect(measure(after)).toBe("Error");
    // What Argo does ten seconds after an Error: a fresh execution.
    const again = await client.start("batch-eval", scopes);
    expect(again.body.canaryExecutionId).not.toBe(body.canaryExecutionId);
    expect((await client.ask("PUT", `/pipelines/${again.body.canaryExecutionId}/cancel`)).status).toBe(202);
  });

  test("a person's verdict counts", async () => {
    const scopes = scopesOf({ scope: "v1" }, { scope: "v2" }, { ...WINDOW, start: "2026-11-19T08:02:00Z" });
    const { body } = await client.start("batch-eval", scopes);
    const before = await client.pollToEnd(body.canaryExecutionId);
    expect(measure(before)).toBe("Failed");
    const run = await street.ask("GET", `/v1/runs/${body.canaryExecutionId}`, undefined, FROM_ARGO);
    const override = { verdict: "promote", reason: "known and accepted", expectedVersion: run.body.version };
    await street.ask("POST", `/v1/runs/${body.canaryExecutionId}/override`, override, FROM_ARGO);
    const after = await client.poll(body.canaryExecutionId);
    expect(measure(after)).toBe("Successful");
    expect(after.body.result.judgeResult.score.classificationReason).toMatch(
      /^promote: token decided so: known and accepted \(computed: rollback: /,
    );
  });

  test("unknown configs and executions are a 404, a bad token a 401", async () => {
    const unknown = await client.start("no-such-analysis", scopesOf({ scope: "v1" }, { scope: "v2" }, WINDOW));
    expect([unknown.status, unknown.body.message]).toEqual([404, "Canary config 'no-such-analysis' does not exist."]);
    const poll = await client.poll("run_0");
    expect([poll.status, poll.body.message]).toEqual([404, "Canary execution run_0 does not exist."]);
    expect((await client.poll("<nil>")).status).toBe(404);
    expect(await client.find("no-such-analysis")).toBeUndefined();
    const wrong = { authorization: `Basic ${Buffer.from("argo:wrong").toString("base64")}` };
    expect((await street.ask("GET", "/kayenta/canaryConfig", undefined, wrong)).status).toBe(401);
  });

  test("a run that nobody asked for over this API is no execution", async () => {
    const run = await street.ask(
      "POST",
      "/v1/runs",
      { analysis: "batch-eval", baseline: { label: "v1" }, candidate: { label: "v4" }, window: WINDOW },
      FROM_ARGO,
    );
    expect((await client.poll(run.body.id)).status).toBe(404);
  });

  test.each([
    ["no body", "", "there is no body"],
    ["no JSON", "{", /^the body is not JSON/],
    [
      "no thresholds",
      { scopes: scopesOf({ scope: "v1" }, { scope: "v2" }, {}) },
      "Execution request must contain thresholds",
    ],
    ["no scopes", { thresholds: THRESHOLDS }, /no scopes were provided/],
    [
      "another scope",
      { scopes: { other: scopesOf({ scope: "a" }, { scope: "b" }, {}).default }, thresholds: THRESHOLDS },
      /\[default\]/,
    ],
    [
      "one version",
      { scopes: scopesOf({ scope: "v1" }, { scope: "v1" }, {}), thresholds: THRESHOLDS },
      /compared with itself/,
    ],
    [
      "an empty scope",
      { scopes: scopesOf({ scope: "" }, { scope: "v2" }, {}), thresholds: THRESHOLDS },
      /controlScope\/scope is empty/,
    ],
    [
      "a step of text",
      { scopes: scopesOf({ scope: "v1", step: "soon" }, { scope: "v2" }, {}), thresholds: THRESHOLDS },
      /step must be a number/,
    ],
    [
      "times that differ",
      {
        scopes: scopesOf({ scope: "v1", start: "2026-11-18T08:00:00Z" }, { scope: "v2" }, WINDOW),
        thresholds: THRESHOLDS,
      },
      /over the same time/,
    ],
    [
      "a time of text",
      { scopes: scopesOf({ scope: "v1", start: "yesterday" }, { scope: "v2" }, {}), thresholds: THRESHOLDS },
      /controlScope\/start must be a point in time/,
    ],
    [
      "an end before the start",
      {
        scopes: scopesOf({ scope: "v1" }, { scope: "v2" }, { start: WINDOW.end, end: WINDOW.start }),
        thresholds: THRESHOLDS,
      },
      /not after the start/,
    ],
  ])("%s is a 400 that says so", async (_, body, message) => {
    const { status, body: answer } = await client.ask("POST", `/canary/batch-eval?application=shop&${ACCOUNTS}`, body);
    expect(status).toBe(400);
    if (typeof message === "string") expect(answer.message).toBe(message);
    else expect(answer.message).toMatch(message);
  });

  test("an empty body and one of ten megabytes are refused", async () => {
    const { status, body } = await client.ask("POST", "/canary/batch-eval", `"${"x".repeat(10_000_000)}"`);
    expect([status, body.message]).toEqual([413, "the body has more than 256 kB"]);
    for (const path of ["/canary/batch-eval", "/canary", "/canaryConfig", "/standalone_canary_analysis/batch-eval"]) {
      for (const empty of [undefined, {}]) {
        const answer = await client.ask("POST", path, empty);
        expect([answer.status, typeof answer.body?.message], `${path}: ${answer.text}`).toEqual([400, "string"]);
      }
      expect((await client.ask("POST", path, `"${"x".repeat(10_000_000)}"`)).status, path).toBe(413);
    }
  });

  test("executions of an application are listed, the newest first, by page and status", async () => {
    const list = async (query: string) =>
      (await client.ask("GET", `/canary/executions?${query}`)).body.map(
        (one: { pipelineId: string }) => one.pipelineId,
      );
    const all: string[] = await list("application=shop&limit=200");
    expect(all.length).toBeGreaterThan(5);
    const [first] = (await client.ask("GET", "/canary/executions?application=shop&limit=1")).body;
    expect(first.pipelineId).toBe(all[0]);
    expect(await list("application=shop&limit=2&page=2")).toEqual(all.slice(2, 4));
    expect(await list("application=another")).toEqual([]);
    const succeeded = (await client.ask("GET", "/canary/executions?application=shop&statuses=SUCCEEDED")).body;
    expect(succeeded.length).toBeGreaterThan(2);
    for (const one of succeeded) expect(typeof one.result.judgeResult.score.score).toBe("number");
    expect((await client.ask("GET", "/canary/executions?limit=x")).status).toBe(400);
  });
});

test("an analysis with many looks is governed by its plan: it runs from now on, and the end of the request says nothing", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const prometheus = await startPrometheus(async () => {
    await held;
    return 500;
  });
  onTestFinished(() => prometheus.close());
  const street = await startStreet(
    `sources:\n- { name: prometheus, type: prometheus, url: "${prometheus.url}", retries: 0 }\n`,
    { TOUCHSTONE_TOKEN: TOKEN },
  );
  onTestFinished(() => street.stop());
  const client = argo(street);
  const analysis = {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: "live" },
    spec: {
      plan: { mode: "scheduled", duration: "20m", every: "1m", settle: "30s" },
      metrics: [
        { name: "load", kind: "gauge", source: "prometheus", query: { series: 'avg(load{v="{{ version }}"})' } },
      ],
    },
  };
  expect((await street.ask("PUT", "/v1/analyses/live", analysis, FROM_ARGO)).status).toBe(200);
  const now = new Date().toISOString();
  const start = new Date(Date.now() - 600_000).toISOString();
  const live = await client.start("live", scopesOf({ scope: "v1" }, { scope: "v2" }, { start, end: now }));
  const run = await street.ask("GET", `/v1/runs/${live.body.canaryExecutionId}`, undefined, FROM_ARGO);
  const { start: from, end: until } = run.body.window;
  expect(Date.parse(from)).toBeGreaterThanOrEqual(Date.parse(now));
  expect(Date.parse(until) - Date.parse(from)).toBe(20 * 60_000);
  expect(measure(await client.poll(live.body.canaryExecutionId))).toBe("Running");

  // A window that is long over is looked back at, at once.
  const past = await client.start("live", scopesOf({ scope: "v1" }, { scope: "v2" }, WINDOW));
  const id = past.body.canaryExecutionId;
  await expect.poll(async () => (await client.poll(id)).body.status).toBe("running");
  expect(measure(await client.poll(id))).toBe("Running");
  release();
  const ended = await client.pollToEnd(id);
  // A source that is down neither promotes nor rolls back.
  expect(measure(ended)).toBe("Inconclusive");
  expect(ended.body.result.judgeResult.score.classificationReason).toMatch(/^pause: .*prometheus/);
  expect(ended.body.result.judgeResult.results[0]).toMatchObject({ name: "load", classification: "Error" });
});

test("a run that Touchstone fails is complete without a score, and the next question opens another", async () => {
  const street = await startStreet(
    `sources:\n- { name: files, type: file, root: ${JSON.stringify(AGENT)} }\n`,
    { TOUCHSTONE_TOKEN: TOKEN },
    undefined,
    { runLook: () => Promise.reject(new RangeError("a bug")) },
  );
  onTestFinished(() => street.stop());
  const client = argo(street);
  const scopes = scopesOf({ scope: "v1" }, { scope: "v4" }, WINDOW);
  const { body } = await client.start("batch-eval", scopes);
  const ended = await client.pollToEnd(body.canaryExecutionId);
  expect(ended.body).toMatchObject({
    complete: true,
    status: "terminal",
    exception: { details: { error: expect.any(String) } },
  });
  expect(measure(ended)).toBe("Error");
  const again = await client.start("batch-eval", scopes);
  expect(again.body.canaryExecutionId).not.toBe(body.canaryExecutionId);
});
