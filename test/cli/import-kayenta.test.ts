import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { checkPromql } from "../../src/sources/promql.ts";
import { run } from "./run.ts";

/** Of the same shape as the example configs that Kayenta publishes. */
const CONFIG = {
  name: "Shop_Checkout",
  description: "Gate of the shop",
  configVersion: "1",
  applications: ["shop"],
  judge: { name: "NetflixACAJudge-v1.0", judgeConfigurations: {} },
  metrics: [
    {
      name: "Requests (5xx)",
      query: {
        type: "prometheus",
        metricName: "requests",
        customFilterTemplate: "tpl",
        labelBindings: ['code=~"5.."'],
      },
      groups: ["Errors"],
      analysisConfigurations: { canary: { direction: "increase", nanStrategy: "replace", critical: true } },
      scopeName: "default",
    },
    {
      name: "CPU",
      query: {
        type: "prometheus",
        customInlineTemplate: 'PromQL:avg(rate(cpu{pod=~"${scope}-.*",ns="${ns:-prod}"}[1m])) # $${literal}',
        serviceType: "prometheus",
      },
      groups: ["System"],
      analysisConfigurations: {
        canary: {
          direction: "either",
          outliers: { strategy: "remove", outlierFactor: 2 },
          effectSize: { allowedIncrease: 1.2, allowedDecrease: 0.9 },
        },
      },
      scopeName: "default",
    },
    {
      name: "Memory",
      query: { type: "prometheus", metricName: "memory", resourceType: "gce_instance" },
      groups: ["System"],
      analysisConfigurations: { canary: { muted: true, effectSize: { measure: "cles", allowedIncrease: 0.7 } } },
      scopeName: "default",
    },
  ],
  templates: { tpl: 'version="$\\{scope}"' },
  classifier: { groupWeights: { Errors: 60, System: 40 }, scoreThresholds: { pass: 95, marginal: 75 } },
};

async function importOf(config: unknown, ...options: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-import-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "config.json");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  return { ...(await run(["import", "kayenta", path, ...options])), folder, path };
}

const QUERIES = [
  'avg(requests{version="{{ version }}",code=~"5.."})',
  'avg(rate(cpu{pod=~"{{ version }}-.*",ns="{{ args.ns }}"}[1m])) # ${literal}',
  'avg(memory{instance=~"{{ version }}-.{4}",zone=~".+/zones/{{ args.location }}-.{1}"})',
];

test("a config becomes an analysis under Kayenta's judge, with all of its settings", async () => {
  const { code, out, err } = await importOf(CONFIG);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(parse(out)).toEqual({
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: "shop_checkout", description: "Gate of the shop" },
    spec: {
      unit: "step",
      judge: "kayenta",
      kayenta: { pass: 95, marginal: 75, groupWeights: { Errors: 60, System: 40 } },
      plan: { mode: "once", duration: "30m", step: "60s" },
      args: { ns: "prod", location: null },
      metrics: [
        {
          name: "requests-5xx",
          kind: "gauge",
          unit: "step",
          source: "prometheus",
          worse: "higher",
          tier: "critical",
          query: { series: QUERIES[0] },
          kayenta: { name: "Requests (5xx)", groups: ["Errors"], nanStrategy: "replace" },
        },
        {
          name: "cpu",
          kind: "gauge",
          unit: "step",
          source: "prometheus",
          worse: "either",
          tier: "required",
          query: { series: QUERIES[1] },
          kayenta: {
            name: "CPU",
            groups: ["System"],
            outliers: { strategy: "remove", outlierFactor: 2 },
            effectSize: { allowedIncrease: 1.2, allowedDecrease: 0.9 },
          },
        },
        {
          name: "memory",
          kind: "gauge",
          unit: "step",
          source: "prometheus",
          worse: "either",
          tier: "advisory",
          query: { series: QUERIES[2] },
          kayenta: { name: "Memory", groups: ["System"], effectSize: { measure: "cles", allowedIncrease: 0.7 } },
        },
      ],
    },
  });
  const { analysis } = readAnalysis(out, "the import");
  for (const { query } of analysis.metrics) expect(checkPromql(query.series ?? "")).toEqual([]);
});

test("under Touchstone's judge it has margins, and what is lost is told", async () => {
  const { code, out, err } = await importOf(CONFIG, "--judge", "touchstone", "--source", "mimir");
  expect(code).toBe(0);
  expect(err.split("\n")).toEqual([
    "not carried: Requests (5xx): nanStrategy replace has no counterpart; a step without a value is absent, not 0",
    "not carried: CPU: outliers.strategy remove has no counterpart; nothing is removed",
    "not carried: CPU: one margin counts for both directions; it is the narrower one, 10%",
    "not carried: Memory: effectSize.measure cles has no counterpart; the margin is 5%",
    "",
  ]);
  const { analysis } = readAnalysis(out, "the import");
  expect(analysis).toMatchObject({ judge: "touchstone", policy: "critical-only" });
  expect(
    analysis.metrics.map(({ name, source, tier, weight, margin }) => [name, source, tier, weight, margin.relative]),
  ).toEqual([
    ["requests-5xx", "mimir", "critical", 60, 0.05],
    ["cpu", "mimir", "required", 20, 0.1],
    ["memory", "mimir", "advisory", 0, 0.05],
  ]);
});

test("-o writes a file", async () => {
  const { folder } = await importOf(CONFIG);
  const target = join(folder, "analysis.yaml");
  const { code, out } = await run(["import", "kayenta", join(folder, "config.json"), "-o", target]);
  expect([code, out]).toEqual([0, ""]);
  expect(readAnalysis(await readFile(target, "utf8"), target).analysis.name).toBe("shop_checkout");
});

test("what cannot be carried is named with its metric, and nothing is written", async () => {
  const [first, ...others] = CONFIG.metrics;
  const metrics = [{ ...first, query: { type: "stackdriver", metricType: "x" } }, ...others];
  const { code, out, err } = await importOf({ ...CONFIG, metrics });
  expect([code, out]).toEqual([64, ""]);
  expect(err).toMatch(
    /metrics\[0\]\.query the metric Requests \(5xx\) asks stackdriver, and only prometheus can be carried/,
  );
  const muted = await importOf({ ...CONFIG, metrics: CONFIG.metrics.slice(2) });
  expect(muted.code).toBe(64);
  expect(muted.err).toMatch(/advisory metrics only/);
});

test("exits 64 for what is no config, 69 for a file that is not there", async () => {
  expect(await importOf("{")).toMatchObject({ code: 64, err: expect.stringMatching(/is not JSON/) });
  expect(await importOf({ metrics: "all" })).toMatchObject({
    code: 64,
    err: expect.stringMatching(/metrics expected array/),
  });
  expect((await importOf({})).err).toMatch(/must specify at least one metric/);
  expect((await run(["import", "kayenta", "/no/such/file.json"])).code).toBe(69);
  expect((await run(["import", "kayenta"])).code).toBe(64);
});
