import { describe, expect, test } from "vitest";
import { judgeByKayenta } from "../../src/kayenta/judge.ts";
import type { KayentaConfigurationInput, KayentaMetric } from "../../src/kayenta/metric.ts";
import { normal } from "../stats/samples.ts";
import { seeded } from "../../src/stats/random.ts";

const BASELINE = normal(seeded(1), 60).map((value) => 10 + value);
const SAME = normal(seeded(2), 60).map((value) => 10 + value);
const HIGHER = normal(seeded(3), 60).map((value) => 15 + value);
const NOTHING = new Float64Array(60).fill(NaN);
const THRESHOLDS = { pass: 95, marginal: 75 };

const metric = (
  name: string,
  experiment: ArrayLike<number>,
  analysisConfiguration: KayentaConfigurationInput = {},
  groups: readonly string[] = [name],
): KayentaMetric => ({ name, experiment, control: BASELINE, groups, analysisConfiguration });

test("the result has Kayenta's structure", () => {
  const { judgeResult } = judgeByKayenta(
    [
      {
        name: "latency",
        id: "pair-1",
        tags: { zone: "a" },
        groups: ["slow"],
        control: [5, 1, 2, 3, 4, NaN],
        experiment: [14, 10, 11, 12, 13, 15],
      },
    ],
    { thresholds: THRESHOLDS },
  );
  expect(judgeResult).toEqual({
    judgeName: "NetflixACAJudge-v1.0",
    results: [
      {
        name: "latency",
        id: "pair-1",
        tags: { zone: "a" },
        classification: "High",
        classificationReason: "latency was classified as High",
        groups: ["slow"],
        experimentMetadata: { stats: { min: 10, max: 15, mean: 12.5, std: Math.sqrt(3.5), count: 6 } },
        controlMetadata: { stats: { min: 1, max: 5, mean: 3, std: Math.sqrt(2.5), count: 5 } },
        resultMetadata: { ratio: 12.5 / 3 },
        critical: false,
        muted: false,
      },
    ],
    groupScores: [{ name: "slow", score: 0, classification: "", classificationReason: "" }],
    score: { score: 0, classification: "Fail", classificationReason: "" },
  });
});

test("the evidence that decides stands beside the result, for Kayenta shows none", () => {
  const { evidence } = judgeByKayenta([metric("a", HIGHER), metric("b", NOTHING)]);
  expect(evidence[0]?.lower).toBeGreaterThan(evidence[0]?.bound ?? NaN);
  expect(evidence[1]).toBeNull();
});

describe("verdict", () => {
  const verdictOf = (passes: number, fails: number) =>
    judgeByKayenta(
      [
        ...Array.from({ length: passes }, (_, i) => metric(`same${i}`, SAME)),
        ...Array.from({ length: fails }, (_, i) => metric(`higher${i}`, HIGHER)),
      ],
      { thresholds: THRESHOLDS },
    ).verdict;

  test("a score that passes promotes, a marginal one pauses, a lower one rolls back", () => {
    expect(verdictOf(4, 0)).toBe("promote");
    expect(verdictOf(3, 1)).toBe("pause");
    expect(verdictOf(2, 2)).toBe("rollback");
  });

  test("a failing critical metric rolls back whatever the score of the others", () => {
    const metrics = [
      ...Array.from({ length: 99 }, (_, i) => metric(`m${i}`, SAME)),
      metric("c", HIGHER, { critical: true }),
    ];
    const { judgeResult, verdict } = judgeByKayenta(metrics, { thresholds: THRESHOLDS });
    expect(verdict).toBe("rollback");
    expect(judgeResult.score).toEqual({
      score: 0,
      classification: "Fail",
      classificationReason: "Canary Failed: The metric c was classified as High (Critical)",
    });
  });

  test("without thresholds those of Spinnaker's stage hold, 75 and 50", () => {
    expect(judgeByKayenta([metric("a", SAME), metric("b", HIGHER)]).verdict).toBe("pause");
  });
});

describe("muted metrics", () => {
  test("are listed, but neither scored nor critical nor counted as missing", () => {
    const muted = { muted: true, critical: true };
    const { judgeResult, verdict, missing } = judgeByKayenta([
      metric("a", SAME),
      metric("b", HIGHER, muted),
      metric("c", NOTHING, muted),
    ]);
    expect(judgeResult.results.map(({ name, muted }) => [name, muted])).toEqual([
      ["a", false],
      ["b", true],
      ["c", true],
    ]);
    expect(judgeResult.groupScores.map(({ name }) => name)).toEqual(["a"]);
    expect({ verdict, missing }).toEqual({ verdict: "promote", missing: [] });
  });

  test("and no others give a score of 0 without a reason", () => {
    expect(judgeByKayenta([metric("a", SAME, { muted: true })]).judgeResult.score).toEqual({
      score: 0,
      classification: "Fail",
      classificationReason: "",
    });
  });
});

describe("missing evidence", () => {
  test("does not keep Kayenta from promoting, and is named for who will not promote on it", () => {
    const metrics = [metric("a", SAME), metric("b", SAME), metric("c", NOTHING)];
    expect(judgeByKayenta(metrics)).toMatchObject({ verdict: "promote", missing: ["c"] });
  });

  test("of a critical metric rolls back, and is named", () => {
    const metrics = [metric("a", SAME), metric("b", SAME), metric("c", NOTHING, { critical: true })];
    const result = judgeByKayenta(metrics);
    expect(result).toMatchObject({ verdict: "rollback", missing: ["c"] });
    expect(result.judgeResult.score.classificationReason).toBe("Canary Failed: Missing data for c");
  });

  test("of a metric that must have data costs its group's score, and is named", () => {
    const { judgeResult, missing } = judgeByKayenta([metric("a", SAME), metric("b", NOTHING, { mustHaveData: true })]);
    expect(judgeResult.score.score).toBe(50);
    expect(missing).toEqual(["b"]);
  });

  test("is named although replace makes zeros of it that pass", () => {
    const zeros: KayentaMetric = {
      name: "errors",
      experiment: NOTHING,
      control: new Float64Array(60),
      groups: ["errors"],
      analysisConfiguration: { nanStrategy: "replace" },
    };
    expect(judgeByKayenta([zeros])).toMatchObject({ verdict: "promote", missing: ["errors"] });
  });

  test("is also a metric whose test failed, which Kayenta leaves out of the score", () => {
    const one: KayentaMetric = { name: "a", experiment: [103], control: [98], groups: ["a"] };
    const { judgeResult, verdict, missing } = judgeByKayenta([one]);
    expect(judgeResult.results[0]).toMatchObject({ classification: "Error", resultMetadata: null, critical: false });
    expect(judgeResult.score.score).toBe(100);
    expect({ verdict, missing }).toEqual({ verdict: "promote", missing: ["a"] });
  });
});

test("tag sets of one metric are judged and counted each for itself", () => {
  const { judgeResult } = judgeByKayenta([metric("m", SAME), metric("m", HIGHER), metric("m", HIGHER, {}, ["other"])]);
  expect(judgeResult.groupScores.map(({ name, score }) => [name, score])).toEqual([
    ["m", 50],
    ["other", 0],
  ]);
});

test("the same points give the same result, also where Kayenta's noise would not", () => {
  const constant = (value: number) => new Float64Array(10).fill(value);
  const metrics: KayentaMetric[] = [{ name: "a", experiment: constant(10), control: constant(5), groups: ["a"] }];
  expect(judgeByKayenta(metrics)).toEqual(judgeByKayenta(metrics));
});

test("points are not modified", () => {
  const [experiment, control] = [HIGHER.slice(), BASELINE.slice()];
  judgeByKayenta([
    { name: "a", experiment, control, groups: ["a"], analysisConfiguration: { outliers: { strategy: "remove" } } },
  ]);
  expect([experiment, control]).toEqual([HIGHER, BASELINE]);
});

test("an outlier factor that is not positive fails the whole judgement", () => {
  const outliers = { strategy: "remove", outlierFactor: -1 } as const;
  expect(() => judgeByKayenta([metric("a", SAME, { outliers })])).toThrow(RangeError);
});
