import { randomInteger, type Random } from "../../src/stats/random.ts";
import { category } from "./draws.ts";
import { requests, toRows, type Row } from "./shapes.ts";
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

/** Chances of the scores 1 to 5. */
const GOOD = [0.03, 0.07, 0.15, 0.35, 0.4] as const;
const BAD = [0.06, 0.12, 0.2, 0.34, 0.28] as const;
const MARGIN_POINTS = 0.25;

/** At the margin a share of the answers is drawn from the bad law, so that the mean falls by the margin exactly. */
const BAD_SHARE: Readonly<Record<Outcome, number>> = {
  harmless: 0,
  margin: MARGIN_POINTS / (meanScore(GOOD) - meanScore(BAD)),
  harmful: 1,
};

/** Margin and guard of section 9.3. */
export const scoreMetric = {
  name: "quality",
  kind: "score",
  scale: [1, 5],
  margin: MARGIN_POINTS,
  guard: 0.1,
  query: { value: "value", at: "at" },
} as const;

export const scorePeer = {
  name: "quality",
  worse: "lower",
  critical: true,
  window: "mean",
  limits: { flagger: 3.75, argo: 3.75 },
} as const;

export function drawScore(random: Random, outcome: Outcome): number {
  return 1 + category(random, random() < BAD_SHARE[outcome] ? BAD : GOOD);
}

export const judgeOrdinal: Workload = {
  ...TWO_ARMS,
  name: "judge_ordinal",
  text: "4 scored answers/min/arm, (.03 .07 .15 .35 .40); harm (.06 .12 .20 .34 .28), -0.36 points; margin 0.25 points",
  analysis: analysisOf("judge_ordinal", [scoreMetric]),
  peerMetrics: [scorePeer],
  generate(outcome, seed) {
    const random = randomOf("judge_ordinal", outcome, seed);
    const arm = (law: Outcome): ArmSamples => new Map([["quality", requests(4, () => drawScore(random, law))]]);
    return twoArms(arm("harmless"), arm(outcome));
  },
};

function meanScore(chances: readonly number[]): number {
  return chances.reduce((sum, chance, i) => sum + chance * (i + 1), 0);
}

/** A judge who says good of a good answer, and bad of a bad one, with these chances. */
export const SPECIFICITY = 0.9;
export const SENSITIVITY = 0.8;
/** Share of answers that truly are bad. What the judge sees of a difference is 0.7 of it. */
const TRULY_BAD: Readonly<Record<Outcome, number>> = { harmless: 0.15, margin: 0.25, harmful: 0.3 };
const JUDGED_PER_MINUTE = 20;
/** Answers per arm that people labelled as well, drawn at random from the hour. */
export const LABELS = 40;
/** A window may fall this far below the share that the judge calls good of the baseline. */
const JUDGED_LIMIT = SPECIFICITY * (1 - TRULY_BAD.harmless) + (1 - SENSITIVITY) * TRULY_BAD.harmless - 0.05;

export const fallibleJudge: Workload = {
  ...TWO_ARMS,
  name: "fallible_judge",
  text: `20 judged answers/min/arm, 15 % truly bad, sensitivity .8, specificity .9, ${LABELS} human labels an arm; harm 30 %; margin +10 points of truth`,
  analysis: analysisOf("fallible_judge", [
    {
      name: "quality",
      kind: "score",
      scale: [0, 1],
      margin: 0.1,
      query: { value: "value", unit: "unit", at: "at", gold: "gold" },
    },
  ]),
  peerMetrics: [{ ...scorePeer, limits: { flagger: JUDGED_LIMIT, argo: JUDGED_LIMIT } }],
  generate(outcome, seed) {
    const random = randomOf("fallible_judge", outcome, seed);
    const arm = (label: string, law: Outcome) => {
      const judged: Row[] = [];
      const truth: Row[] = [];
      for (let i = 0; i < JUDGED_PER_MINUTE * MINUTES; i++) {
        const row = { minutes: (i + 0.5) / JUDGED_PER_MINUTE, unit: `${label}-${i}` };
        const bad = random() < TRULY_BAD[law];
        const calledBad = random() < (bad ? SENSITIVITY : 1 - SPECIFICITY);
        judged.push({ ...row, value: calledBad ? 0 : 1 });
        truth.push({ ...row, value: bad ? 0 : 1 });
      }
      return {
        samples: new Map([["quality", toRows(judged)]]),
        gold: new Map([["quality", toRows(choose(random, truth, LABELS))]]),
      };
    };
    const baseline = arm("b", "harmless");
    const candidate = arm("c", outcome);
    return {
      ...twoArms(baseline.samples, candidate.samples),
      gold: new Map([
        ["baseline", baseline.gold],
        ["candidate", candidate.gold],
      ]),
    };
  },
};

/** So many of them, without replacement. */
function choose<T>(random: Random, all: readonly T[], count: number): T[] {
  const left = [...all];
  return Array.from({ length: count }, () => left.splice(randomInteger(random, left.length), 1)[0]);
}
