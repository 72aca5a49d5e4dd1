import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { MetricHistory } from "../../src/cli/history.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { analysisText, START, useFolder, type Line } from "./recordings.ts";
import { startStreet } from "../street.ts";
import { run } from "./run.ts";

const file = useFolder();
const PLAN = "{ mode: scheduled, duration: 30m, every: 3m, settle: 0s }";
const latency = (more = "") => `{ name: p50, kind: latency, unit: step, source: s, query: { series: a }${more} }`;

/** Both arms of one run: a shock that both share, and of each its own white noise of this deviation. */
function recording(key: number, minutes: number, deviation: number, shift = 0): Line[] {
  const random = seeded(77, key);
  return Array.from({ length: minutes }, (_, minute) => {
    const shared = 200 * Math.exp(0.5 * Math.sin(minute / 7 + key));
    return ["baseline", "candidate"].map((arm) => ({
      key,
      arm,
      metric: "p50",
      value: shared * Math.exp(deviation * standardNormal(random) + (arm === "candidate" ? shift : 0)),
      at: START + 60 * minute,
    }));
  }).flat();
}

async function measure(records: readonly Line[], options: readonly string[] = []) {
  const analysis = await file("analysis.yaml", analysisText(PLAN, latency()));
  const samples = await file("aa.ndjson", records);
  return run(["history", "-f", analysis, "--samples", samples, ...options]);
}

const keys = (n: number) => Array.from({ length: n }, (_, key) => key);
const EQUAL = keys(40).flatMap((key) => recording(key, 30, 0.05));

test("the deviation of a step is that of the law, whatever both arms share, and is printed as an analysis takes it", async () => {
  const { code, out, err } = await measure(EQUAL, ["-o", "json"]);
  expect([code, err]).toEqual([0, ""]);
  const [metric] = (JSON.parse(out) as { metrics: MetricHistory[] }).metrics;
  expect(metric).toMatchObject({ metric: "p50", runs: 40, isFraction: true });
  // Two independent arms of 0.05; of 40 runs the deviation is known to a ninth.
  expect(metric?.stepDeviation).toBeGreaterThan(0.0707 * 0.7);
  expect(metric?.stepDeviation).toBeLessThan(0.0707 * 1.3);
  const text = (await measure(EQUAL)).out;
  const line = /p50: {2}(history: \{ stepDeviation: [\d.]+%, runs: 40 \})/.exec(text)?.[1];
  expect(line, text).toBeDefined();
  const valid = await file("with.yaml", analysisText(PLAN, latency(`, ${line}`)));
  const explained = await run(["explain", "-f", valid]);
  expect([explained.code, explained.err]).toEqual([0, ""]);
});

test("a long recording is cut into runs as long as the plan, and a short rest is left out", async () => {
  const { out } = await measure(recording(1, 30 * 12 + 5, 0.05), ["-o", "json"]);
  expect((JSON.parse(out) as { metrics: MetricHistory[] }).metrics[0]?.runs).toBe(12);
});

test("versions that differ are told", async () => {
  const { code, err } = await measure(keys(12).flatMap((key) => recording(key, 30, 0.05, 0.1)));
  expect(code).toBe(0);
  expect(err).toMatch(
    /^warning: p50 of the candidate lies 0\.\d+ from that of the baseline .*: are the versions equal\?\n$/,
  );
});

test.each([
  [keys(9).flatMap((key) => recording(key, 30, 0.05)), "p50 has 9 runs of 30m, and a history needs at least 10"],
  [keys(12).flatMap((key) => recording(key, 8, 0.05)), "holds no run in which both arms have 9 steps"],
])("too little to know it by is refused", async (records, text) => {
  const { code, out, err } = await measure(records);
  expect([code, out]).toEqual([64, ""]);
  expect(err).toContain(text);
});

test("the looks of decided runs know it too: what each was given, read from the server", async () => {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-history-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const street = await startStreet(`sources:\n- { name: s, type: file, root: ${JSON.stringify(folder)} }\n`);
  onTestFinished(() => street.stop());
  const window = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };
  const earlier = START - Date.parse(window.start) / 1000;
  const rows = "{ name: p50, kind: latency, unit: step, source: s, query: { value: value, at: at } }";
  const text = analysisText("{ mode: once, duration: 30m }", rows);
  const stored = await street.ask("PUT", "/v1/analyses/replayed", text, { "content-type": "application/yaml" });
  expect(stored.status, stored.text).toBe(200);
  for (const key of keys(12)) {
    for (const arm of ["baseline", "candidate"]) {
      const own = recording(key, 30, 0.05).filter((line) => line["arm"] === arm);
      const lines = own.map(({ value, at }) => `${String(value)},${Number(at) - earlier}\n`);
      await writeFile(join(folder, `${arm}-${key}.csv`), `value,at\n${lines.join("")}`);
    }
    const body = {
      analysis: "replayed",
      baseline: { label: `baseline-${key}` },
      candidate: { label: `candidate-${key}` },
      window,
    };
    const { id } = (await street.ask("POST", "/v1/runs", body)).body;
    expect((await street.ask("GET", `/v1/runs/${id}?wait=30s`)).body.status).toBe("done");
  }
  const analysis = await file("rows.yaml", text);
  const of = (...options: string[]) =>
    run(["history", "-f", analysis, "-o", "json", ...options], { TOUCHSTONE_URL: street.url });
  const fromServer = await of("--runs-of", "replayed");
  expect(fromServer).toMatchObject({ code: 0, err: "" });
  const records = keys(12).flatMap((key) => recording(key, 30, 0.05));
  const fromFile = await of("--samples", await file("aa.ndjson", records));
  expect(fromFile.err).toBe("");
  const [ours, theirs] = [fromServer, fromFile].map(
    ({ out }) => (JSON.parse(out) as { metrics: MetricHistory[] }).metrics[0],
  );
  expect(ours?.runs).toBe(12);
  expect(ours?.stepDeviation).toBeCloseTo(theirs?.stepDeviation ?? 0, 12);

  expect((await of("--runs-of", "replayed", "--limit", "9")).err).toContain("p50 has 9 runs of 30m");
  expect((await of("--runs-of", "other")).err).toContain("the server, of the analysis other, holds no run");
  expect(await of()).toMatchObject({ code: 64, err: expect.stringContaining("either --samples or --runs-of") });
});
