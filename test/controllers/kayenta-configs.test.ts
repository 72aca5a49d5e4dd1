import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startStreet, type Street } from "../street.ts";
import { startPrometheus } from "./prometheus.ts";

/** Deterministic noise of a few percent, the same for both versions at no time. */
const noise = (at: number, salt: number) =>
  1 + 0.04 * Math.sin(at * 12.9898 + salt * 78.233 + Math.sin(at / 60 + salt) * 43_758.5453);

/** The slow version of the shop, and one that has no data for part of the hour. */
function valueAt(query: string): (at: number) => number | string {
  const slow = query.includes("slow") ? 1.3 : 1;
  const salt = query.length + (query.includes("baseline") ? 0 : 1);
  return (at) => 10 * slow * noise(at, salt);
}

const EMPTY = "query that finds nothing";

const prometheusMetric = (
  name: string,
  query: object,
  canary: object = {},
  groups: readonly string[] = ["Latency"],
) => ({
  name,
  scopeName: "default",
  groups,
  query: { type: "prometheus", serviceType: "prometheus", ...query },
  analysisConfigurations: { canary },
});

const CONFIG = {
  name: "checkout-config",
  description: "of the shop",
  configVersion: "1",
  applications: ["shop"],
  judge: { name: "NetflixACAJudge-v1.0", judgeConfigurations: {} },
  metrics: [
    prometheusMetric(
      "Latency (p99)",
      { metricName: "latency", customFilterTemplate: "by-version", labelBindings: ['job="shop"'] },
      { direction: "increase", nanStrategy: "replace", critical: true },
    ),
    prometheusMetric(
      "CPU",
      { customInlineTemplate: 'PromQL:avg(rate(cpu{version="${scope}",zone=~"${location}.*"}[1m]))' },
      { direction: "either", effectSize: { allowedIncrease: 1.1, allowedDecrease: 0.9 } },
      ["System"],
    ),
  ],
  templates: { "by-version": 'version="${scope}",env="${env}"' },
  classifier: { groupWeights: { Latency: 75, System: 25 }, scoreThresholds: { pass: 95, marginal: 75 } },
};

const THRESHOLDS = { pass: 95, marginal: 75 };
const TIMES = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T09:00:00Z", step: 60 };
const scopesOf = (experiment: string, more: object = {}) => ({
  default: {
    controlScope: { scope: "baseline", location: "eu", extendedScopeParams: { env: "prod" }, ...TIMES, ...more },
    experimentScope: { scope: experiment, location: "eu", extendedScopeParams: { env: "prod" }, ...TIMES, ...more },
  },
});

describe("canary configs of Kayenta's clients", () => {
  let street: Street;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  beforeAll(async () => {
    prometheus = await startPrometheus(({ query }) => (query.includes(EMPTY) ? 404 : valueAt(query)));
    street = await startStreet(
      `sources:\n- { name: my-prometheus, type: prometheus, url: "${prometheus.url}", retries: 0 }\n`,
    );
  });
  afterAll(async () => {
    await street.stop();
    await prometheus.close();
  });

  const ask = (method: string, path: string, body?: unknown) => street.ask(method, `/kayenta${path}`, body);
  const store = async (config: object = CONFIG): Promise<string> => {
    const { status, body, text } = await ask("POST", "/canaryConfig", config);
    expect(status, text).toBe(200);
    return body.canaryConfigId;
  };
  const judge = async (path: string, body: unknown) => {
    const started = await ask("POST", `${path}?application=shop&metricsAccountName=my-prometheus`, body);
    expect(started.status, started.text).toBe(200);
    await street.ask("GET", `/v1/runs/${started.body.canaryExecutionId}?wait=30s`);
    return (await ask("GET", `/canary/${started.body.canaryExecutionId}`)).body;
  };

  test("are stored, read back as they were sent, listed, changed and deleted", async () => {
    const id = await store({ ...CONFIG, name: "round-trip", ownKey: { of: "the client" }, nothing: null });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const read = await ask("GET", `/canaryConfig/${id}`);
    expect(read.status).toBe(200);
    const { createdTimestamp, updatedTimestamp } = read.body;
    expect(read.body).toEqual({
      ...CONFIG,
      name: "round-trip",
      ownKey: { of: "the client" },
      id,
      createdTimestamp: expect.any(Number),
      updatedTimestamp: createdTimestamp,
      createdTimestampIso: new Date(createdTimestamp).toISOString(),
      updatedTimestampIso: new Date(updatedTimestamp).toISOString(),
    });
    const listed = await ask("GET", "/canaryConfig?application=shop&configurationAccountName=whatever");
    expect(listed.body[0]).toEqual({
      id,
      name: "round-trip",
      updatedTimestamp,
      updatedTimestampIso: new Date(updatedTimestamp).toISOString(),
      applications: ["shop"],
    });
    const changed = await ask("PUT", `/canaryConfig/${id}`, { ...read.body, description: "changed" });
    expect([changed.status, changed.body]).toEqual([200, { canaryConfigId: id }]);
    const after = (await ask("GET", `/canaryConfig/${id}`)).body;
    expect(after).toMatchObject({ description: "changed", createdTimestamp });
    expect(after.updatedTimestamp).toBeGreaterThan(updatedTimestamp);
    const deleted = await ask("DELETE", `/canaryConfig/${id}`);
    expect([deleted.status, deleted.text]).toEqual([204, ""]);
    expect((await ask("GET", `/canaryConfig/${id}`)).status).toBe(404);
    expect((await ask("DELETE", `/canaryConfig/${id}`)).status).toBe(404);
    const { body: audit } = await street.ask("GET", `/v1/audit?subject=${id}`);
    expect(audit.items.map(({ action }: { action: string }) => action)).toEqual([
      "canary_config.put",
      "canary_config.put",
      "canary_config.deleted",
    ]);
  });

  test("stand beside stored analyses, and a config hides the analysis of its name", async () => {
    const names = async (query = "") =>
      (await ask("GET", `/canaryConfig${query}`)).body.map(
        ({ name, applications }: { name: string; applications: string[] }) => [name, ...applications].join(" "),
      );
    expect(await names("?application=shop")).toContain("http-service shop");
    expect(await names()).toContain("http-service");
    const id = await store({ ...CONFIG, name: "http-service" });
    expect((await names("?application=shop")).filter((name: string) => name.startsWith("http-service"))).toEqual([
      "http-service shop",
    ]);
    const mine = (await ask("GET", "/canaryConfig?application=shop")).body.find(
      ({ name }: { name: string }) => name === "http-service",
    );
    expect(mine.id).toBe(id);
    expect(await names("?application=other")).toContain("http-service other");
    await ask("DELETE", `/canaryConfig/${id}`);
  });

  test("a stored analysis reads as a config, and is not changed as one", async () => {
    const { body } = await ask("GET", "/canaryConfig/batch-eval");
    expect(body).toMatchObject({
      id: "batch-eval",
      name: "batch-eval",
      judge: { name: "Touchstone-v1.0" },
      metrics: [
        {
          name: "quality",
          groups: ["quality"],
          analysisConfigurations: { canary: { direction: "decrease", critical: true } },
        },
        { name: "failures" },
        { name: "latency", analysisConfigurations: { canary: { direction: "increase", critical: false } } },
        { name: "cost" },
      ],
    });
    for (const method of ["PUT", "DELETE"]) {
      const { status, body: answer } = await ask(
        method,
        "/canaryConfig/batch-eval",
        method === "PUT" ? CONFIG : undefined,
      );
      expect([status, answer.message]).toEqual([
        400,
        "Canary config 'batch-eval' is a stored analysis; change it under /v1/analyses/batch-eval.",
      ]);
    }
  });

  test.each([
    [{ ...CONFIG, name: undefined }, "Canary config must specify a name."],
    [{ ...CONFIG, name: "" }, "Canary config must specify a name."],
    [{ ...CONFIG, applications: [] }, "Canary config must specify at least one application."],
    [
      { ...CONFIG, name: "my config" },
      "Canary config cannot be named 'my config'. Names must contain only letters, numbers, dashes (-) and underscores (_).",
    ],
    [{ ...CONFIG, metrics: [prometheusMetric("", {})] }, "Metric config must specify a name."],
    [
      { ...CONFIG, metrics: [prometheusMetric("a", {}), prometheusMetric("a", {})] },
      "Metric config name must be unique. 'a' is duplicated.",
    ],
    [{ ...CONFIG, id: "../x" }, "The id '../x' must be 1 to 100 letters, digits, dots, dashes and underscores."],
    [{ ...CONFIG, applications: "shop" }, "/applications expected array, received string"],
  ])("what Kayenta refuses is refused in its words, %#", async (config, message) => {
    const { status, body } = await ask("POST", "/canaryConfig", config);
    expect([status, body.message]).toEqual([400, message]);
  });

  test("ids are unique, and names within an application", async () => {
    const id = await store({ ...CONFIG, id: "mine", name: "unique" });
    expect(id).toBe("mine");
    const message = async (method: string, path: string, config: object) => {
      const { status, body } = await ask(method, path, config);
      return status === 200 ? null : body.message;
    };
    expect(await message("POST", "/canaryConfig", { ...CONFIG, id: "mine", name: "another" })).toBe(
      "Canary config 'mine' already exists.",
    );
    const taken = "Canary config with name 'unique' already exists in the scope of applications [shop, till].";
    const both = { ...CONFIG, name: "unique", applications: ["shop", "till"] };
    expect(await message("POST", "/canaryConfig", both)).toBe(taken);
    expect(await message("PUT", "/canaryConfig/mine", both)).toBeNull();
    const other = await store({ ...CONFIG, name: "unique", applications: ["warehouse"] });
    expect(await message("PUT", `/canaryConfig/${other}`, { ...both, applications: ["till"] })).toMatch(
      /already exists/,
    );
    expect(await message("PUT", "/canaryConfig/no-such", CONFIG)).toBe("Canary config 'no-such' does not exist.");
    await Promise.all(["mine", other].map((one) => ask("DELETE", `/canaryConfig/${one}`)));
  });

  test("a config that names Kayenta's judge is asked, scored and told as Kayenta does", async () => {
    const id = await store({ ...CONFIG, name: "as-kayenta" });
    prometheus.asked.length = 0;
    const same = await judge(`/canary/${id}`, { scopes: scopesOf("candidate"), thresholds: THRESHOLDS });
    expect(prometheus.asked.map(({ query }) => query).toSorted()).toEqual(
      ["baseline", "candidate"]
        .flatMap((scope) => [
          `avg(latency{version="${scope}",env="prod",job="shop"})`,
          `avg(rate(cpu{version="${scope}",zone=~"eu.*"}[1m]))`,
        ])
        .toSorted(),
    );
    expect(prometheus.asked[0]).toMatchObject({ end: Date.parse(TIMES.end) / 1000, step: 60 });
    const { judgeResult } = same.result;
    expect(judgeResult).toMatchObject({
      judgeName: "NetflixACAJudge-v1.0",
      score: { score: 100, classification: "Pass", classificationReason: "" },
      groupScores: [
        { name: "Latency", score: 100 },
        { name: "System", score: 100 },
      ],
    });
    expect(judgeResult.results.map(({ name }: { name: string }) => name)).toEqual(["Latency (p99)", "CPU"]);
    expect(judgeResult.results[0].experimentMetadata.stats).toMatchObject({
      count: 61,
      mean: expect.any(Number),
      std: expect.any(Number),
    });
    const slow = await judge(`/canary/${id}`, { scopes: scopesOf("slow"), thresholds: THRESHOLDS });
    expect(slow.result.judgeResult.score).toEqual({
      score: 0,
      classification: "Fail",
      classificationReason: "Canary Failed: The metric Latency (p99) was classified as High (Critical)",
    });
    expect(slow.config.name).toBe("as-kayenta");
    await ask("DELETE", `/canaryConfig/${id}`);
  });

  test("the same config under Touchstone's judge, ad hoc", async () => {
    const config = { ...CONFIG, judge: { name: "Touchstone-v1.0" } };
    const body = (experiment: string) => ({
      canaryConfig: config,
      executionRequest: { scopes: scopesOf(experiment), thresholds: THRESHOLDS },
    });
    const same = await judge("/canary", body("candidate"));
    expect(same.result.judgeResult).toMatchObject({ judgeName: "Touchstone-v1.0", score: { score: 100 } });
    const slow = await judge("/canary", body("slow"));
    expect(slow.result.judgeResult.score).toMatchObject({ score: 0, classification: "Fail" });
    expect(slow.result.judgeResult.results[0]).toMatchObject({
      name: "Latency (p99)",
      classification: "High",
      critical: true,
    });
    expect(slow).toMatchObject({ application: "shop", config: { name: "checkout-config" } });
    expect(slow.canaryConfigId).toBeUndefined();
  });

  test.each([
    ["no account of that name", { query: "&metricsAccountName=nope" }, /Unable to resolve account nope\./],
    [
      "a query of another kind",
      { metric: prometheusMetric("m", { type: "datadog", metricName: "x" }) },
      /the metric m asks datadog, and only prometheus can be carried/,
    ],
    [
      "groups of series",
      {
        metric: prometheusMetric("m", {
          metricName: "x",
          customInlineTemplate: 'v="${scope}"',
          groupByFields: ["zone"],
        }),
      },
      /the metric m groups by zone/,
    ],
    [
      "a template that is not there",
      { metric: prometheusMetric("m", { metricName: "x", customFilterTemplate: "t" }) },
      /the metric m uses the template t/,
    ],
    [
      "a scope outside quotes",
      { metric: prometheusMetric("m", { customInlineTemplate: "PromQL:avg(${scope}_load)" }) },
      /the metric m has \$\{scope\} outside quotes/,
    ],
    [
      "a query that ignores the version",
      { metric: prometheusMetric("m", { customInlineTemplate: "PromQL:avg(load)" }) },
      /asks the same question for/,
    ],
    [
      "a variable that nobody gives",
      { metric: prometheusMetric("m", { metricName: "x", customInlineTemplate: 'v="${scope}",z="${zone}"' }) },
      /zone is missing and has no default/,
    ],
    ["a judge that is not there", { judge: "dredd-v1.0" }, /Unable to resolve judge dredd-v1\.0\./],
    ["no metrics", { metrics: [] }, /must specify at least one metric/],
    [
      "a metric without a scope",
      { metric: { ...prometheusMetric("m", { metricName: "x" }), scopeName: undefined } },
      /Canary scope for metric named 'm' is null\./,
    ],
  ] as const)("%s is a 400 that says so", async (_, fault, message) => {
    const {
      query = "&metricsAccountName=my-prometheus",
      metric,
      metrics,
      judge: name,
    } = fault as {
      query?: string;
      metric?: object;
      metrics?: object[];
      judge?: string;
    };
    const canaryConfig = {
      ...CONFIG,
      ...(name === undefined ? {} : { judge: { name } }),
      metrics: metrics ?? (metric === undefined ? CONFIG.metrics : [metric]),
    };
    const { status, body } = await ask("POST", `/canary?application=shop${query}`, {
      canaryConfig,
      executionRequest: { scopes: scopesOf("candidate"), thresholds: THRESHOLDS },
    });
    expect(status, body.message).toBe(400);
    expect(body.message).toMatch(message);
  });

  test("what an ad hoc request lacks is said as Kayenta says it", async () => {
    expect((await ask("POST", "/canary", {})).body.message).toBe("canaryConfig must be provided for ad-hoc requests");
    expect((await ask("POST", "/canary", { canaryConfig: CONFIG })).body.message).toBe(
      "executionRequest must be provided for ad-hoc requests",
    );
  });

  test("the only Prometheus source is the account where none is named, and values from callers stay values", async () => {
    prometheus.asked.length = 0;
    const { status, body } = await ask("POST", "/canary", {
      canaryConfig: CONFIG,
      executionRequest: { scopes: scopesOf('x"} or vector(1) # ', { location: 'eu.*"' }), thresholds: THRESHOLDS },
    });
    expect(status).toBe(200);
    await street.ask("GET", `/v1/runs/${body.canaryExecutionId}?wait=30s`);
    const queries = prometheus.asked.map(({ query }) => query);
    expect(queries).toContain('avg(latency{version="x\\"} or vector(1) # ",env="prod",job="shop"})');
    expect(queries.some((query) => query.includes('zone=~"eu\\\\.\\\\*\\".*"'))).toBe(true);
  });

  test("accounts, metric services and judges are those of this server", async () => {
    expect((await ask("GET", "/credentials")).body).toEqual([
      {
        name: "my-prometheus",
        type: "prometheus",
        supportedTypes: ["METRICS_STORE"],
        locations: [],
        recommendedLocations: [],
      },
      {
        name: "touchstone",
        type: "touchstone",
        supportedTypes: ["OBJECT_STORE", "CONFIGURATION_STORE"],
        locations: [],
        recommendedLocations: [],
      },
    ]);
    expect((await ask("GET", "/metricsServices")).body).toEqual([
      { name: "my-prometheus", type: "prometheus", locations: [], recommendedLocations: [] },
    ]);
    expect((await ask("GET", "/judges")).body).toEqual([
      { name: "Touchstone-v1.0", visible: true },
      { name: "NetflixACAJudge-v1.0", visible: true },
    ]);
    const unknown = await ask("GET", "/metricSetList");
    expect(unknown.status).toBe(404);
    expect(unknown.body.message).toMatch(/there is no GET \/metricSetList/);
  });
});
