import type { Random } from "../../src/stats/random.ts";
import { binomial, poisson } from "./draws.ts";
import { minuteCounts } from "./shapes.ts";
import { analysisOf, randomOf, twoArms, TWO_ARMS, type ArmSamples, type Outcome, type Workload } from "./workload.ts";

/** Margin and guard of section 9.3. */
export const errorsMetric = {
  name: "errors",
  kind: "errors",
  margin: "2pp",
  guard: { relative: "50%" },
  query: { events: "events", exposure: "exposure" },
} as const;

/** Flagger's and Argo's limit on the share of errors in a window: 99 % and 95 % success. */
const errorsPeer = {
  name: "errors",
  worse: "higher",
  critical: true,
  window: "mean",
  limits: { flagger: 0.01, argo: 0.05 },
} as const;

/** A Poisson number of requests a minute, each of them bad with a chance that may depend on the minute. */
export function errorCounts(
  random: Random,
  perMinute: (minute: number) => number,
  chance: (minute: number) => number,
): ReturnType<typeof minuteCounts> {
  return minuteCounts((minute) => {
    const exposure = poisson(random, perMinute(minute));
    return { events: binomial(random, exposure, chance(minute)), exposure };
  });
}

const LOW_RATE: Readonly<Record<Outcome, number>> = { harmless: 0.01, margin: 0.03, harmful: 0.04 };

export const errorsLow: Workload = {
  ...TWO_ARMS,
  name: "errors_low",
  text: "Poisson(10) requests/min/arm, errors 1 %; harm 4 %; margin +2 points",
  analysis: analysisOf("errors_low", [errorsMetric]),
  peerMetrics: [errorsPeer],
  generate(outcome, seed) {
    const random = randomOf("errors_low", outcome, seed);
    const arm = (rate: number): ArmSamples =>
      new Map([
        [
          "errors",
          errorCounts(
            random,
            () => 10,
            () => rate,
          ),
        ],
      ]);
    return twoArms(arm(LOW_RATE.harmless), arm(LOW_RATE[outcome]));
  },
};

/** Requests a minute over both arms, and the candidate's share of them in each quarter of the hour. */
const RAMP_PER_MINUTE = 60;
const RAMP = [0.05, 0.1, 0.25, 0.5] as const;
const RAMP_ADDED: Readonly<Record<Outcome, number>> = { harmless: 0, margin: 0.02, harmful: 0.03 };

export function rampShare(minute: number): number {
  return RAMP[Math.min(RAMP.length - 1, Math.floor(minute / 15))];
}

/**
 * The errors of both arms grow from 0.5 % to 2 % over the hour, and the candidate has most of its requests at its end:
 * pooled over time it looks a third worse than it is.
 */
export function rampRate(minute: number): number {
  return 0.005 + (0.015 * (minute + 0.5)) / 60;
}

export const rampedErrors: Workload = {
  ...TWO_ARMS,
  name: "ramped_errors",
  text: "Poisson(60) requests/min, the candidate's share 5, 10, 25, 50 % by quarter hour; errors of both grow 0.5 to 2 %; harm +3 points; margin +2 points",
  analysis: analysisOf("ramped_errors", [errorsMetric]),
  peerMetrics: [{ ...errorsPeer, limits: { flagger: 0.03, argo: 0.05 } }],
  generate(outcome, seed) {
    const random = randomOf("ramped_errors", outcome, seed);
    const arm = (share: (minute: number) => number, added: number): ArmSamples =>
      new Map([
        [
          "errors",
          errorCounts(
            random,
            (minute) => RAMP_PER_MINUTE * share(minute),
            (minute) => rampRate(minute) + added,
          ),
        ],
      ]);
    return twoArms(
      arm((minute) => 1 - rampShare(minute), 0),
      arm(rampShare, RAMP_ADDED[outcome]),
    );
  },
};
