import type { Samples } from "../../src/model/samples.ts";
import { standardNormal, type Random } from "../../src/stats/random.ts";
import { START_SECONDS } from "./play.ts";
import { toBuckets } from "./samples.ts";

/** How the candidate differs: by a factor in the whole law, or so that its typical value rises and its tail falls. */
export type Change = "equal" | "worse" | "better" | "crossing";

export interface ArmShape {
  /** Units per arm, or observations per step. */
  readonly size: number;
  /** One to three rows leave a unit's name behind. */
  readonly named: boolean;
  readonly strata: boolean;
  /** Length of the recording. */
  readonly seconds: number;
  /** Factor of the measurement unit. */
  readonly per: number;
}

/** One kind of metric in one sample shape. */
export interface Form {
  readonly kind: "latency" | "errors" | "score" | "cost" | "gauge";
  readonly shape: "samples" | "series" | "counts" | "histogram";
  /** What tells it from another form of the same kind and shape. */
  readonly variant?: string;
  /** Keys of the metric beside name, source and tier; values stand `per` times as high as in the base measurement unit. */
  readonly yaml: (per: number) => string;
  readonly draw: (random: Random, change: Change, arm: ArmShape) => Samples;
}

const FACTORS: Readonly<Record<Change, number>> = { equal: 1, worse: 1.35, better: 1 / 1.35, crossing: 1.3 };

/** One unit's value, in the base measurement unit; hard units take twice as much. */
function valueOf(kind: Form["kind"], random: Random, change: Change, hard: boolean): number {
  const factor = FACTORS[change] * (hard ? 2 : 1);
  switch (kind) {
    case "latency": {
      const z = standardNormal(random);
      return factor * 2 * Math.exp(change === "crossing" ? 0.05 * z : 0.8 * z);
    }
    case "cost": {
      const zero = random() < 0.2;
      const z = standardNormal(random);
      return zero ? 0 : factor * Math.exp(change === "crossing" ? 0.05 * z : 0.8 * z);
    }
    case "gauge":
      return factor * (50 + 5 * standardNormal(random));
    case "errors":
      return random() < 0.12 * (factor > 1 ? 2 * factor : factor) ? 1 : 0;
    case "score": {
      const shift = change === "equal" ? 0 : change === "better" ? 0.7 : -0.7;
      return Math.min(5, Math.max(1, Math.round(3.6 + shift - (hard ? 0.5 : 0) + standardNormal(random))));
    }
  }
}

/** Rows in the order of their times; those of one unit lie within half a minute. */
function drawRows(kind: Form["kind"], random: Random, change: Change, arm: ArmShape): Samples {
  const rows: { at: number; unit: number; stratum: number; value: number }[] = [];
  for (let unit = 0; unit < arm.size; unit++) {
    const began = START_SECONDS + ((unit + random()) / arm.size) * (arm.seconds - 31);
    const hard = random() < 0.4;
    const own = valueOf(kind, random, change, arm.strata && hard);
    const count = arm.named && kind !== "errors" && kind !== "score" ? 1 + Math.floor(3 * random()) : 1;
    for (let row = 0; row < count; row++)
      rows.push({
        at: began + (row === 0 ? 0 : 30 * random()),
        unit,
        stratum: hard ? 1 : 0,
        value: arm.per * own * (count === 1 ? 1 : 0.9 + 0.2 * random()),
      });
  }
  rows.sort((a, b) => a.at - b.at);
  // Names differ between arms: nobody was in both.
  const tag = random().toString(36).slice(2, 8);
  return {
    shape: "samples",
    values: Float64Array.from(rows, ({ value }) => value),
    units: arm.named ? Int32Array.from(rows, ({ unit }) => unit) : null,
    unitNames: arm.named ? Array.from({ length: arm.size }, (_, unit) => `${tag}-${unit}`) : [],
    at: Float64Array.from(rows, ({ at }) => at),
    strata: arm.strata ? Int32Array.from(rows, ({ stratum }) => stratum) : null,
    stratumNames: arm.strata ? ["easy", "hard"] : [],
  };
}

const STEP_SECONDS = 60;
const stepsIn = (seconds: number) =>
  Float64Array.from(
    { length: Math.floor(seconds / STEP_SECONDS) },
    (_, step) => START_SECONDS + STEP_SECONDS * (step + 1),
  );

function drawSeries(kind: Form["kind"], random: Random, change: Change, arm: ArmShape): Samples {
  const at = stepsIn(arm.seconds);
  const level =
    kind === "score" ? 3.5 + (change === "equal" ? 0 : change === "better" ? 0.7 : -0.7) : kind === "errors" ? 0.1 : 10;
  const factor = kind === "score" ? 1 : kind === "errors" && FACTORS[change] > 1 ? 3 : FACTORS[change];
  return {
    shape: "series",
    stepSeconds: STEP_SECONDS,
    at,
    values: at.map(() => arm.per * level * factor * (1 + 0.1 * (random() - 0.5))),
  };
}

function drawCounts(random: Random, change: Change, arm: ArmShape): Samples {
  const at = stepsIn(arm.seconds);
  const exposure = at.map(() => Math.max(1, Math.round(arm.size * (0.8 + 0.4 * random()))));
  return {
    shape: "counts",
    stepSeconds: STEP_SECONDS,
    at,
    exposure,
    events: exposure.map(
      (trials) => Array.from({ length: trials }, () => valueOf("errors", random, change, false)).filter(Boolean).length,
    ),
  };
}

const EDGES = [0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 12, 24, Infinity];

function drawHistogram(kind: Form["kind"], random: Random, change: Change, arm: ArmShape): Samples {
  const at = stepsIn(arm.seconds);
  const upperEdges = EDGES.map((edge) => edge * arm.per);
  return {
    shape: "histogram",
    stepSeconds: STEP_SECONDS,
    at,
    upperEdges: Float64Array.from(upperEdges),
    counts: Float64Array.from(
      Array.from(at, () =>
        toBuckets(
          Array.from({ length: arm.size }, () => arm.per * valueOf(kind, random, change, false)),
          upperEdges,
        ),
      ).flat(),
    ),
  };
}

const AMOUNT: Readonly<Record<"latency" | "cost" | "gauge", (per: number) => string>> = {
  latency: (per) => `kind: latency, measurementUnit: ${per === 1 ? "s" : "ms"}, margin: 10%, tailMargin: 50%`,
  cost: () => "kind: cost, margin: 10%, tailMargin: 50%",
  gauge: () => "kind: gauge, margin: 10%",
};
const SCORE = (per: number) => `kind: score, scale: [${per}, ${5 * per}], margin: ${0.25 * per}`;
const ERRORS = () => "kind: errors, margin: 2pp";

/** The matrix of kind and shape, as far as it can be tested. */
export const FORMS: readonly Form[] = [
  ...(["latency", "cost", "gauge"] as const).flatMap((kind): Form[] => [
    {
      kind,
      shape: "samples",
      yaml: (per) => `${AMOUNT[kind](per)}, query: { value: v, at: t, unit: u }`,
      draw: (random, change, arm) => drawRows(kind, random, change, arm),
    },
    {
      kind,
      shape: "series",
      yaml: (per) => `${AMOUNT[kind](per)}, query: { series: x }`,
      draw: (random, change, arm) => drawSeries(kind, random, change, arm),
    },
    {
      kind,
      shape: "series",
      variant: " with a history",
      yaml: (per) => `${AMOUNT[kind](per)}, query: { series: x }, history: { stepDeviation: 5%, runs: 20 }`,
      draw: (random, change, arm) => drawSeries(kind, random, change, arm),
    },
  ]),
  ...(["latency", "cost"] as const).map((kind): Form => ({
    kind,
    shape: "histogram",
    yaml: (per) => `${AMOUNT[kind](per)}, query: { histogram: h }`,
    draw: (random, change, arm) => drawHistogram(kind, random, change, arm),
  })),
  {
    kind: "score",
    shape: "samples",
    yaml: (per) => `${SCORE(per)}, query: { value: v, at: t, unit: u }`,
    draw: (random, change, arm) => drawRows("score", random, change, arm),
  },
  {
    kind: "score",
    shape: "series",
    yaml: (per) => `${SCORE(per)}, query: { series: x }`,
    draw: (random, change, arm) => drawSeries("score", random, change, arm),
  },
  {
    kind: "score",
    shape: "series",
    variant: " with a history",
    yaml: (per) => `${SCORE(per)}, query: { series: x }, history: { stepDeviation: ${0.15 * per}, runs: 20 }`,
    draw: (random, change, arm) => drawSeries("score", random, change, arm),
  },
  {
    kind: "errors",
    shape: "samples",
    yaml: () => `${ERRORS()}, query: { value: v, at: t, unit: u }`,
    draw: (random, change, arm) => drawRows("errors", random, change, { ...arm, per: 1 }),
  },
  {
    kind: "errors",
    shape: "series",
    yaml: () => `${ERRORS()}, query: { series: x }`,
    draw: (random, change, arm) => drawSeries("errors", random, change, { ...arm, per: 1 }),
  },
  {
    kind: "errors",
    shape: "counts",
    yaml: () => `${ERRORS()}, query: { events: e, exposure: n }`,
    draw: (random, change, arm) => drawCounts(random, change, arm),
  },
];
