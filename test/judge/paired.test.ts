import { expect, test } from "vitest";
import { flipsOf, type Pairs } from "../../src/judge/paired-evidence.ts";
import type { Finding } from "../../src/model/finding.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import { toHtml } from "../../src/report/html.ts";
import { toMarkdown } from "../../src/report/markdown.ts";
import { toText } from "../../src/report/text.ts";
import { standardNormal } from "../../src/stats/random.ts";
import { judgeOnce } from "./once.ts";
import { analysisWith, answer, draw, rows } from "./samples.ts";

const pairedAnalysis = (metric: string) =>
  analysisWith(`- { name: m, source: s, query: { value: v, unit: u }, ${metric} }`, "design: paired");
const SCORE = "kind: score, scale: [1, 5], margin: 0.25";
const ERRORS = "kind: errors, margin: 5pp";
const names = (n: number, prefix = "task") => Array.from({ length: n }, (_, item) => `${prefix}-${item}`);

function findingOf(
  metric: string,
  baseline: readonly number[],
  candidate: readonly number[],
  units = names(baseline.length),
): Finding {
  const report = judgeOnce(pairedAnalysis(metric), [rows(baseline, units), rows(candidate, units)]);
  const [finding] = report.findings;
  if (finding === undefined) throw new Error("there is one metric");
  return finding;
}

const repeat = (...parts: readonly (readonly [value: number, times: number])[]) =>
  parts.flatMap(([value, times]) => Array.from({ length: times }, () => value));

test("failures of the same items are McNemar's: 12 to 2 is 0.0065 one-sided, however many others are equal", () => {
  const baseline = repeat([1, 2], [0, 12], [1, 10], [0, 76]);
  const candidate = repeat([0, 2], [1, 12], [1, 10], [0, 76]);
  const finding = findingOf(ERRORS, baseline, candidate);
  // P(12 or more of 14 at 1/2) = (91 + 14 + 1) / 2^14.
  expect(finding.components[0]?.pWorse).toBeCloseTo(106 / 2 ** 14, 12);
  expect(finding.components[0]?.effect.estimate).toBeCloseTo(0.1, 12);
  expect(finding.finding).toBe("worse");
  expect(finding.tests).toEqual([
    expect.objectContaining({ test: "mcnemar", statistic: 12 / 14, pValueNominal: expect.closeTo(212 / 2 ** 14, 12) }),
  ]);
});

test("equal failures of the same items are safe where unpaired arms would need far more", () => {
  const both = repeat([1, 30], [0, 120]);
  const finding = findingOf(ERRORS, both, both.toSpliced(0, 1, 0).toSpliced(149, 1, 1));
  expect(finding.finding).toBe("safe");
  const apart = judgeOnce(analysisWith(`- { name: m, source: s, query: { value: v, unit: u }, ${ERRORS} }`), [
    rows(both, names(150, "a")),
    rows(both, names(150, "b")),
  ]);
  expect(apart.findings[0]?.finding).toBe("unclear");
});

test("60 items without a failure do not rule out two points, and 160 do", () => {
  const none = (n: number) => Array.from({ length: n }, () => 0);
  expect(findingOf("kind: errors, margin: 2pp", none(60), none(60)).finding).toBe("unclear");
  expect(findingOf("kind: errors, margin: 2pp", none(160), none(160)).finding).toBe("safe");
});

test("every item slower by a fifth is worse, though the items differ a hundredfold", () => {
  const noise = draw(1, 80, (random) => Math.exp(0.05 * standardNormal(random)));
  const items = draw(2, 80, (random) => Math.exp(1.5 * standardNormal(random)));
  const slower = items.map((value, index) => 1.2 * value * (noise[index] ?? 1));
  const finding = findingOf("kind: latency, margin: 10%", items, slower);
  expect(finding.finding).toBe("worse");
  expect(finding.components.map(({ component }) => component)).toEqual(["body", "mean"]);
  expect(finding.components[0]?.effect.estimate).toBeCloseTo(0.2, 1);
  // Exchanging the arms, as ratios do.
  const [body] = findingOf("kind: latency, margin: 10%", slower, items).components;
  expect(1 + (body?.effect.estimate ?? 0)).toBeCloseTo(1 / (1 + (finding.components[0]?.effect.estimate ?? 0)), 10);
});

test("the exact signed-rank p of six items that all got slower is 1/64, and its bound is the smallest change", () => {
  const finding = findingOf("kind: latency, margin: 20ms", [1, 2, 3, 4, 5, 6], [1.01, 2.02, 3.03, 4.04, 5.05, 6.06]);
  expect(finding.components[0]?.pWorse).toBe(1 / 64);
  expect(finding.components[0]?.effect.estimate).toBeCloseTo(0.035, 10);
  // Zeros have no logarithm: the same test on candidate less factor times baseline.
  const zeros = findingOf("kind: cost, margin: 10%", [0, 0, 1, 2, 3, 4, 5, 6], [0, 0, 1.2, 2.4, 3.6, 4.8, 6, 7.2]);
  expect(zeros.components[0]?.pWorse).toBe(1 / 64);
  expect(zeros.components[0]?.effect.estimate).toBeCloseTo(0.2, 6);
});

test("thirty equal scores prove nothing about a quarter of a point", () => {
  const fives = repeat([5, 30]);
  const finding = findingOf(SCORE, fives, fives);
  expect(finding.finding).toBe("unclear");
  expect(finding.components.find(({ component }) => component === "mean")?.safe).toBe(false);
});

test("many small losses are not outweighed by few large gains", () => {
  // Seven items in ten lose a point, three gain three: the mean rises.
  const finding = findingOf(SCORE, repeat([2, 100]), repeat([1, 70], [5, 30]));
  const [mean, body] = finding.components;
  expect(mean?.effect.estimate).toBeCloseTo(0.2, 12);
  expect(body?.effect).toMatchObject({ scale: "superiority", estimate: -0.2 });
  expect(body?.safe).toBe(false);
  expect(finding.finding).not.toBe("safe");
});

test("flips come with the finding, worse ones first, the largest first, at most twenty", () => {
  const pairs: Pairs = {
    names: ["a", "b", "c", "d", "e"],
    baseline: Float64Array.of(5, 3, 4, 2, 5),
    candidate: Float64Array.of(4, 5, 1, 2, 4),
  };
  const [metric] = pairedAnalysis(SCORE).metrics;
  if (metric === undefined) throw new Error("there is one metric");
  expect(flipsOf(pairs, metric)).toEqual([
    { unit: "c", baseline: 4, candidate: 1 },
    { unit: "a", baseline: 5, candidate: 4 },
    { unit: "e", baseline: 5, candidate: 4 },
    { unit: "b", baseline: 3, candidate: 5 },
  ]);
  const finding = findingOf(ERRORS, repeat([0, 60]), repeat([1, 40], [0, 20]));
  expect(finding.flips).toHaveLength(20);
  expect(findingOf("kind: latency", [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]).flips).toBeNull();
});

test("reports list the flips, and what a task is called cannot become markup", () => {
  const units = names(60).with(0, "<b>[x](y)</b>");
  const report = judgeOnce(pairedAnalysis(ERRORS), [
    rows(repeat([0, 60]), units),
    rows(repeat([1, 30], [0, 30]), units),
  ]);
  expect(toText(report)).toContain(
    "m: sessions that changed, baseline → candidate, worse ones first\n  - <b>[x](y)</b>: 0 → 1",
  );
  expect(toMarkdown(report)).toContain("- \\<b\\>\\[x\\]\\(y\\)\\</b\\>: 0 → 1");
  expect(toHtml(report)).not.toContain("<b>[x]");
  expect(toHtml(report)).toContain("<li>task-1: 0 → 1</li>");
});

test("items of one arm only are counted and left out; more than a fifth of them makes the metric invalid", () => {
  const values = draw(3, 100, (random) => 3 + Math.round(standardNormal(random)) * 0.5);
  const scores = values.map((value) => Math.min(5, Math.max(1, value)));
  const arms = (from: number) =>
    judgeOnce(pairedAnalysis(SCORE), [rows(scores, names(100)), rows(scores, names(120).slice(from, from + 100))])
      .findings[0];
  expect(arms(10)?.units).toEqual({ baseline: 90, candidate: 90 });
  expect(arms(10)?.warnings).toContain(
    "10 sessions of 100 in the baseline and 10 of 100 in the candidate are not in the other arm; they are left out",
  );
  const many = judgeOnce(pairedAnalysis(SCORE), [rows(scores, names(100)), rows(scores, names(100, "other"))]);
  expect(many.findings[0]).toMatchObject({ finding: "invalid", reasons: [{ code: "unpaired" }] });
  expect(many.verdict).toBe("pause");
});

test("a candidate that lost items that the baseline answered is not promoted on the others", () => {
  const none = (n: number) => repeat([0, n]);
  const report = judgeOnce(pairedAnalysis(ERRORS), [rows(none(400), names(400)), rows(none(340), names(340))]);
  expect(report.findings[0]?.finding).toBe("safe");
  expect(report.verdict).toBe("pause");
  expect(report.reasons).toEqual([
    expect.objectContaining({
      code: "missingness_differs",
      text: expect.stringContaining("of 400 items the candidate has no value for 60 and the baseline none for 0"),
    }),
  ]);
});

test("several rows of an item become one value first", () => {
  const units = names(40).flatMap((name) => [name, name]);
  const one = (value: number) => repeat([value, 80]);
  expect(findingOf("kind: latency", one(1), one(1.5), units).units).toEqual({ baseline: 40, candidate: 40 });
});

test("rows without unit ids and series cannot be paired", () => {
  const sql = analysisWith(
    "- { name: m, source: s, kind: score, scale: [1, 5], query: { sql: select 1 as value } }",
    "design: paired",
  );
  const nameless = judgeOnce(sql, [rows(repeat([3, 40])), rows(repeat([3, 40]))]).findings[0];
  expect(nameless).toMatchObject({ finding: "invalid", reasons: [{ code: "invalid" }] });
  const at = Float64Array.from({ length: 20 }, (_, step) => 60 * step);
  const steps = answer({ shape: "series", stepSeconds: 60, at, values: at.map(() => 3) });
  expect(judgeOnce(sql, [steps, steps]).findings[0]?.finding).toBe("invalid");
});

test.each([
  [
    "design: paired\n  plan: { mode: scheduled }",
    "{ value: v, unit: u }",
    /spec\.design is paired, which is judged in one look; the mode is scheduled/,
  ],
  ["design: paired", "{ value: v }", /query\.unit is missing: design: paired finds the same item in both arms/],
  ["design: paired", "{ series: x }", /query gives series, but design: paired compares unit with unit/],
  ["design: paired", "{ value: v, unit: u, gold: g }", /query\.gold does not go with design: paired/],
  ["design: paired\n  allocation: { baseline: 1, candidate: 1 }", "{ value: v, unit: u }", /no routing shares items/],
  ["design: twins", "{ value: v, unit: u }", /spec\.design/],
])("%s with %s is refused at load", (spec, query, message) => {
  const text = `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  ${spec}\n  metrics:\n  - { name: m, kind: score, scale: [1, 5], source: s, query: ${query} }\n`;
  expect(() => readAnalysis(text, "the test")).toThrow(message);
});
