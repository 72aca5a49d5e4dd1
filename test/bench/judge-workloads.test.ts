import { expect, test } from "vitest";
import type { Samples } from "../../src/model/samples.ts";
import { seeded } from "../../src/stats/random.ts";
import { geometric, poisson } from "../../bench/judge/draws.ts";
import { rampRate, rampShare } from "../../bench/judge/errors-workloads.ts";
import type { Judgement } from "../../bench/judge/judgement.ts";
import { judgeByPeer, PEERS, type Peer } from "../../bench/judge/peers.ts";
import { judgeRuns, measure } from "../../bench/judge/run-workload.ts";
import { LABELS, SENSITIVITY, SPECIFICITY } from "../../bench/judge/score-workloads.ts";
import { MEAN_TURN_COST } from "../../bench/judge/session-workloads.ts";
import { minuteCounts, minuteSeries, toRows } from "../../bench/judge/shapes.ts";
import { runSlice } from "../../bench/judge/slice.ts";
import { markdownTable, rocMarkdown } from "../../bench/judge/table.ts";
import { pointAt, ROC_RATES, tuneOnce, tunePeer, type RocPoint } from "../../bench/judge/tune.ts";
import { minutePoints, viewOf } from "../../bench/judge/view.ts";
import {
  comparisons,
  LOOKS,
  MINUTES,
  START_SECONDS,
  TWO_ARMS,
  type ArmSamples,
  type Comparison,
  type Outcome,
  type Workload,
} from "../../bench/judge/workload.ts";
import { workloadNamed, WORKLOADS } from "../../bench/judge/workloads.ts";

/** A million rows are drawn in another test only. */
const SMALL = WORKLOADS.filter(({ runsShare }) => runsShare === 1);

test.each(SMALL.map((workload) => [workload.name, workload] as const))(
  "%s gives the same run for the same seed, another for another, in the order of time",
  (_, workload) => {
    const drawn = workload.generate("harmful", 7);
    expect(drawn).toEqual(workload.generate("harmful", 7));
    expect(drawn).not.toEqual(workload.generate("harmful", 8));
    expect([...drawn.arms.keys()]).toEqual(workload.arms);
    for (const samples of [...drawn.arms.values()].flatMap((arm) => [...arm.values()])) {
      const at = timesOf(samples);
      expect(at.every((time, i) => time >= START_SECONDS && (i === 0 || time >= at[i - 1]))).toBe(true);
    }
  },
);

test("every workload declares for ours and for the peers the metrics that it generates", () => {
  for (const workload of SMALL) {
    const [comparison] = comparisons(workload.generate("harmless", 1));
    const generated = [...comparison.candidate.keys()];
    const { spec } = workload.analysis as { spec: { metrics: { name: string; source: string }[] } };
    expect(spec.metrics.map(({ name }) => name)).toEqual(generated);
    expect(workload.peerMetrics.map(({ name }) => name)).toEqual(generated);
    expect(new Set(spec.metrics.map(({ source }) => source))).toEqual(new Set(["replay"]));
  }
});

/** [workload, outcome, effect as the mean of candidate over baseline, tolerance of at least four standard errors]. */
const RATIOS: readonly (readonly [string, Outcome, number, number])[] = [
  ["latency_lognormal", "harmless", 1, 0.016],
  ["latency_lognormal", "margin", 1.05, 0.017],
  ["latency_lognormal", "harmful", 1.1, 0.018],
  ["latency_tail", "margin", 1.05, 0.025],
  ["latency_tail", "harmful", 1.09, 0.025],
  ["series_autocorr", "harmful", 1.1, 0.06],
  ["sessions_clustered", "margin", 1.15, 0.13],
  ["sessions_clustered", "harmful", 1.3, 0.15],
  ["common_incident", "harmful", 1.1, 0.02],
  ["rainbow", "harmful", 1.1, 0.025],
  ["improvement", "harmless", 0.9, 0.015],
];

test.each(RATIOS)("%s, %s: the candidate's mean is %d times the baseline's", (name, outcome, ratio, tolerance) => {
  const { baseline, candidate } = pooled(name, outcome, 20);
  expect(Math.abs(candidate.mean / baseline.mean - ratio)).toBeLessThan(tolerance);
});

/** [workload, outcome, effect as the difference of means, tolerance of at least four standard errors]. */
const DIFFERENCES: readonly (readonly [string, Outcome, number, number])[] = [
  ["judge_ordinal", "harmless", 0, 0.1],
  ["judge_ordinal", "margin", -0.25, 0.1],
  ["judge_ordinal", "harmful", -0.36, 0.1],
  ["errors_low", "margin", 0.02, 0.009],
  ["errors_low", "harmful", 0.03, 0.009],
  // What the judge sees is sensitivity + specificity - 1 = 0.7 of the truth.
  ["fallible_judge", "margin", -0.07, 0.016],
  ["fallible_judge", "harmful", -0.105, 0.016],
];

test.each(DIFFERENCES)("%s, %s: the candidate's mean differs by %d", (name, outcome, difference, tolerance) => {
  const { baseline, candidate } = pooled(name, outcome, 20);
  expect(Math.abs(candidate.mean - baseline.mean - difference)).toBeLessThan(tolerance);
});

test("in mix_drift nothing changes within a class, and the candidate has more hard prompts", () => {
  const means = new Map<string, { sum: number; count: number }>();
  for (const [label, samples] of [...workloadNamed("mix_drift").generate("harmless", 1).arms].map(only)) {
    if (samples.shape !== "samples" || samples.strata === null) throw new Error("rows with strata are expected");
    for (const [i, value] of samples.values.entries()) {
      const key = `${label} ${samples.stratumNames[samples.strata[i]]}`;
      const { sum, count } = means.get(key) ?? { sum: 0, count: 0 };
      means.set(key, { sum: sum + value, count: count + 1 });
    }
  }
  const mean = (key: string) => (means.get(key)?.sum ?? NaN) / (means.get(key)?.count ?? NaN);
  const count = (key: string) => means.get(key)?.count ?? 0;
  expect(mean("candidate hard") / mean("baseline hard")).toBeCloseTo(1, 1);
  expect(mean("candidate easy") / mean("baseline easy")).toBeCloseTo(1, 1);
  expect(count("baseline hard") / 6000).toBeCloseTo(0.3, 1);
  expect(count("candidate hard") / count("baseline hard")).toBeGreaterThan(1.1);
});

test("a session is one unit whose turns share its cost, and it may outlast the hour", () => {
  const [[, samples]] = [...workloadNamed("sessions_clustered").generate("harmless", 3).arms].map(only);
  if (samples.shape !== "samples" || samples.units === null) throw new Error("rows with units are expected");
  const sessions = samples.unitNames.length;
  expect(sessions).toBeGreaterThan(230);
  expect(sessions).toBeLessThan(370);
  expect(samples.values.length / sessions).toBeGreaterThan(4.5);
  expect(samples.values.length / sessions).toBeLessThan(7.5);
  expect(Math.abs(pooled("sessions_clustered", "harmless", 20).baseline.mean / MEAN_TURN_COST - 1)).toBeLessThan(0.08);
});

test("in ramped_errors the candidate's traffic grows to the baseline's and both arms' errors grow alike", () => {
  expect([0, 15, 30, 45].map(rampShare)).toEqual([0.05, 0.1, 0.25, 0.5]);
  expect(rampRate(0)).toBeCloseTo(0.005, 3);
  expect(rampRate(59)).toBeCloseTo(0.02, 3);
  const { baseline, candidate } = pooled("ramped_errors", "harmless", 20);
  expect(baseline.weight / candidate.weight).toBeCloseTo(186 / 54, 0);
  // Pooled over time it looks a third worse, although it is not.
  expect(candidate.mean / baseline.mean).toBeGreaterThan(1.15);
});

test("missing_data loses a fifth of the candidate's slow half and nothing of the baseline", () => {
  const { baseline, candidate } = pooled("missing_data", "harmless", 5);
  expect(baseline.weight).toBe(5 * 6000);
  expect(candidate.weight / baseline.weight).toBeCloseTo(0.9, 1);
  expect(candidate.mean).toBeLessThan(baseline.mean);
});

test("in warm_up only the candidate's first minutes are slower", () => {
  const [comparison] = comparisons(workloadNamed("warm_up").generate("harmless", 2));
  const [view] = viewOf(comparison, workloadNamed("warm_up").peerMetrics);
  const mean = (points: Float64Array) => points.reduce((sum, value) => sum + value, 0) / points.length;
  const [cold, warm] = [
    (arm: typeof view.candidate) => mean(minutePoints(arm, 3)),
    (arm: typeof view.candidate) => mean(minutePoints(arm, MINUTES).subarray(3)),
  ];
  expect(cold(view.candidate) / cold(view.baseline)).toBeGreaterThan(1.2);
  expect(Math.abs(warm(view.candidate) / warm(view.baseline) - 1)).toBeLessThan(0.1);
});

test("fallible_judge carries human labels of some of the judged answers, at their times", () => {
  const { arms, gold } = workloadNamed("fallible_judge").generate("harmful", 1);
  for (const label of ["baseline", "candidate"]) {
    const judged = arms.get(label)?.get("quality");
    const truth = gold?.get(label)?.get("quality");
    if (judged?.shape !== "samples" || truth?.shape !== "samples") throw new Error("rows are expected");
    expect(truth.values).toHaveLength(LABELS);
    for (const [i, name] of truth.unitNames.entries()) {
      const row = judged.unitNames.indexOf(name);
      expect(truth.at?.[i]).toBe(judged.at?.[row]);
    }
  }
  expect(SENSITIVITY + SPECIFICITY - 1).toBeCloseTo(0.7);
});

test("in twelve_metrics one metric is harmed, another one in the next run", () => {
  const harmed = (seed: number) => {
    const [comparison] = comparisons(workloadNamed("twelve_metrics").generate("harmful", seed));
    const effects = [...comparison.candidate].map(([name, samples]) => {
      const [c, b] = [samples, comparison.baseline.get(name)].map((each) => momentsOf(each));
      return { name, z: Math.abs(c.mean - b.mean) / Math.sqrt(c.variance / c.weight + b.variance / b.weight) };
    });
    return effects.filter(({ z }) => z > 4).map(({ name }) => name);
  };
  expect(harmed(0)).toEqual(["latency-1"]);
  expect(harmed(7)).toEqual(["errors-4"]);
});

test("a rainbow run judges all four candidates when none is bad, and the bad one otherwise", () => {
  expect(comparisons(workloadNamed("rainbow").generate("harmless", 0))).toHaveLength(4);
  expect(workloadNamed("rainbow").generate("harmful", 6).judged).toEqual(["c3"]);
});

test("tiny_effect holds a million rows", () => {
  const { arms } = workloadNamed("tiny_effect").generate("harmless", 0);
  const sizes = [...arms].map(only).map(([, samples]) => timesOf(samples).length);
  expect(sizes).toEqual([500_040, 500_040]);
});

test("Poisson and geometric draws have their mean and variance", () => {
  const random = seeded(11);
  // Four standard errors at 20,000 draws: 0.17 of the means, 8 % of the variances.
  const moments = (draw: () => number) => {
    const values = Array.from({ length: 20_000 }, draw);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
  };
  const many = moments(() => poisson(random, 40));
  expect(Math.abs(many.mean - 40)).toBeLessThan(0.2);
  expect(Math.abs(many.variance / 40 - 1)).toBeLessThan(0.06);
  const turns = moments(() => geometric(random, 6));
  expect(Math.abs(turns.mean - 6)).toBeLessThan(0.17);
  expect(Math.abs(turns.variance / 30 - 1)).toBeLessThan(0.12);
});

/** A workload of one latency with a point a minute, so that a peer's rule can be followed by hand. */
const BY_HAND: Workload = {
  ...TWO_ARMS,
  name: "by_hand",
  text: "",
  analysis: {},
  peerMetrics: [
    {
      name: "latency",
      worse: "higher",
      critical: false,
      window: "mean",
      limits: { flagger: 100, argo: 100 },
    },
  ],
  generate: () => {
    throw new RangeError("data are made by hand");
  },
};

test("Flagger rolls back at the fifth failed check, Argo at the fourth, wherever they lie", async () => {
  const bad = new Set([2, 3, 7, 11, 15, 16]);
  const comparison = series(
    () => 90,
    (minute) => (bad.has(Math.floor(minute / 3) + 1) ? 110 : 90),
  );
  expect(await verdict("flagger_static", comparison)).toMatchObject({ verdict: "rollback", look: 15, minutes: 45 });
  expect(await verdict("argo_static", comparison)).toMatchObject({ verdict: "rollback", look: 11 });
});

test("Argo's ratio compares the windows of both arms, and a common shock moves it not at all", async () => {
  const shock = (minute: number) => (minute < 30 ? 50 : 500);
  const rule = "argo_ratio1.1";
  expect(
    await verdict(
      rule,
      series(shock, (minute) => 1.09 * shock(minute)),
    ),
  ).toMatchObject({ verdict: "promote" });
  expect(
    await verdict(
      rule,
      series(shock, (minute) => 1.11 * shock(minute)),
    ),
  ).toMatchObject({
    verdict: "rollback",
    look: 4,
  });
});

test("Kayenta passes a shift within the noise, fails a clear one at its first look, and once looks only at the end", async () => {
  const noise = (minute: number) => 90 + ((minute * 7) % 11);
  const same = series(noise, (minute) => noise(minute + 5));
  const shifted = series(noise, (minute) => noise(minute) + 50);
  expect(await verdict("kayenta", same)).toMatchObject({ verdict: "promote", look: LOOKS });
  expect(await verdict("kayenta", shifted)).toMatchObject({ verdict: "rollback", look: 1 });
  expect(await verdict("kayenta_once", shifted)).toMatchObject({ verdict: "rollback", look: LOOKS });
  const warmed = { ...BY_HAND, warmupMinutes: 3 };
  expect(await verdict("kayenta", same, warmed)).toMatchObject({ verdict: "promote" });
  const better = series(noise, (minute) => noise(minute) - 50);
  expect(await verdict("kayenta", better)).toMatchObject({ verdict: "promote" });
});

test("the naive test takes the rows of a session for independent", async () => {
  const rows = (value: number) =>
    toRows(
      Array.from({ length: 120 }, (_, i) => ({
        minutes: i / 4,
        value: value + (i % 3),
        unit: `s${Math.floor(i / 60)}`,
      })),
    );
  const comparison = oneMetric(rows(10), rows(11));
  expect(await verdict("naive_mwu98", comparison)).toMatchObject({ verdict: "rollback" });
});

test("lower is worse for a score, and counts are compared by their rate", async () => {
  const drops: Workload = { ...BY_HAND, peerMetrics: [{ ...BY_HAND.peerMetrics[0], worse: "lower" }] };
  const low = series(
    () => 120,
    () => 90,
  );
  expect(await verdict("argo_static", low, drops)).toMatchObject({ verdict: "rollback", look: 4 });
  const errors: Workload = {
    ...BY_HAND,
    peerMetrics: [{ ...BY_HAND.peerMetrics[0], limits: { flagger: 0.05, argo: 0.05 } }],
  };
  const counts = (events: number) => minuteCounts(() => ({ events, exposure: 20 }));
  expect(await verdict("flagger_static", oneMetric(counts(1), counts(1)), errors)).toMatchObject({
    verdict: "promote",
  });
  expect(await verdict("flagger_static", oneMetric(counts(1), counts(2)), errors)).toMatchObject({ look: 5 });
});

test("slices put together are the serial run, and the whole path agrees with the shipped rule", async () => {
  const slice = { workload: "judge_ordinal", outcome: "harmful", judges: ["kayenta", "argo_static"] } as const;
  const whole = await runSlice({ ...slice, wholePath: false, from: 0, to: 4 });
  const halves = await Promise.all([
    runSlice({ ...slice, wholePath: false, from: 0, to: 2 }),
    runSlice({ ...slice, wholePath: false, from: 2, to: 4 }),
  ]);
  expect(whole).toEqual([0, 1].map((judge) => halves.flatMap((half) => half[judge])));
  const deep = await runSlice({ ...slice, wholePath: true, from: 0, to: 4 });
  const looks = (runs: typeof whole) => runs.map((judge) => judge.map(([{ verdict, look }]) => [verdict, look]));
  expect(looks(deep)).toEqual(looks(whole));
});

test("the measures count what section 9.1 names", async () => {
  const workload = BY_HAND;
  const at = (verdict: Judgement["verdict"], look: number): Judgement[] => [
    {
      verdict,
      look,
      minutes: 3 * look,
      everRolledBack: verdict === "rollback",
      rollbackLook: verdict === "rollback" ? look : null,
    },
  ];
  const measured = measure(workload, {
    harmless: [at("promote", 10), at("promote", 20), at("rollback", 5), at("pause", 20)],
    harmful: [at("rollback", 2), at("rollback", 4), at("promote", 10), at("pause", 20)],
    margin: [at("promote", 20), at("rollback", 1)],
  });
  expect(measured.falseRollback.value).toBe(0.25);
  expect(measured.power.value).toBe(0.5);
  expect(measured.detection).toEqual({ median: 2, p90: 4 });
  expect(measured.promoteAtMargin.value).toBe(0.5);
  expect(measured.promotionLook).toBe(10);
  expect(measured.undecidedHarmless.value).toBe(0.25);
  // 10 × 1/4 + 3 × 1/4 + (6 + 12 + 60 + 60) / 4 / 60 + (30 + 60 + 60 + 60) / 4 / 60 / 2
  expect(measured.loss.value).toBeCloseTo(2.5 + 0.75 + 0.575 + 0.4375, 12);

  const unfit = measure(
    { ...workload, pauseIsRight: true },
    { harmless: [at("pause", 2)], harmful: [at("pause", 1)], margin: [] },
  );
  expect(unfit.loss.value).toBeCloseTo(3 / 60 + 6 / 60 / 2, 12);
  expect(await judgeRuns(workload, "margin", [], 0, 0)).toEqual([]);
});

test("tuning a peer takes the parameter at which five runs in a hundred without harm are rolled back", () => {
  const run = (height: number): Judgement[] => [
    {
      verdict: "promote",
      look: LOOKS,
      minutes: MINUTES,
      everRolledBack: false,
      rollbackLook: null,
      path: [height / 2, height],
    },
  ];
  const harmless = Array.from({ length: 100 }, (_, i) => run(i + 1));
  const harmful = [run(300), run(96), run(95), run(20)];
  const tuned = tunePeer("argo_static", harmless, harmful, 0.05);
  expect(tuned.parameter).toBe(95);
  expect(tuned.falseRollback.value).toBe(0.05);
  expect(tuned.power.value).toBe(0.5);
  expect(tuned.medianLook).toBe(1);

  expect(tunePeer("argo_static", harmless, harmful, 0.01).parameter).toBe(99);

  // The setting that spares most of the harmless and misses nothing harmful, of those that are tried.
  const clear = { harmless, harmful: [run(300), run(300)], margin: [] };
  const once = tuneOnce("argo_static", [{ workload: BY_HAND, runs: clear }]);
  expect(once.parameter).toBe(99);
  expect(once.measures[0].falseRollback.value).toBe(0.01);
  expect(once.measures[0].power.value).toBe(1);
});

test("of ours the largest budget that keeps to a rate is a point of its curve", () => {
  const at = (parameter: number, falseRollback: number): RocPoint => ({
    judge: "ours",
    parameter,
    meaning: "rollback budget",
    falseRollback: { value: falseRollback, error: 0 },
    power: { value: parameter, error: 0 },
    medianLook: 7,
  });
  const points = [at(0.01, 0.005), at(0.05, 0.03), at(0.1, 0.03), at(0.5, 0.2)];
  expect(pointAt(points, 0.001)).toBeNull();
  expect(pointAt(points, 0.05)?.parameter).toBe(0.1);
  const roc = new Map([["ours", ROC_RATES.map((rate) => pointAt(points, rate))]]);
  const table = rocMarkdown({
    workload: BY_HAND,
    runs: { harmless: 9, harmful: 8, margin: 0 },
    measures: new Map(),
    roc,
  });
  expect(table).toContain("9 harmless and 8 harmful runs.");
  expect(table).toMatch(/\| ≤ 1 % +\| 1\.0 @7 \(0\.5\) +\|[^]*\| ≤ 20 % +\| 50\.0 @7 \(20\.0\) +\|/);
});

test("a table is padded Markdown", () => {
  expect(markdownTable(["a", "long"], [["wide", "1"]])).toBe("| a    | long |\n| ---- | ---- |\n| wide | 1    |");
});

function verdict(name: string, comparison: Comparison, workload = BY_HAND): Promise<Judgement> {
  const peer: Peer | undefined = PEERS.find((each) => each.name === name);
  if (peer === undefined) throw new RangeError(`no peer is named ${name}`);
  return judgeByPeer(peer, { wholePath: false })(comparison, workload);
}

function series(baseline: (minute: number) => number, candidate: (minute: number) => number): Comparison {
  const hour = (value: (minute: number) => number) =>
    minuteSeries(Float64Array.from({ length: MINUTES }, (_, minute) => value(minute)));
  return oneMetric(hour(baseline), hour(candidate));
}

function oneMetric(baseline: Samples, candidate: Samples): Comparison {
  return { baseline: new Map([["latency", baseline]]), candidate: new Map([["latency", candidate]]), gold: null };
}

interface Moments {
  readonly mean: number;
  readonly variance: number;
  readonly weight: number;
}

/** Mean of all rows, or of all events, over many runs. */
function pooled(name: string, outcome: Outcome, runs: number): { baseline: Moments; candidate: Moments } {
  const sums = { baseline: { sum: 0, weight: 0 }, candidate: { sum: 0, weight: 0 } };
  for (let seed = 0; seed < runs; seed++) {
    const [comparison] = comparisons(workloadNamed(name).generate(outcome, seed));
    for (const arm of ["baseline", "candidate"] as const) {
      const [[, samples]] = comparison[arm];
      const { mean, weight } = momentsOf(samples);
      sums[arm].sum += mean * weight;
      sums[arm].weight += weight;
    }
  }
  const of = ({ sum, weight }: { sum: number; weight: number }) => ({ mean: sum / weight, variance: NaN, weight });
  return { baseline: of(sums.baseline), candidate: of(sums.candidate) };
}

function momentsOf(samples: Samples | undefined): Moments {
  if (samples === undefined || samples.shape === "histogram") throw new RangeError("no samples that have a mean");
  if (samples.shape === "counts") {
    const [bad, all] = [samples.events, samples.exposure].map((each) => each.reduce((sum, value) => sum + value, 0));
    return { mean: bad / all, variance: (bad / all) * (1 - bad / all), weight: all };
  }
  const weight = samples.values.length;
  const mean = samples.values.reduce((sum, value) => sum + value, 0) / weight;
  return { mean, variance: samples.values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / weight, weight };
}

/** The samples of an arm with one metric. */
function only([label, arm]: readonly [string, ArmSamples]): readonly [string, Samples] {
  const [[, samples]] = arm;
  return [label, samples];
}

function timesOf(samples: Samples): Float64Array {
  return samples.at ?? new Float64Array();
}
