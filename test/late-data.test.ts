import { expect, onTestFinished, test } from "vitest";
import { createFetchText } from "../src/http.ts";
import { clockOf, firstLookAt } from "../src/judge/clock.ts";
import type { Judged } from "../src/judge/judge.ts";
import { look } from "../src/look.ts";
import type { Analysis } from "../src/model/analysis.ts";
import { readStoredState, toStoredState, type ArmState, type LookState } from "../src/model/look-state.ts";
import { epochSeconds, type Instant } from "../src/model/time.ts";
import { createPrometheusSource } from "../src/sources/prometheus.ts";
import type { Sources } from "../src/sources/source.ts";
import { seeded } from "../src/stats/random.ts";
import { runOf, START_SECONDS } from "./judge/play.ts";
import { analysisWith } from "./judge/samples.ts";
import { listen, sendJson, type Asked } from "./sources/http-server.ts";
import { ONCE } from "./sources/requests.ts";

/** Runs of many looks at a source whose last minutes are still arriving. */

const PLAN = "plan: { mode: scheduled, duration: 30m, every: 2m, step: 60s, settle: 0s, warmup: 0s }";
const KINDS = {
  counts: `- { name: m, kind: errors, unit: step, source: s, margin: 5pp, query: { events: 'bad{v="{{ version }}"}', exposure: 'all{v="{{ version }}"}' } }`,
  histogram: `- { name: m, kind: latency, unit: step, source: s, margin: 50%, tailMargin: 200%, query: { histogram: 'h_bucket{v="{{ version }}"}' } }`,
  series: `- { name: m, kind: gauge, unit: step, source: s, margin: 20%, query: { series: 'x{v="{{ version }}"}' } }`,
} as const;
type Shape = keyof typeof KINDS;

const MINUTES = 31;

/** What happened: per minute and pod of each series some events, and the value of a gauge. */
interface Past {
  /** Events of one counter up to this minute; null where the pod was not there. */
  total(name: string, pod: string, minute: number): number | null;
  gauge(version: string, minute: number): number;
}

function past({ reset = false, gap = false } = {}): Past {
  const totals = new Map<string, number[]>();
  const gauges = new Map<string, number[]>();
  const random = seeded(7);
  for (const version of ["v1", "v2"]) {
    gauges.set(
      version,
      Array.from({ length: MINUTES }, () => 50 + 5 * random()),
    );
    for (const pod of ["a", "b"])
      for (const [name, mean] of [
        ["bad", 10],
        ["all", 200],
        ["0.5", 60],
        ["1", 120],
        ["+Inf", 200],
      ] as const) {
        let sum = 0;
        const own = Array.from({ length: MINUTES }, () => (sum += Math.round(mean * (0.9 + 0.2 * random()))));
        totals.set(`${name} ${version} ${pod}`, own);
      }
  }
  return {
    total(name, pod, minute) {
      if (pod === "b" && (minute < 3 || (gap && minute === 8))) return null;
      const own = totals.get(`${name} ${pod}`)?.[minute] ?? 0;
      // Pod a of the candidate starts anew in minute 12.
      const before = totals.get(`${name} ${pod}`)?.[11] ?? 0;
      return reset && name.endsWith("v2") && pod === "a" && minute >= 12 ? own - before : own;
    },
    gauge: (version, minute) => gauges.get(version)?.[minute] ?? 0,
  };
}

/** A Prometheus that has taken in everything up to a time: what is newer it gives as it stood then, or, of a gauge, not at all. */
async function prometheus(happened: Past, arrivedUpTo: (version: string) => number): Promise<Sources> {
  const answer = ({ form }: Asked): object[] => {
    const query = form.get("query") ?? "";
    const [, kind = "", version = ""] = /^(\w+)\{v="(\w+)"\}$/.exec(query) ?? [];
    const [start, end, step] = ["start", "end", "step"].map((key) => Number(form.get(key)));
    const times: number[] = [];
    for (let at = start ?? 0; at <= (end ?? 0) + 1e-6; at += step ?? 60) times.push(at);
    const minuteOf = (at: number) => Math.round((at - START_SECONDS) / 60);
    const pointsOf = (value: (minute: number) => number | null) =>
      times.flatMap((at) => {
        const found = value(minuteOf(at));
        return found === null ? [] : [[at, String(found)]];
      });
    const arrived = minuteOf(arrivedUpTo(version));
    if (kind === "x")
      return [
        {
          metric: {},
          values: pointsOf((minute) => (minute > arrived ? null : happened.gauge(version, minute))),
        },
      ];
    const counters = kind === "h_bucket" ? ["0.5", "1", "+Inf"] : [kind];
    return ["a", "b"].flatMap((pod) =>
      counters.map((name) => ({
        metric: { pod, ...(kind === "h_bucket" ? { le: name } : {}) },
        values: pointsOf((minute) => happened.total(`${name} ${version}`, pod, Math.min(minute, arrived))),
      })),
    );
  };
  const { url } = await listen((asked, response) =>
    sendJson(response, { status: "success", data: { resultType: "matrix", result: answer(asked) } }),
  );
  const fetchText = createFetchText();
  onTestFinished(() => fetchText.close());
  const source = createPrometheusSource({
    name: "s",
    baseUrl: url,
    authorization: () => Promise.resolve(null),
    timeoutMs: 5000,
    maxBytes: 1_000_000,
    maxSeries: 100,
    fetchText,
    persist: ONCE,
  });
  return new Map([["s", source]]);
}

/** Every look up to the one before the last, whatever it decides: after a verdict nothing is kept. */
async function looks(analysis: Analysis, happened: Past, lagSeconds: (version: string, look: number) => number) {
  const run = runOf(analysis);
  let now: Instant | null = run.window === null ? null : firstLookAt(analysis, run.window);
  let previous: LookState | null = null;
  const all: Judged[] = [];
  let edge = 0;
  const sources = await prometheus(happened, (version) => edge - lagSeconds(version, all.length + 1));
  while (now !== null) {
    edge = epochSeconds(now);
    const judged: Judged = await look(sources, run, previous, now, new AbortController().signal);
    all.push(judged);
    if (judged.report.verdict !== null) break;
    previous = readStoredState(toStoredState(judged.state));
    now = clockOf(run, now)?.nextAt ?? null;
  }
  return all;
}

/** Nothing is promoted before the end, and nothing is worse. */
const undecided = (shape: Shape, every = "2m") =>
  analysisWith(KINDS[shape], PLAN.replace("every: 2m", `every: ${every}, minDuration: 30m`));

const numbersOf = (state: LookState, arm: "baseline" | "candidate"): unknown => {
  const own: ArmState | null | undefined = state.metrics["m"]?.[arm];
  if (!own || own.shape === "units") throw new Error("no steps");
  expect(own.rows).toBe(own.at.length);
  const { lastAt: _, faults: __, ...numbers } = own;
  return numbers;
};

test.each(Object.keys(KINDS) as Shape[])("%s: what arrives late is counted once, in its own step", async (shape) => {
  const analysis = undecided(shape);
  const happened = past();
  const punctual = await looks(analysis, happened, () => 0);
  // At looks 3, 5 and 6 the candidate's last minute is not there yet.
  const late = await looks(analysis, happened, (version, n) => (version === "v2" && [3, 5, 6].includes(n) ? 60 : 0));
  expect(punctual.length).toBe(15);
  expect(late.length).toBe(15);
  for (const [index, { state, report }] of punctual.entries()) {
    if (index === 14) break;
    const other = late[index];
    if (other === undefined) throw new Error("a look is missing");
    const isLate = [3, 5, 6].includes(index + 1);
    expect(numbersOf(other.state, "baseline")).toEqual(numbersOf(state, "baseline"));
    if (isLate) expect(numbersOf(other.state, "candidate")).not.toEqual(numbersOf(state, "candidate"));
    else expect(numbersOf(other.state, "candidate")).toEqual(numbersOf(state, "candidate"));
    expect(report.findings[0]?.warnings).toEqual([]);
    const codes = other.report.findings[0]?.reasons.map(({ code }) => code);
    expect(codes?.includes("late_data")).toBe([4, 6, 7].includes(index + 1));
  }
  expect(late[3]?.report.findings[0]?.reasons.find(({ code }) => code === "late_data")?.text).toMatch(
    shape === "counts"
      ? /^m: the candidate was still arriving: .* changed since the look before: exposure \d+ instead of \d+, events \d+ instead of \d+; a longer plan.settle/
      : shape === "histogram"
        ? /observations \d+ instead of \d+;/
        : /one of its last steps has changed since the look before: mean 5\d\.?\d* instead of none;/,
  );
});

test.each([
  ["nothing", {}],
  ["a restart", { reset: true }],
  ["a gap", { gap: true }],
])("%s is no late data: what was taken in stands", async (_, what) => {
  for (const shape of Object.keys(KINDS) as Shape[]) {
    for (const { report } of await looks(undecided(shape, "1m"), past(what), () => 0)) {
      const finding = report.findings[0];
      expect(finding?.reasons.map(({ code }) => code)).not.toContain("late_data");
      expect(finding?.warnings.filter((text) => text.includes("changed since"))).toEqual([]);
    }
  }
});

test("the step of a restart is told once and left out of both arms", async () => {
  const all = await looks(undecided("counts"), past({ reset: true }), () => 0);
  const told = all.flatMap(({ report }) => report.findings[0]?.warnings ?? []);
  expect(told).toEqual([
    'candidate: 1 steps are left out of both arms because a counter was reset in them (first "2026-11-20T08:12:00.000Z")',
  ]);
  const state = all.at(-2)?.state.metrics["m"];
  if (state?.baseline?.shape !== "counts" || state.candidate?.shape !== "counts") throw new Error("no counts");
  expect(state.baseline.at).toEqual(state.candidate.at);
  expect(state.baseline.at).not.toContain(START_SECONDS + 12 * 60);
  expect(state.baseline.at.length).toBe(27);
});

test("nothing is promoted over data that is still arriving, and it is when all has arrived", async () => {
  const analysis = analysisWith(KINDS.counts, PLAN);
  const punctual = await looks(analysis, past(), () => 0);
  expect(punctual.at(-1)?.report.verdict, punctual.at(-1)?.report.summary).toBe("promote");
  const decisive = punctual.length;
  expect(decisive).toBeLessThan(14);
  // Late until after the look that would have promoted.
  const late = await looks(analysis, past(), (_, n) => (n < decisive + 1 ? 60 : 0));
  expect(late[decisive - 1]?.report.decision).toBe("continue");
  expect(late[decisive - 1]?.report.reasons.map(({ code }) => code)).toContain("late_data");
  expect(late.at(-1)?.report.verdict).toBe("promote");
  expect(late.length).toBeGreaterThan(decisive);
});

test("late to the last look pauses, with the reason", async () => {
  const all = await looks(analysisWith(KINDS.counts, PLAN), past(), () => 60);
  expect(all.at(-1)?.report.verdict).toBe("pause");
  expect(all.at(-1)?.report.reasons.map(({ code }) => code)).toContain("late_data");
});
