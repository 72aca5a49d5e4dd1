import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { standalonePlanOf } from "../../src/kayenta/standalone-plan.ts";
import { startStreet, type Street } from "../street.ts";
import { startPrometheus } from "./prometheus.ts";

const THRESHOLDS = { pass: 95, marginal: 75 };
const CONFIG = {
  name: "alone",
  applications: ["shop"],
  judge: { name: "NetflixACAJudge-v1.0" },
  metrics: [
    {
      name: "latency",
      scopeName: "default",
      groups: ["g"],
      query: { type: "prometheus", customInlineTemplate: 'PromQL:avg(latency{v="${scope}"})' },
      analysisConfigurations: { canary: { direction: "increase" } },
    },
  ],
  classifier: { groupWeights: { g: 100 } },
};

/** Half an hour after its start the bad version slows down. */
const SLOW_FROM = Date.parse("2026-11-19T08:30:00Z") / 1000;
const noise = (at: number, salt: number) =>
  1 + 0.04 * Math.sin(at * 12.9898 + salt * 78.233 + Math.sin(at / 60 + salt) * 43_758.5453);
const valueAt = (query: string) => (at: number) =>
  10 *
  noise(at, query.includes("baseline") ? 1 : 2) *
  (query.includes("slow") || (query.includes("bad") && at > SLOW_FROM) ? 3 : 1);

const requestOf = (experimentScope: string, more: object = {}, times: object = PAST) => ({
  scopes: [
    { controlScope: "baseline", controlLocation: "eu", experimentScope, experimentLocation: "eu", step: 60, ...times },
  ],
  thresholds: THRESHOLDS,
  ...more,
});
const PAST = { startTimeIso: "2026-11-19T08:00:00Z", endTimeIso: "2026-11-19T10:00:00Z" };

describe("standalone canary analyses", () => {
  let street: Street;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    prometheus = await startPrometheus(({ query }) => valueAt(query));
    street = await startStreet(
      `sources:\n- { name: prometheus, type: prometheus, url: "${prometheus.url}", retries: 0 }\n`,
    );
  });
  afterAll(async () => {
    await street.stop();
    await prometheus.close();
  });

  const ask = (method: string, path: string, body?: unknown) => street.ask(method, `/kayenta${path}`, body);
  const start = async (executionRequest: object, canaryConfig: object = CONFIG): Promise<string> => {
    const { status, body, text } = await ask("POST", "/standalone_canary_analysis?application=shop&user=me", {
      canaryConfig,
      executionRequest,
    });
    expect(status, text).toBe(200);
    return body.canaryAnalysisExecutionId;
  };
  const read = async (id: string) => (await ask("GET", `/standalone_canary_analysis/${id}`)).body;
  const readToEnd = async (id: string) => {
    await expect.poll(async () => (await read(id)).complete, { timeout: 50_000 }).toBe(true);
    return read(id);
  };

  test("under Kayenta's judge there is a run per interval, and the last score decides", async () => {
    const request = requestOf("good", { analysisIntervalMins: 30 });
    const view = await readToEnd(await start(request));
    expect(view).toMatchObject({
      application: "shop",
      user: "me",
      complete: true,
      status: "succeeded",
      executionStatus: "SUCCEEDED",
      canaryAnalysisExecutionRequest: request,
      canaryConfig: { name: "alone" },
      canaryAnalysisExecutionResult: {
        didPassThresholds: true,
        hasWarnings: true,
        canaryScoreMessage: "Final canary score 100.0 met or exceeded the pass score threshold.",
        canaryScores: [100, 100, 100, 100],
      },
    });
    const results = view.canaryAnalysisExecutionResult.canaryExecutionResults;
    expect(results.map((one: { judgementEndTimeIso: string }) => one.judgementEndTimeIso)).toEqual(
      ["08:30", "09:00", "09:30", "10:00"].map((time) => `2026-11-19T${time}:00.000Z`),
    );
    // Fewer than fifty points only in the first half hour.
    expect(results.map((one: { warnings: string[] }) => one.warnings.length)).toEqual([1, 0, 0, 0]);
    expect(results[3].result.judgeResult.score.score).toBe(100);
    const execution = await ask("GET", `/canary/${results[1].executionId}`);
    expect(execution.body).toMatchObject({ complete: true, status: "succeeded" });
    expect(view.stageStatus).toHaveLength(4);
  });

  test("a score that is not above marginal ends it, and what was to come is cancelled", async () => {
    const later = new Date(Date.now() + 20 * 60_000).toISOString();
    const times = { startTimeIso: new Date(Date.now() - 40 * 60_000).toISOString(), endTimeIso: later };
    const bad = { ...requestOf("slow", { analysisIntervalMins: 20, lookbackMins: 20 }, times) };
    const id = await start(bad);
    const view = await readToEnd(id);
    expect(view).toMatchObject({ status: "terminal", executionStatus: "TERMINAL" });
    const { canaryScores, didPassThresholds, canaryScoreMessage } = view.canaryAnalysisExecutionResult;
    expect([canaryScores, didPassThresholds, canaryScoreMessage]).toEqual([
      [0],
      false,
      "Final canary score 0.0 is not above the marginal score threshold.",
    ]);
    const runs = await street.ask("GET", "/v1/runs?namespace=shop&status=cancelled");
    expect(runs.body.items.length).toBeGreaterThan(0);
  });

  test("under Touchstone's judge there is one run with a look per interval", async () => {
    const own = { ...CONFIG, judge: { name: "Touchstone-v1.0" } };
    const id = await start(
      requestOf("good", { lifetimeDurationMins: 60, analysisIntervalMins: 20, beginAfterMins: 10 }, {}),
      own,
    );
    const view = await read(id);
    expect(view).toMatchObject({ complete: false, status: "not_started", stageStatus: [{ status: "not_started" }] });
    expect(view.canaryAnalysisExecutionResult).toBeUndefined();
    const run = (await street.ask("GET", `/v1/runs/${id}`)).body;
    expect(Date.parse(run.window.end) - Date.parse(run.window.start)).toBe(70 * 60_000);
    const { run: snapshot } = (await street.ask("GET", `/v1/runs/${id}/evidence`)).body;
    expect(snapshot.analysis.plan).toMatchObject({
      mode: "scheduled",
      durationSeconds: 4200,
      everySeconds: 1200,
      warmupSeconds: 600,
      stepSeconds: 60,
    });
    expect((await ask("PUT", `/pipelines/${id}/cancel`)).status).toBe(202);
    expect(await read(id)).toMatchObject({ complete: true, status: "canceled", exception: { operation: "judge" } });
  });

  test("under Touchstone's judge a time that is over is looked back at once", async () => {
    const own = { ...CONFIG, judge: { name: "Touchstone-v1.0" } };
    const view = await readToEnd(await start(requestOf("slow", { analysisIntervalMins: 30 }), own));
    expect(view.canaryAnalysisExecutionResult).toMatchObject({ didPassThresholds: false, canaryScores: [0] });
  });

  test.each([
    ["no scopes", { ...requestOf("good"), scopes: [] }, /must contain at least one scope/],
    ["no lifetime", requestOf("good", {}, {}), /lifetimeDurationMins is required/],
    [
      "an end before the start",
      requestOf("good", {}, { ...PAST, endTimeIso: PAST.startTimeIso }),
      /a minute or more after/,
    ],
    ["an offset", requestOf("good", {}, { ...PAST, controlOffsetInMinutes: 5 }), /over the same time/],
    ["no thresholds", { ...requestOf("good"), thresholds: undefined }, /must contain thresholds/],
    ["too many judgements", requestOf("good", { analysisIntervalMins: 0.1 }), /at most 200/],
  ])("%s is a 400 that says so", async (_, executionRequest, message) => {
    const { status, body } = await ask("POST", "/standalone_canary_analysis", {
      canaryConfig: CONFIG,
      executionRequest,
    });
    expect(status, body.message).toBe(400);
    expect(body.message).toMatch(message);
  });

  test("an execution is no analysis, and an unknown one neither", async () => {
    expect((await ask("GET", "/standalone_canary_analysis/run_0")).status).toBe(404);
    expect((await ask("POST", "/standalone_canary_analysis/nope", requestOf("good"))).status).toBe(404);
  });
});

/** Kayenta's arithmetic: whole intervals of the lifetime, growing or sliding, after a wait. */
test.each([
  [{ lifetimeDurationMins: 60, analysisIntervalMins: 25 }, ["00:00-00:25", "00:00-00:50"]],
  [{ lifetimeDurationMins: 60, analysisIntervalMins: 30, lookbackMins: 10 }, ["00:20-00:30", "00:50-01:00"]],
  [{ lifetimeDurationMins: 60, beginAfterMins: 5 }, ["00:05-01:05"]],
  [{ lifetimeDurationMins: 30, analysisIntervalMins: 45 }, ["00:00-00:30"]],
])("the plan of %o", (request, expected) => {
  const plan = standalonePlanOf(
    { scopes: [{ controlScope: "a", experimentScope: "b" }], ...request },
    "2026-11-20T00:00:00.000Z",
  );
  if ("issues" in plan) throw new Error("refused");
  expect(plan.judgements.map(({ start, end }) => `${start.slice(11, 16)}-${end.slice(11, 16)}`)).toEqual(expected);
});
