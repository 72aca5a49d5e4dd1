import { describe, expect, test } from "vitest";
import { backtest } from "../../src/backtest.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import type { Samples } from "../../src/model/samples.ts";
import { seeded, type Random } from "../../src/stats/random.ts";
import { replaySources } from "../../src/wire-sources.ts";
import { analysisWith, timedRows } from "../judge/samples.ts";
import { binomial } from "./laws.ts";
import { ceilingOf, percent } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/**
 * Exact e-values as deciders, through two hundred looks of the judge, where large-sample theory is at its weakest: rare events, arms of five and ninety-five
 * per cent, scores at their ceiling, bad minutes and ramps. A harmless candidate is ever rolled back, and one at its margin ever promoted, at most as often as the
 * budgets say.
 */

/** Two runs of two hundred looks cost a quarter of a second. */
const times = Math.round(runs / 20);

const START = "2026-01-01T00:00:00.000Z";
const START_SECONDS = Date.parse(START) / 1000;
const MINUTES = 200;
const PLAN = `plan: { mode: continuous, maxDuration: ${MINUTES}m, every: 1m, settle: 0s, minUnits: 5 }`;

type Traffic = (minute: number) => number;

/** So many values a minute, evenly through it. */
function rowsOf(random: Random, traffic: Traffic, one: (random: Random, minute: number) => number): Samples {
  const values: number[] = [];
  const at: number[] = [];
  for (let minute = 0; minute < MINUTES; minute++) {
    const units = traffic(minute);
    for (let row = 0; row < units; row++) {
      values.push(one(random, minute));
      at.push(START_SECONDS + 60 * (minute + (row + 0.5) / units));
    }
  }
  return timedRows(values, at);
}

function countsOf(random: Random, traffic: Traffic, rate: (minute: number) => number): Samples {
  const at = Float64Array.from({ length: MINUTES }, (_, minute) => START_SECONDS + 60 * (minute + 1));
  const exposure = at.map((_, minute) => traffic(minute));
  const events = exposure.map((trials, minute) => binomial(random, trials, rate(minute)));
  return { shape: "counts", stepSeconds: 60, at, events, exposure };
}

const event = (rate: number) => (random: Random) => (random() < rate ? 1 : 0);
/** Nearly all at the ceiling; what is not lies at the floor as often as this. */
const ceiling = (floored: number) => (random: Random) => {
  const u = random();
  return u < floored ? 1 : u < floored + 0.04 ? 4 : 5;
};

/** Guards let any estimate roll back that is proven worse, or none, so that nothing but the e-values stands between a run and its error. */
const errors =
  (margin: string, query = "value: v, at: at") =>
  (guard: string) =>
    `- { name: m, kind: errors, ${margin}guard: ${guard}, source: s, query: { ${query} } }`;
const quality = (guard: string) =>
  `- { name: m, kind: score, scale: [1, 5], margin: 0.25, components: [mean], guard: ${guard}, source: s, query: { value: v, at: at } }`;

interface Setting {
  readonly name: string;
  readonly metric: (guard: string) => string;
  readonly guards: { readonly any: string; readonly none: string };
  readonly baseline: (random: Random) => Samples;
  /** `harm` 0 is none, 1 lies at the margin. */
  readonly candidate: (random: Random, harm: number) => Samples;
}

const some: Traffic = () => 20;
const few: Traffic = () => 1;
const many: Traffic = () => 19;
/** From a twentieth of the traffic to half of it. */
const rampUp: Traffic = (minute) => Math.round(10 + (90 * minute) / MINUTES);
const rampDown: Traffic = (minute) => 200 - rampUp(minute);
/** Every tenth minute is a bad one for both arms, and the day gets worse. */
const seasonal = (minute: number): number => (minute % 10 === 3 ? 0.15 : 0.01) + (0.03 * minute) / MINUTES;
const POINTS = { any: "0.001pp", none: "50pp" };

const SETTINGS: readonly Setting[] = [
  {
    name: "errors, one in 500, eight events an arm, default margin",
    metric: errors(""),
    guards: { any: "0.1%", none: "5000%" },
    baseline: (random) => rowsOf(random, some, event(0.002)),
    candidate: (random, harm) => rowsOf(random, some, event(0.002 + 0.001 * harm)),
  },
  {
    name: "errors, 2 %, 5 : 95",
    metric: errors("margin: 2pp, "),
    guards: POINTS,
    baseline: (random) => rowsOf(random, many, event(0.02)),
    candidate: (random, harm) => rowsOf(random, few, event(0.02 + 0.02 * harm)),
  },
  {
    name: "errors per minute, ramp from 5 to 50 % while both rise",
    metric: errors("margin: 2pp, ", "events: e, exposure: n"),
    guards: POINTS,
    baseline: (random) => countsOf(random, rampDown, seasonal),
    candidate: (random, harm) => countsOf(random, rampUp, (minute) => seasonal(minute) + 0.02 * harm),
  },
  {
    name: "scores at their ceiling, 5 : 95",
    metric: quality,
    guards: { any: "0.001", none: "3" },
    baseline: (random) => rowsOf(random, many, ceiling(0.01)),
    candidate: (random, harm) => rowsOf(random, few, ceiling(0.01 + 0.0625 * harm)),
  },
];

describe("over two hundred looks without an end", () => {
  test.each(SETTINGS)("$name: both budgets hold", async ({ name, metric, guards, baseline, candidate }) => {
    const replayed = async (analysis: Analysis, seed: number, harm: number) => {
      const random = seeded(seed);
      const recording = new Map([
        ["baseline", new Map([["m", baseline(random)]])],
        ["candidate", new Map([["m", candidate(random, harm)]])],
      ]);
      return backtest(replaySources(["s"], recording), analysis, {
        start: START,
        detail: false,
        pastPromotion: true,
      });
    };
    const [any, none] = [analysisWith(metric(guards.any), PLAN), analysisWith(metric(guards.none), PLAN)];
    let rollbacks = 0;
    let promotions = 0;
    for (let run = 0; run < times; run++) {
      if ((await replayed(any, 51_000 + run, 0)).rollbackLook !== null) rollbacks += 1 / times;
      const atMargin = await replayed(none, 63_000 + run, 1);
      if (atMargin.report.findings[0]?.components[0]?.safeSince !== null) promotions += 1 / times;
    }
    report({
      exact: name,
      "ever rolled back, harmless %": percent(rollbacks),
      "ever proven safe, at the margin %": percent(promotions),
    });
    expect(rollbacks).toBeLessThanOrEqual(ceilingOf(0.05, times));
    expect(promotions).toBeLessThanOrEqual(ceilingOf(0.05, times));
  });
});
