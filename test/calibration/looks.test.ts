import { describe, expect, test } from "vitest";
import { backtest } from "../../src/backtest.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import type { Samples } from "../../src/model/samples.ts";
import { seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { replaySources } from "../../src/wire-sources.ts";
import { analysisWith, timedRows } from "../judge/samples.ts";
import { ceilingOf, percent } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/**
 * The promise of runs that look many times, with and without a known end: over all looks together a harmless candidate is rolled back, and one at its margin is
 * promoted, at most as often as the budgets say. The harmless are looked at past their promotion, as runs are that a promotion does not end. The decision benchmark asks the same of sixteen workloads; this is what every test run can afford.
 */

/** A run of twenty looks costs tens of milliseconds. */
const times = Math.round(runs / 20);

const START = "2026-01-01T00:00:00.000Z";
const START_SECONDS = Date.parse(START) / 1000;
const MINUTES = 40;

const SCHEDULED = "plan: { mode: scheduled, duration: 40m, every: 2m, settle: 0s }";
const CONTINUOUS = "plan: { mode: continuous, maxDuration: 40m, every: 2m, settle: 0s }";
const QUALITY = "- { name: m, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v, at: at } }";
const LATENCY =
  "- { name: m, kind: latency, margin: 10%, components: [body, mean], source: s, query: { value: v, at: at } }";
const ERRORS = "- { name: m, kind: errors, margin: 2pp, source: s, query: { value: v, at: at } }";

/** So many values a minute, evenly through the recording. */
function rowsOf(
  random: Random,
  perMinute: (minute: number) => number,
  one: (random: Random) => number,
  rise: number,
): Samples {
  const values: number[] = [];
  const at: number[] = [];
  for (let minute = 0; minute < MINUTES; minute++)
    for (let row = 0; row < perMinute(minute); row++) {
      values.push(one(random) * (1 + (rise * minute) / MINUTES));
      at.push(START_SECONDS + 60 * (minute + (row + 0.5) / perMinute(minute)));
    }
  return timedRows(values, at);
}

const BASE_SCORES = [0.05, 0.1, 0.2, 0.35, 0.3];
const score = (lower: number) => (random: Random) => {
  let rest = random();
  const index = BASE_SCORES.findIndex(
    (share, place) => (rest -= share + (place === 4 ? -lower : place === 3 ? lower : 0)) < 0,
  );
  return index < 0 ? 5 : index + 1;
};
const lognormal = (factor: number) => (random: Random) => 200 * factor * Math.exp(0.8 * standardNormal(random));
const event = (rate: number) => (random: Random) => (random() < rate ? 1 : 0);
const even = () => 10;
/** From a twentieth of the traffic to half of it. */
const ramp = (minute: number) => Math.round(1 + (9 * minute) / MINUTES);

interface Workload {
  readonly name: string;
  readonly analysis: Analysis;
  readonly candidatePerMinute: (minute: number) => number;
  readonly law: (harm: number) => (random: Random) => number;
  /** By how much the values of both arms rise through the run. */
  readonly rise?: number;
}

const WORKLOADS: readonly Workload[] = [
  {
    name: "score, scheduled",
    analysis: analysisWith(QUALITY, SCHEDULED),
    candidatePerMinute: even,
    law: (harm) => score(0.25 * harm),
  },
  {
    name: "latency, scheduled",
    analysis: analysisWith(LATENCY, SCHEDULED),
    candidatePerMinute: even,
    law: (harm) => lognormal(1 + 0.1 * harm),
  },
  {
    name: "latency, scheduled, ramp",
    analysis: analysisWith(LATENCY, SCHEDULED),
    candidatePerMinute: ramp,
    law: (harm) => lognormal(1 + 0.1 * harm),
  },
  {
    name: "latency, scheduled, ramp while both rise",
    analysis: analysisWith(LATENCY, SCHEDULED),
    candidatePerMinute: ramp,
    law: (harm) => lognormal(1 + 0.1 * harm),
    rise: 0.5,
  },
  {
    name: "errors, scheduled, ramp",
    analysis: analysisWith(ERRORS, SCHEDULED),
    candidatePerMinute: ramp,
    law: (harm) => event(0.02 + 0.02 * harm),
  },
  {
    name: "score, continuous",
    analysis: analysisWith(QUALITY, CONTINUOUS),
    candidatePerMinute: even,
    law: (harm) => score(0.25 * harm),
  },
  {
    name: "errors, continuous",
    analysis: analysisWith(ERRORS, CONTINUOUS),
    candidatePerMinute: even,
    law: (harm) => event(0.02 + 0.02 * harm),
  },
];

describe("over twenty looks", () => {
  test.each(WORKLOADS)("$name keeps both budgets", async ({ name, analysis, candidatePerMinute, law, rise = 0 }) => {
    const replayed = async (seed: number, harm: number) => {
      const random = seeded(seed);
      const recording = new Map([
        ["baseline", new Map([["m", rowsOf(random, even, law(0), rise)]])],
        ["candidate", new Map([["m", rowsOf(random, candidatePerMinute, law(harm), rise)]])],
      ]);
      const options = { start: START, detail: false, pastPromotion: harm === 0 };
      return backtest(replaySources(["s"], recording), analysis, options);
    };
    let falseRollbacks = 0;
    let wrongPromotions = 0;
    for (let run = 0; run < times; run++) {
      if ((await replayed(27_000 + run, 0)).rollbackLook !== null) falseRollbacks += 1 / times;
      if ((await replayed(39_000 + run, 1)).verdict === "promote") wrongPromotions += 1 / times;
    }
    report({
      looks: name,
      "harmless ever rolled back %": percent(falseRollbacks),
      "promotion at the margin %": percent(wrongPromotions),
    });
    expect(falseRollbacks).toBeLessThanOrEqual(ceilingOf(0.05, times));
    expect(wrongPromotions).toBeLessThanOrEqual(ceilingOf(0.05, times));
  });
});
