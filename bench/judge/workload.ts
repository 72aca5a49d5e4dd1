import type { History } from "../../src/model/analysis.ts";
import type { Samples } from "../../src/model/samples.ts";
import { epochSeconds } from "../../src/model/time.ts";
import { seeded, type Random } from "../../src/stats/random.ts";

/** The source that every metric names. */
export const REPLAY = "replay";

/** Every run starts here. */
export const START = "2026-01-01T00:00:00Z";
export const START_SECONDS = epochSeconds(START);
export const MINUTES = 60;
export const LOOK_MINUTES = 3;
export const LOOKS = MINUTES / LOOK_MINUTES;

/**
 * What is true of the candidate. harmless: it may be promoted and must not be rolled back. margin: worse by exactly the
 * margin, must not be promoted. harmful: must be rolled back.
 */
export type Outcome = "harmless" | "harmful" | "margin";
export const OUTCOMES: readonly Outcome[] = ["harmless", "harmful", "margin"];

/** The samples of one arm by the name of the metric. */
export type ArmSamples = ReadonlyMap<string, Samples>;

/** An hour of every arm. */
export interface RunData {
  readonly arms: ReadonlyMap<string, ArmSamples>;
  /** The labels of the candidates whose verdict counts for the outcome. */
  readonly judged: readonly string[];
  /** Human labels for some units of a metric that a fallible judge scored, by arm; null where there are none. */
  readonly gold: ReadonlyMap<string, ArmSamples> | null;
  /** What earlier runs without a change have shown of every metric; left out where there were none. */
  readonly history?: History;
}

/** One candidate beside its baseline, as a judge gets it. */
export interface Comparison {
  readonly baseline: ArmSamples;
  readonly candidate: ArmSamples;
  readonly gold: { readonly baseline: ArmSamples; readonly candidate: ArmSamples } | null;
  readonly history?: History;
}

/** How the peers see a metric: they know points, windows and fixed limits. */
export interface PeerMetric {
  readonly name: string;
  readonly worse: "higher" | "lower";
  /** Kayenta's flag; it follows our tiers. */
  readonly critical: boolean;
  /** What Flagger and Argo ask of a window. Of counts it is always the rate. */
  readonly window: "mean" | "p95";
  readonly limits: { readonly flagger: number; readonly argo: number };
}

export interface Workload {
  readonly name: string;
  /** One line for the table: the law, the harm, the margin. */
  readonly text: string;
  /** An analysis as an operator writes it; parsed by whoever needs it. */
  readonly analysis: Readonly<Record<string, unknown>>;
  readonly arms: readonly string[];
  readonly peerMetrics: readonly PeerMetric[];
  readonly warmupMinutes: number;
  /** Where the data are unfit to be judged, a pause is as good as a promotion of the harmless and a rollback of the harmful. */
  readonly pauseIsRight: boolean;
  /** Share of the runs asked for, below 1 where one run holds a million rows. */
  readonly runsShare: number;
  generate(outcome: Outcome, seed: number): RunData;
}

/** The generator of one run: the same for the same workload, outcome and index, in whichever process it is drawn. */
export function randomOf(workload: string, outcome: Outcome, seed: number): Random {
  let hash = 0x811c9dc5;
  for (const letter of `${workload}/${outcome}`) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return seeded(hash, seed);
}

/** The hour split into comparisons, one for every judged candidate. */
export function comparisons(data: RunData): Comparison[] {
  const arm = (arms: ReadonlyMap<string, ArmSamples>, label: string): ArmSamples => {
    const samples = arms.get(label);
    if (samples === undefined) throw new RangeError(`no arm is labelled ${label}`);
    return samples;
  };
  return data.judged.map((label) => ({
    baseline: arm(data.arms, "baseline"),
    candidate: arm(data.arms, label),
    gold: data.gold === null ? null : { baseline: arm(data.gold, "baseline"), candidate: arm(data.gold, label) },
    ...(data.history === undefined ? {} : { history: data.history }),
  }));
}

/** The usual run: a baseline and a candidate. */
export function twoArms(baseline: ArmSamples, candidate: ArmSamples): RunData {
  return {
    arms: new Map([
      ["baseline", baseline],
      ["candidate", candidate],
    ]),
    judged: ["candidate"],
    gold: null,
  };
}

/** What most workloads share. */
export const TWO_ARMS = {
  arms: ["baseline", "candidate"],
  warmupMinutes: 0,
  pauseIsRight: false,
  runsShare: 1,
} as const;

/** The analysis of a workload: 60 minutes, a look every 3, nothing late. */
export function analysisOf(
  name: string,
  metrics: readonly Readonly<Record<string, unknown>>[],
  options: {
    readonly unit?: string;
    readonly followUp?: string;
    readonly warmup?: string;
    /** Declared where the shares of the arms are part of the question. */
    readonly allocation?: { readonly baseline: number; readonly candidate: number };
  } = {},
): Readonly<Record<string, unknown>> {
  const { unit = "request", followUp = "0s", warmup = "0s", allocation } = options;
  return {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: name.replaceAll("_", "-") },
    spec: {
      unit,
      ...(allocation === undefined ? {} : { allocation }),
      plan: { mode: "scheduled", duration: "60m", every: "3m", settle: "0s", warmup, followUp },
      metrics: metrics.map((metric) => ({ source: REPLAY, ...metric })),
    },
  };
}

/** Minutes since the start, as seconds since the epoch. */
export function atMinute(minutes: number): number {
  return START_SECONDS + 60 * minutes;
}
