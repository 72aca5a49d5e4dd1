import { expect, test } from "vitest";
import type { ArmAnswer, Gathered } from "../../src/judge/gathered.ts";
import { judge } from "../../src/judge/judge.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import type { Report, Window } from "../../src/model/run.ts";
import type { SampleRows } from "../../src/model/samples.ts";
import { analysisWith, answer, draw, gather, lognormal, rows, scores, series } from "./samples.ts";

/** What voids a comparison, and what merely keeps a metric from promoting. */

const WINDOW: Window = { start: "2026-11-20T08:00:00.000Z", end: "2026-11-20T08:30:00.000Z" };
const START = Date.parse(WINDOW.start) / 1000;
const QUALITY = "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v } }";
const LATENCY = "- { name: latency, kind: latency, source: s, query: { value: v } }";
const GAUGE = "- { name: cpu, kind: gauge, source: s, query: { series: x } }";

function reportOf(analysis: Analysis, gathered: readonly Gathered[], window: Window | null = null): Report {
  const run = {
    id: "run_t",
    analysis,
    analysisDigest: "sha256:0",
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window,
    args: {},
    rollout: null,
  };
  return judge(run, gathered, null, "2026-11-20T09:00:00.000Z").report;
}

const codes = ({ reasons }: Report) => reasons.map(({ code }) => code);
const good = scores(0.05, 0.1, 0.2, 0.35, 0.3);

test("arms that hold the very same values pause, whichever way they point", () => {
  const values = draw(1, 200, lognormal(2, 0.5));
  const report = reportOf(
    analysisWith(LATENCY),
    gather(analysisWith(LATENCY), [[rows(values), rows(values.toReversed())]]),
  );
  expect(report.verdict).toBe("pause");
  expect(codes(report)).toEqual(["arms_identical"]);
  expect(report.reasons[0]?.text).toBe(
    "latency: baseline and candidate hold the same 200 values; does the query really tell the versions apart?",
  );
});

test("five scores that happen to be equal in both arms are no copy", () => {
  const analysis = analysisWith(QUALITY);
  const same = [1, 2, 3, 4, 5];
  expect(codes(reportOf(analysis, gather(analysis, [[rows(same), rows(same)]])))).not.toContain("arms_identical");
});

test("units in another ratio than routing is set to pause; a doubtful ratio only keeps from promoting", () => {
  const analysis = analysisWith(QUALITY, "allocation: { baseline: 50, candidate: 50 }");
  const arms = (units: number) => gather(analysis, [[rows(draw(1, 1000, good)), rows(draw(2, units, good))]]);
  expect(codes(reportOf(analysis, arms(700)))).toEqual(["sample_ratio_mismatch"]);
  const doubtful = reportOf(analysis, arms(880));
  expect(doubtful.verdict).toBe("pause");
  expect(codes(doubtful)).toEqual(["sample_ratio_mismatch"]);
  expect(doubtful.findings[0]?.finding).toBe("safe");
  expect(reportOf(analysis, arms(985)).verdict).toBe("promote");
});

test("sessions that were in both arms pause; tasks are meant to be", () => {
  const names = (prefix: string, from: number) => Array.from({ length: 300 }, (_, index) => `${prefix}${from + index}`);
  const arms = (unit: string): Report => {
    const analysis = analysisWith(QUALITY.replace("name: quality,", `name: quality, unit: ${unit},`));
    return reportOf(
      analysis,
      gather(analysis, [[rows(draw(1, 300, good), names("s", 0)), rows(draw(2, 300, good), names("s", 150))]]),
    );
  };
  expect(codes(arms("session"))).toEqual(["units_in_both_arms"]);
  expect(arms("session").reasons[0]?.text).toContain("150 of 300 sampled sessions were in both arms");
  expect(codes(arms("task"))).not.toContain("units_in_both_arms");
});

test("a candidate that has stopped to report is neither safe nor worse", () => {
  const analysis = analysisWith(QUALITY.replace("query: { value: v }", "query: { value: v, at: at }"));
  const arm = (seed: number, seconds: number): ArmAnswer => {
    const values = Float64Array.from(draw(seed, 600, good));
    const samples: SampleRows = {
      shape: "samples",
      values,
      units: null,
      unitNames: [],
      at: values.map((_, index) => START + (index * seconds) / 600),
      strata: null,
      stratumNames: [],
    };
    return answer(samples);
  };
  const report = reportOf(analysis, gather(analysis, [[arm(1, 1799), arm(2, 900)]]), WINDOW);
  expect(report.findings[0]?.finding).toBe("invalid");
  expect(report.reasons[0]).toMatchObject({ code: "stale", metric: "quality" });
  expect(report.reasons[0]?.text).toMatch(/the candidate has reported nothing for the last 90\d seconds/);
});

test("series measured far apart pause: what changed in between changed one of them only", () => {
  const analysis = analysisWith(GAUGE);
  const arm = (seed: number, from: number): ArmAnswer => {
    const values = Float64Array.from(draw(seed, 60, lognormal(50, 0.1)));
    return answer({ shape: "series", stepSeconds: 60, at: values.map((_, step) => from + 60 * step), values });
  };
  const report = reportOf(analysis, gather(analysis, [[arm(1, START), arm(2, START + 30 * 86_400)]]));
  expect(codes(report)).toEqual(["not_concurrent"]);
  expect(report.reasons[0]?.text).toContain("719 hours apart");
});

test("a series that lacks half of the steps of the other does not promote", () => {
  const analysis = analysisWith(GAUGE);
  const half = series(draw(2, 120, lognormal(50, 0.02)));
  if (half.kind !== "answer" || half.answer.samples.shape !== "series") throw new Error("not a series");
  const { at, values, ...rest } = half.answer.samples;
  const odd = (column: Float64Array) => column.filter((_, step) => step % 2 === 1);
  const gappy = answer({ ...rest, at: odd(at), values: odd(values) });
  const report = reportOf(analysis, gather(analysis, [[series(draw(1, 120, lognormal(50, 0.02))), gappy]]));
  expect(report.verdict).toBe("pause");
  expect(codes(report)).toContain("partial");
});

test("a metric whose typical value rose while its mean fell as far is left to a person", () => {
  const analysis = analysisWith(
    "- { name: cost, kind: cost, margin: 10%, components: [body, mean], source: s, query: { value: v } }",
  );
  const cheap = draw(1, 2000, lognormal(1, 0.3)).map((value, index) => (index % 20 === 0 ? 20 * value : value));
  const report = reportOf(analysis, gather(analysis, [[rows(cheap), rows(draw(2, 2000, lognormal(1.3, 0.3)))]]));
  expect(report.verdict).toBe("pause");
  expect(report.reasons[0]).toMatchObject({ code: "conflicting" });
  expect(report.findings[0]?.finding).toBe("unclear");
});

test("every report says what would have changed it", () => {
  const analysis = analysisWith(QUALITY);
  const against = (shares: readonly number[], units = 1000) =>
    reportOf(analysis, gather(analysis, [[rows(draw(1, units, good)), rows(draw(2, units, scores(...shares)))]]));
  expect(against([0.2, 0.2, 0.2, 0.2, 0.2]).counterfactual).toMatch(
    /^would not roll back if the (?:mean|typical value) of quality had worsened by less than 0\.25/,
  );
  expect(against([0.05, 0.1, 0.2, 0.35, 0.3]).counterfactual).toMatch(
    /^would not promote if quality were worse by another 0\.\d+$/,
  );
  expect(against([0.05, 0.1, 0.2, 0.35, 0.3], 60).counterfactual).toMatch(
    /^flips to promote if the (?:mean|typical value) of quality were proven to stay within /,
  );
});
