import { standardNormal } from "../../src/stats/random.ts";
import { geometric, poisson } from "./draws.ts";
import { toRows, type Row } from "./shapes.ts";
import {
  analysisOf,
  MINUTES,
  randomOf,
  twoArms,
  TWO_ARMS,
  type ArmSamples,
  type Outcome,
  type Workload,
} from "./workload.ts";

const SESSIONS_PER_MINUTE = 5;
const MEAN_TURNS = 6;
const TURN_SECONDS = 5;
const FREE_SHARE = 0.1;
const LOG_COST = -4;
const SESSION_SIGMA = 0.8;
const TURN_SIGMA = 0.5;
const FACTOR: Readonly<Record<Outcome, number>> = { harmless: 1, margin: 1.15, harmful: 1.3 };

/** What a turn costs on average, in dollars. */
export const MEAN_TURN_COST = (1 - FREE_SHARE) * Math.exp(LOG_COST + (SESSION_SIGMA ** 2 + TURN_SIGMA ** 2) / 2);

export const sessionsClustered: Workload = {
  ...TWO_ARMS,
  name: "sessions_clustered",
  text: "Poisson(5) sessions/min/arm, geometric turns mean 6, 10 % free, log cost -4 + N(0, 0.8) session + N(0, 0.5) turn; harm x1.30; margin 15 %",
  analysis: analysisOf(
    "sessions_clustered",
    [
      {
        name: "cost",
        kind: "cost",
        measurementUnit: "USD",
        margin: "15%",
        guard: "5%",
        // A tail margin of a quarter is out of reach for the fifteen most expensive of 300 sessions.
        components: ["body", "mean"],
        // The cost of a turn, as the peers see it: the prototype's figures are only met with it.
        perUnit: "mean",
        query: { value: "value", unit: "unit", at: "at" },
      },
    ],
    { unit: "session", followUp: "2m" },
  ),
  peerMetrics: [
    {
      name: "cost",
      worse: "higher",
      critical: false,
      window: "mean",
      limits: { flagger: 1.3 * MEAN_TURN_COST, argo: 1.3 * MEAN_TURN_COST },
    },
  ],
  generate(outcome, seed) {
    const random = randomOf("sessions_clustered", outcome, seed);
    const arm = (label: string, factor: number): ArmSamples => {
      const rows: Row[] = [];
      let sessions = 0;
      for (let minute = 0; minute < MINUTES; minute++) {
        for (let left = poisson(random, SESSIONS_PER_MINUTE); left > 0; left--) {
          const unit = `${label}-${sessions++}`;
          const begins = minute + random();
          const own = LOG_COST + SESSION_SIGMA * standardNormal(random);
          const free = random() < FREE_SHARE;
          for (let turn = geometric(random, MEAN_TURNS) - 1; turn >= 0; turn--) {
            const value = free ? 0 : factor * Math.exp(own + TURN_SIGMA * standardNormal(random));
            rows.push({ minutes: begins + (turn * TURN_SECONDS) / 60, value, unit });
          }
        }
      }
      return new Map([["cost", toRows(rows)]]);
    };
    return twoArms(arm("b", 1), arm("c", FACTOR[outcome]));
  },
};
