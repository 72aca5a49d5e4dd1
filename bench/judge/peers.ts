import { KAYENTA_CONFIDENCE } from "../../src/kayenta/classify.ts";
import { normalQuantileUpper } from "../../src/stats/distributions/normal.ts";
import { mannWhitneyFromSummary } from "../../src/stats/mann-whitney.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import type { Judge, Judgement } from "./judgement.ts";
import { kayentaRollsBack } from "./kayenta-peer.ts";
import { growingSorted, viewOf, windowValue, type MetricView } from "./view.ts";
import { LOOK_MINUTES, LOOKS, MINUTES, type Workload } from "./workload.ts";

/**
 * A rule that rolls back when something exceeds a threshold, and promotes at the end when nothing did.
 *
 * Each has one free parameter. `path[k]` is the value below which the parameter would have rolled back by look k + 1: it
 * never falls, so one reading of the data tells what every setting of the parameter would have done.
 */
export interface Peer {
  readonly name: string;
  /** In words: what the parameter is, and what it is as shipped. */
  readonly parameter: string;
  readonly shipped: number;
  readonly path: Path;
  /** Where the path is known only near the shipped parameter unless the whole of it is asked for, which takes longer. */
  readonly wholePath?: Path;
}

type Path = (view: readonly MetricView[], workload: Workload) => number[];

/** Failed checks that end a Flagger canary: `threshold: 5`. */
const FLAGGER_THRESHOLD = 5;
/** Argo's `failureLimit: 3` fails at the fourth. */
const ARGO_FAILURES = 4;

/** What the equal-rate comparison chooses Kayenta's confidence from; the shipped one is among them. */
const CONFIDENCES = [
  0.2,
  0.3,
  0.4,
  0.5,
  0.6,
  0.7,
  0.75,
  0.8,
  0.84,
  0.88,
  0.9,
  0.92,
  0.94,
  0.95,
  0.96,
  0.97,
  0.975,
  KAYENTA_CONFIDENCE,
  0.985,
  0.99,
  0.995,
  0.998,
];
/** A step above a confidence that fails, so that a parameter at the confidence itself rolls back. */
const JUST_ABOVE = 1e-9;

export const PEERS: readonly Peer[] = [
  kayenta("kayenta", 1),
  kayenta("kayenta_once", LOOKS),
  {
    name: "flagger_static",
    parameter: "limit, times the workload's",
    shipped: 1,
    // One counter for all metrics; it has no warm-up of its own.
    path: (view) => {
      const worst = looks((look) => Math.max(...view.map((metric) => overLimit(metric, look, "flagger"))));
      return nthLargestSoFar(worst, FLAGGER_THRESHOLD);
    },
  },
  {
    name: "argo_static",
    parameter: "limit, times the workload's",
    shipped: 1,
    path: (view, workload) =>
      worstOf(view, (metric) => {
        const values = looks((look) => (isWarm(look, workload) ? overLimit(metric, look, "argo") : Number.NaN));
        return nthLargestSoFar(values, ARGO_FAILURES);
      }),
  },
  {
    name: "argo_ratio1.1",
    parameter: "candidate over baseline in a window",
    shipped: 1.1,
    path: (view, workload) =>
      worstOf(view, (metric) => {
        const values = looks((look) => (isWarm(look, workload) ? overBaseline(metric, look) : Number.NaN));
        return nthLargestSoFar(values, ARGO_FAILURES);
      }),
  },
  {
    name: "naive_mwu98",
    parameter: "standard normal quantile of the test",
    shipped: normalQuantileUpper(0.01),
    path: (view, workload) => worstOf(view, (metric) => mannWhitneyPath(metric, workload.warmupMinutes)),
  },
];

/** The peer as a judge: it decides by its shipped parameter; the path goes with the verdict, for those who tune it. */
export function judgeByPeer(peer: Peer, options: { readonly wholePath: boolean }): Judge {
  const read = (options.wholePath ? peer.wholePath : undefined) ?? peer.path;
  return (comparison, workload) => {
    const path = read(viewOf(comparison, workload.peerMetrics), workload);
    return Promise.resolve({ ...decide(path, peer.shipped), path });
  };
}

/** What a peer with this path and this parameter decides. */
export function decide(path: readonly number[], parameter: number): Judgement {
  const look = lookBeyond(path, parameter);
  return look === null
    ? { verdict: "promote", look: LOOKS, minutes: MINUTES, everRolledBack: false, rollbackLook: null }
    : { verdict: "rollback", look, minutes: look * LOOK_MINUTES, everRolledBack: true, rollbackLook: look };
}

/** The first look, counted from 1, at which the path lies beyond the parameter; null when none does. */
export function lookBeyond(path: readonly number[], parameter: number): number | null {
  const index = path.findIndex((value) => value > parameter);
  return index < 0 ? null : index + 1;
}

/** Kayenta over a growing window of minute points, from the look `first` on. */
function kayenta(name: string, first: number): Peer {
  const pathOver =
    (confidences: readonly number[]): Path =>
    (view, workload) => {
      let reached = -1;
      return looks((index) => {
        const look = index + 1;
        const window = { from: workload.warmupMinutes, until: look * LOOK_MINUTES, isLast: look === LOOKS };
        // Its first interval begins after the warm-up; an empty one would fail for want of data.
        if (look >= first && window.until > window.from)
          reached = lastThat(confidences, reached, (confidence) => kayentaRollsBack(view, window, confidence));
        return reached < 0 ? -Infinity : confidences[reached] + JUST_ABOVE;
      });
    };
  return {
    name,
    parameter: "confidence of the interval",
    shipped: KAYENTA_CONFIDENCE,
    path: pathOver([KAYENTA_CONFIDENCE]),
    wholePath: pathOver(CONFIDENCES),
  };
}

/**
 * The index of the last value that holds, by bisection: what holds for one holds for all before it. `known` holds
 * already; -1 when none is known to.
 */
function lastThat(values: readonly number[], known: number, holds: (value: number) => boolean): number {
  // Most hold nowhere, which the first value tells alone.
  if (known < 0 && !holds(values[0])) return -1;
  let [low, high] = [Math.max(known, 0), values.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(values[middle])) low = middle;
    else high = middle;
  }
  return low;
}

function mannWhitneyPath({ metric, candidate, baseline }: MetricView, warmup: number): number[] {
  const candidates = growingSorted(candidate, warmup);
  const baselines = growingSorted(baseline, warmup);
  let reached = -Infinity;
  return looks(() => {
    const x = candidates.next().value;
    const y = baselines.next().value;
    if (x instanceof Float64Array && y instanceof Float64Array && x.length > 0 && y.length > 0) {
      const { pGreater, pLess } = mannWhitneyFromSummary(rankSummary(x, y), { method: "asymptotic" });
      const p = metric.worse === "higher" ? pGreater : pLess;
      // Far in the tail p underflows to 0 and the quantile is infinite, which is beyond every parameter.
      if (p < 1) reached = Math.max(reached, p === 0 ? Infinity : normalQuantileUpper(p));
    }
    return reached;
  });
}

/** How far the candidate's window lies beyond its limit, as a ratio above 1. */
function overLimit({ metric, candidate }: MetricView, look: number, whose: "flagger" | "argo"): number {
  const value = windowValue(candidate, look * LOOK_MINUTES, (look + 1) * LOOK_MINUTES, metric.window);
  const limit = metric.limits[whose];
  return metric.worse === "higher" ? value / limit : limit / value;
}

/** The candidate's window over the baseline's, upside down where lower is worse. */
function overBaseline({ metric, candidate, baseline }: MetricView, look: number): number {
  const [c, b] = [candidate, baseline].map((arm) =>
    windowValue(arm, look * LOOK_MINUTES, (look + 1) * LOOK_MINUTES, metric.window),
  );
  const [worse, better] = metric.worse === "higher" ? [c, b] : [b, c];
  return worse === 0 ? 0 : worse / better;
}

function isWarm(look: number, workload: Workload): boolean {
  return look * LOOK_MINUTES >= workload.warmupMinutes;
}

/** The n-th largest of the values up to each look; NaN, a window without data, is no measurement. */
function nthLargestSoFar(values: readonly number[], n: number): number[] {
  const largest: number[] = [];
  return values.map((value) => {
    if (!Number.isNaN(value)) {
      largest.push(value);
      largest.sort((a, b) => b - a);
      largest.length = Math.min(largest.length, n);
    }
    return largest.length < n ? -Infinity : largest[n - 1];
  });
}

function worstOf(view: readonly MetricView[], path: (metric: MetricView) => number[]): number[] {
  const paths = view.map(path);
  return looks((look) => Math.max(...paths.map((values) => values[look])));
}

/** One value per look, counted from 0. */
function looks(value: (look: number) => number): number[] {
  return Array.from({ length: LOOKS }, (_, look) => value(look));
}
