import { describe, expect, test } from "vitest";
import { judge, type Judged } from "../../src/judge/judge.ts";
import { gather } from "../../src/look.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import type { ComponentFinding } from "../../src/model/finding.ts";
import { readStoredState, toStoredState, type BetsState, type LookState } from "../../src/model/look-state.ts";
import type { SampleRows, Samples } from "../../src/model/samples.ts";
import { toInstant } from "../../src/model/time.ts";
import { averageLogE } from "../../src/stats/e-value-combination.ts";
import { addBlock, betOnBlock, NO_BETS, NOTHING_KNOWN } from "../../src/stats/e-value-two-arms.ts";
import { seeded, type Random } from "../../src/stats/random.ts";
import { toHtml } from "../../src/report/html.ts";
import { createReplaySource } from "../../src/sources/replay.ts";
import { play, runOf, START_SECONDS, type RecordedPair } from "./play.ts";
import { analysisWith, DEAD, scores, timedRows } from "./samples.ts";

/** Exact e-values as deciders of plans without an end. */

const MINUTES = 30;
const PLAN = `plan: { mode: continuous, maxDuration: ${MINUTES}m, every: 1m, settle: 0s }`;
const ERRORS = "- { name: m, kind: errors, margin: 2pp, source: s, query: { value: v, at: at } }";
const QUALITY =
  "- { name: m, kind: score, scale: [1, 5], margin: 0.25, components: [mean], source: s, query: { value: v, at: at } }";

const event = (rate: number) => (random: Random) => (random() < rate ? 1 : 0);

/** So many values a minute, evenly through the recording. */
function rowsOf(
  seed: number,
  one: (random: Random, minute: number) => number,
  perMinute: (minute: number) => number = () => 20,
): SampleRows {
  const random = seeded(seed);
  const rows = Array.from({ length: MINUTES }, (_, minute) =>
    Array.from({ length: perMinute(minute) }, (__, row) => ({
      at: START_SECONDS + 60 * (minute + (row + 0.5) / perMinute(minute)),
      value: one(random, minute),
    })),
  ).flat();
  return timedRows(
    rows.map(({ value }) => value),
    rows.map(({ at }) => at),
  );
}

function countsOf(seed: number, eventsIn: (random: Random, minute: number) => number, exposure = 100): Samples {
  const random = seeded(seed);
  const at = Float64Array.from({ length: MINUTES }, (_, minute) => START_SECONDS + 60 * (minute + 1));
  return {
    shape: "counts",
    stepSeconds: 60,
    at,
    events: at.map((_, minute) => eventsIn(random, minute)),
    exposure: at.map(() => exposure),
  };
}

const betsOf = ({ state }: Judged): BetsState => {
  const bets = state.metrics["m"]?.bets;
  if (bets === undefined) throw new Error("the state holds no bets");
  return bets;
};
const componentOf = ({ report }: Judged): ComponentFinding => {
  const component = report.findings[0]?.components[0];
  if (component === undefined) throw new Error("the finding has no component");
  return component;
};
const lastOf = (looks: readonly Judged[]): Judged => looks[looks.length - 1];

/** Looks at these minutes only; at some of them the candidate's source is dead. */
async function playAt(
  analysis: Analysis,
  { baseline, candidate }: RecordedPair,
  minutes: readonly number[],
  { deadAt = [], forgetting = false }: { deadAt?: readonly number[]; forgetting?: boolean } = {},
): Promise<Judged[]> {
  const run = runOf(analysis);
  const arms = (samples: Samples) => new Map([["m", samples]]);
  const sources = new Map([
    [
      "s",
      createReplaySource(
        new Map([
          ["v1", arms(baseline)],
          ["v2", arms(candidate)],
        ]),
      ),
    ],
  ]);
  const looks: Judged[] = [];
  let previous: LookState | null = null;
  for (const minute of minutes) {
    const now = toInstant(START_SECONDS + 60 * minute);
    const before: LookState | null = previous;
    const gathered = await Promise.all(
      analysis.metrics.map((metric) => gather(sources, run, metric, before, now, new AbortController().signal)),
    );
    const met = deadAt.includes(minute) ? gathered.map((one) => ({ ...one, candidate: DEAD })) : gathered;
    const judged: Judged = judge(run, met, before, now, { keepState: true });
    looks.push(judged);
    previous = forgetting ? withoutBets(judged.state) : judged.state;
  }
  return looks;
}

/** As a look before this version of the program stored it. */
function withoutBets(state: LookState): LookState {
  const { m } = state.metrics;
  if (m === undefined) throw new Error("the state has no metric m");
  const { bets: _, ...rest } = m;
  return readStoredState(toStoredState({ ...state, metrics: { m: rest } }));
}

const minutesTo = (last: number, every = 1) => Array.from({ length: last / every }, (_, i) => (i + 1) * every);
const harmful = { baseline: rowsOf(1, event(0.05)), candidate: rowsOf(2, event(0.2)) };
const harmless = { baseline: rowsOf(3, event(0.05)), candidate: rowsOf(4, event(0.05)) };
const wide = "- { name: m, kind: errors, margin: 8pp, source: s, query: { value: v, at: at } }";

describe("an exact e-value decides", () => {
  test("harm as soon as it reaches 1 / budget, and says so", async () => {
    const looks = await play(analysisWith(ERRORS, PLAN), [harmful]);
    const first = looks.findIndex(({ report }) => report.verdict === "rollback");
    expect(first).toBeGreaterThan(0);
    for (const [n, look] of looks.slice(0, first + 1).entries()) {
      const { eWorse, alphaWorse, method } = componentOf(look);
      expect(method).toContain("decided by exact e-values");
      expect((eWorse ?? 0) >= 1 / alphaWorse).toBe(n === first);
    }
    expect(toHtml(looks[first].report)).toMatch(/e-value [\d.,e]+, needs 20; budget 0\.05/);
  });

  test("safety as soon as it reaches 1 / budget, and the interval agrees", async () => {
    const looks = await play(analysisWith(wide, PLAN), [harmless]);
    const first = looks.findIndex(({ report }) => report.verdict === "promote");
    expect(first).toBeGreaterThan(0);
    for (const look of looks.slice(0, first + 1)) {
      const { eSafe, alphaSafe, effect, safe, safeSince } = componentOf(look);
      expect((eSafe ?? 0) >= 1 / alphaSafe).toBe(safeSince === look.report.look.n);
      const beyond = (effect.upper ?? Infinity) - effect.margin;
      expect(safeSince === null ? -beyond : beyond).toBeLessThanOrEqual(0);
      expect(safe).toBe(safeSince !== null);
    }
  });

  test("a fall of a score's mean, and that it holds", async () => {
    const law = scores(0.05, 0.1, 0.2, 0.35, 0.3);
    const pair = (candidate: (random: Random) => number) => ({
      baseline: rowsOf(5, law),
      candidate: rowsOf(6, candidate),
    });
    const fallen = await play(analysisWith(QUALITY, PLAN), [pair(scores(0.15, 0.2, 0.25, 0.25, 0.15))]);
    expect(fallen.find(({ report }) => report.verdict !== null)?.report.verdict).toBe("rollback");
    const held = await play(analysisWith(QUALITY.replace("0.25", "0.5"), PLAN), [pair(law)]);
    expect(held.find(({ report }) => report.verdict !== null)?.report.verdict).toBe("promote");
    expect(componentOf(lastOf(held))).toMatchObject({ component: "mean", worse: false, safe: true });
    expect(componentOf(lastOf(held)).method).toContain("decided by exact e-values");
  });

  test("errors counted per step", async () => {
    const metric = "- { name: m, kind: errors, margin: 2pp, source: s, query: { events: e, exposure: n } }";
    const events = (rate: number) => (random: Random) =>
      Array.from({ length: 100 }, () => event(rate)(random)).filter(Boolean).length;
    const looks = await play(analysisWith(metric, PLAN), [
      { baseline: countsOf(7, events(0.02)), candidate: countsOf(8, events(0.2)) },
    ]);
    const decided = looks.find(({ report }) => report.verdict !== null);
    expect(decided?.report.verdict).toBe("rollback");
    // Steps have to show first how much they vary.
    expect(decided?.report.look.n).toBe(9);
    expect(betsOf(lastOf(looks)).known.candidate.count).toBe(100 * MINUTES);
  });

  test("of an errors metric whose worse is lower, either, strict or catastrophic", async () => {
    const successes: RecordedPair = { baseline: rowsOf(9, event(0.95)), candidate: rowsOf(10, event(0.85)) };
    const verdictOf = async (extra: string, pair: RecordedPair) => {
      const yaml = `- { name: m, kind: errors, margin: 3pp, ${extra}, source: s, query: { value: v, at: at } }`;
      const looks = await play(analysisWith(yaml, PLAN), [pair]);
      const decided = looks.find(({ report }) => report.verdict !== null);
      return [decided?.report.verdict, decided?.report.reasons[0]?.code, decided?.report.look.n];
    };
    const [lower, strict, either] = await Promise.all([
      verdictOf("worse: lower", successes),
      verdictOf("worse: lower, strict: true", successes),
      verdictOf("worse: either", successes),
    ]);
    expect(lower.slice(0, 2)).toEqual(["rollback", "critical_metric_worse"]);
    expect(either.slice(0, 2)).toEqual(["rollback", "critical_metric_worse"]);
    expect(strict.slice(0, 2)).toEqual(["rollback", "critical_metric_worse"]);
    // More has to be proven, and the same is proven with half of the wealth.
    expect(Number(strict[2])).toBeGreaterThan(Number(lower[2]));
    expect(Number(either[2])).toBeGreaterThanOrEqual(Number(lower[2]));
  });

  test("a catastrophe, where it is proven beyond that level", async () => {
    const isCatastrophe = async (catastrophic: string) => {
      const yaml = `- { name: m, kind: errors, margin: 2pp, catastrophic: ${catastrophic}, source: s, query: { value: v, at: at } }`;
      const looks = await play(analysisWith(yaml, PLAN), [harmful]);
      return [componentOf(lastOf(looks)).catastrophic, lastOf(looks).report.reasons[0]?.code];
    };
    expect(await isCatastrophe("5pp")).toEqual([true, "critical_metric_catastrophic"]);
    expect(await isCatastrophe("14pp")).toEqual([false, "critical_metric_worse"]);
  });
});

describe("each value is bet on once", () => {
  test("minute by minute, from what the minutes before have shown", async () => {
    const looks = await play(analysisWith(ERRORS, PLAN), [harmful]);
    const [none, margin] = [
      { slope: 1, shift: 0 },
      { slope: 1, shift: 0.02 },
    ];
    const sought = () => 0.02;
    let known = NOTHING_KNOWN;
    let [more, inside] = [NO_BETS, NO_BETS];
    for (const [minute, look] of looks.entries()) {
      const arm = ({ values }: SampleRows) => {
        const own = values.subarray(20 * minute, 20 * (minute + 1));
        return { values: own, times: own.map(() => 1) };
      };
      const block = { candidate: arm(harmful.candidate), baseline: arm(harmful.baseline) };
      more = betOnBlock(more, known, block, { borders: [none], alternative: "greater", sought, yesOrNo: true });
      inside = betOnBlock(inside, known, block, { borders: [margin], alternative: "less", sought, yesOrNo: true });
      known = addBlock(known, block);
      const { eWorse, eSafe } = componentOf(look);
      expect(Math.log(eWorse ?? 0)).toBeCloseTo(averageLogE(more), 9);
      expect(Math.log(eSafe ?? 0)).toBeCloseTo(averageLogE(inside), 9);
    }
    expect(averageLogE(more)).toBeGreaterThan(10);
  });

  test("a look repeated changes no byte, of the state or of what it says", async () => {
    const analysis = analysisWith(ERRORS, PLAN);
    const once = await playAt(analysis, harmless, minutesTo(12));
    const again = await playAt(analysis, harmless, [...minutesTo(12), 12, 12]);
    expect(again).toHaveLength(14);
    expect(canonicalJson(betsOf(lastOf(again)))).toBe(canonicalJson(betsOf(lastOf(once))));
    expect(componentOf(lastOf(again))).toEqual(componentOf(lastOf(once)));
  });

  test("a state that went through the record gives the same bytes as one kept in memory", async () => {
    for (const [yaml, pair] of [
      [ERRORS, harmful],
      [
        QUALITY,
        {
          baseline: rowsOf(5, (r) => 1 + 4 * r()),
          candidate: rowsOf(
            6,
            (r) => 1 + 4 * r(),
            () => 3,
          ),
        },
      ],
    ] as const) {
      const analysis = analysisWith(yaml, PLAN);
      const kept = await play(analysis, [pair]);
      const stored = await play(analysis, [pair], { throughRecord: true });
      expect(stored.map(({ report }) => canonicalJson(report))).toEqual(
        kept.map(({ report }) => canonicalJson(report)),
      );
      expect(toStoredState(lastOf(stored).state)).toBe(toStoredState(lastOf(kept).state));
    }
  });

  test("late looks, and looks that found a dead source, end with the bets of punctual ones", async () => {
    const analysis = analysisWith(ERRORS, PLAN);
    const punctual = await playAt(analysis, harmless, minutesTo(24));
    const late = await playAt(analysis, harmless, [1, 7, 8, 20, 24]);
    const dead = await playAt(analysis, harmless, minutesTo(24), { deadAt: [1, 5, 6, 23] });
    expect(betsOf(lastOf(late))).toEqual(betsOf(lastOf(punctual)));
    expect(betsOf(lastOf(dead))).toEqual(betsOf(lastOf(punctual)));
    expect(betsOf(lastOf(punctual)).known.candidate.count).toBe(24 * 20);
  });

  test("sessions with follow-up enter once, and the order of rows leaves no trace", async () => {
    const plan = `plan: { mode: continuous, maxDuration: ${MINUTES}m, every: 1m, settle: 0s, followUp: 2m }`;
    const yaml = "- { name: m, kind: errors, margin: 2pp, source: s, query: { value: v, at: at, unit: u } }";
    // Each session fails three minutes after it began, when it has been counted.
    const sessions = (rows: SampleRows, tag: string): SampleRows => {
      const n = rows.values.length;
      const at = [...(rows.at ?? []), ...(rows.at ?? []).map((time) => time + 180)];
      const order = at.map((_, i) => i).sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0));
      return {
        ...rows,
        values: Float64Array.from(order, (i) => rows.values[i] ?? 1),
        units: Int32Array.from(order, (i) => i % n),
        unitNames: Array.from({ length: n }, (_, i) => `${tag}${i}`),
        at: Float64Array.from(order, (i) => at[i] ?? 0),
      };
    };
    const reversed = (samples: Samples): Samples =>
      samples.shape !== "samples"
        ? samples
        : {
            ...samples,
            values: samples.values.toReversed(),
            units: samples.units?.toReversed() ?? null,
            at: samples.at?.toReversed() ?? null,
          };
    const pair = { baseline: sessions(harmless.baseline, "b"), candidate: sessions(harmless.candidate, "c") };
    const looks = await play(analysisWith(yaml, plan), [pair], {
      onLook: (run, gathered, previous, now, judged) => {
        const turned = gathered.map((one) => {
          if (one.baseline.kind !== "answer" || one.candidate.kind !== "answer") return one;
          const turn = ({ answer }: typeof one.baseline) =>
            ({ kind: "answer", answer: { ...answer, samples: reversed(answer.samples) } }) as const;
          return { ...one, baseline: turn(one.baseline), candidate: turn(one.candidate) };
        });
        expect(betsOf(judge(run, turned, previous, now, { keepState: true }))).toEqual(betsOf(judged));
      },
    });
    const { known } = betsOf(lastOf(looks));
    // All but those of the last two minutes.
    expect(known.candidate.count).toBe(20 * (MINUTES - 2));
    expect(known.candidate.mean).toBeLessThan(0.1);
  });

  test("scarce values wait until a block is full", async () => {
    const scarce = { baseline: rowsOf(3, event(0.05), () => 3), candidate: rowsOf(4, event(0.05), () => 1) };
    const looks = await play(analysisWith(ERRORS, PLAN), [scarce]);
    for (const [n, look] of looks.entries()) {
      const { known, waiting } = betsOf(look);
      const waits = (arm: "baseline" | "candidate") => waiting[arm].times.reduce((sum, times) => sum + times, 0);
      expect(known.baseline.count + waits("baseline")).toBe(3 * (n + 1));
      expect(known.candidate.count + waits("candidate")).toBe(n + 1);
      expect(waits("baseline") + waits("candidate")).toBeLessThan(20);
    }
  });
});

describe("where there are none, the normal mixture decides and the method says so", () => {
  test("a run that began before they were kept goes on as it began", async () => {
    const looks = await playAt(analysisWith(ERRORS, PLAN), harmful, minutesTo(12), { forgetting: true });
    const { method, eWorse } = componentOf(lastOf(looks));
    expect(method).toContain("decided by its normal-mixture e-value, which is asymptotic");
    expect(eWorse).toBeUndefined();
    expect(lastOf(looks).report.verdict).toBe("rollback");
  });

  test("strata, covariates, gold labels and rows without times are not bet on", async () => {
    const column = (rows: SampleRows) => ({ covariates: rows.values.map((_, row) => row % 7) });
    const forms: [string, string, (rows: SampleRows) => SampleRows][] = [
      [
        "strata",
        ERRORS,
        (rows) => ({ ...rows, strata: Int32Array.from(rows.values, (_, row) => row % 2), stratumNames: ["a", "b"] }),
      ],
      ["covariate", QUALITY, (rows) => ({ ...rows, values: rows.values.map((v) => 1 + v), ...column(rows) })],
      [
        "gold",
        QUALITY,
        (rows) => ({ ...rows, values: rows.values.map((v) => 1 + v), gold: rows.values.map((v) => 1 + v) }),
      ],
      ["no times", ERRORS, (rows) => ({ ...rows, at: null })],
    ];
    for (const [name, yaml, change] of forms) {
      const pair = {
        baseline: change(harmful.baseline),
        candidate: change(harmful.candidate),
      };
      const look = lastOf(await play(analysisWith(yaml, PLAN), [pair]));
      expect(look.state.metrics["m"]?.bets, name).toBeUndefined();
      expect(componentOf(look).method, name).toContain("asymptotic");
    }
  });

  test("plans with an end keep no bets, and their method is as it was", async () => {
    const scheduled = `plan: { mode: scheduled, duration: ${MINUTES}m, every: 5m, settle: 0s }`;
    const look = lastOf(await play(analysisWith(ERRORS, scheduled), [harmful]));
    expect(look.state.metrics["m"]).not.toHaveProperty("bets");
    expect(componentOf(look).method).not.toContain("e-value");
    expect(componentOf(look)).not.toHaveProperty("eWorse");
  });
});

test("events in bursts need both: the exact e-value and the variance between steps", async () => {
  const metric = "- { name: m, kind: errors, margin: 2pp, source: s, query: { events: e, exposure: n } }";
  // In every seventh minute of the candidate a quarter fails, in every other one a hundredth.
  const looks = await play(analysisWith(metric, PLAN), [
    { baseline: countsOf(7, () => 1), candidate: countsOf(8, (_, minute) => (minute % 7 === 3 ? 25 : 1)) },
  ]);
  const { method, eWorse, alphaWorse, pWorse, levelWorse, worse } = componentOf(lastOf(looks));
  expect(method).toContain("the steps show bursts");
  expect(eWorse).toBeGreaterThan(1 / alphaWorse);
  expect(pWorse).toBeGreaterThan(levelWorse ?? 0);
  expect(worse).toBe(false);
});

test("a ramp while both arms' errors rise is no harm to exact e-values", async () => {
  const rising = (random: Random, minute: number) => event(0.02 + 0.02 * minute)(random);
  const ramp = { baseline: rowsOf(21, rising, (m) => 90 - 2 * m), candidate: rowsOf(22, rising, (m) => 2 + 2 * m) };
  const yaml = "- { name: m, kind: errors, margin: 2pp, source: s, query: { value: v, at: at } }";
  const exact = await playAt(analysisWith(yaml, PLAN), ramp, minutesTo(MINUTES));
  expect(exact.map(({ report }) => report.verdict)).not.toContain("rollback");
  // Pooled over time the same rows look like the candidate's fault.
  const pooled = await playAt(analysisWith(yaml, PLAN), ramp, minutesTo(MINUTES), { forgetting: true });
  expect(pooled.map(({ report }) => report.verdict)).toContain("rollback");
});

test("looks without detail decide alike", async () => {
  for (const [yaml, pair] of [
    [ERRORS, harmful],
    [wide, harmless],
  ] as const) {
    const analysis = analysisWith(yaml, PLAN);
    const lean: (string | null)[] = [];
    await play(analysis, [pair], {
      onLook: (run, gathered, previous, now) => {
        lean.push(judge(run, gathered, previous, now, { detail: false }).report.verdict);
      },
    });
    const full = await play(analysis, [pair]);
    expect(lean).toEqual(full.map(({ report }) => report.verdict));
  }
});

test("a fall by as much as the margin allows, or by more, is judged like any other", async () => {
  for (const margin of ["50%", "100%", "150%", "2pp", "90pp"])
    for (const baseline of [0.5, 1]) {
      const analysis = analysisWith(ERRORS.replace("2pp", margin), PLAN);
      // Thirty sessions an arm are few enough for the exact test, which knows no ratio of nothing and no difference of everything.
      const few = (seed: number, rate: number) => rowsOf(seed, event(rate), () => 1);
      const looks = await play(analysis, [{ baseline: few(1, baseline), candidate: few(2, 0) }]);
      expect(looks.length).toBeGreaterThan(0);
      expect(["unclear", "safe", "better"]).toContain(lastOf(looks).report.findings[0]?.finding);
      const harmed = await play(analysis, [{ baseline: few(1, 0), candidate: few(2, baseline) }]);
      expect(lastOf(harmed).report.findings[0]?.finding).not.toBe("safe");
    }
});
