import { normalQuantile } from "../../src/stats/distributions/normal.ts";
import type { Samples } from "../../src/model/samples.ts";
import type { Random } from "../../src/stats/random.ts";
import { lognormal } from "./draws.ts";
import { errorCounts, errorsMetric } from "./errors-workloads.ts";
import { drawScore, scoreMetric, scorePeer } from "./score-workloads.ts";
import { requests } from "./shapes.ts";
import {
  analysisOf,
  randomOf,
  twoArms,
  TWO_ARMS,
  type ArmSamples,
  type Outcome,
  type PeerMetric,
  type Workload,
} from "./workload.ts";

const PER_MINUTE = 60;
const SCORED_PER_MINUTE = 12;
const SIGMA = 0.5;
const MEDIAN_MS = 200;
const SLOWER: Readonly<Record<Outcome, number>> = { harmless: 1, margin: 1.05, harmful: 1.1 };
const ERROR_RATE: Readonly<Record<Outcome, number>> = { harmless: 0.02, margin: 0.04, harmful: 0.05 };
const P95_LIMIT = 1.2 * MEDIAN_MS * Math.exp(SIGMA * normalQuantile(0.95));

/** One kind of metric: how it is declared, how the peers see it, how it is drawn. */
interface Family {
  readonly declare: Readonly<Record<string, unknown>>;
  readonly peer: PeerMetric;
  readonly draw: (random: Random, outcome: Outcome) => Samples;
}

const FAMILIES: Readonly<Record<string, Family>> = {
  latency: {
    declare: {
      kind: "latency",
      measurementUnit: "ms",
      margin: "5%",
      guard: "5%",
      components: ["body", "mean"],
      query: { value: "value", at: "at" },
    },
    peer: {
      name: "latency",
      worse: "higher",
      critical: false,
      window: "p95",
      limits: { flagger: P95_LIMIT, argo: P95_LIMIT },
    },
    draw: (random, outcome) => requests(PER_MINUTE, () => SLOWER[outcome] * lognormal(random, MEDIAN_MS, SIGMA)),
  },
  errors: {
    declare: errorsMetric,
    peer: {
      name: "errors",
      worse: "higher",
      critical: true,
      window: "mean",
      limits: { flagger: 0.05, argo: 0.05 },
    },
    draw: (random, outcome) =>
      errorCounts(
        random,
        () => PER_MINUTE,
        () => ERROR_RATE[outcome],
      ),
  },
  quality: {
    declare: scoreMetric,
    peer: scorePeer,
    draw: (random, outcome) => requests(SCORED_PER_MINUTE, () => drawScore(random, outcome)),
  },
};

/** Four of each family: latency-1 … quality-4. */
const METRICS = Object.entries(FAMILIES).flatMap(([family, of]) =>
  [1, 2, 3, 4].map((n) => ({ ...of, name: `${family}-${n}` })),
);

export const twelveMetrics: Workload = {
  ...TWO_ARMS,
  name: "twelve_metrics",
  text: "four latencies (60/min, lognormal 0.5), four error rates (60/min, 2 %), four scores (12/min), independent; one of them harmed (x1.10, +3 points, -0.36), margins 5 %, +2 points, 0.25",
  analysis: analysisOf(
    "twelve_metrics",
    METRICS.map(({ name, declare }) => ({ ...declare, name })),
  ),
  peerMetrics: METRICS.map(({ name, peer }) => ({ ...peer, name })),
  generate(outcome, seed) {
    const random = randomOf("twelve_metrics", outcome, seed);
    const harmed = METRICS[seed % METRICS.length].name;
    const arm = (law: Outcome): ArmSamples =>
      new Map(METRICS.map(({ name, draw }) => [name, draw(random, name === harmed ? law : "harmless")]));
    return twoArms(arm("harmless"), arm(outcome));
  },
};
