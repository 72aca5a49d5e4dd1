import { expect, test } from "vitest";
import { carriedInto, type EarlierRun } from "../../src/judge/carry.ts";
import { analysisWith } from "./samples.ts";

const STAGES =
  analysisWith(
    "- { name: m, kind: score, scale: [1, 5], source: s, query: { value: v, at: at } }",
    `args: { region: all }
  plan: { mode: scheduled, duration: 20m, every: 2m }
  stages:
  - { name: a }
  - { name: b }
  - { name: c }
  - { name: eu, group: regions }
  - { name: us, group: regions }
  - { name: d }
  - { name: fresh, carry: false }
  - { name: e }
  - { name: special, args: { region: x } }`,
  ).stages ?? [];

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const earlier = (stage: string, minute: number, verdict: EarlierRun["verdict"] = "promote"): EarlierRun => ({
  stage,
  verdict,
  start: at(minute),
  analysisDigest: "sha256:a",
});
const into = (stage: string, minute: number, ...runs: EarlierRun[]) =>
  carriedInto(STAGES, stage, runs, "sha256:a", at(minute));

test("a stage goes on from all that were promoted right before it, cut on the grid of its looks", () => {
  expect(into("c", 41, earlier("b", 20), earlier("a", 0))).toEqual({ from: at(1), stages: ["a", "b"] });
  expect(into("a", 0)).toBeNull();
});

test("whatever did not promote is a break, and so is another analysis", () => {
  expect(into("c", 60, earlier("b", 40), earlier("b", 20, "pause"), earlier("a", 0))).toEqual({
    from: at(40),
    stages: ["b"],
  });
  expect(into("b", 60, earlier("b", 40, "pause"), earlier("a", 0))).toBeNull();
  expect(into("b", 60, earlier("a", 40, null), earlier("a", 0))).toBeNull();
  expect(into("b", 60, { ...earlier("a", 40), analysisDigest: "sha256:b" })).toBeNull();
  expect(into("b", 60, { ...earlier("a", 40), start: null })).toBeNull();
});

test("nothing is carried into a ring, out of a ring, past a stage that started afresh, or into other arguments", () => {
  expect(into("eu", 60, earlier("c", 40), earlier("b", 20))).toBeNull();
  expect(into("d", 60, earlier("us", 40), earlier("eu", 40))).toBeNull();
  expect(into("fresh", 60, earlier("d", 40))).toBeNull();
  expect(into("e", 80, earlier("fresh", 60), earlier("d", 40))).toEqual({ from: at(60), stages: ["fresh"] });
  expect(into("special", 80, earlier("e", 60))).toBeNull();
});

test("a stage that comes a second time does not go on from itself or from later ones", () => {
  expect(into("b", 80, earlier("c", 60), earlier("b", 40), earlier("a", 20))).toBeNull();
  expect(into("b", 80, earlier("b", 40), earlier("a", 20))).toBeNull();
});
