import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { TouchstoneError } from "../../src/errors.ts";
import { analysisDigest } from "../../src/model/analysis.ts";
import { checkAnalysis, readAnalysis } from "../../src/model/read-analysis.ts";
import { analysisOf, SMALL_ANALYSIS } from "../fixtures.ts";

const HEAD = "apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: a }\n";

function withMetric(metric: string, rest = ""): string {
  return `${HEAD}spec:\n  ${rest}\n  metrics:\n  - ${metric}\n`;
}

function faultsOf(text: string): string[] {
  try {
    readAnalysis(text, "a.yaml");
  } catch (error) {
    if (error instanceof TouchstoneError && error.code === "invalid_analysis")
      return error.issues.map(({ pointer, detail }) => `${pointer} ${detail}`);
    throw error;
  }
  throw new Error("the analysis was accepted");
}

const LATENCY = "{ name: l, kind: latency, source: s, query: { value: v } }";

test("a metric of four words gets the defaults of its kind", () => {
  const [metric] = analysisOf(withMetric(LATENCY)).metrics;
  expect(metric).toEqual({
    name: "l",
    kind: "latency",
    source: "s",
    query: { value: "v" },
    unit: "request",
    measurementUnit: "s",
    worse: "higher",
    tier: "required",
    weight: 1,
    margin: { relative: 0.05, absolute: null },
    guard: { relative: 0.05, absolute: null },
    catastrophic: null,
    tailMargin: 0.25,
    superiorityMargin: null,
    strict: false,
    scale: null,
    components: ["body", "mean", "tail"],
    perUnit: "mean",
    limits: [],
    minUnits: 30,
    maxInvalidFraction: 0,
    design: "independent",
    calibration: null,
  });
});

test("a score has a margin of five percent of its scale, and worse lies lower", () => {
  const [metric] = analysisOf(SMALL_ANALYSIS).metrics;
  expect(metric).toMatchObject({
    worse: "lower",
    tier: "critical",
    weight: 3,
    margin: { relative: null, absolute: 0.2 },
    superiorityMargin: 0.05,
    unit: "session",
  });
});

test("errors have the looser of half as many again and a tenth of a point", () => {
  expect(
    analysisOf(withMetric("{ name: e, kind: errors, source: s, query: { value: v } }")).metrics[0]?.margin,
  ).toEqual({ relative: 0.5, absolute: 0.001 });
});

test("comments and spelled-out defaults do not change the digest", () => {
  const plain = analysisOf(withMetric(LATENCY));
  const spelled = analysisOf(
    withMetric(
      "{ name: l, kind: latency, source: s, query: { value: v }, margin: 5%, worse: higher, tier: required }",
      "unit: request # the default",
    ),
  );
  expect(analysisDigest(spelled)).toBe(analysisDigest(plain));
  expect(analysisDigest(analysisOf(withMetric(LATENCY.replace("l,", "l2,"))))).not.toBe(analysisDigest(plain));
});

test("an unknown key is named with its path and line", () => {
  expect(faultsOf(withMetric("{ name: l, kind: latency, source: s, query: { value: v }, margn: 5% }"))).toEqual([
    "/spec/metrics/0/margn is not a key of this object (line 7)",
  ]);
  expect(faultsOf(`${SMALL_ANALYSIS}\nsurprise: 1\n`)).toEqual([
    expect.stringMatching(/^\/surprise is not a key of this object \(line \d+\)$/),
  ]);
});

test("a plan that cannot be followed is refused by name", () => {
  const planFault = (plan: string) => faultsOf(withMetric(LATENCY, `plan: ${plan}`));
  expect(planFault("{ mode: sometimes }")).toEqual(["/spec/plan/mode must be once, scheduled or continuous (line 5)"]);
  expect(planFault("{ mode: once, every: 1m }")).toEqual([
    "/spec/plan/every is for the mode scheduled or continuous, and the mode is once (line 5)",
  ]);
  expect(planFault("{ mode: continuous, duration: 1h }")).toEqual([
    "/spec/plan/duration is for the mode once or scheduled, and the mode is continuous (line 5)",
  ]);
  expect(planFault("{ mode: scheduled, duration: 30m, every: 90s }")).toEqual([
    "/spec/plan/every is 90 s, not a multiple of the step of 60 s (line 5)",
  ]);
  expect(planFault("{ mode: scheduled, duration: 10m, every: 20m }")).toEqual([
    "/spec/plan/every is longer than the duration without its warm-up, so that no look would come (line 5)",
  ]);
  expect(
    faultsOf(
      withMetric(
        "{ name: cpu, kind: gauge, source: s, query: { series: x } }",
        "plan: { mode: scheduled, duration: 5m }",
      ),
    ),
  ).toEqual(["/spec/plan/duration holds 5 steps, and cpu could never be judged with fewer than 9 (line 5)"]);
  expect(planFault("{ mode: scheduled, duration: 10m, followUp: 10m }")).toEqual([
    "/spec/plan/followUp is as long as the duration, so that no unit would ever be counted (line 5)",
    "/spec/metrics/0/query/at is missing: plan.followUp needs the time of every row (line 7)",
  ]);
});

test.each([
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, margin: 5 }",
    "/spec/metrics/0/margin 5 lacks its measurement unit; write 5%, 5ms or 5s (line 7)",
  ],
  ["{ name: q, kind: score, source: s, query: { value: v } }", "/spec/metrics/0/scale is missing (line 7)"],
  [
    "{ name: q, kind: score, scale: [5, 1], source: s, query: { value: v } }",
    "/spec/metrics/0/scale must be [lowest, highest] with lowest below highest (line 7)",
  ],
  [
    "{ name: q, kind: score, scale: [1, 5], margin: 4, source: s, query: { value: v } }",
    "/spec/metrics/0/margin is 4, as wide as the scale, so that it could never be exceeded (line 7)",
  ],
  [
    "{ name: l, kind: speed, source: s, query: { value: v } }",
    "/spec/metrics/0/kind must be latency, errors, score, cost or gauge (line 7)",
  ],
  ["{ name: L!, kind: latency, source: s, query: { value: v } }", /^\/spec\/metrics\/0\/name must be 1 to 63/],
  ["{ name: l, kind: latency, source: s, query: {} }", /^\/spec\/metrics\/0\/query needs sql/],
  ["{ name: l, kind: latency, source: s, query: { sql: x, value: v } }", /asks for sql and value at once/],
  ["{ name: l, kind: latency, source: s, query: { events: x } }", /holds events but lacks exposure/],
  [
    "{ name: l, kind: latency, source: s, query: { histogram: x, at: y } }",
    /holds at, which does not go with histogram/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, catastrophic: 3% }",
    /^\/spec\/metrics\/0\/catastrophic must lie beyond the margin/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, limit: { p95: {} } }",
    /^\/spec\/metrics\/0\/limit\/p95 needs max, min or both/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, limit: { p95: { max: 4 } } }",
    /^\/spec\/metrics\/0\/limit\/p95\/max 4 lacks its measurement unit/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, limit: { p42: { max: 4s } } }",
    /^\/spec\/metrics\/0\/limit/,
  ],
  [
    "{ name: g, kind: gauge, source: s, query: { instant: up } }",
    /^\/spec\/metrics\/0\/limit an instant query gives one number/,
  ],
  ["{ name: l, kind: latency, source: s, query: { value: v }, tailMargin: 5 }", /^\/spec\/metrics\/0\/tailMargin/],
  [
    "{ name: l, kind: latency, source: s, query: { value: v }, history: { stepDeviation: 9%, runs: 30 } }",
    /^\/spec\/metrics\/0\/history is for metrics with one value per step/,
  ],
  [
    "{ name: e, kind: errors, source: s, query: { series: e }, history: { stepDeviation: 1pp, runs: 30 } }",
    /^\/spec\/metrics\/0\/history is for metrics with one value per step/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { series: l }, history: { stepDeviation: 20ms, runs: 30 } }",
    /^\/spec\/metrics\/0\/history\/stepDeviation must be written like the margin/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { series: l }, history: { stepDeviation: much, runs: 30 } }",
    /^\/spec\/metrics\/0\/history\/stepDeviation "much" is not an amount/,
  ],
  [
    "{ name: l, kind: latency, source: s, query: { series: l }, history: { stepDeviation: 9%, runs: 9 } }",
    /^\/spec\/metrics\/0\/history\/runs/,
  ],
])("%s is refused", (metric, fault) => {
  const faults = faultsOf(withMetric(metric));
  expect(faults[0]).toMatch(fault);
});

test.each([
  ["{ name: l, kind: latency, source: s, query: { series: l }, history: { stepDeviation: 9%, runs: 30 } }", 0.09],
  [
    "{ name: l, kind: latency, source: s, query: { series: l }, margin: 10ms, history: { stepDeviation: 20ms, runs: 30 } }",
    0.02,
  ],
  [
    "{ name: l, kind: gauge, source: s, unit: step, query: { value: l }, history: { stepDeviation: 9%, runs: 30 } }",
    0.09,
  ],
])("the history of a series is a number on the axis of its margin: %s", (metric, stepDeviation) => {
  expect(analysisOf(withMetric(metric)).metrics[0]?.history).toEqual({ stepDeviation, runs: 30 });
});

test("a policy that can never roll back is refused", () => {
  expect(faultsOf(withMetric("{ name: l, kind: latency, source: s, query: { value: v }, tier: advisory }"))[0]).toMatch(
    /advisory metrics only/,
  );
  expect(faultsOf(withMetric(LATENCY, "policy: critical-only"))[0]).toMatch(
    /^\/spec\/policy is critical-only, but no metric is critical/,
  );
});

test("every fault is reported at once", () => {
  const faults = faultsOf(
    `${HEAD}spec:\n  metrics:\n  - { name: l, kind: latency, source: s, query: { value: v }, margin: 5 }\n  - { name: l, kind: errors, source: s, query: { value: v }, margin: 5 }\n`,
  );
  expect(faults.length).toBe(3);
  expect(faults.map((fault) => fault.split(" ")[0])).toEqual([
    "/spec/metrics/0/margin",
    "/spec/metrics/1/name",
    "/spec/metrics/1/margin",
  ]);
});

test.each([
  ["a: [1", /is not YAML/],
  ["a: 1\na: 2", /is not YAML/],
  ["a: &x [1]\nb: *x", /aliases, which are refused/],
  ["", /is not a valid analysis/],
  ["- 1", /is not a valid analysis/],
  ["__proto__: { polluted: true }", /is not a valid analysis/],
])("%j is refused as a file", (text, message) => {
  expect(() => readAnalysis(text, "a.yaml")).toThrow(message);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("an inline analysis is checked by the same rules", () => {
  const checked = checkAnalysis({ apiVersion: "touchstone/v1" });
  expect("issues" in checked && checked.issues.map(({ pointer }) => pointer)).toEqual(["/kind", "/metadata", "/spec"]);
});

test("every analysis that ships is valid, and its name is that of its file", () => {
  const folder = new URL("../../analyses/", import.meta.url);
  const names = readdirSync(folder);
  expect(names.sort()).toEqual(["batch-eval.yaml", "http-service.yaml", "support-agent.yaml"]);
  for (const name of names) {
    const { analysis } = readAnalysis(readFileSync(new URL(name, folder), "utf8"), name);
    expect(`${analysis.name}.yaml`).toBe(name);
  }
});

describe("a burn limit", () => {
  const PLAN = "plan: { mode: scheduled, duration: 2h, every: 2m, step: 1m }";
  const burn = (limit: string, more = "query: { value: v, at: t }") =>
    withMetric(`{ name: e, kind: errors, source: s, limit: { burn: ${limit} }, ${more} }`, PLAN);
  const pair = (text: string) => burn(`{ objective: 99.9%, windows: [{ ${text} }] }`);

  test("becomes one limit per pair of windows", () => {
    const { analysis } = readAnalysis(
      burn(
        "{ objective: 99.9%, windows: [{ rate: 14.4, long: 1h, short: 6m }, { rate: 6, long: 6h, short: 30m }] }, rate: { max: 2% }",
      ),
      "a.yaml",
    );
    expect(analysis.metrics[0]?.limits).toEqual([
      { statistic: "rate", max: 0.02, min: null, check: "proven" },
      {
        statistic: "burn",
        max: 14.4,
        min: null,
        check: "proven",
        burn: { objective: 0.999, longSeconds: 3600, shortSeconds: 360 },
      },
      {
        statistic: "burn",
        max: 6,
        min: null,
        check: "proven",
        burn: { objective: 0.999, longSeconds: 21_600, shortSeconds: 1800 },
      },
    ]);
  });

  test.each([
    [pair("rate: 14.4, long: 6m, short: 1h"), "/windows/0/short is 1h, not shorter than long, which is 6m"],
    [pair("rate: 14.4, long: 6m, short: 6m"), "/windows/0/short is 6m, not shorter than long, which is 6m"],
    [pair("rate: 14.4, long: 1h, short: 1m"), "/windows/0/short is 1m, shorter than plan.every of 120 s"],
    [pair("rate: 14.4, long: 1h, short: 5m"), "/windows/0/short is 5m, not a multiple of plan.every of 120 s"],
    [pair("rate: 14.4, long: 61m, short: 6m"), "/windows/0/long is 61m, not a multiple of plan.every of 120 s"],
    [pair("rate: 0.5, long: 1h, short: 6m"), "/windows/0/rate is 0.5, below 1, which the error budget sustains"],
    [pair("rate: 0, long: 1h, short: 6m"), "/windows/0/rate "],
    [pair("rate: 2, long: 1h"), "/windows/0/short is missing"],
    [
      burn("{ objective: 90%, windows: [{ rate: 10, long: 1h, short: 6m }] }"),
      "/windows/0/rate is 10, which of an objective of 90% would take more bad events than there are events",
    ],
    [burn("{ objective: 100%, windows: [{ rate: 2, long: 1h, short: 6m }] }"), "/objective is 100%, not between"],
    [burn("{ objective: '0.999', windows: [{ rate: 2, long: 1h, short: 6m }] }"), "/objective 0.999 lacks its"],
    [burn("{ objective: 99%, windows: [] }"), "/windows needs at least one pair of windows"],
    [
      burn("{ objective: 99%, windows: [{ rate: 2, long: 1h, short: 6m }, { rate: 3, long: 60m, short: 6m }] }"),
      "/windows/1 stands twice",
    ],
    [
      burn("{ objective: 99%, windows: [{ rate: 2, long: 1h, short: 6m }] }", "query: { series: x }"),
      " needs bad events and all events with their times, and a query of series gives none",
    ],
    [
      burn(
        "{ objective: 99%, windows: [{ rate: 2, long: 1h, short: 6m }] }",
        "worse: either, query: { events: x, exposure: y }, margin: 1pp",
      ),
      " needs bad events, and with worse: either no event is bad",
    ],
  ])("%s is refused", (text, fault) => {
    const faults = faultsOf(text);
    expect(faults[0]).toContain(`/spec/metrics/0/limit/burn${fault}`);
    expect(faults.length).toBe(1);
  });

  test("needs the time of every row, and errors", () => {
    const good = "{ objective: 99%, windows: [{ rate: 2, long: 1h, short: 6m }] }";
    expect(faultsOf(burn(good, "query: { value: v }"))[0]).toMatch(
      /^\/spec\/metrics\/0\/query\/at is missing: a burn limit needs the time of every row/,
    );
    expect(
      faultsOf(withMetric(`{ name: l, kind: latency, source: s, limit: { burn: ${good} }, query: { value: v } }`))[0],
    ).toMatch(/^\/spec\/metrics\/0\/limit.*burn/);
    expect(
      faultsOf(
        withMetric(
          `{ name: e, kind: errors, source: s, limit: { burn: ${good} }, query: { value: v, unit: u, at: t } }`,
          "design: paired",
        ),
      )[0],
    ).toMatch(/^\/spec\/metrics\/0\/limit\/burn does not go with design: paired/);
  });

  test("of a run that looks once counts its steps", () => {
    const once = (short: string) =>
      withMetric(
        `{ name: e, kind: errors, source: s, limit: { burn: { objective: 99%, windows: [{ rate: 2, long: 1h, short: ${short} }] } }, query: { value: v, at: t } }`,
      );
    expect(() => readAnalysis(once("5m"), "a.yaml")).not.toThrow();
    expect(faultsOf(once("30s"))[0]).toMatch(/burn\/windows\/0\/short is 30s, shorter than plan.step of 60 s/);
  });
});
