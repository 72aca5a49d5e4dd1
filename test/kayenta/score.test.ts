import { describe, expect, test } from "vitest";
import type { MetricLabel } from "../../src/kayenta/classify.ts";
import { roundToHundredths, scoreMetrics, type ScoredMetric } from "../../src/kayenta/score.ts";

const metric = (classification: MetricLabel, groups: readonly string[] = ["g"], critical = false): ScoredMetric => ({
  classification,
  classificationReason: classification === "Pass" ? null : `m was classified as ${classification}`,
  groups,
  critical,
});
const THRESHOLDS = { pass: 95, marginal: 75 };
const scoreOf = (metrics: readonly ScoredMetric[], weights: Readonly<Record<string, number>> = {}) =>
  scoreMetrics(metrics, weights, THRESHOLDS);

describe("a group", () => {
  test("scores the share of passes among High, Low, Pass and NodataFailMetric", () => {
    const labels: MetricLabel[] = ["Pass", "High", "Low", "NodataFailMetric", "Nodata", "Error"];
    expect(scoreOf(labels.map((label) => metric(label))).groupScores).toEqual([
      { name: "g", score: 25, classification: "", classificationReason: "" },
    ]);
  });

  test("in which nothing could be judged shows 0 and counts as 100", () => {
    const { groupScores, score } = scoreOf([metric("Pass", ["a"]), metric("Error", ["b"])]);
    expect(groupScores.map(({ name, score }) => [name, score])).toEqual([
      ["a", 100],
      ["b", 0],
    ]);
    expect(score.score).toBe(100);
  });

  test("of only errors passes with 100: a judge that fails lets everything through", () => {
    expect(scoreOf([metric("Error"), metric("Error")]).score).toEqual({
      score: 100,
      classification: "Pass",
      classificationReason: "",
    });
  });
});

describe("weights", () => {
  test("without any, groups count alike", () => {
    expect(scoreOf([metric("Pass"), metric("High"), metric("Low")]).score.score).toBe(33.33);
    expect(scoreOf([metric("Pass", ["a"]), metric("High", ["b"])]).score.score).toBe(50);
  });

  test("are percent of the score", () => {
    const metrics = [metric("Pass", ["a"]), metric("High", ["b"])];
    expect(scoreOf(metrics, { a: 75, b: 25 }).score).toMatchObject({ score: 75, classification: "Marginal" });
  });

  test("groups without one share what is left", () => {
    const metrics = [metric("Pass", ["x"]), metric("Pass", ["y"]), metric("High", ["z"])];
    expect(scoreOf(metrics, { x: 50 }).score.score).toBe(75);
  });

  test("beyond 100 leave less than nothing", () => {
    const metrics = [metric("Pass", ["x"]), metric("Pass", ["y"])];
    expect(scoreOf(metrics, { x: 120 }).score.score).toBe(100);
    expect(scoreOf([metric("High", ["x"]), metric("Pass", ["y"])], { x: 120 }).score.score).toBe(-20);
  });

  test("of groups that no metric names are lost", () => {
    expect(scoreOf([metric("Pass", ["a"])], { a: 60, gone: 40 }).score.score).toBe(60);
  });
});

describe("groups of a metric", () => {
  test("a metric counts in every group it names", () => {
    const { groupScores } = scoreOf([metric("High", ["a", "b"]), metric("Pass", ["b"])]);
    expect(groupScores.map(({ name, score }) => [name, score])).toEqual([
      ["a", 0],
      ["b", 50],
    ]);
  });

  test("a metric without groups counts for nothing", () => {
    expect(scoreOf([metric("High", []), metric("Pass", ["a"])]).score.score).toBe(100);
  });
});

describe("the score is 0", () => {
  test("when a critical metric fails, whatever the others say, for the first such reason", () => {
    const metrics = [metric("Pass"), metric("Low", ["g"], true), metric("High", ["g"], true)];
    expect(scoreOf(metrics).score).toEqual({
      score: 0,
      classification: "Fail",
      classificationReason: "Canary Failed: m was classified as Low",
    });
  });

  test("when half of the metrics have no data", () => {
    const failed = {
      score: 0,
      classification: "Fail",
      classificationReason: "Canary Failed: 50% or more metrics returned NODATA",
    };
    expect(scoreOf([metric("Pass"), metric("Nodata")]).score).toEqual(failed);
    expect(scoreOf([metric("Pass"), metric("Pass"), metric("Nodata")]).score.score).toBe(100);
  });

  test("without a reason when there is no metric at all", () => {
    expect(scoreOf([])).toEqual({
      groupScores: [],
      score: { score: 0, classification: "Fail", classificationReason: "" },
    });
  });

  test("but data that had to be there and were not are a failure, not missing", () => {
    expect(scoreOf([metric("Pass"), metric("NodataFailMetric")]).score.score).toBe(50);
  });
});

describe("the class of a score", () => {
  test("at a threshold is the better one", () => {
    const classAt = (pass: number, marginal: number) =>
      scoreMetrics([metric("Pass"), metric("High")], {}, { pass, marginal }).score.classification;
    expect(classAt(50, 25)).toBe("Pass");
    expect(classAt(50.01, 50)).toBe("Marginal");
    expect(classAt(75, 50.01)).toBe("Fail");
  });
});

test.each([
  [1.005, 1.01],
  [2.675, 2.68],
  [66.66666666666667, 66.67],
  [33.333333333333336, 33.33],
  [99.994999, 99.99],
  [99.995, 100],
  [-20.005, -20.01],
  [100, 100],
  [0.004, 0],
  [1e-7, 0],
  [1e21, 1e21],
  [0.5, 0.5],
])("%d rounds to %d: half up on the number as it is written", (value, rounded) => {
  expect(roundToHundredths(value)).toBe(rounded);
});
