import { describe, expect, test } from "vitest";
import { accumulate, retallied, type Accumulation } from "../../src/judge/accumulate.ts";
import type { Judged } from "../../src/judge/judge.ts";
import { revise } from "../../src/judge/late-data.ts";
import { stepsWhere } from "../../src/judge/steps.ts";
import type { LimitFinding } from "../../src/model/finding.ts";
import type { Counts, SampleRows } from "../../src/model/samples.ts";
import { judgeOnce } from "./once.ts";
import { play, START_SECONDS } from "./play.ts";
import { analysisWith, answer, rows, timedRows } from "./samples.ts";

/**
 * An objective of 99% leaves one bad event in a hundred: bad events at 10 % burn the budget ten times too fast. Events come at known places, not by chance, so that
 * every state below is reached for the reason that its test names.
 */

const MINUTES = 60;
const SCHEDULED = "plan: { mode: scheduled, duration: 1h, every: 1m, settle: 0s }";

const metric = (more: string, query: string, windows = "[{ rate: 5, long: 20m, short: 5m }]") =>
  `- { name: errors, kind: errors, margin: 90pp, source: s, limit: { burn: { objective: 99%, windows: ${windows}${more} } }, query: ${query} }`;
const ROWS = "{ value: v, at: at }";
const COUNTS = "{ events: e, exposure: n }";

/** Of 40 sessions a minute so many are bad, the first ones. */
function sessions(badIn: (minute: number) => number): SampleRows {
  const all = Array.from({ length: MINUTES }, (_, minute) =>
    Array.from({ length: 40 }, (__, session) => ({
      value: session < badIn(minute) ? 1 : 0,
      at: START_SECONDS + 60 * (minute + (session + 0.5) / 40),
    })),
  ).flat();
  return timedRows(
    all.map(({ value }) => value),
    all.map(({ at }) => at),
  );
}

function requests(badIn: (minute: number) => number): Counts {
  const minutes = Array.from({ length: MINUTES }, (_, minute) => minute);
  return {
    shape: "counts",
    stepSeconds: 60,
    at: Float64Array.from(minutes, (minute) => START_SECONDS + 60 * (minute + 1)),
    events: Float64Array.from(minutes, badIn),
    exposure: Float64Array.from(minutes, () => 40),
  };
}

const burnOf = ({ report }: Judged): LimitFinding => {
  const [limit] = report.findings[0]?.limits ?? [];
  if (limit === undefined) throw new RangeError("the look has no limit");
  return limit;
};
const statesOf = (looks: readonly Judged[]) => looks.map((look) => burnOf(look).state);
const never = () => 0;
const always = () => 8;

const between = (from: number, to: number, bad: number) => (minute: number) =>
  minute >= from && minute < to ? bad : 0;

describe.each([
  ["sessions with times", sessions, ROWS],
  ["counts per step", requests, COUNTS],
] as const)("of %s", (_, arm, query) => {
  const scheduled = analysisWith(metric("", query), SCHEDULED);

  test("a fast burn in both windows is breached, as an emergency, and says how fast", async () => {
    const looks = await play(scheduled, [{ baseline: arm(never), candidate: arm(always) }]);
    const first = looks.find((look) => burnOf(look).state === "breached");
    expect(first?.report.verdict).toBe("rollback");
    expect(first?.report.reasons.map(({ code }) => code)).toContain("critical_limit_breached");
    const half = looks[29];
    if (half === undefined) throw new RangeError("the run ended early");
    expect(burnOf(half)).toMatchObject({ statistic: "burn", side: "max", limit: 5, state: "breached" });
    expect(burnOf(half).burn).toMatchObject({ long: { seconds: 1200, coveredSeconds: 1200 }, short: { seconds: 300 } });
    expect(burnOf(half).burn?.long.candidate).toBeCloseTo(20, 9);
    expect(burnOf(half).burn?.short.candidate).toBeCloseTo(20, 9);
    expect(half.report.reasons[0]?.text).toBe(
      "errors is beyond its limit: the candidate burns its 99% error budget at 20 times the sustainable rate over 20m and 20 times over 5m (baseline 0 and 0; limit 5, p < 0.0001)",
    );
  });

  test("it stops when the short window has recovered, though the long one still proves it", async () => {
    // Bad until minute 30: from minute 35 on the short window holds good events only.
    const looks = await play(scheduled, [{ baseline: arm(never), candidate: arm(between(20, 30, 20)) }]);
    const states = statesOf(looks);
    expect(states[29]).toBe("breached");
    expect(states.slice(35)).not.toContain("breached");
    const recovered = looks[36];
    if (recovered === undefined) throw new RangeError("the run ended early");
    const { pBreached, levelBreached, burn } = burnOf(recovered);
    expect(pBreached).toBeLessThan(levelBreached ?? 0);
    expect(burn?.short.candidate).toBe(0);
    expect(states[36]).toBe("open");
  });

  test("a short spike does not fire, for the long window does not prove it", async () => {
    // One minute at 30 %: five times the limit in the short window, a third of it in the long one.
    const looks = await play(scheduled, [{ baseline: arm(never), candidate: arm(between(40, 41, 12)) }]);
    expect(statesOf(looks)).not.toContain("breached");
    expect(burnOf(looks[40] ?? fail()).burn?.short.candidate).toBeCloseTo(6, 9);
    expect(burnOf(looks[40] ?? fail()).burn?.long.candidate).toBeCloseTo(1.5, 9);
  });

  test("a baseline that burns too is nobody's blame", async () => {
    const looks = await play(scheduled, [{ baseline: arm(always), candidate: arm(always) }]);
    expect(statesOf(looks)).not.toContain("breached");
    expect(statesOf(looks)).toContain("baseline_breached");
    const proven = looks.find((look) => burnOf(look).baselineProvenBeyond);
    expect(proven?.report).toMatchObject({ verdict: "pause" });
    expect(proven?.report.reasons.map(({ code }) => code)).toContain("baseline_unhealthy");
  });

  test("a baseline that has burnt in the long window is no better for a quiet moment", async () => {
    const looks = await play(scheduled, [{ baseline: arm(between(0, 35, 8)), candidate: arm(always) }]);
    expect(burnOf(looks[40] ?? fail())).toMatchObject({
      state: "baseline_breached",
      burn: { short: { baseline: 0 } },
      baselineProvenBeyond: false,
    });
    // By then the minutes before the 35th have left the window, and the candidate burns alone.
    expect(statesOf(looks).at(-1)).toBe("breached");
  });

  test("a candidate that keeps its budget is proven to, within what the run has seen of the windows", async () => {
    const looks = await play(scheduled, [{ baseline: arm(never), candidate: arm(never) }]);
    expect(statesOf(looks).slice(-30)).toEqual(Array(30).fill("holds"));
    const early = looks[1] ?? fail();
    expect(burnOf(early)).toMatchObject({ state: "open", burn: { long: { coveredSeconds: 120 } } });
    expect(early.report.reasons.map(({ text }) => text).join("\n")).toMatch(
      /0 times the sustainable rate over the 2m so far of 20m and 0 times over the 2m so far of 5m/,
    );
  });

  test("what is kept between looks carries the windows, and no more than the longest of them", async () => {
    const pair = { baseline: arm(never), candidate: arm(between(10, 30, 20)) };
    const looks = await play(scheduled, [pair]);
    const stored = await play(scheduled, [pair], { throughRecord: true });
    expect(stored.map(({ report }) => report)).toEqual(looks.map(({ report }) => report));
    const { tallies } = looks.at(-1)?.state.metrics["errors"]?.candidate ?? {};
    expect([...(tallies?.cell ?? [])]).toEqual(Array.from({ length: 20 }, (__, minute) => 41 + minute));
    expect([...(tallies?.trials ?? [])]).toEqual(Array(20).fill(40));
  });

  test("a state that was kept without tallies is read, and the windows begin with what comes", async () => {
    let looked = 0;
    const trials: number[] = [];
    const looks = await play(scheduled, [{ baseline: arm(never), candidate: arm(always) }], {
      onLook: (_run, _gathered, _previous, _now, { state }) => {
        const { baseline, candidate } = state.metrics["errors"] ?? {};
        trials.push(candidate?.tallies?.trials.length ?? 0);
        looked += 1;
        if (looked === 10) for (const kept of [baseline, candidate]) if (kept) Reflect.deleteProperty(kept, "tallies");
      },
    });
    expect(trials.slice(8, 12)).toEqual([9, 10, 1, 2]);
    expect(statesOf(looks).at(-1)).toBe("breached");
  });

  test("check: point compares the plain values of both windows, outside the budgets", async () => {
    const point = analysisWith(metric(", check: point", query), SCHEDULED);
    const looks = await play(point, [{ baseline: arm(never), candidate: arm(between(20, 30, 20)) }]);
    const states = statesOf(looks);
    expect(states[0]).toBe("holds");
    expect(states[29]).toBe("breached");
    // Two of five minutes are bad at minute 33, none at minute 35.
    expect([states[32], states[35]]).toEqual(["breached", "open"]);
    expect(burnOf(looks[29] ?? fail())).toMatchObject({ pBreached: null, alphaBreached: null });
  });
});

test("each pair of windows is a limit of its own", async () => {
  const windows = "[{ rate: 5, long: 20m, short: 5m }, { rate: 2, long: 50m, short: 10m }]";
  const both = analysisWith(metric("", COUNTS, windows), SCHEDULED);
  const looks = await play(both, [{ baseline: requests(never), candidate: requests(() => 2) }]);
  const states = looks.at(-1)?.report.findings[0]?.limits.map(({ limit, state }) => [limit, state]);
  // 5 % is five times the budget: exactly the faster limit, and beyond the slower one.
  expect(states).toEqual([
    [5, "open"],
    [2, "breached"],
  ]);
  const claims = Object.keys(looks.at(-1)?.state.metrics["errors"]?.claims ?? {});
  expect(claims).toContain("burn:max:1200:300:breached");
  expect(claims).toContain("burn:max:3000:600:breached");
});

test("where more events are better, the others are the bad ones", async () => {
  const good = analysisWith(metric("", COUNTS).replace("margin", "worse: lower, margin"), SCHEDULED);
  const looks = await play(good, [{ baseline: requests(() => 40), candidate: requests(() => 32) }]);
  expect(burnOf(looks[29] ?? fail())).toMatchObject({ state: "breached" });
  expect(burnOf(looks[29] ?? fail()).burn?.long.candidate).toBeCloseTo(20, 9);
});

test("where the baseline has no events in the long window nothing says that the candidate alone is to blame", async () => {
  const early = requests(never);
  const first = (column: Float64Array) => column.slice(0, 10);
  const gone: Counts = { ...early, at: first(early.at), events: first(early.events), exposure: first(early.exposure) };
  const analysis = analysisWith(metric("", COUNTS), SCHEDULED);
  const looks = await play(analysis, [{ baseline: gone, candidate: requests(always) }]);
  expect(statesOf(looks)[28]).toBe("breached");
  expect(burnOf(looks[29] ?? fail())).toMatchObject({ state: "open", baseline: null });
});

test("an empty short window neither breaches nor holds", async () => {
  const quiet = (bad: number): Counts => {
    const all = requests(() => bad);
    const kept = (column: Float64Array) => column.filter((_, minute) => minute < 50);
    return { ...all, at: kept(all.at), events: kept(all.events), exposure: kept(all.exposure) };
  };
  const analysis = analysisWith(metric("", COUNTS), SCHEDULED);
  for (const bad of [0, 8]) {
    const looks = await play(analysis, [{ baseline: requests(never), candidate: quiet(bad) }]);
    expect(burnOf(looks[49] ?? fail()).state).toBe(bad === 0 ? "holds" : "breached");
    expect(burnOf(looks[56] ?? fail())).toMatchObject({ state: "open", burn: { short: { candidate: null } } });
  }
});

test("one look alone counts steps back from the newest row, at the whole budget", () => {
  const analysis = analysisWith(metric("", ROWS), "plan: { mode: once }");
  const bad = judgeOnce(analysis, [answer(sessions(never)), answer(sessions(between(30, 60, 8)))]);
  expect(bad.verdict).toBe("rollback");
  expect(bad.findings[0]?.limits[0]).toMatchObject({ state: "breached", levelBreached: expect.closeTo(0.05 / 3, 12) });
  const past = judgeOnce(analysis, [answer(sessions(never)), answer(sessions(between(0, 30, 8)))]);
  expect(past.findings[0]?.limits[0]).toMatchObject({ state: "holds" });
});

test("a unit counts in the windows of the look at which it enters", async () => {
  const plan = SCHEDULED.replace("settle", "followUp: 3m, settle");
  const looks = await play(analysisWith(metric("", ROWS), plan), [
    { baseline: sessions(never), candidate: sessions(between(30, 60, 20)) },
  ]);
  // At minute 34 the units that began in minutes 26 to 31 are known: one bad minute of the five in the short window.
  expect(burnOf(looks[30] ?? fail()).burn?.short.candidate).toBeCloseTo(10, 9);
  expect(burnOf(looks[0] ?? fail()).burn?.long.coveredSeconds).toBe(60);
});

test("rows without times cannot be put in windows, and that is said", () => {
  const sql = analysisWith(metric("", "{ sql: select 1 }"), "plan: { mode: once }");
  const report = judgeOnce(sql, [rows(Array(400).fill(0)), rows(Array(400).fill(0))]);
  expect(report.verdict).toBe("pause");
  expect(report.findings[0]?.limits[0]).toMatchObject({ state: "open", candidate: null });
  expect(report.findings[0]?.reasons).toContainEqual({
    code: "not_testable",
    metric: "errors",
    text: "errors: a burn limit needs events with their times, and the source gives none",
  });
});

function fail(): never {
  throw new RangeError("the run ended early");
}

test("steps that arrive late change the windows as if they had been there", () => {
  const analysis = analysisWith(metric("", COUNTS), SCHEDULED);
  const [errors] = analysis.metrics;
  if (errors === undefined) throw new RangeError("the analysis has no metric");
  const cells = { from: START_SECONDS, seconds: 60, followUp: 0, edge: null };
  const plainly = (samples: Counts) => ({ samples, faults: [], warnings: [] });
  const whole: Accumulation = { stepSeconds: 60, blocks: null, cells, slice: null, compact: false };
  const { arm: taken } = accumulate(null, plainly(requests(never)), errors, whole);
  const late = requests((minute) => (minute === 58 ? 7 : 0));
  const revised = stepsWhere(late, (at) => at === START_SECONDS + 60 * 59);
  const known = retallied(revise(taken, revised).arm, errors, cells);
  expect(known.tallies).toEqual(accumulate(null, plainly(late), errors, whole).arm.tallies);
  expect(known.tallies?.events.reduce((sum, events) => sum + events, 0)).toBe(7);
});
