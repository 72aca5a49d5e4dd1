import { describe, expect, test } from "vitest";
import { openClaims, type ClaimClock } from "../../src/judge/claim.ts";
import { judgeLimits } from "../../src/judge/limits.ts";
import type { LimitFinding } from "../../src/model/finding.ts";
import type { ClaimState, CountsState } from "../../src/model/look-state.ts";
import { seeded, type Random } from "../../src/stats/random.ts";
import { analysisWith } from "../judge/samples.ts";
import { ceilingOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/**
 * A burn limit is asked anew at each of sixty looks, of windows that slide over each other. Over all looks together a candidate that burns exactly at the limit is
 * called breached at most as often as the limit's share of the rollback budget says, and called holding at most as often as the promote budget says.
 */

const LOOKS = 60;
const EVENTS = 30;
const LONG = 20;
const SHORT = 4;
const LIMIT = 10;
/** Of an objective of 99 %: a limit of ten times the budget is a tenth of all events. */
const AT_LIMIT = 0.1;
const ALPHA = 0.05;

const [metric] = analysisWith(
  `- { name: e, kind: errors, source: s, limit: { burn: { objective: 99%, windows: [{ rate: ${LIMIT}, long: ${LONG}m, short: ${SHORT}m }] } }, query: { value: v, at: t } }`,
).metrics;
if (metric === undefined) throw new RangeError("the analysis has a metric");
const burning = metric;

function armOf(bad: readonly number[]): CountsState {
  const at = Float64Array.from(bad, (_, minute) => 60 * (minute + 1));
  const [events, exposure] = [Float64Array.from(bad), Float64Array.from(bad, () => EVENTS)];
  const cell = Float64Array.from(bad, (_, minute) => minute + 1);
  const tallies = { cell, events, trials: exposure };
  const tally = { rows: bad.length, invalid: 0, faults: [], lastAt: 60 * bad.length };
  return { shape: "counts", stepSeconds: 60, ...tally, at, events, exposure, tallies };
}

const drawn = (random: Random, rate: (minute: number) => number): number[] =>
  Array.from({ length: LOOKS }, (_, minute) =>
    Array.from({ length: EVENTS }, () => Number(random() < rate(minute))).reduce((sum, bad) => sum + bad, 0),
  );

type Mode = ClaimClock["mode"];

/** Every look of one run; the baseline has no bad events. */
function limitsOf(mode: Mode, seed: number, rate: (minute: number) => number): LimitFinding[] {
  const bad = drawn(seeded(seed), rate);
  let states: Readonly<Record<string, ClaimState>> = {};
  return bad.flatMap((_, minute) => {
    const look = minute + 1;
    const clock = { mode, fraction: look / LOOKS, fractionBefore: minute / LOOKS, look, looksPlanned: LOOKS };
    const book = openClaims(states, clock, false);
    const candidate = armOf(bad.slice(0, look));
    const cells = { from: 0, seconds: 60, followUp: 0, edge: 60 * look };
    const found = judgeLimits(burning, armOf(Array<number>(look).fill(0)), candidate, ALPHA, ALPHA, book, cells);
    states = book.states;
    return found;
  });
}

const everyWindow = () => AT_LIMIT;
/** Quiet and bad minutes in turn: any window averages to the limit at most, though every other minute lies far beyond. */
const inTurn = (minute: number) => (minute % 2 === 0 ? 0.02 : 2 * AT_LIMIT - 0.02);

describe("at the limit, over sixty looks", () => {
  test.each([
    ["scheduled", "evenly", everyWindow],
    ["scheduled", "in turn", inTurn],
    ["continuous", "evenly", everyWindow],
  ] as const)("%s, bad events %s: both errors stay within their budgets", (mode, how, rate) => {
    let holding = 0;
    let nominal = 0;
    const breached = shareOf((run) => {
      const looks = limitsOf(mode, 51_000 + run, rate);
      if (looks.some(({ state }) => state === "holds")) holding += 1 / runs;
      if (looks.some(({ pBreached }) => pBreached !== null && pBreached <= ALPHA)) nominal += 1 / runs;
      return looks.some(({ state }) => state === "breached");
    });
    report({
      "burn at the limit": `${mode}, ${how}`,
      "breached %": percent(breached),
      "holds %": percent(holding),
      "p below 5 % at some look %": percent(nominal),
    });
    expect(breached).toBeLessThanOrEqual(ceilingOf(ALPHA));
    expect(holding).toBeLessThanOrEqual(ceilingOf(ALPHA));
    // What the looks would come to if each had the whole budget: the workload can tell.
    if (rate === everyWindow) expect(nominal).toBeGreaterThan(2 * ALPHA);
  });

  test.each(["scheduled", "continuous"] as const)(
    "%s: a burn at twice the limit is found, and half of it holds",
    (mode) => {
      const firsts: number[] = [];
      const found = shareOf((run) => {
        const first = limitsOf(mode, 81_000 + run, () => 2 * AT_LIMIT).findIndex(({ state }) => state === "breached");
        if (first >= 0) firsts.push(first + 1);
        return first >= 0;
      }, runs / 10);
      const held = shareOf(
        (run) => limitsOf(mode, 91_000 + run, () => AT_LIMIT / 2).some(({ state }) => state === "holds"),
        runs / 10,
      );
      const median = firsts.sort((a, b) => a - b)[Math.floor(firsts.length / 2)] ?? Number.NaN;
      report({
        burn: mode,
        "twice the limit breached %": percent(found),
        "median look": median,
        "half of it holds %": percent(held),
      });
      expect(found).toBeGreaterThan(0.95);
      expect(held).toBeGreaterThan(0.95);
    },
  );
});
