import { expect, test } from "vitest";
import { smallestWeight } from "../../src/judge/next-weight.ts";
import { judge } from "../../src/judge/judge.ts";
import { runOf } from "./play.ts";
import { analysisWith, draw, gather, rows, scores } from "./samples.ts";

const ANALYSIS = analysisWith(
  "- { name: m, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v } }",
);
const LAW = scores(0.05, 0.1, 0.2, 0.35, 0.3);

/** What one look finds of equal arms: so many units of the candidate in ten minutes at a tenth of the traffic. */
const seen = (candidate: number) => {
  const arms = [rows(draw(1, 9 * candidate, LAW)), rows(draw(2, candidate, LAW))] as const;
  const { findings } = judge(runOf(ANALYSIS), gather(ANALYSIS, [arms]), null, "2026-11-20T09:00:00.000Z").report;
  return { weight: 0.1, seconds: 600, findings };
};
const ahead = (seconds: number, minUnits = 30) => ({ seconds, minUnits, promoteBudget: 0.05 });

test("the smallest weight gives about the units that prove a score of this spread safe", () => {
  const weight = smallestWeight(seen(400), ahead(600));
  if (typeof weight !== "number") throw new Error(`no weight but ${weight}`);
  // (1.645 + 0.842)² · 1.15² · / 0.25² = 131 units of an arm against one without end, of 4,000 in ten minutes.
  expect(weight * (1 - weight) * 4000).toBeGreaterThan(100);
  expect(weight * (1 - weight) * 4000).toBeLessThan(180);
});

test("more time needs less weight, and the minimum units count", () => {
  const [short, long] = [smallestWeight(seen(400), ahead(600)), smallestWeight(seen(400), ahead(3600))];
  expect(Number(long)).toBeLessThan(Number(short) / 5);
  expect(smallestWeight(seen(400), ahead(600, 1000))).toBeCloseTo(0.25, 12);
});

test("where not even half of the traffic would do there is none, and where nothing is known nothing is said", () => {
  expect(smallestWeight(seen(400), ahead(10))).toBe("none");
  expect(smallestWeight(seen(400), ahead(600, 2001))).toBe("none");
  expect(smallestWeight({ weight: 0.1, seconds: 600, findings: [] }, ahead(600))).toBeNull();
  expect(smallestWeight({ ...seen(400), weight: 1 }, ahead(600))).toBeNull();
});
