import { expect, test } from "vitest";
import { judgeRunByKayenta } from "../../src/kayenta/judge-run.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import type { ArmAnswer } from "../../src/judge/gathered.ts";
import { analysisWith, DEAD, draw, gather, lognormal, series } from "../judge/samples.ts";

const METRICS = `- { name: latency, kind: latency, source: s, query: { series: x }, tier: critical }
- { name: cost, kind: cost, source: s, query: { series: x } }`;

function reportOf(arms: readonly (readonly [ArmAnswer, ArmAnswer])[], spec = "judge: kayenta") {
  const analysis = analysisWith(METRICS, spec);
  const run = {
    id: "run_t",
    analysis,
    analysisDigest: "sha256:0",
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window: null,
    args: {},
    rollout: null,
  };
  return judgeRunByKayenta(run, gather(analysis, arms), null, "2026-11-20T08:00:00Z").report;
}

const minutes = (seed: number, median: number) => series(draw(seed, 60, lognormal(median, 0.1)));

test("arms that hardly differ pass and promote with a score of 100", () => {
  const report = reportOf([
    [minutes(1, 2), minutes(2, 2)],
    [minutes(3, 1), minutes(4, 1)],
  ]);
  expect(report).toMatchObject({ verdict: "promote", score: 100 });
  expect(report.summary).toBe("promote: Kayenta's score is 100 (Pass)");
});

test("a critical metric that is high fails the run, whatever the other says", () => {
  const report = reportOf([
    [minutes(1, 2), minutes(2, 3)],
    [minutes(3, 1), minutes(4, 1)],
  ]);
  expect(report).toMatchObject({ verdict: "rollback", score: 0, rollbackTarget: { label: "v1" } });
  expect(report.findings.map(({ finding }) => finding)).toEqual(["worse", "safe"]);
  expect(report.reasons.map(({ code, metric }) => [code, metric])).toEqual([
    ["kayenta_score", null],
    ["kayenta_metric", "latency"],
  ]);
});

test("the thresholds of the analysis lie between promote, pause and rollback", () => {
  const arms = [
    [minutes(1, 2), minutes(2, 2)],
    [minutes(3, 1), minutes(4, 2)],
  ] as const;
  expect(reportOf(arms).score).toBe(75);
  expect(reportOf(arms).verdict).toBe("promote");
  expect(reportOf(arms, "judge: kayenta\n  kayenta: { pass: 90, marginal: 60 }").verdict).toBe("pause");
  expect(reportOf(arms, "judge: kayenta\n  kayenta: { pass: 90, marginal: 80 }").verdict).toBe("rollback");
});

test("missing evidence pauses, where Kayenta itself would promote or roll back", () => {
  const report = reportOf([
    [minutes(1, 2), minutes(2, 2)],
    [minutes(3, 1), DEAD],
  ]);
  expect(report.verdict).toBe("pause");
  expect(report.reasons[0]).toMatchObject({ code: "source_error", metric: "cost" });
});

test("Kayenta's judge looks once, and its thresholds are its own", () => {
  const read = (spec: string) => () =>
    readAnalysis(
      `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  ${spec}\n  metrics:\n  - { name: l, kind: latency, source: s, query: { series: x } }\n`,
      "the test",
    );
  expect(read("judge: kayenta\n  plan: { mode: scheduled }")).toThrow(/is kayenta, which looks once/);
  expect(read("kayenta: { pass: 80, marginal: 60 }")).toThrow(/is for judge: kayenta/);
  expect(read("judge: kayenta\n  kayenta: { pass: 50, marginal: 60 }")).toThrow(/must not be above pass/);
});
