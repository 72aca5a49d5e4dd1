import { describe, expect, test } from "vitest";
import { clusterBootstrap, stationaryBootstrap, type ResampledArm } from "../../src/stats/bootstrap.ts";
import { clusterRobust } from "../../src/stats/cluster-robust.ts";
import { controlVariates, cuped } from "../../src/stats/cuped.ts";
import {
  differenceInfluence,
  logRatioInfluence,
  meanInfluence,
  quantileInfluence,
  ratioInfluence,
} from "../../src/stats/influence.ts";
import { logRatioOfMeans } from "../../src/stats/log-ratio-of-means.ts";
import { longRunVariance } from "../../src/stats/long-run-variance.ts";
import { moments } from "../../src/stats/moments.ts";
import { quantileDifference } from "../../src/stats/quantile-difference.ts";
import { randomInteger, seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { ratioOfMeansTest } from "../../src/stats/ratio-of-means.ts";
import { postStratified } from "../../src/stats/stratified.ts";
import { tost } from "../../src/stats/tost.ts";
import { differenceOfMeans, welch } from "../../src/stats/welch.ts";
import { autoregression, draw, laws } from "./laws.ts";
import { ceilingOf, floorOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

type Sizes = readonly [candidate: number, baseline: number];
type LawName = keyof typeof laws;
const lawNames = Object.keys(laws) as LawName[];

type Test = (c: Float64Array, b: Float64Array) => { readonly p: number; readonly statistic: number };

/** Wrong "less" and wrong "greater" at nominal 5 % each, read off one two-sided test at 10 %. */
function wrongSides(
  sizes: Sizes,
  law: LawName,
  seed: number,
  tests: Readonly<Record<string, Test>>,
): Record<string, { less: number; greater: number }> {
  const random = seeded(seed);
  const counts = Object.fromEntries(Object.keys(tests).map((name) => [name, { less: 0, greater: 0 }]));
  for (let run = 0; run < runs; run++) {
    const c = draw(random, sizes[0], laws[law]);
    const b = draw(random, sizes[1], laws[law]);
    for (const [name, test] of Object.entries(tests)) {
      const { p, statistic } = test(c, b);
      if (p <= 0.1) counts[name][statistic < 0 ? "less" : "greater"] += 1 / runs;
    }
  }
  for (const [name, { less, greater }] of Object.entries(counts)) {
    report({ test: name, law, sizes: sizes.join("/"), "less %": percent(less), "greater %": percent(greater) });
  }
  return counts;
}

describe("means of independent units, nominal 5 % one-sided", () => {
  const few: Sizes[] = [
    [10, 10],
    [5, 95],
  ];
  const most: Sizes[] = [
    [30, 30],
    [100, 100],
    [100, 1900],
  ];
  const cases = lawNames.flatMap((law) =>
    [...few, ...(law === "lognormal 1.5" ? most : law === "normal" ? [] : most.slice(2))].map(
      (size): [LawName, Sizes] => [law, size],
    ),
  );
  const tests: Readonly<Record<string, Test>> = {
    welch: (c, b) => welch(c, b),
    "welch, pooled floor": (c, b) => welch(c, b, { pooledFloor: true }),
    "log ratio of means": (c, b) => logRatioOfMeans(c, b),
    "ratio of means, score form": (c, b) => ratioOfMeansTest(c, b),
  };
  // Recorded ceilings of the worse side where a method is known to exceed 5 %: the reason for a burn-in, or for the
  // score form.
  const welchCeiling: Partial<Record<LawName, number>> = {
    "lognormal 0.8": 0.19,
    "lognormal 1.5": 0.32,
    "zero-inflated": 0.19,
  };
  const logCeiling: Partial<Record<LawName, number>> = {
    "lognormal 0.8": 0.07,
    "lognormal 1.5": 0.115,
    "zero-inflated": 0.07,
  };

  test.each(cases)("%s, %j units", (law, size) => {
    const rates = wrongSides(size, law, 1000 + size[0] + 7 * size[1], tests);
    const worse = (name: string) => Math.max(rates[name].less, rates[name].greater);
    expect(worse("ratio of means, score form")).toBeLessThanOrEqual(ceilingOf(0.053));
    expect(worse("welch, pooled floor")).toBeLessThanOrEqual(ceilingOf(0.053));
    expect(worse("welch")).toBeLessThanOrEqual(ceilingOf(size[0] === size[1] ? 0.053 : (welchCeiling[law] ?? 0.053)));
    expect(worse("log ratio of means")).toBeLessThanOrEqual(ceilingOf(logCeiling[law] ?? 0.055));
  });

  test("a candidate at a margin of 15 % is called safe in 5 %, also from 100 units against 1900", () => {
    const random = seeded(1101);
    const safe = { log: 0, score: 0 };
    for (let run = 0; run < runs; run++) {
      const c = draw(random, 100, laws["lognormal 1.5"]).map((value) => 1.15 * value);
      const b = draw(random, 1900, laws["lognormal 1.5"]);
      if (logRatioOfMeans(c, b, { nullEffect: Math.log(1.15), alternative: "less" }).p <= 0.05) safe.log += 1 / runs;
      if (ratioOfMeansTest(c, b, { nullRatio: 1.15, alternative: "less" }).p <= 0.05) safe.score += 1 / runs;
    }
    report({
      test: "safe at the margin, 100/1900, lognormal 1.5",
      "log %": percent(safe.log),
      "score %": percent(safe.score),
    });
    expect(safe.log).toBeLessThanOrEqual(ceilingOf(0.05));
    expect(safe.score).toBeLessThanOrEqual(ceilingOf(0.05));
  });

  test("an effect at the margin is called equivalent in 5 %", () => {
    const random = seeded(1102);
    const rate = shareOf(() => {
      const c = draw(random, 40, laws.normal).map((value) => value + 0.2);
      return tost(welch(c, draw(random, 60, laws.normal)), { low: -0.2, high: 0.2 }).equivalent;
    });
    report({ test: "tost at its margin", "rate %": percent(rate) });
    expect(rate).toBeLessThanOrEqual(ceilingOf(0.05));
  });
});

describe("quantiles", () => {
  test.each([
    ["lognormal 0.8", [100, 100], 0.5],
    ["lognormal 0.8", [600, 600], 0.95],
    ["lognormal 1.5", [300, 2000], 0.9],
    ["lognormal 1.5", [600, 600], 0.95],
  ] as [LawName, Sizes, number][])(
    "%s, %j units: the interval of quantile difference %d covers 95 %",
    (law, size, quantile) => {
      const random = seeded(1200 + size[0]);
      const covered = { "order-statistics": 0, density: 0 };
      for (let run = 0; run < runs; run++) {
        const c = draw(random, size[0], laws[law]);
        const b = draw(random, size[1], laws[law]);
        for (const method of ["order-statistics", "density"] as const) {
          const { lower, upper } = quantileDifference(c, b, { quantile, method });
          if (lower <= 0 && 0 <= upper) covered[method] += 1 / runs;
        }
      }
      for (const [method, rate] of Object.entries(covered)) {
        report({
          interval: `quantile ${quantile}, ${method}`,
          law,
          sizes: size.join("/"),
          "coverage %": percent(rate),
        });
      }
      expect(covered["order-statistics"]).toBeGreaterThan(floorOf(0.945));
      expect(covered.density).toBeGreaterThan(floorOf(0.925));
    },
  );
});

/** Sessions with a common level: the correlation of turns within a session is `icc`. */
function turns(random: Random, sessions: number, icc: number, shift = 0) {
  const values: number[] = [];
  const units: number[] = [];
  for (let session = 0; session < sessions; session++) {
    const level = Math.sqrt(icc) * standardNormal(random);
    // One to eleven turns, six on average.
    const length = 1 + randomInteger(random, 11);
    for (let turn = 0; turn < length; turn++) {
      values.push(shift + level + Math.sqrt(1 - icc) * standardNormal(random));
      units.push(session);
    }
  }
  return { values, units };
}

const meanDifference = (c: ArrayLike<number>, b: ArrayLike<number>) =>
  differenceInfluence(meanInfluence(c), meanInfluence(b));

describe("rows of common units, nominal 5 % two-sided", () => {
  test.each([
    [10, 10],
    [40, 40],
    [15, 285],
  ])("%i against %i sessions with a correlation of 0.7 within", (n, m) => {
    const random = seeded(1300 + n);
    const rates = {
      "cluster-robust": 0,
      "rows as units": 0,
      "ratio metric, cluster-robust": 0,
      "median, cluster-robust": 0,
    };
    for (let run = 0; run < runs; run++) {
      const c = turns(random, n, 0.7);
      const b = turns(random, m, 0.7);
      const units = { candidate: c.units, baseline: b.units.map((unit) => unit + n) };
      if (clusterRobust(meanDifference(c.values, b.values), units).p <= 0.05) rates["cluster-robust"] += 1 / runs;
      if (welch(c.values, b.values).p <= 0.05) rates["rows as units"] += 1 / runs;
      const ones = (values: readonly number[]) => values.map(() => 1);
      const failures = (values: readonly number[]) => values.map((value) => (value > 0.5 ? 1 : 0));
      const ratio = differenceInfluence(
        ratioInfluence(failures(c.values), ones(c.values)),
        ratioInfluence(failures(b.values), ones(b.values)),
      );
      if (clusterRobust(ratio, units).p <= 0.05) rates["ratio metric, cluster-robust"] += 1 / runs;
      if (n < 40) continue;
      const median = differenceInfluence(quantileInfluence(c.values, 0.5), quantileInfluence(b.values, 0.5));
      if (clusterRobust(median, units).p <= 0.05) rates["median, cluster-robust"] += 1 / runs;
    }
    for (const [name, rate] of Object.entries(rates).filter(([name]) => n >= 40 || !name.startsWith("median"))) {
      report({ test: name, sessions: `${n}/${m}`, "rate %": percent(rate) });
    }
    expect(rates["cluster-robust"]).toBeLessThanOrEqual(ceilingOf(0.055));
    // A share among fifteen sessions is a coarse thing.
    expect(rates["ratio metric, cluster-robust"]).toBeLessThanOrEqual(ceilingOf(n <= 15 ? 0.065 : 0.055));
    expect(rates["median, cluster-robust"]).toBeLessThanOrEqual(ceilingOf(0.065));
    expect(rates["rows as units"]).toBeGreaterThan(0.25);
  });

  test("users who appear in both arms, with and without those who do not", () => {
    const random = seeded(1350);
    const rates = { all: 0, half: 0 };
    for (let run = 0; run < runs; run++) {
      for (const shared of ["all", "half"] as const) {
        const levels = Float64Array.from({ length: 60 }, () => standardNormal(random));
        const first = shared === "all" ? 0 : 20;
        const users = (from: number) => Array.from({ length: 80 }, (_, i) => from + (i % 40));
        const candidate = users(0);
        const baseline = users(first);
        const values = (units: readonly number[]) => units.map((user) => levels[user] + 0.5 * standardNormal(random));
        const effect = meanDifference(values(candidate), values(baseline));
        if (clusterRobust(effect, { candidate, baseline }).p <= 0.05) rates[shared] += 1 / runs;
      }
    }
    report({ test: "cluster-robust, all of 40 users in both arms", "rate %": percent(rates.all) });
    report({ test: "cluster-robust, 20 of 60 users in both arms", "rate %": percent(rates.half) });
    expect(Math.max(rates.all, rates.half)).toBeLessThanOrEqual(ceilingOf(0.055));
  });

  test("log ratio metrics of skewed sessions in unequal arms, with the pooled floor", () => {
    const random = seeded(1360);
    const rates = { plain: 0, floor: 0 };
    const costs = (sessions: number) => {
      const numerators = draw(random, sessions, laws["lognormal 1.5"]);
      return {
        numerators,
        denominators: numerators.map(() => 1 + randomInteger(random, 5)),
        units: numerators.map((_, i) => i),
      };
    };
    for (let run = 0; run < runs; run++) {
      const c = costs(60);
      const b = costs(600);
      const units = { candidate: c.units, baseline: b.units.map((unit) => unit + 60) };
      const effect = differenceInfluence(
        logRatioInfluence(c.numerators, c.denominators),
        logRatioInfluence(b.numerators, b.denominators),
      );
      if (clusterRobust(effect, units, { alternative: "less" }).p <= 0.05) rates.plain += 1 / runs;
      if (clusterRobust(effect, units, { alternative: "less", pooledFloor: true }).p <= 0.05) rates.floor += 1 / runs;
    }
    report({
      test: "log ratio metric, 60/600 sessions, less",
      "plain %": percent(rates.plain),
      "pooled floor %": percent(rates.floor),
    });
    expect(rates.floor).toBeLessThanOrEqual(ceilingOf(0.055));
  });
});

describe("adjusted effects, nominal 5 % two-sided", () => {
  test("a drifted mix without a change: stratified keeps its level, unadjusted does not", () => {
    const random = seeded(1400);
    const arm = (n: number, hard: number) => {
      const strata = Float64Array.from({ length: n }, () => (random() < hard ? 1 : 0));
      const values = strata.map((s) => Math.exp(Math.log(s === 1 ? 600 : 150) + 0.5 * standardNormal(random)));
      return { strata, values };
    };
    let stratified = 0;
    let unadjusted = 0;
    for (let run = 0; run < runs; run++) {
      const result = postStratified(arm(300, 0.36), arm(300, 0.3), (c, b) => logRatioOfMeans(c, b));
      const z = (effect: { estimate: number; variance: number }) =>
        Math.abs(effect.estimate) / Math.sqrt(effect.variance);
      if (z(result) > 1.96) stratified += 1 / runs;
      if (z(result.unadjusted) > 1.96) unadjusted += 1 / runs;
    }
    report({ test: "mix 30 % against 36 %", "stratified %": percent(stratified), "unadjusted %": percent(unadjusted) });
    expect(stratified).toBeLessThanOrEqual(ceilingOf(0.055));
    expect(unadjusted).toBeGreaterThan(0.15);
  });

  test("CUPED keeps its level with means and with ranks, also from few units", () => {
    const random = seeded(1410);
    const arm = (n: number) => {
      const covariate = draw(random, n, laws["lognormal 0.8"]);
      const values = covariate.map((x) => 2 * x + Math.exp(0.5 * standardNormal(random)));
      return { values, covariates: [covariate] };
    };
    const rates = { "10/10": 0, "50/50": 0, "20/380": 0, "ranks 50/50": 0, "control variates 50/50": 0 };
    const rows = (length: number, from: number) => Array.from({ length }, (_, i) => from + i);
    for (let run = 0; run < runs; run++) {
      const fifty = [arm(50), arm(50)] as const;
      if (cuped(arm(10), arm(10)).p <= 0.05) rates["10/10"] += 1 / runs;
      if (cuped(...fifty).p <= 0.05) rates["50/50"] += 1 / runs;
      if (cuped(arm(20), arm(380), { pooledFloor: true }).p <= 0.05) rates["20/380"] += 1 / runs;
      if (cuped(...fifty, { ranks: true }).p <= 0.05) rates["ranks 50/50"] += 1 / runs;
      const adjusted = controlVariates(meanDifference(fifty[0].values, fifty[1].values), [
        meanDifference(fifty[0].covariates[0], fifty[1].covariates[0]),
      ]);
      const units = { candidate: rows(50, 0), baseline: rows(50, 50) };
      if (clusterRobust(adjusted, units).p <= 0.05) rates["control variates 50/50"] += 1 / runs;
    }
    for (const [name, rate] of Object.entries(rates)) report({ test: `cuped, ${name}`, "rate %": percent(rate) });
    expect(rates["50/50"]).toBeLessThanOrEqual(ceilingOf(0.055));
    expect(rates["20/380"]).toBeLessThanOrEqual(ceilingOf(0.055));
    expect(rates["ranks 50/50"]).toBeLessThanOrEqual(ceilingOf(0.055));
    expect(rates["control variates 50/50"]).toBeLessThanOrEqual(ceilingOf(0.06));
    expect(rates["10/10"]).toBeLessThanOrEqual(ceilingOf(0.055));
  });
});

describe("bootstrap intervals at nominal 95 %", () => {
  // Each run resamples some hundred times, so these lines have a fraction of the runs.
  const times = Math.max(50, Math.round(runs / 15));
  const resamples = 199;

  test("sessions with correlated turns", () => {
    const random = seeded(1500);
    const statistic = (c: ResampledArm, b: ResampledArm) => {
      const byUnit = (arm: ResampledArm) => {
        const sums = new Map<number, number>();
        arm.values.forEach((value, i) => sums.set(arm.units[i], (sums.get(arm.units[i]) ?? 0) + value));
        return Float64Array.from(sums.values());
      };
      return differenceOfMeans(moments(byUnit(c)), moments(byUnit(b)));
    };
    const coverage = shareOf(() => {
      const c = turns(random, 20, 0.7);
      const b = turns(random, 40, 0.7);
      const { lower, upper } = clusterBootstrap(
        c,
        { ...b, units: b.units.map((u) => u + 20) },
        statistic,
        { resamples },
        random,
      );
      return lower <= 0 && 0 <= upper;
    }, times);
    report({ interval: "cluster bootstrap, 20/40 sessions", "coverage %": percent(coverage) });
    expect(coverage).toBeGreaterThan(floorOf(0.94, times));
  });

  test("skewed units in unequal arms", () => {
    const random = seeded(1510);
    const statistic = (c: ResampledArm, b: ResampledArm) => differenceOfMeans(moments(c.values), moments(b.values));
    const arm = (n: number, from: number) => ({
      values: draw(random, n, laws["lognormal 0.8"]),
      units: Array.from({ length: n }, (_, i) => from + i),
    });
    const coverage = shareOf(() => {
      const { lower, upper } = clusterBootstrap(arm(20, 0), arm(100, 20), statistic, { resamples }, random);
      return lower <= 0 && 0 <= upper;
    }, times);
    report({ interval: "cluster bootstrap, 20/100 units, lognormal 0.8", "coverage %": percent(coverage) });
    expect(coverage).toBeGreaterThan(floorOf(0.91, times));
  });

  test.each([
    [0, 0.93],
    [0.5, 0.92],
    [0.7, 0.9],
  ])("a series of 120 steps with autocorrelation %d", (rho, least) => {
    const random = seeded(1520 + 10 * rho);
    const mean = ([column]: readonly Float64Array[]) => ({
      estimate: moments(column).mean,
      variance: longRunVariance(column).variance,
    });
    const coverage = shareOf(() => {
      const { lower, upper } = stationaryBootstrap([autoregression(random, 120, rho)], mean, { resamples }, random);
      return lower <= 0 && 0 <= upper;
    }, times);
    report({ interval: "stationary bootstrap, 120 steps", rho, "coverage %": percent(coverage) });
    expect(coverage).toBeGreaterThan(floorOf(least, times));
  });
});
