import { describe, expect, test } from "vitest";
import type { ArmAnswer } from "../../src/judge/gathered.ts";
import { judge } from "../../src/judge/judge.ts";
import { analysisDigest, type Analysis } from "../../src/model/analysis.ts";
import type { Verdict } from "../../src/model/finding.ts";
import { seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { analysisWith, counts, gather, histogram, rows, scores, series, toBuckets } from "../judge/samples.ts";
import { ceilingOf, percent } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/**
 * The promise of a run that looks once: a harmless candidate is rolled back at most as often as the rollback budget says, over all metrics together, and a
 * candidate that is worse by exactly its margin is promoted at most as often as the promote budget says.
 */

/** A whole look costs milliseconds, where a test costs microseconds. */
const looks = Math.round(runs / 5);

interface Workload {
  readonly name: string;
  readonly analysis: Analysis;
  /** Both arms of each metric; `harm` 0 for a harmless candidate, 1 for one at its margin. */
  readonly draw: (random: Random, harm: number) => (readonly [baseline: ArmAnswer, candidate: ArmAnswer])[];
}

const many = (random: Random, n: number, one: (random: Random) => number) =>
  rows(Array.from({ length: n }, () => one(random)));
const lognormal = (median: number, sigma: number) => (random: Random) =>
  median * Math.exp(sigma * standardNormal(random));
const withZeros = (share: number, law: (random: Random) => number) => (random: Random) =>
  random() < share ? 0 : law(random);
const event = (p: number) => (random: Random) => (random() < p ? 1 : 0);
const BASE_SCORES = [0.05, 0.1, 0.2, 0.35, 0.3];
/** Mass moved from 5 to 4: the mean falls by as much. */
const lowered = (points: number) =>
  scores(...BASE_SCORES.map((share, index) => (index === 4 ? share - points : index === 3 ? share + points : share)));

const QUALITY = "- { name: quality, kind: score, scale: [1, 5], margin: 0.25, source: s, query: { value: v } }";
const LATENCY = "- { name: latency, kind: latency, margin: 10%, tailMargin: 50%, source: s, query: { value: v } }";
const COST = "- { name: cost, kind: cost, margin: 15%, tailMargin: 50%, source: s, query: { value: v } }";
const ERRORS = "- { name: errors, kind: errors, margin: 2pp, source: s, query: { value: v } }";
const COUNTERS = "- { name: errors, kind: errors, margin: 1pp, source: s, query: { events: e, exposure: n } }";
const HISTOGRAM =
  "- { name: latency, kind: latency, margin: 10%, tailMargin: 50%, source: s, query: { histogram: h } }";
const GAUGE = "- { name: cpu, kind: gauge, margin: 10%, source: s, query: { series: x } }";
const EDGES = [0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 12, Infinity];

/** A first-order autoregression around 0 with this standard deviation. */
function drifting(random: Random, steps: number, rho: number, sd: number): number[] {
  let level = sd * standardNormal(random);
  return Array.from(
    { length: steps },
    () => (level = rho * level + Math.sqrt(1 - rho * rho) * sd * standardNormal(random)),
  );
}

const WORKLOADS: readonly Workload[] = [
  {
    name: "score, 200 + 200",
    analysis: analysisWith(QUALITY),
    draw: (random, harm) => [[many(random, 200, lowered(0)), many(random, 200, lowered(0.25 * harm))]],
  },
  {
    name: "score, 10 + 10, exact",
    analysis: analysisWith(QUALITY),
    draw: (random, harm) => [[many(random, 10, lowered(0)), many(random, 10, lowered(0.25 * harm))]],
  },
  {
    name: "latency, 300 + 300",
    analysis: analysisWith(LATENCY),
    draw: (random, harm) => [
      [many(random, 300, lognormal(2, 0.8)), many(random, 300, lognormal(2 * (1 + 0.1 * harm), 0.8))],
    ],
  },
  {
    name: "latency, 1900 + 100",
    analysis: analysisWith(LATENCY),
    draw: (random, harm) => [
      [many(random, 1900, lognormal(2, 0.8)), many(random, 100, lognormal(2 * (1 + 0.1 * harm), 0.8))],
    ],
  },
  {
    name: "cost with zeros, sigma 1.5, 400 + 100",
    analysis: analysisWith(COST),
    draw: (random, harm) => [
      [
        many(random, 400, withZeros(0.2, lognormal(0.02, 1.5))),
        many(random, 100, withZeros(0.2, lognormal(0.02 * (1 + 0.15 * harm), 1.5))),
      ],
    ],
  },
  {
    name: "errors 2 %, 500 + 500",
    analysis: analysisWith(ERRORS),
    draw: (random, harm) => [[many(random, 500, event(0.02)), many(random, 500, event(0.02 + 0.02 * harm))]],
  },
  {
    name: "errors 0.5 %, 200 + 200",
    analysis: analysisWith(ERRORS),
    draw: (random, harm) => [[many(random, 200, event(0.005)), many(random, 200, event(0.005 + 0.02 * harm))]],
  },
  {
    name: "error counters in bursts, 30 steps",
    analysis: analysisWith(COUNTERS),
    draw: (random, harm) => {
      const arm = (p: number) =>
        counts(
          Array.from({ length: 30 }, () => {
            const level = p * Math.exp(0.6 * standardNormal(random) - 0.18);
            return [Array.from({ length: 200 }, random).filter((u) => u < level).length, 200] as const;
          }),
        );
      return [[arm(0.02), arm(0.02 + 0.01 * harm)]];
    },
  },
  {
    name: "histogram, 30 steps with a common shock",
    analysis: analysisWith(HISTOGRAM),
    draw: (random, harm) => {
      const shock = drifting(random, 30, 0.6, 0.1);
      const arm = (median: number) =>
        histogram(
          EDGES,
          shock.map((level) =>
            toBuckets(
              Array.from({ length: 60 }, () => lognormal(median * Math.exp(level), 0.5)(random)),
              EDGES,
            ),
          ),
        );
      return [[arm(2), arm(2 * (1 + 0.1 * harm))]];
    },
  },
  {
    name: "gauge, 60 steps, autocorrelation 0.5",
    analysis: analysisWith(GAUGE),
    draw: (random, harm) => {
      const shock = drifting(random, 60, 0.9, 10);
      const arm = (level: number) =>
        series(drifting(random, 60, 0.5, 5).map((own, step) => level * (1 + ((shock[step] ?? 0) + own) / 50)));
      return [[arm(50), arm(50 * (1 + 0.1 * harm))]];
    },
  },
  {
    name: "four metrics at once",
    analysis: analysisWith([QUALITY, LATENCY, COST, ERRORS].join("\n")),
    // At the margin in one metric, harmless in the others: the candidate must not be promoted for its three good ones.
    draw: (random, harm) => [
      [many(random, 150, lowered(0)), many(random, 150, lowered(0.25 * harm))],
      [many(random, 150, lognormal(2, 0.6)), many(random, 150, lognormal(2, 0.6))],
      [many(random, 150, lognormal(0.02, 0.8)), many(random, 150, lognormal(0.02, 0.8))],
      [many(random, 150, event(0.05)), many(random, 150, event(0.05))],
    ],
  },
];

function shareOfVerdict({ analysis, draw }: Workload, harm: number, wanted: Verdict, seed: number): number {
  const run = {
    id: "r",
    analysis,
    analysisDigest: analysisDigest(analysis),
    baseline: { label: "a" },
    candidate: { label: "b" },
    window: null,
    args: {},
    rollout: null,
  };
  const random = seeded(seed, harm);
  let count = 0;
  for (let i = 0; i < looks; i++) {
    if (judge(run, gather(analysis, draw(random, harm)), null, "2026-11-20T09:00:00.000Z").report.verdict === wanted)
      count += 1;
  }
  return count / looks;
}

describe("one look keeps both budgets", () => {
  test.each(WORKLOADS.map((workload, index) => [workload.name, workload, index] as const))(
    "%s",
    (name, workload, index) => {
      const rollback = shareOfVerdict(workload, 0, "rollback", 100 + index);
      const promote = shareOfVerdict(workload, 1, "promote", 200 + index);
      const harmless = shareOfVerdict(workload, 0, "promote", 300 + index);
      report({
        judge: name,
        "rollback of harmless": percent(rollback),
        "promotion at the margin": percent(promote),
        "promotion of harmless": percent(harmless),
      });
      expect(rollback).toBeLessThanOrEqual(ceilingOf(0.05, looks));
      expect(promote).toBeLessThanOrEqual(ceilingOf(0.05, looks));
    },
  );
});
