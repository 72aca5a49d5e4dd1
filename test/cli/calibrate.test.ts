import { expect, test } from "vitest";
import type { Calibration } from "../../src/cli/calibrate.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { analysisText, PLAN, scores, START, useFolder, type Line } from "./recordings.ts";
import { run } from "./run.ts";

const file = useFolder();

const QUALITY =
  "{ name: quality, kind: score, source: s, query: { value: v }, scale: [1, 5], margin: 0.5, components: [mean] }";
const ERRORS = "{ name: failures, kind: errors, source: s, query: { value: v }, margin: 5pp }";
const LOAD = "{ name: load, kind: gauge, unit: step, source: s, query: { series: a }, margin: 20% }";

const ONCE = "{ mode: once }";

async function calibrate(
  records: readonly Line[],
  { plan = ONCE, metrics = [QUALITY], options = [] as string[] } = {},
): Promise<{ code: number; err: string; out: string }> {
  const analysis = await file("analysis.yaml", analysisText(plan, ...metrics));
  const samples = await file("events.ndjson", records);
  return run(["calibrate", "-f", analysis, "--samples", samples, ...options]);
}

async function measured(
  ...[records, { options = [], ...rest } = {}]: Parameters<typeof calibrate>
): Promise<Calibration> {
  const { code, out, err } = await calibrate(records, { ...rest, options: [...options, "--output", "json"] });
  expect(code, err).toBe(0);
  return JSON.parse(out) as Calibration;
}

const BASELINE = scores("baseline", 3, 1);

test("a baseline that is split in two hardly ever rolls back, and the smallest change that is found lies near the margin", async () => {
  const { falseAlarms, promoted, paused, metrics, budgets } = await measured(BASELINE, { options: ["--splits", "60"] });
  expect(falseAlarms.of).toBe(60);
  // 60 splits at a budget of 5 % show 9 or more false alarms once in 500 times.
  expect(falseAlarms.count).toBeLessThan(9);
  expect(falseAlarms.lower).toBeLessThanOrEqual(budgets.rollback);
  expect(falseAlarms.count + promoted.count + paused.count).toBe(60);
  // 150 units an arm with a standard deviation of 0.6 prove 0.5 at ease.
  expect(promoted.estimate).toBeGreaterThan(0.9);
  const [quality] = metrics;
  expect(quality).toMatchObject({
    metric: "quality",
    splitBy: "units",
    detection: { scale: "points", margin: 0.5, of: 40 },
  });
  expect(quality?.detection?.detected).toBeGreaterThanOrEqual(32);
  // What must reach the guard in four of five lies a standard error (0.07) beyond it.
  expect(quality?.detection?.change).toBeLessThan(-0.45);
  expect(quality?.detection?.change).toBeGreaterThan(-0.75);
});

test("the same seed gives the same bytes, and the candidate's records are not looked at", async () => {
  const options = ["--splits", "10", "--output", "json"];
  const once = await calibrate(BASELINE, { options });
  expect((await calibrate([...BASELINE, ...scores("candidate", 1, 2)], { options })).out).toBe(once.out);
  expect((await calibrate(BASELINE, { options: [...options, "--seed", "2"] })).out).not.toBe(once.out);
});

test("whole scores stay whole, and added errors are found in percentage points", async () => {
  const random = seeded(5);
  const records = BASELINE.flatMap((record) => [
    { ...record, value: Math.round(Number(record.value)) },
    { ...record, metric: "failures", value: random() < 0.04 ? 1 : 0 },
  ]);
  const { metrics } = await measured(records, { metrics: [QUALITY, ERRORS], options: ["--splits", "15"] });
  const [quality, failures] = metrics;
  expect(Math.abs(quality?.detection?.change ?? 0)).toBeLessThan(1);
  expect(Math.abs(quality?.detection?.change ?? 0)).toBeGreaterThan(0.3);
  expect(failures?.detection).toMatchObject({ scale: "fraction", margin: 0.05 });
  // 4 % against 4 % + x with 150 sessions an arm: 80 % power at a share of 2.5 % needs about 8 pp, looks cost a little more.
  expect(failures?.detection?.change).toBeGreaterThan(0.06);
  expect(failures?.detection?.change).toBeLessThan(0.16);
});

test("steps are compared in two windows of the recording, and that is said", async () => {
  const random = seeded(9);
  const records = Array.from({ length: 90 }, (_, minute) => ({
    arm: "baseline",
    metric: "load",
    value: 10 + standardNormal(random),
    at: START + 60 * minute,
  }));
  const { metrics, windowSeconds, notes } = await measured(records, {
    plan: PLAN,
    metrics: [LOAD],
    options: ["--splits", "10"],
  });
  expect(windowSeconds).toEqual({ least: 1800, most: 1800 });
  expect(metrics).toMatchObject([{ splitBy: "windows" }]);
  expect(metrics[0]?.falseAlarms.count).toBeLessThan(5);
  expect(metrics[0]?.detection?.change).toBeGreaterThan(0.1);
  expect(metrics[0]?.detection?.change).toBeLessThan(0.4);
  expect(notes[0]).toMatch(
    /^load: steps hold all units together and cannot be split by unit\. Two windows of the recording/,
  );
});

test("records without unit are split row by row, which is said", async () => {
  const turns = BASELINE.map((record) => ({ ...record, unit: undefined }));
  const { notes } = await measured(turns, { options: ["--splits", "2"] });
  expect(notes).toContainEqual(expect.stringMatching(/^quality: records without unit are split row by row/));
});

test("the table shows rates with their intervals, the median look and what was found", async () => {
  const { code, out, err } = await calibrate(BASELINE, { plan: PLAN, options: ["--splits", "5"] });
  expect(code, err).toBe(0);
  expect(out).toMatch(/^replayed: the baseline against itself, 5 splits of one recording, runs of 30m, seed 1\n/);
  expect(out).toMatch(/false alarms \d+ of 5 \([\d.]+%, interval 0% to [\d.]+%\); rollback budget 5%/);
  expect(out).toMatch(/median look +\d+(\.5)?, after [\d.]+ minutes/);
  expect(out).toMatch(/quality +critical +units +[\d.]+ \/ [\d.]+ +.*−0\.\d+ \(\d+ of 5\) +0\.5/);
});

test.each<[string, Line[], string[], RegExp]>([
  ["no splits", BASELINE, ["--splits", "0"], /must be a whole number from 1 to 100000/],
  ["a seed that is no number", BASELINE, ["--seed", "x"], /must be a whole number from 0/],
  [
    "a recording without the baseline",
    scores("candidate", 3, 1),
    [],
    /holds no record of the arm baseline; its arms are candidate/,
  ],
  [
    "a recording that is too short",
    BASELINE.slice(0, 10),
    [],
    /the recording of the baseline is 60 s long, too short for a window of 180 s/,
  ],
  ["a bad line", [{ ...BASELINE[0], value: "x" }], [], /events\.ndjson:1: value is "x", not a finite number/],
])("%s ends with 64", async (_, records, options, message) => {
  const { code, out, err } = await calibrate(records, { plan: PLAN, options });
  expect(err).toMatch(message);
  expect(code).toBe(64);
  expect(out).toBe("");
});
