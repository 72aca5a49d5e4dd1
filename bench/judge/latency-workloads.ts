import { normalCdf, normalQuantile } from "../../src/stats/distributions/normal.ts";
import { standardNormal, type Random } from "../../src/stats/random.ts";
import { autoregression, lognormal } from "./draws.ts";
import { minuteSeries, requests, toRows, type Row } from "./shapes.ts";
import {
  analysisOf,
  MINUTES,
  randomOf,
  twoArms,
  TWO_ARMS,
  type ArmSamples,
  type Outcome,
  type PeerMetric,
  type RunData,
  type Workload,
} from "./workload.ts";

const MEDIAN_MS = 200;
const SIGMA = 0.8;
/** The 95th percentile is this far above the median, in standard deviations of the logarithm. */
const Z95 = normalQuantile(0.95);
/** Flagger's and Argo's limit on the 95th percentile of a window, times the true one. */
const LIMIT_FACTOR = 1.2;

/** Every latency of the candidate times this. */
const FACTOR: Readonly<Record<Outcome, number>> = { harmless: 1, margin: 1.05, harmful: 1.1 };

/** Margins of section 9.3: 5 % on body and mean, 1.25 on the tail (the default); the guard is that of the mean. */
const latencyMetric = {
  name: "latency",
  kind: "latency",
  measurementUnit: "ms",
  margin: "5%",
  guard: "5%",
  query: { value: "value", at: "at" },
} as const;

function latencyPeer(trueP95: number): PeerMetric {
  const limit = LIMIT_FACTOR * trueP95;
  return {
    name: "latency",
    worse: "higher",
    critical: false,
    window: "p95",
    limits: { flagger: limit, argo: limit },
  };
}

type Draw = (arm: "baseline" | "candidate", minutes: number) => number;

/** One latency metric, independent requests. `law` is asked once per run, so that it may hold what both arms share. */
function latencyWorkload(options: {
  readonly name: string;
  readonly text: string;
  readonly perMinute?: number;
  readonly sigma?: number;
  readonly law: (random: Random, outcome: Outcome) => Draw;
  readonly warmupMinutes?: number;
  readonly pauseIsRight?: boolean;
  readonly allocation?: { readonly baseline: number; readonly candidate: number };
  readonly runsShare?: number;
}): Workload {
  const { name, text, perMinute = 100, sigma = SIGMA, law, allocation, ...rest } = options;
  return {
    ...TWO_ARMS,
    ...rest,
    name,
    text,
    analysis: analysisOf(name, [latencyMetric], {
      warmup: `${options.warmupMinutes ?? 0}m`,
      ...(allocation === undefined ? {} : { allocation }),
    }),
    peerMetrics: [latencyPeer(MEDIAN_MS * Math.exp(Z95 * sigma))],
    generate(outcome, seed) {
      const random = randomOf(name, outcome, seed);
      const draw = law(random, outcome);
      const arm = (which: "baseline" | "candidate"): ArmSamples =>
        new Map([["latency", requests(perMinute, (minutes) => draw(which, minutes))]]);
      return twoArms(arm("baseline"), arm("candidate"));
    },
  };
}

export const latencyLognormal = latencyWorkload({
  name: "latency_lognormal",
  text: "100 requests/min/arm, lognormal(log 200 ms, 0.8); harm x1.10; margin 5 %",
  law: (random, outcome) => (arm) => (arm === "candidate" ? FACTOR[outcome] : 1) * lognormal(random, MEDIAN_MS, SIGMA),
});

/** Share of the candidate's requests that take four times as long. At the margin the mean grows by 5 %. */
const SLOWED: Readonly<Record<Outcome, number>> = { harmless: 0, margin: 0.05 / 3, harmful: 0.03 };

export const latencyTail = latencyWorkload({
  name: "latency_tail",
  text: "the same; harm: 3 % of requests x4 (mean +9 %, median +1.6 %); at the margin 1.67 %",
  law: (random, outcome) => (arm) => {
    const slowed = arm === "candidate" && random() < SLOWED[outcome];
    return (slowed ? 4 : 1) * lognormal(random, MEDIAN_MS, SIGMA);
  },
});

export const seriesAutocorrelated: Workload = {
  ...TWO_ARMS,
  name: "series_autocorr",
  text: "minute points only: 200 exp(common AR(1) 0.9 sd 0.20 + arm AR(1) 0.7 sd 0.06 + N(0, 0.03)); harm x1.10; margin 5 %",
  analysis: analysisOf("series_autocorr", [{ ...latencyMetric, query: { series: "latency" } }], { unit: "step" }),
  peerMetrics: [{ ...latencyPeer(0), window: "mean", limits: { flagger: 260, argo: 260 } }],
  generate(outcome, seed) {
    const { baseline, candidate } = seriesArms(randomOf("series_autocorr", outcome, seed), FACTOR[outcome]);
    return twoArms(asLatency(baseline), asLatency(candidate));
  },
};

/** Hours of the same law in which nothing changed, each from the run's own generator. */
const HISTORY_RUNS = 30;

export const seriesWithHistory: Workload = {
  ...seriesAutocorrelated,
  name: "series_history",
  text: `the same, with ${HISTORY_RUNS} earlier hours without a change to know the variance from`,
  generate(outcome, seed) {
    const random = randomOf("series_history", outcome, seed);
    let squares = 0;
    for (let run = 0; run < HISTORY_RUNS; run++) {
      const { baseline, candidate } = seriesArms(random, 1);
      const difference = candidate.reduce((sum, value, i) => sum + Math.log(value / (baseline[i] ?? 0)), 0) / MINUTES;
      squares += MINUTES * difference * difference;
    }
    const { baseline, candidate } = seriesArms(random, FACTOR[outcome]);
    return {
      ...twoArms(asLatency(baseline), asLatency(candidate)),
      history: { stepDeviation: Math.sqrt(squares / HISTORY_RUNS), runs: HISTORY_RUNS },
    };
  },
};

function seriesArms(random: Random, factor: number): { baseline: Float64Array; candidate: Float64Array } {
  const common = autoregression(random, MINUTES, 0.9, 0.2);
  const arm = (times: number): Float64Array =>
    autoregression(random, MINUTES, 0.7, 0.06).map(
      (deviation, i) => times * MEDIAN_MS * Math.exp(common[i] + deviation + 0.03 * standardNormal(random)),
    );
  return { baseline: arm(1), candidate: arm(factor) };
}

function asLatency(values: Float64Array): ArmSamples {
  return new Map([["latency", minuteSeries(values)]]);
}

/** How a metric declares that its rows carry strata to adjust for: the one place to change. */

const PROMPTS = [
  { stratum: "easy", median: 150 },
  { stratum: "hard", median: 600 },
] as const;
const PROMPT_SIGMA = 0.5;
const HARD_SHARE = { baseline: 0.3, candidate: 0.36 } as const;

export const mixDrift: Workload = {
  ...TWO_ARMS,
  name: "mix_drift",
  text: "two prompt classes lognormal(log 150 | log 600, 0.5), hard share 30 % and 36 %; harm x1.10 within class; margin 5 %",
  analysis: analysisOf("mix_drift", [{ ...latencyMetric, query: { value: "value", at: "at", stratum: "stratum" } }]),
  // The limit is that of all traffic, as a dashboard shows it.
  peerMetrics: [latencyPeer(mixtureP95((HARD_SHARE.baseline + HARD_SHARE.candidate) / 2))],
  generate(outcome, seed) {
    const random = randomOf("mix_drift", outcome, seed);
    const arm = (hardShare: number, factor: number): ArmSamples => {
      const rows = Array.from({ length: 100 * MINUTES }, (_, i): Row => {
        const { stratum, median } = PROMPTS[random() < hardShare ? 1 : 0];
        return { minutes: (i + 0.5) / 100, value: factor * lognormal(random, median, PROMPT_SIGMA), stratum };
      });
      return new Map([["latency", toRows(rows)]]);
    };
    return twoArms(arm(HARD_SHARE.baseline, 1), arm(HARD_SHARE.candidate, FACTOR[outcome]));
  },
};

/** The 95th percentile of the two classes together, by bisection on its logarithm. */
function mixtureP95(hardShare: number): number {
  const [easy, hard] = PROMPTS;
  const below = (log: number, median: number) => normalCdf((log - Math.log(median)) / PROMPT_SIGMA);
  let low = Math.log(easy.median);
  let high = Math.log(hard.median) + 8 * PROMPT_SIGMA;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if ((1 - hardShare) * below(middle, easy.median) + hardShare * below(middle, hard.median) < 0.95) low = middle;
    else high = middle;
  }
  return Math.exp(low);
}

const INCIDENT_MINUTES = 10;

export const commonIncident = latencyWorkload({
  name: "common_incident",
  text: "latency_lognormal; both arms +80 % for 10 minutes that begin between minute 5 and 45; harm x1.10; margin 5 %",
  law: (random, outcome) => {
    const begins = 5 + 40 * random();
    return (arm, minutes) => {
      const shock = minutes >= begins && minutes < begins + INCIDENT_MINUTES ? 1.8 : 1;
      return shock * (arm === "candidate" ? FACTOR[outcome] : 1) * lognormal(random, MEDIAN_MS, SIGMA);
    };
  },
});

const WARMUP_MINUTES = 3;

export const warmUp = latencyWorkload({
  name: "warm_up",
  text: "latency_lognormal; the candidate +50 % in its first 3 minutes, declared as warm-up; harm x1.10; margin 5 %",
  warmupMinutes: WARMUP_MINUTES,
  law: (random, outcome) => (arm, minutes) => {
    const cold = arm === "candidate" && minutes < WARMUP_MINUTES ? 1.5 : 1;
    return cold * (arm === "candidate" ? FACTOR[outcome] : 1) * lognormal(random, MEDIAN_MS, SIGMA);
  },
});

/** A span slower than the baseline's true median is slow; the candidate loses this share of them. */
const LOST_OF_SLOW = 0.2;

export const missingData = latencyWorkload({
  name: "missing_data",
  text: "latency_lognormal; the candidate loses 20 % of its spans above 200 ms, so that it looks faster; harm x1.10; a pause is right",
  pauseIsRight: true,
  allocation: { baseline: 1, candidate: 1 },
  law: (random, outcome) => (arm) => {
    const value = (arm === "candidate" ? FACTOR[outcome] : 1) * lognormal(random, MEDIAN_MS, SIGMA);
    const lost = arm === "candidate" && value > MEDIAN_MS && random() < LOST_OF_SLOW;
    return lost ? Number.NaN : value;
  },
});

const RAINBOW = ["c1", "c2", "c3", "c4"] as const;
const RAINBOW_PER_MINUTE = 60;

export const rainbow: Workload = {
  ...TWO_ARMS,
  name: "rainbow",
  text: "four candidates beside one baseline, 60 requests/min/arm, lognormal(log 200 ms, 0.8); one of them x1.10 (margin: x1.05)",
  arms: ["baseline", ...RAINBOW],
  analysis: analysisOf("rainbow", [latencyMetric]),
  peerMetrics: [latencyPeer(MEDIAN_MS * Math.exp(Z95 * SIGMA))],
  generate(outcome, seed): RunData {
    const random = randomOf("rainbow", outcome, seed);
    const bad = RAINBOW[seed % RAINBOW.length];
    const arm = (factor: number): ArmSamples =>
      new Map([["latency", requests(RAINBOW_PER_MINUTE, () => factor * lognormal(random, MEDIAN_MS, SIGMA))]]);
    const baseline = arm(1);
    const candidates = RAINBOW.map((label) => [label, arm(label === bad ? FACTOR[outcome] : 1)] as const);
    return {
      arms: new Map([["baseline", baseline], ...candidates]),
      judged: outcome === "harmless" ? RAINBOW : [bad],
      gold: null,
    };
  },
};

const IMPROVEMENT_SIGMA = 0.5;
const IMPROVED: Readonly<Record<Outcome, number>> = { ...FACTOR, harmless: 0.9 };

export const improvement = latencyWorkload({
  name: "improvement",
  text: "30 requests/min/arm, lognormal(log 200 ms, 0.5); the harmless candidate x0.90; harm x1.10; margin 5 %",
  perMinute: 30,
  sigma: IMPROVEMENT_SIGMA,
  law: (random, outcome) => (arm) =>
    (arm === "candidate" ? IMPROVED[outcome] : 1) * lognormal(random, MEDIAN_MS, IMPROVEMENT_SIGMA),
});

/** 500,000 rows an arm in an hour. */
const MANY_PER_MINUTE = 8_334;
const TINY: Readonly<Record<Outcome, number>> = { ...FACTOR, harmless: 1.005 };

export const tinyEffect = latencyWorkload({
  name: "tiny_effect",
  text: "1,000,000 rows, lognormal(log 200 ms, 0.8); the harmless candidate x1.005, well inside the margin of 5 %; harm x1.10",
  perMinute: MANY_PER_MINUTE,
  runsShare: 0.05,
  law: (random, outcome) => (arm) => (arm === "candidate" ? TINY[outcome] : 1) * lognormal(random, MEDIAN_MS, SIGMA),
});
