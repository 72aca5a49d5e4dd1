import { expect, test } from "vitest";
import { judgeCanary } from "../../src/kayenta/judge-request.ts";
import { scoreOfVerdict } from "../../src/kayenta/verdict-score.ts";
import { CanaryJudgeResult } from "../../src/model/canary.ts";
import { draw, lognormal } from "../judge/samples.ts";

const KAYENTA = "NetflixACAJudge-v1.0";

interface Metric {
  readonly name?: string;
  readonly experiment: readonly unknown[];
  readonly control: readonly unknown[];
  readonly canary?: object;
  readonly groups?: readonly string[];
  readonly pair?: object;
}

/** A request as Kayenta sends it. */
function requestOf(metrics: readonly Metric[], judge?: string, config: object = {}) {
  return {
    canaryConfig: {
      name: "checkout",
      applications: ["shop"],
      ...(judge === undefined ? {} : { judge: { name: judge, judgeConfigurations: {} } }),
      metrics: metrics.map(({ name = "latency", canary = {}, groups = ["Latency"] }) => ({
        name,
        groups,
        query: { type: "prometheus", serviceType: "prometheus", metricName: "x" },
        analysisConfigurations: { canary },
        scopeName: "default",
      })),
      classifier: { groupWeights: {} },
      ...config,
    },
    scoreThresholds: { pass: 95, marginal: 75 },
    metricSetPairList: metrics.map(({ name = "latency", experiment, control, pair = {} }, index) => ({
      name,
      id: `pair-${index}`,
      tags: {},
      values: { experiment, control },
      scopes: {
        control: { startTimeIso: "2026-11-20T08:00:00Z", startTimeMillis: 1_795_161_600_000, stepMillis: 60_000 },
        experiment: { startTimeIso: "2026-11-20T08:00:00Z", startTimeMillis: 1_795_161_600_000, stepMillis: 60_000 },
      },
      attributes: { control: { query: "a" }, experiment: { query: "b" } },
      ...pair,
    })),
  };
}

function resultOf(metrics: readonly Metric[], judge?: string, config: object = {}): CanaryJudgeResult {
  const judged = judgeCanary(requestOf(metrics, judge, config));
  if ("issues" in judged) throw new Error(JSON.stringify(judged.issues));
  return CanaryJudgeResult.parse(judged.result);
}

function issuesOf(body: unknown) {
  const judged = judgeCanary(body);
  return "issues" in judged ? judged.issues.map(({ pointer, detail }) => `${pointer} ${detail}`) : [];
}

const minutes = (seed: number, median: number, n = 60) => draw(seed, n, lognormal(median, 0.05));
const times = (n: number, value: number) => Array.from({ length: n }, () => value);

test("Kayenta's judge answers in Kayenta's shape, number by number", () => {
  const result = resultOf(
    [{ experiment: [10, 11], control: [5, 6, "NaN"], canary: { direction: "increase" } }],
    KAYENTA,
  );
  expect(result).toEqual({
    judgeName: "NetflixACAJudge-v1.0",
    results: [
      {
        name: "latency",
        id: "pair-0",
        tags: {},
        classification: "High",
        classificationReason: "latency was classified as High",
        groups: ["Latency"],
        experimentMetadata: { stats: { min: 10, max: 11, mean: 10.5, std: Math.SQRT1_2, count: 2 } },
        controlMetadata: { stats: { min: 5, max: 6, mean: 5.5, std: Math.SQRT1_2, count: 2 } },
        resultMetadata: { ratio: 10.5 / 5.5 },
        critical: false,
        muted: false,
      },
    ],
    groupScores: [{ name: "Latency", score: 0, classification: "", classificationReason: "" }],
    score: { score: 0, classification: "Fail", classificationReason: "" },
  });
});

/** The worked cases of Kayenta's own issues and tests, at the tolerance and confidence that are fixed in its judge. */
test.each([
  ["10 to 14 against 5 to 9", [10, 11, 12, 13, 14], [5, 6, 7, 8, 9], {}, "Pass"],
  [
    "issue 6278: seven of ten points are a hundred times as large",
    [...times(7, 100), 1, 1, 1],
    times(10, 1),
    {},
    "Pass",
  ],
  ["eight of ten", [...times(8, 100), 1, 1], times(10, 1), {}, "High"],
  ["one infinity in six", ["Infinity", 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], {}, "Pass"],
  ["a fall that is allowed to be only an increase", [5, 6], [10, 11], { direction: "increase" }, "Pass"],
  ["the same without a direction", [5, 6], [10, 11], {}, "Low"],
  ["nothing on one side", [], [1, 2], {}, "Nodata"],
  ["nothing, and data is required", ["NaN"], [1, 2], { mustHaveData: true }, "NodataFailMetric"],
  ["nothing, replaced by zeros", ["NaN", "NaN"], [0, 0], { nanStrategy: "replace" }, "Pass"],
  ["one point a side", [1], [2], {}, "Error"],
] as const)("Kayenta's judge on %s", (_, experiment, control, canary, classification) => {
  const [metric] = resultOf([{ experiment, control, canary }], KAYENTA).results;
  expect(metric?.classification).toBe(classification);
});

test("a ratio without a number is a string, and a metric whose test failed has none", () => {
  const [zeros] = resultOf([{ experiment: [1, 2, 3], control: [0, 0, 0] }], KAYENTA).results;
  expect(zeros?.resultMetadata).toEqual({ ratio: "NaN" });
  const [failed] = resultOf([{ experiment: [1], control: [2] }], KAYENTA).results;
  expect(failed).toMatchObject({ classificationReason: "Metric Classification Failed" });
  expect(failed).not.toHaveProperty("resultMetadata");
  const [infinite] = resultOf([{ experiment: [1, "Infinity"], control: [1, 2] }], KAYENTA).results;
  expect(infinite?.experimentMetadata.stats).toMatchObject({ min: 1, max: "Infinity", count: 2 });
});

test("weights and groups of the config make Kayenta's score", () => {
  const same = { experiment: [1, 2, 3, 4], control: [4, 3, 2, 1] };
  const high = { experiment: [10, 20, 30, 40], control: [1, 2, 3, 4] };
  const metrics = [
    { ...same, name: "a", groups: ["x"] },
    { ...high, name: "b", groups: ["y"] },
  ];
  const { score, groupScores } = resultOf(metrics, KAYENTA, { classifier: { groupWeights: { x: 80, y: 20 } } });
  expect(score).toEqual({ score: 80, classification: "Marginal", classificationReason: "" });
  expect(groupScores.map(({ name, score }) => [name, score])).toEqual([
    ["x", 100],
    ["y", 0],
  ]);
});

test.each([
  ["promote", minutes(1, 10), 100, "Pass", "Pass"],
  ["rollback", minutes(1, 13), 0, "Fail", "High"],
  ["pause", minutes(1, 10.7), 85, "Marginal", "Nodata"],
] as const)(
  "Touchstone's judge says %s by a whole score between the thresholds",
  (verdict, experiment, score, label, of) => {
    const result = resultOf([{ experiment, control: minutes(2, 10), canary: { direction: "increase" } }]);
    expect(result.judgeName).toBe("Touchstone-v1.0");
    expect(result.score).toMatchObject({ score, classification: label });
    expect(result.score.classificationReason).toMatch(new RegExp(`^${verdict}: `));
    expect(result.results[0]?.classification).toBe(of);
  },
);

test.each(["RemoteJudge-v1.0", "Touchstone-v1.0", undefined])(
  "a config whose judge is %s gets Touchstone's",
  (judge) => {
    expect(resultOf([{ experiment: minutes(1, 10), control: minutes(2, 10) }], judge).judgeName).toBe(
      "Touchstone-v1.0",
    );
  },
);

test("Touchstone's judge takes over direction, allowance and criticality", () => {
  const score = (canary: object) =>
    resultOf([{ experiment: minutes(1, 12), control: minutes(2, 10), canary }]).score.classification;
  expect(score({ direction: "increase" })).toBe("Fail");
  expect(score({ direction: "decrease" })).toBe("Pass");
  expect(score({ direction: "increase", effectSize: { allowedIncrease: 1.5 } })).toBe("Pass");
  // Worse than allowed, but critical only from 40 % on: neither safe nor a failure.
  expect(
    score({ direction: "increase", critical: true, effectSize: { allowedIncrease: 1.1, criticalIncrease: 1.4 } }),
  ).toBe("Marginal");
  expect(score({ direction: "increase", critical: true, effectSize: { criticalIncrease: 1.1 } })).toBe("Fail");
});

test("where some metrics are critical the others can only pause", () => {
  const worse = { experiment: minutes(1, 13), control: minutes(2, 10), canary: { direction: "increase" } };
  const same = {
    experiment: minutes(3, 10),
    control: minutes(4, 10),
    canary: { direction: "increase", critical: true },
  };
  const both = [
    { ...worse, name: "cpu" },
    { ...same, name: "errors" },
  ];
  expect(resultOf(both).score).toMatchObject({ classification: "Marginal" });
  expect(resultOf([{ ...worse, name: "cpu" }]).score).toMatchObject({ classification: "Fail" });
});

test("missing data and infinities pause under Touchstone's judge, where Kayenta's promotes", () => {
  const control = minutes(2, 10);
  for (const experiment of [[], ["Infinity", ...minutes(1, 10, 59)], ["NaN", 10], [10]]) {
    expect(resultOf([{ experiment, control }]).score.classification).toBe("Marginal");
  }
  expect(resultOf([{ experiment: ["Infinity", ...minutes(1, 10, 59)], control }], KAYENTA).score.classification).toBe(
    "Pass",
  );
});

test("several series of one metric are judged each, and names that look alike stay apart", () => {
  const one = { experiment: minutes(1, 10), control: minutes(2, 10) };
  const request = requestOf([{ ...one, name: "CPU (%)" }]);
  const [pair] = request.metricSetPairList;
  const body = {
    ...request,
    metricSetPairList: ["eu", "us"].map((zone) => ({ ...pair, id: zone, tags: { zone } })),
  };
  const judged = judgeCanary(body);
  if ("issues" in judged) throw new Error("refused");
  expect(judged.result.results.map(({ id, name, tags }) => [id, name, tags])).toEqual([
    ["eu", "CPU (%)", { zone: "eu" }],
    ["us", "CPU (%)", { zone: "us" }],
  ]);
});

test.each([
  ["no config", {}, ["/canaryConfig is missing", "/scoreThresholds is missing", "/metricSetPairList is missing"]],
  ["no metric sets", requestOf([]), ["/metricSetPairList is empty"]],
  [
    "a judge that is not there",
    requestOf([{ experiment: [1], control: [2] }], "dredd-v1.0"),
    ["/canaryConfig/judge/name Unable to resolve judge dredd-v1.0."],
  ],
  [
    "a point that is no number",
    requestOf([{ experiment: [1, null], control: [2, "x"] }]),
    [
      '/metricSetPairList/0/values/experiment/1 is null, not a number, "NaN" or "Infinity"',
      '/metricSetPairList/0/values/control/1 is "x", not a number, "NaN" or "Infinity"',
    ],
  ],
  [
    "a flag as text",
    requestOf([{ experiment: [1], control: [2], canary: { critical: "true" } }]),
    ["/canaryConfig/metrics/0/analysisConfigurations/canary/critical expected boolean, received string"],
  ],
  [
    "points of a metric that the config lacks",
    requestOf([{ experiment: [1], control: [2], pair: { name: "other" } }]),
    ["/metricSetPairList/0/name Could not find metric config for other"],
  ],
  [
    "an outlier factor of nothing",
    requestOf(
      [{ experiment: [1], control: [2], canary: { outliers: { strategy: "remove", outlierFactor: 0 } } }],
      KAYENTA,
    ),
    ["/canaryConfig/metrics the outlierFactor of latency must be above 0"],
  ],
  [
    "muted metrics only, under Touchstone's judge",
    requestOf([{ experiment: [1], control: [2], canary: { muted: true } }]),
    ["/canaryConfig holds advisory metrics only, so that no run could ever promote or roll back"],
  ],
])("refuses %s and says where", (_, body, expected) => {
  expect(issuesOf(body)).toEqual(expected);
});

test("null is the same as absent, as in Kayenta", () => {
  const canary = { direction: null, effectSize: null, critical: null };
  expect(resultOf([{ experiment: minutes(1, 10), control: minutes(2, 10), canary }]).score.classification).toBe("Pass");
});

test.each([
  [95, 75, 100, 85, 0],
  [75, 50, 100, 63, 0],
  // Half-way is the only whole number below pass.
  [51, 50, 100, 50, 0],
  // No number lies between: what is not proven safe fails.
  [60, 60, 100, 0, 0],
  [100, 0, 100, 50, -1],
  [0, 0, 100, -1, -1],
  [90.5, 89.5, 100, 90, 0],
])("with pass %s and marginal %s a promotion scores %s, a pause %s, a rollback %s", (pass, marginal, ...scores) => {
  const verdicts = ["promote", "pause", "rollback"] as const;
  const all = verdicts.map((verdict) => scoreOfVerdict(verdict, { pass, marginal }, "").score);
  expect(all).toEqual(scores);
  expect(all.every(Number.isInteger)).toBe(true);
});
