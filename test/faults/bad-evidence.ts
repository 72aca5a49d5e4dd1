import type { AnalysisDocument, Analysis, MetricInput } from "../../src/model/analysis.ts";
import type { Answer, SampleRows, Samples, ValueFault } from "../../src/model/samples.ts";
import { resolveAnalysis } from "../../src/model/resolve-analysis.ts";
import { normalQuantile } from "../../src/stats/distributions/normal.ts";
import { seeded, type Random } from "../../src/stats/random.ts";

/**
 * Generated bad evidence: runs whose data are broken in known ways, so that it is known what may be decided on them.
 *
 * Nothing here is harmful by chance. Values of harmless metrics come from evenly spread quantiles, in an order of which every beginning is evenly spread as well (a
 * Kronecker sequence): both arms of an equal metric look alike at every look, and a rollback is never bad luck. Harm is far beyond every margin.
 */

export const START = Date.parse("2026-11-20T08:00:00.000Z") / 1000;
const STEP_SECONDS = 60;
const DURATION_SECONDS = 1200;
const EVERY_SECONDS = 240;
const STEPS = DURATION_SECONDS / STEP_SECONDS;

export type ArmName = "baseline" | "candidate";
export const ARM_NAMES = ["baseline", "candidate"] as const;

type Kind = MetricInput["kind"];
type Shape = "rows" | "series" | "counts" | "batches" | "histogram";

/** Where a look stands: what a fault may depend on. */
export interface LookAt {
  /** From 1. */
  readonly look: number;
  /** Seconds since the start up to which evidence has come in. */
  readonly passed: number;
}

/** One metric as it was generated. */
export interface BadMetric {
  readonly name: string;
  readonly kind: Kind;
  readonly shape: Shape;
  /** harm: so clear that the run must roll back. */
  readonly law: "equal" | "better" | "constant" | "harm";
  /** Names of what was made bad, for people. */
  readonly faults: readonly string[];
  /** What the source has of each arm, over the whole window. */
  readonly recorded: Readonly<Record<ArmName, Samples>>;
  /** How many units or steps each arm has: the judge must never count more. */
  readonly units: number;
  /** True at looks where nothing trustworthy is known of this metric, so that no run may promote. */
  readonly untrusted: (at: LookAt) => boolean;
  /** What the source does with what it found in the window asked for; null: it is dead. */
  readonly answer: (arm: ArmName, found: Samples, at: LookAt) => Answer | null;
}

export interface BadCase {
  readonly number: number;
  readonly analysis: Analysis;
  readonly metrics: readonly BadMetric[];
  /** Null: all rows at once, as at the command line. */
  readonly window: { readonly seconds: number } | null;
  /** By how many seconds the clock of a look's worker is behind, by look from 1. */
  readonly behind: (look: number) => number;
  /** Something is wrong with the run itself, which pauses it whatever the metrics say; only an emergency comes before. */
  readonly alarmed: boolean;
}

/** The same case for the same number, on every machine. */
export function badCase(number: number): BadCase {
  const random = seeded(number, 4);
  const mode = choose(random, ["once", "once", "once", "scheduled", "continuous"] as const);
  const windowed = mode !== "once" || random() < 0.3;
  const followUp = mode !== "once" && random() < 0.5 ? 60 : 0;
  const size = choose(random, [3, 12, 29, 60, 150, 400]);
  const setting: Setting = { random, windowed, many: mode !== "once", followUp };

  const harmed = random() < 0.25;
  const count = 1 + Math.floor(3 * random());
  const metrics: Draft[] = [];
  if (harmed) metrics.push(harmfulMetric(setting));
  while (metrics.length < Math.max(count, harmed ? 2 : 1))
    metrics.push(brokenMetric(setting, `m${metrics.length}`, size));
  // The harm is not always named first.
  if (random() < 0.5) metrics.reverse();

  const critical = metrics.some(({ input }) => input.tier === "critical");
  const allocation = random() < 0.06 && !harmed ? { baseline: 1, candidate: 1 } : undefined;
  const document: AnalysisDocument = {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: "bad-evidence" },
    spec: {
      unit: "session",
      ...(critical && !harmed && random() < 0.2 ? { policy: "critical-only" as const } : {}),
      ...(allocation === undefined ? {} : { allocation }),
      plan:
        mode === "once"
          ? { mode, settle: "0s" }
          : {
              mode,
              ...(mode === "scheduled" ? { duration: "20m" } : { maxDuration: "20m" }),
              every: "4m",
              settle: "0s",
              followUp: `${followUp}s`,
            },
      metrics: metrics.map(({ input }) => input),
    },
  };
  const resolved = resolveAnalysis(document);
  if ("issues" in resolved) throw new Error(`case ${number}: ${JSON.stringify(resolved.issues)}`);
  const skewed = mode !== "once" && random() < 0.15 ? 2 + Math.floor(3 * random()) : null;
  const seconds = choose(random, [EVERY_SECONDS, 2 * EVERY_SECONDS, 100]);
  // Where only one metric sees units, the ratio of its arms is that of the run.
  const [only] = metrics;
  const mismatched =
    allocation !== undefined && metrics.length === 1 && (only?.metric.faults.includes(LOST_UNITS) ?? false);
  return {
    number,
    analysis: resolved.analysis,
    metrics: metrics.map(({ metric }) => (mismatched ? { ...metric, untrusted: ALWAYS } : metric)),
    window: windowed ? { seconds: DURATION_SECONDS } : null,
    behind: (look) => (look === skewed ? seconds : 0),
    alarmed: allocation !== undefined || metrics.some(({ alarmed }) => alarmed),
  };
}

interface Setting {
  readonly random: Random;
  readonly windowed: boolean;
  /** Many looks. */
  readonly many: boolean;
  readonly followUp: number;
}

/** A metric under construction. */
interface Draft {
  readonly input: MetricInput;
  readonly metric: BadMetric;
  readonly alarmed: boolean;
}

const NEVER = (): boolean => false;
const ALWAYS = (): boolean => true;
const plainly = (_: ArmName, samples: Samples): Answer => ({ samples, faults: [], warnings: [] });

const MATRIX: readonly (readonly [Kind, Shape])[] = [
  ["latency", "rows"],
  ["latency", "rows"],
  ["latency", "series"],
  ["latency", "histogram"],
  ["errors", "rows"],
  ["errors", "counts"],
  ["errors", "batches"],
  ["errors", "series"],
  ["score", "rows"],
  ["score", "series"],
  ["cost", "rows"],
  ["cost", "series"],
  ["cost", "histogram"],
  ["gauge", "rows"],
  ["gauge", "series"],
];

/** Clear harm, untouched by any fault: four times the errors of 2,000 units, or as clear in another kind. */
function harmfulMetric(setting: Setting): Draft {
  const { random } = setting;
  const [kind, shape] = choose(random, [
    ["errors", "rows"],
    ["errors", "rows"],
    ["errors", "counts"],
    ["latency", "rows"],
    ["latency", "series"],
    ["latency", "histogram"],
    ["score", "rows"],
    ["cost", "rows"],
    ["gauge", "series"],
  ] as const);
  const size = shape === "rows" ? (kind === "errors" ? 2000 : 400) : 100;
  const sketch = sketchOf(kind, shape, "harm", size, setting);
  const tier = choose(random, ["critical", "required"] as const);
  const catastrophic = { latency: "50%", cost: "50%", gauge: "50%", errors: "5pp", score: 0.5 }[kind];
  return {
    input: {
      ...inputOf(kind, shape, "harm"),
      tier,
      ...(tier === "critical" && random() < 0.5 ? { catastrophic } : {}),
    },
    metric: { ...sketch, name: "harm", faults: [] },
    alarmed: false,
  };
}

/** Harmless, and mostly broken in one way. */
function brokenMetric(setting: Setting, name: string, size: number): Draft {
  const { random } = setting;
  const [kind, shape] = choose(random, MATRIX);
  const law = choose(random, ["equal", "equal", "equal", "better", "constant"] as const);
  // Exact tests of few errors are dear; most cases have more.
  const enough = kind === "errors" && random() < 0.8 ? Math.max(size, 150) : size;
  const sketch = { ...sketchOf(kind, shape, law, enough, setting), name };
  const tier = choose(random, ["critical", "critical", "required", "required", "required", "advisory"] as const);
  const plain: Draft = { input: { ...inputOf(kind, shape, name), tier }, metric: sketch, alarmed: false };
  // Each fault says whether it can befall this metric; a few are tried.
  for (let attempt = 0; attempt < 6; attempt++) {
    const broken = choose(random, FAULTS)(plain, setting, enough);
    if (broken !== null) return guarded(broken);
  }
  return guarded(plain);
}

/** An advisory metric decides nothing; an analysis needs one that does. */
function guarded(draft: Draft): Draft {
  return draft.input.tier === "advisory" && draft.metric.name === "m0"
    ? { ...draft, input: { ...draft.input, tier: "required" } }
    : draft;
}

function inputOf(kind: Kind, shape: Shape, name: string): MetricInput {
  const query =
    shape === "rows"
      ? { value: "v", at: "t" }
      : shape === "series"
        ? { series: "x" }
        : shape === "histogram"
          ? { histogram: "h" }
          : shape === "batches"
            ? { events: "e", exposure: "n", at: "t" }
            : { events: "e", exposure: "n" };
  const shared = { name, source: "s", query };
  switch (kind) {
    case "latency":
    case "cost":
      return { ...shared, kind, margin: "10%", tailMargin: "50%" };
    case "gauge":
      return { ...shared, kind, margin: "10%" };
    case "errors":
      return { ...shared, kind, margin: "2pp" };
    case "score":
      return { ...shared, kind, scale: [1, 5], margin: 0.25 };
  }
}

// ---- values ------------------------------------------------------------------------------------------------------------------------------------------------

const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Every beginning of this sequence is spread evenly over (0, 1). */
const spread = (index: number, offset: number): number => {
  const u = (offset + index * GOLDEN) % 1;
  return Math.min(1 - 1e-9, Math.max(1e-9, u));
};

/** The value at this quantile: `harm` far beyond every margin, `better` as far on the other side. */
function valueAt(kind: Kind, u: number, law: BadMetric["law"], hard = false): number {
  const amount = (law === "harm" ? 3 : law === "better" ? 0.6 : 1) * (hard ? 3 : 1);
  if (law === "constant") return kind === "errors" ? 0 : kind === "score" ? 4 : 7;
  switch (kind) {
    case "latency":
      return amount * 2 * Math.exp(0.4 * normalQuantile(u));
    case "cost":
      return u < 0.15 ? 0 : amount * Math.exp(0.4 * normalQuantile((u - 0.15) / 0.85));
    case "gauge":
      return amount * (50 + 5 * normalQuantile(u));
    case "errors":
      return u < (law === "harm" ? 0.2 : law === "better" ? 0.01 : 0.05) ? 1 : 0;
    case "score": {
      const shares =
        law === "harm" ? [0.5, 0.7, 0.85, 0.95] : law === "better" ? [0.01, 0.02, 0.05, 0.2] : [0.05, 0.1, 0.25, 0.6];
      return 1 + shares.filter((share) => u >= share).length;
    }
  }
}

/** A step's value hardly wanders, so that no few steps of an equal metric can differ by a margin. */
function stepValueAt(kind: Kind, u: number, law: BadMetric["law"]): number {
  const wobble = law === "constant" ? 0 : 0.02 * (u - 0.5);
  if (kind === "score") return 3.5 * (1 + wobble) + (law === "harm" ? -1.5 : law === "better" ? 1 : 0);
  if (kind === "errors") return (law === "harm" ? 0.2 : law === "better" ? 0.01 : 0.05) * (1 + wobble);
  return 10 * (1 + wobble) * (law === "harm" ? 3 : law === "better" ? 0.6 : 1);
}

type Sketch = Omit<BadMetric, "name">;

function sketchOf(kind: Kind, shape: Shape, law: BadMetric["law"], size: number, setting: Setting): Sketch {
  const { random } = setting;
  const named = random() < 0.6;
  const draw = (arm: ArmName): Samples => {
    const own = arm === "candidate" ? law : law === "constant" ? "constant" : "equal";
    const offset = random();
    if (shape === "rows") return drawRows(kind, own, size, offset, named ? arm : null, setting);
    const at = Float64Array.from({ length: STEPS }, (_, step) => START + STEP_SECONDS * (step + 1));
    if (shape === "series")
      return {
        shape: "series",
        stepSeconds: STEP_SECONDS,
        at,
        values: at.map((_, step) => stepValueAt(kind, spread(step, offset), own)),
      };
    if (shape === "histogram") return drawHistogram(kind, own, size, offset, at);
    const exposure = at.map(() => size);
    const events = exposure.map((trials, step) => {
      let bad = 0;
      for (let trial = 0; trial < trials; trial++) bad += valueAt("errors", spread(step * trials + trial, offset), own);
      return bad;
    });
    // Rows with times of their own begin where they stand.
    return shape === "counts"
      ? { shape: "counts", stepSeconds: STEP_SECONDS, at, events, exposure }
      : { shape: "counts", stepSeconds: 0, at: at.map((end) => end - STEP_SECONDS + 1), events, exposure };
  };
  return {
    kind,
    shape,
    law,
    faults: [],
    recorded: { baseline: draw("baseline"), candidate: draw("candidate") },
    units: shape === "rows" ? size : STEPS,
    // Fewer units, steps or events than a promotion asks for.
    untrusted: shape === "rows" && size < 30 ? ALWAYS : NEVER,
    answer: plainly,
  };
}

/** Named units leave up to three rows within half a minute, as long as followUp waits for them. */
function drawRows(
  kind: Kind,
  law: BadMetric["law"],
  size: number,
  offset: number,
  arm: ArmName | null,
  { random, followUp, many }: Setting,
): SampleRows {
  const each = arm === null || kind === "errors" || kind === "score" ? 1 : 1 + Math.floor(3 * random());
  const apart = many && followUp === 0 ? 0 : 10;
  const gap = DURATION_SECONDS / size;
  const rows: { at: number; unit: number; value: number }[] = [];
  for (let unit = 0; unit < size; unit++) {
    const value = valueAt(kind, spread(unit, offset), law) / (kind === "cost" ? each : 1);
    for (let row = 0; row < each; row++) rows.push({ at: START + gap * (unit + 0.5) + apart * row, unit, value });
  }
  rows.sort((a, b) => a.at - b.at);
  return {
    shape: "samples",
    values: Float64Array.from(rows, ({ value }) => value),
    units: arm === null ? null : Int32Array.from(rows, ({ unit }) => unit),
    unitNames: arm === null ? [] : Array.from({ length: size }, (_, unit) => `${arm}-${unit}`),
    at: Float64Array.from(rows, ({ at }) => at),
    strata: null,
    stratumNames: [],
  };
}

const EDGES = [0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 6, 8, 12, Infinity];

function drawHistogram(kind: Kind, law: BadMetric["law"], size: number, offset: number, at: Float64Array): Samples {
  const counts = new Float64Array(at.length * EDGES.length);
  for (let step = 0; step < at.length; step++)
    for (let one = 0; one < size; one++) {
      const value = valueAt(kind, spread(step * size + one, offset), law);
      const place = step * EDGES.length + EDGES.findIndex((edge) => value <= edge);
      counts[place] = (counts[place] ?? 0) + 1;
    }
  return { shape: "histogram", stepSeconds: STEP_SECONDS, at, upperEdges: Float64Array.from(EDGES), counts };
}

// ---- faults ------------------------------------------------------------------------------------------------------------------------------------------------

/** Breaks a metric in one way, or null where it cannot be broken so. */
type Fault = (draft: Draft, setting: Setting, size: number) => Draft | null;

const breaking = (draft: Draft, name: string, changes: Partial<BadMetric>, alarmed = false): Draft => ({
  ...draft,
  metric: { ...draft.metric, ...changes, faults: [...draft.metric.faults, name] },
  alarmed: draft.alarmed || alarmed,
});

const someArms = (random: Random): readonly ArmName[] =>
  choose(random, [["baseline"], ["candidate"], ["candidate"], ["baseline", "candidate"]]);

const onRecorded = (
  { recorded }: BadMetric,
  arms: readonly ArmName[],
  change: (samples: Samples, arm: ArmName) => Samples,
): BadMetric["recorded"] => ({
  baseline: arms.includes("baseline") ? change(recorded.baseline, "baseline") : recorded.baseline,
  candidate: arms.includes("candidate") ? change(recorded.candidate, "candidate") : recorded.candidate,
});

/** Keeps the rows or steps that a test on their index and time lets through. */
function kept(samples: Samples, keep: (index: number, at: number) => boolean): Samples {
  const times = samples.at ?? new Float64Array(0);
  const indices = Array.from(times, (_, index) => index).filter((index) => keep(index, times[index] ?? 0));
  const pick = (column: Float64Array) => Float64Array.from(indices, (index) => column[index] ?? 0);
  const pickCodes = (column: Int32Array | null) =>
    column === null ? null : Int32Array.from(indices, (index) => column[index] ?? 0);
  switch (samples.shape) {
    case "samples":
      return {
        ...samples,
        values: pick(samples.values),
        at: pick(times),
        units: pickCodes(samples.units),
        strata: pickCodes(samples.strata),
      };
    case "series":
      return { ...samples, at: pick(times), values: pick(samples.values) };
    case "counts":
      return { ...samples, at: pick(times), events: pick(samples.events), exposure: pick(samples.exposure) };
    case "histogram": {
      const buckets = samples.upperEdges.length;
      const counts = Float64Array.from(
        indices.flatMap((index) => Array.from(samples.counts.subarray(index * buckets, (index + 1) * buckets))),
      );
      return { ...samples, at: pick(times), counts };
    }
  }
}

const valuesMapped = (samples: Samples, change: (value: number, index: number) => number): Samples =>
  samples.shape === "samples" || samples.shape === "series"
    ? { ...samples, values: samples.values.map(change) }
    : samples;

const isAmount = ({ kind, shape }: BadMetric) =>
  kind !== "errors" && kind !== "score" && (shape === "rows" || shape === "series");
const isStepped = ({ shape }: BadMetric) => shape === "series" || shape === "counts" || shape === "histogram";
const firstLook = (random: Random, many: boolean) => (many ? 1 + Math.floor(5 * random()) : 1);

/** The source does not answer, for good or at some looks. */
const deadSource: Fault = (draft, { random, many }) => {
  const arms = someArms(random);
  const [since, rhythm] = [firstLook(random, many), choose(random, [1, 1, 2])];
  const isDead = ({ look }: LookAt) => look >= since && (look - since) % rhythm === 0;
  return breaking(draft, `dead source of ${arms.join(" and ")} from look ${since}, every ${rhythm}`, {
    untrusted: (at) => isDead(at) || draft.metric.untrusted(at),
    answer: (arm, found, at) => (arms.includes(arm) && isDead(at) ? null : draft.metric.answer(arm, found, at)),
  });
};

const nothingAtAll: Fault = (draft, { random }) =>
  breaking(draft, "empty", {
    recorded: onRecorded(draft.metric, someArms(random), (samples) => kept(samples, () => false)),
    untrusted: ALWAYS,
  });

/** One row, or a handful, or steps too few to know how much they vary. */
const hardlyAnything: Fault = (draft, { random }) => {
  const most = isStepped(draft.metric) || draft.metric.shape === "batches" ? 8 : 4;
  const left = 1 + Math.floor(most * random());
  return breaking(draft, `${left} left`, {
    recorded: onRecorded(draft.metric, someArms(random), (samples) => kept(samples, (index) => index < left)),
    untrusted: ALWAYS,
  });
};

const FAULT_KINDS = [
  "missing",
  "nan",
  "infinite",
  "not_a_number",
  "negative",
  "events_above_exposure",
  "bad_time",
] as const;

/** Cells that are no values; the metric tolerates none. */
const unusableCells: Fault = (draft, { random, many }) => {
  const arms = someArms(random);
  const since = firstLook(random, many);
  const fault: ValueFault = { kind: choose(random, FAULT_KINDS), count: 1 + Math.floor(5 * random()), example: "NaN" };
  return breaking(draft, `${fault.kind} from look ${since}`, {
    untrusted: (at) => at.look >= since || draft.metric.untrusted(at),
    answer: (arm, found, at) => {
      const answer = draft.metric.answer(arm, found, at);
      return answer !== null && arms.includes(arm) && at.look >= since ? { ...answer, faults: [fault] } : answer;
    },
  });
};

/** Every seventh row of the candidate is missing, and of the baseline none. */
const missingness: Fault = (draft, _, size) => {
  const { metric } = draft;
  if (metric.shape !== "rows" || size < 400) return null;
  return {
    ...breaking(draft, "missing in one arm", {
      untrusted: ALWAYS,
      answer: (arm, found, at) => {
        const answer = metric.answer(arm, found, at);
        const lost = Math.ceil((found.shape === "samples" ? found.values.length : 0) / 6);
        return answer === null || arm === "baseline" || lost === 0
          ? answer
          : { ...answer, faults: [{ kind: "missing", count: lost, example: "" }] };
      },
    }),
    input: { ...draft.input, maxInvalidFraction: "20%" },
  };
};

/** An arm stops to report before the middle of the window. */
const stale: Fault = (draft, { random, windowed }, size) => {
  const { metric } = draft;
  if (!windowed || metric.shape === "batches" || (metric.shape === "rows" && size < 150)) return null;
  const cut = choose(random, [0.2, 0.35, 0.45]) * DURATION_SECONDS;
  return breaking(draft, `stale after ${cut} s`, {
    recorded: onRecorded(metric, someArms(random), (samples) => kept(samples, (_, at) => at <= START + cut)),
    // Units come at least every eight seconds: within six minutes forty would have.
    untrusted: (at) => at.passed - cut >= 400 || metric.untrusted(at),
  });
};

/** Every other step is there. */
const partial: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (!isStepped(metric)) return null;
  const arm = choose(random, ARM_NAMES);
  const both = random() < 0.3;
  return breaking(draft, both ? "steps apart" : "every other step", {
    recorded: onRecorded(metric, both ? ARM_NAMES : [arm], (samples, which) =>
      kept(samples, (index) => index % 2 === (which === arm ? 0 : 1)),
    ),
    untrusted: ALWAYS,
  });
};

/** One arm came in milliseconds. */
const otherScale: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (!isAmount(metric) || metric.law === "constant") return null;
  const factor = choose(random, [1000, 0.001, 1e6]);
  return breaking(draft, `one arm times ${factor}`, {
    recorded: onRecorded(metric, [choose(random, ARM_NAMES)], (samples) =>
      valuesMapped(samples, (value) => value * factor),
    ),
    untrusted: ALWAYS,
  });
};

const otherBuckets: Fault = (draft, { random, many }) => {
  const { metric } = draft;
  if (metric.shape !== "histogram") return null;
  const edges = choose(random, [EDGES.map((edge) => edge * 1000), EDGES.map((edge) => edge * 1.37)]);
  const [arm, since] = [choose(random, ARM_NAMES), firstLook(random, many)];
  return breaking(draft, `other buckets from look ${since}`, {
    untrusted: (at) => at.look >= since || metric.untrusted(at),
    answer: (which, found, at) =>
      plainly(
        which,
        found.shape === "histogram" && which === arm && at.look >= since
          ? { ...found, upperEdges: Float64Array.from(edges) }
          : found,
      ),
  });
};

/** The source answers in another shape, at once or from some look on. */
const otherShape: Fault = (draft, { random, many }) => {
  const { metric } = draft;
  const [arms, since] = [someArms(random), firstLook(random, many)];
  const changed = (found: Samples): Samples => {
    const at = found.at ?? new Float64Array(0);
    return found.shape === "series"
      ? { shape: "counts", stepSeconds: STEP_SECONDS, at, events: at.map(() => 1), exposure: at.map(() => 20) }
      : { shape: "series", stepSeconds: STEP_SECONDS, at: at.slice(0, STEPS), values: at.slice(0, STEPS).map(() => 1) };
  };
  // From the first look on both arms may agree on a shape that can be judged.
  if (since === 1 && arms.length === 2) return null;
  return breaking(draft, `${arms.join(" and ")} of another shape from look ${since}`, {
    untrusted: (at) => at.look >= since || metric.untrusted(at),
    answer: (arm, found, at) => plainly(arm, arms.includes(arm) && at.look >= since ? changed(found) : found),
  });
};

/** Deliveries at least once: every row twice. Only a cost would be counted double. */
const deliveredTwice: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (metric.shape !== "rows" || metric.kind === "cost") return null;
  return breaking(draft, "every row twice", {
    recorded: onRecorded(metric, someArms(random), (samples) => {
      if (samples.shape !== "samples" || samples.units === null) return samples;
      const double = <T extends Float64Array | Int32Array>(column: T): T => {
        const result = (
          column instanceof Float64Array ? new Float64Array(2 * column.length) : new Int32Array(2 * column.length)
        ) as T;
        for (const [row, value] of column.entries()) result.fill(value, 2 * row, 2 * row + 2);
        return result;
      };
      return {
        ...samples,
        values: double(samples.values),
        units: double(samples.units),
        at: samples.at === null ? null : double(samples.at),
      };
    }),
  });
};

/** A quarter of the candidate's sessions were the baseline's too. */
const crossing: Fault = (draft, _, size) => {
  const { metric } = draft;
  const { baseline, candidate } = metric.recorded;
  if (size < 60 || baseline.shape !== "samples" || candidate.shape !== "samples" || candidate.units === null)
    return null;
  return breaking(
    draft,
    "units in both arms",
    {
      recorded: {
        baseline,
        candidate: {
          ...candidate,
          unitNames: candidate.unitNames.map((name, unit) =>
            unit % 4 === 0 ? (baseline.unitNames[unit] ?? name) : name,
          ),
        },
      },
      untrusted: ALWAYS,
    },
    true,
  );
};

/** Both arms hold the very same values: the query does not tell the versions apart. */
const identical: Fault = (draft, _, size) => {
  const { metric } = draft;
  if (!isAmount(metric) || metric.law === "constant" || size < 150) return null;
  const { baseline } = metric.recorded;
  return breaking(draft, "identical arms", { recorded: { baseline, candidate: baseline }, untrusted: ALWAYS }, true);
};

const LOST_UNITS = "half of the candidate's units lost";

/** The candidate's units come half as often as the baseline's. */
const lostUnits: Fault = (draft, _, size) => {
  const { metric } = draft;
  if (metric.shape !== "rows" || size < 400) return null;
  return breaking(draft, LOST_UNITS, {
    recorded: onRecorded(metric, ["candidate"], (samples) =>
      samples.shape === "samples" && samples.units !== null
        ? kept(samples, (index) => (samples.units?.[index] ?? 0) % 2 === 0)
        : kept(samples, (index) => index % 2 === 0),
    ),
  });
};

/** One value beyond all reason. */
const onePeak: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (!isAmount(metric)) return null;
  const peak = choose(random, [1e100, 1e155, 1e200, 1e300, Number.MAX_VALUE]);
  // In both arms at one step it would cancel.
  const arms: readonly ArmName[] = metric.shape === "series" ? [choose(random, ARM_NAMES)] : someArms(random);
  return breaking(draft, `one value of ${peak}`, {
    recorded: onRecorded(metric, arms, (samples) => {
      const unit = samples.shape === "samples" ? (samples.units?.[0] ?? null) : null;
      return valuesMapped(samples, (value, index) =>
        (unit === null ? index === 0 : samples.shape === "samples" && samples.units?.[index] === unit) ? peak : value,
      );
    }),
    untrusted: ALWAYS,
  });
};

/** All values at the ends of what a double can hold: both arms alike, so that nothing has changed. */
const extremeScale: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (!isAmount(metric)) return null;
  const factor = choose(random, [1e300, 1e-300, 1e160, 1e-160, 1e-310, -0]);
  // Nothing but zeros has neither a ratio nor a direction.
  if (factor === 0 && metric.kind === "gauge") return null;
  return breaking(draft, `both arms times ${factor === 0 ? "-0" : factor}`, {
    recorded: onRecorded(metric, ARM_NAMES, (samples) => valuesMapped(samples, (value) => value * factor)),
  });
};

/** A value that this kind cannot have. */
const impossible: Fault = (draft, { random }) => {
  const { metric } = draft;
  const value = {
    latency: -1,
    cost: -1e-9,
    errors: metric.shape === "rows" ? 0.5 : 1.5,
    score: choose(random, [5.5, 0, -1e300]),
    gauge: null,
  }[metric.kind];
  if (value === null || (metric.shape !== "rows" && metric.shape !== "series")) return null;
  return breaking(draft, `a value of ${value}`, {
    recorded: onRecorded(metric, someArms(random), (samples) =>
      valuesMapped(samples, (old, index) => (index === 0 ? value : old)),
    ),
    untrusted: ALWAYS,
  });
};

/** Counters that stood still, in all steps or in some. */
const noExposure: Fault = (draft, { random }) => {
  const { metric } = draft;
  if (metric.shape !== "counts" && metric.shape !== "batches" && metric.shape !== "histogram") return null;
  const every = choose(random, [1, 1, 3]);
  const still = (column: Float64Array, buckets: number) =>
    column.map((value, index) => (Math.floor(index / buckets) % every === 0 ? 0 : value));
  return breaking(draft, every === 1 ? "no traffic" : "no traffic in some steps", {
    recorded: onRecorded(metric, someArms(random), (samples) =>
      samples.shape === "counts"
        ? { ...samples, events: still(samples.events, 1), exposure: still(samples.exposure, 1) }
        : samples.shape === "histogram"
          ? { ...samples, counts: still(samples.counts, samples.upperEdges.length) }
          : samples,
    ),
    untrusted: every === 1 ? ALWAYS : metric.untrusted,
  });
};

/** Hard prompts take three times as long in both versions; the candidate hardly gets any others. */
const otherMix: Fault = (draft, { random }, size) => {
  const { metric } = draft;
  if (metric.shape !== "rows" || size < 150 || metric.kind === "errors" || metric.kind === "score") return null;
  if (metric.law !== "equal") return null;
  const apart = random() < 0.5;
  const withStrata = (samples: Samples, arm: ArmName): Samples => {
    if (samples.shape !== "samples") return samples;
    const { units } = samples;
    const isHard = (row: number): boolean => {
      const unit = units?.[row] ?? row;
      return arm === "baseline" ? unit % 2 === 0 : apart ? unit % 50 !== 0 : unit % 10 < 7;
    };
    return {
      ...samples,
      values: samples.values.map((value, row) => (isHard(row) ? 3 * value : value)),
      strata: Int32Array.from(samples.values, (_, row) => Number(isHard(row))),
      stratumNames: ["easy", "hard"],
    };
  };
  return breaking(draft, apart ? "hard prompts only in the candidate" : "more hard prompts in the candidate", {
    recorded: onRecorded(metric, ARM_NAMES, withStrata),
    untrusted: apart ? ALWAYS : metric.untrusted,
  });
};

/** Nothing that would be wrong. */
const oddities: Fault = (draft) => {
  const { metric } = draft;
  return breaking(draft, "a warning and a counter reset", {
    answer: (arm, found, at) => {
      const answer = metric.answer(arm, found, at);
      return answer === null
        ? answer
        : { ...answer, faults: [{ kind: "counter_reset", count: 1, example: "12:00" }], warnings: ["approximate"] };
    },
  });
};

/** The source knows no times: every look asks for all rows again. */
const timeless: Fault = (draft, { windowed, many, followUp }) => {
  const { metric } = draft;
  if (metric.shape !== "rows" || (many && followUp > 0)) return null;
  if (!windowed) return null;
  return breaking(draft, "no times", {
    answer: (arm, found, at) => {
      const answer = metric.answer(arm, found, at);
      return answer === null || answer.samples.shape !== "samples"
        ? answer
        : { ...answer, samples: { ...answer.samples, at: null } };
    },
  });
};

const FAULTS: readonly Fault[] = [
  deadSource,
  deadSource,
  nothingAtAll,
  hardlyAnything,
  unusableCells,
  missingness,
  stale,
  partial,
  otherScale,
  otherBuckets,
  otherShape,
  deliveredTwice,
  crossing,
  identical,
  lostUnits,
  onePeak,
  extremeScale,
  impossible,
  noExposure,
  otherMix,
  oddities,
  timeless,
];

function choose<T>(random: Random, list: readonly T[]): T {
  const one = list[Math.floor(random() * list.length)];
  if (one === undefined) throw new RangeError("nothing to choose from");
  return one;
}
