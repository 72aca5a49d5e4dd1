import { expect, test } from "vitest";
import { randomInteger, seeded, standardNormal } from "../../src/stats/random.ts";
import { analysisText, LATENCY, PLAN, QUALITY, scores, START, useFolder, type Line } from "./recordings.ts";
import { run } from "./run.ts";

const file = useFolder();

async function backtest(
  records: readonly Line[] | string,
  { plan = PLAN, metrics = [QUALITY], options = [] as string[] } = {},
): Promise<{ code: number; err: string; lines: Line[] }> {
  const analysis = await file("analysis.yaml", analysisText(plan, ...metrics));
  const samples = await file("events.ndjson", records);
  const { code, out, err } = await run(["backtest", "-f", analysis, "--samples", samples, ...options]);
  const lines = out === "" ? [] : out.trimEnd().split("\n");
  return { code, err, lines: lines.map((line): Line => JSON.parse(line) as Line) };
}

const HARMLESS = [...scores("baseline", 4, 1, { key: "same" }), ...scores("candidate", 4, 2, { key: "same" })];
const HARMFUL = [...scores("baseline", 4, 3, { key: "worse" }), ...scores("candidate", 3, 4, { key: "worse" })];

function shuffled(records: readonly Line[]): Line[] {
  const random = seeded(7);
  const left = [...records];
  return records.map(() => left.splice(randomInteger(random, left.length), 1)[0] ?? {});
}

test("each key is replayed by itself, with one line and a summary", async () => {
  const { code, err, lines } = await backtest([...HARMLESS, ...HARMFUL]);
  expect(code, err).toBe(0);
  expect(lines.map(({ key, verdict }) => [key, verdict])).toEqual([
    ["same", "promote"],
    ["worse", "rollback"],
  ]);
  const [same, worse] = lines;
  expect(Object.keys(same ?? {})).toEqual(["key", "verdict", "look", "minutes", "score", "reasons"]);
  expect(worse).toMatchObject({ reasons: [{ code: "critical_metric_worse", metric: "quality" }] });
  expect(Number(worse?.look)).toBeLessThan(Number(same?.look));
  expect(worse?.minutes).toBe(3 * Number(worse?.look));
  expect(err).toMatch(/^2 replays: 1 promote, 1 rollback, 0 pause; median \d+(\.5)? minutes \(look \d+(\.5)?\)\n$/);
});

test("the order of the lines changes nothing but the order of the answers", async () => {
  const sorted = await backtest([...HARMLESS, ...HARMFUL]);
  const mixed = await backtest(shuffled([...HARMLESS, ...HARMFUL]));
  const byKey = (a: Line, b: Line) => (String(a.key) < String(b.key) ? -1 : 1);
  expect([...mixed.lines].sort(byKey)).toEqual([...sorted.lines].sort(byKey));
});

test("without a key all records are one replay, and --by names another field", async () => {
  const bare = HARMFUL.map((record) => ({ ...record, key: undefined }));
  expect((await backtest(bare)).lines).toMatchObject([{ key: null, verdict: "rollback" }]);
  const byRun = [...HARMFUL, ...HARMLESS].map(({ key, ...record }) => ({ ...record, run: key === "same" ? 1 : 2 }));
  const { lines, err } = await backtest(byRun, { options: ["--by", "run"] });
  expect(lines).toMatchObject([
    { key: 2, verdict: "rollback" },
    { key: 1, verdict: "promote" },
  ]);
  expect(err).not.toMatch(/warning/);
});

test("times are ISO 8601 or seconds, and labels tell the arms apart", async () => {
  const asIso = HARMFUL.map((record) => ({
    ...record,
    arm: record.arm === "baseline" ? "v41" : "v42",
    at: new Date(Number(record.at) * 1000).toISOString(),
  }));
  const other = scores("v43", 1, 5, { key: "worse" });
  const named = await backtest([...other, ...asIso], { options: ["--baseline", "v41", "--candidate", "v42"] });
  expect(named.lines).toEqual((await backtest(HARMFUL)).lines);
});

test("a plan that looks once judges all records, however long they took", async () => {
  const { lines } = await backtest(HARMFUL, { plan: "{ mode: once, duration: 1m }" });
  expect(lines).toMatchObject([{ verdict: "rollback", look: 1 }]);
  expect(JSON.stringify(lines)).toMatch(/quality is worse: 3\.0\d vs/);
});

test("the run starts where --start says, and looks that come after the recording are not waited for", async () => {
  const late = new Date((START + 600) * 1000).toISOString();
  const replayed = await backtest(HARMLESS, { plan: PLAN.replace("30m", "5h"), options: ["--start", late] });
  expect(replayed.lines[0]).toMatchObject({ minutes: expect.any(Number) as number });
  expect(Number(replayed.lines[0]?.minutes)).toBeLessThanOrEqual(21);
  expect(replayed.err).toMatch(/note: 1 ended before the plan; the last look came at the end of the recording/);
});

test("a metric that never appears has no data, one that nobody knows is named once and left out", async () => {
  const stranger = HARMLESS.slice(0, 5).map((record) => ({ ...record, metric: "tokens", value: "not even a number" }));
  const { code, err, lines } = await backtest([...stranger, ...HARMLESS], { metrics: [QUALITY, LATENCY] });
  expect(code).toBe(0);
  expect(err.match(/warning: .*/g)).toEqual([
    "warning: the metric tokens is none of the analysis; its records are left out",
  ]);
  expect(lines).toMatchObject([{ verdict: "pause" }]);
  expect(lines[0]?.reasons).toContainEqual(expect.objectContaining({ code: "no_data", metric: "latency" }));
});

test("counts, series and histograms roll back what is worse per step", async () => {
  const random = seeded(11);
  const edges = ["0.5", "1", "2", "4", "+Inf"];
  const step = (metric: string, arm: string, at: number): Line => {
    const worse = arm === "candidate";
    if (metric === "errors") return { arm, metric, at, events: worse ? 12 : 4, exposure: 100 };
    if (metric === "load") return { arm, metric, at, value: (worse ? 2 : 1) + 0.1 * standardNormal(random) };
    const counts = edges.map((edge) => [edge, 5 + randomInteger(random, 5) + (worse && edge === "+Inf" ? 40 : 0)]);
    return { arm, metric, at, buckets: Object.fromEntries(counts) as Record<string, number> };
  };
  const metrics = {
    errors: "{ name: errors, kind: errors, unit: step, source: s, query: { events: a, exposure: b } }",
    load: "{ name: load, kind: gauge, unit: step, source: s, query: { series: a } }",
    turns: "{ name: turns, kind: latency, unit: step, source: s, query: { histogram: a } }",
  };
  for (const [name, metric] of Object.entries(metrics)) {
    const records = ["baseline", "candidate"].flatMap((arm) =>
      Array.from({ length: 30 }, (_, minute) => step(name, arm, START + 60 * minute)),
    );
    const { lines, err } = await backtest(records, { metrics: [metric] });
    expect(lines, err).toMatchObject([{ verdict: "rollback", reasons: [{ metric: name }] }]);
  }
});

const GOOD = { arm: "baseline", metric: "quality", value: 4, unit: "u", at: START };

test.each<[string, Line | string, RegExp]>([
  ["text that is not JSON", "{ arm: baseline }", /events\.ndjson:2: is not JSON: "\{ arm: baseline \}"/],
  ["an array", "[1]", /events\.ndjson:2: is not a JSON object/],
  ["no metric", { ...GOOD, metric: undefined }, /:2: metric is missing/],
  ["no arm", { ...GOOD, arm: undefined }, /:2: arm is missing/],
  ["an arm that is no text", { ...GOOD, arm: 1 }, /:2: arm is 1, not a text/],
  ["no time", { ...GOOD, at: undefined }, /:2: at is missing/],
  [
    "a time without a zone",
    { ...GOOD, at: "2026-11-20T08:00:00" },
    /:2: at is "2026-11-20T08:00:00", neither ISO 8601/,
  ],
  ["a value that is text", { ...GOOD, value: "4" }, /:2: value is "4", not a finite number/],
  ["a value that is null", { ...GOOD, value: null }, /:2: value is null, not a finite number/],
  [
    "no value at all",
    { ...GOOD, value: undefined },
    /:2: value is missing, and so are events with exposure, and buckets/,
  ],
  [
    "two forms at once",
    { ...GOOD, buckets: { "1": 2 } },
    /:2: value and buckets are given; a record holds one of them/,
  ],
  ["events without exposure", { ...GOOD, value: undefined, events: 1 }, /:2: exposure is missing beside events/],
  [
    "another form than before",
    { ...GOOD, value: undefined, events: 1, exposure: 2 },
    /:2: holds events and exposure, unlike the first record of quality at line 1/,
  ],
  [
    "more events than exposure",
    { ...GOOD, value: undefined, events: 3, exposure: 2 },
    /:2: events is 3, more than the exposure of 2/,
  ],
  [
    "a negative count",
    { ...GOOD, value: undefined, buckets: { "1": -1 } },
    /:2: buckets\["1"\] is -1, not a number from 0 on/,
  ],
  [
    "an edge that is none",
    { ...GOOD, value: undefined, buckets: { wide: 1 } },
    /:2: buckets names the edge "wide", neither a number nor \+Inf/,
  ],
  [
    "a unit that is missing",
    { ...GOOD, unit: undefined },
    /:2: unit is missing, unlike the first record of quality at line 1/,
  ],
  ["a unit that is an object", { ...GOOD, unit: {} }, /:2: unit is \{\}, neither a text nor a number/],
  ["a key where there was none", { ...GOOD, key: "a" }, /:2: key is given, unlike in the first record at line 1/],
])("%s ends with 64 and its place", async (_, line, message) => {
  const text = [GOOD, line].map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n");
  const { code, err, lines } = await backtest(text);
  expect(err).toMatch(message);
  expect(code).toBe(64);
  expect(lines).toEqual([]);
});

test("a file that holds nothing to replay ends with 64, one that is not there with 69", async () => {
  expect(await backtest("")).toMatchObject({ code: 64, err: expect.stringMatching(/holds no records/) as string });
  expect(await backtest([GOOD])).toMatchObject({
    code: 64,
    err: expect.stringMatching(/holds no record of the arm candidate; its arms are baseline/) as string,
  });
  expect(await backtest([{ ...GOOD, metric: "other" }])).toMatchObject({
    code: 64,
    err: expect.stringMatching(/holds no record of a metric of the analysis, which has quality/) as string,
  });
  expect(await backtest([GOOD], { options: ["--by", "run"] })).toMatchObject({
    code: 64,
    err: expect.stringMatching(/:1: run is missing/) as string,
  });
  expect(await backtest([GOOD], { options: ["--candidate", "baseline"] })).toMatchObject({
    code: 64,
    err: expect.stringMatching(/--baseline and --candidate are both baseline/) as string,
  });
  const analysis = await file("analysis.yaml", analysisText(PLAN, QUALITY));
  expect(await run(["backtest", "-f", analysis, "--samples", `${analysis}.absent`])).toMatchObject({
    code: 69,
    err: expect.stringMatching(/absent cannot be read/) as string,
  });
});
