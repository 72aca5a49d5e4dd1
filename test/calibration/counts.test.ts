import { describe, expect, test } from "vitest";
import { boschloo } from "../../src/stats/boschloo.ts";
import type { Proportion } from "../../src/stats/counts.ts";
import { dispersion } from "../../src/stats/dispersion.ts";
import { binomialPmf } from "../../src/stats/distributions/binomial.ts";
import { poissonPmf } from "../../src/stats/distributions/poisson.ts";
import { exactUnconditional } from "../../src/stats/exact-unconditional.ts";
import { fisherExact } from "../../src/stats/fisher.ts";
import { mcNemar } from "../../src/stats/mcnemar.ts";
import { newcombeInterval, newcombePairedInterval } from "../../src/stats/newcombe.ts";
import { proportionInterval } from "../../src/stats/proportion-interval.ts";
import { proportionRatioInterval, proportionRatioTest } from "../../src/stats/proportion-ratio.ts";
import { seeded } from "../../src/stats/random.ts";
import { rateDifferenceInterval, rateDifferenceTest } from "../../src/stats/rate-difference.ts";
import { rateInterval } from "../../src/stats/rate-interval.ts";
import { rateRatioInterval, rateRatioTest } from "../../src/stats/rate-ratio.ts";
import { meanThreshold, quantileThreshold } from "../../src/stats/threshold.ts";
import { twoProportionsInterval, twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { binomial, draw, laws, poisson } from "./laws.ts";
import { ceilingOf, floorOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

// The laws of counts can be summed over all outcomes, so most rates here are exact and need no simulation.

/** Outcomes rarer than this change no rate in its third digit. */
const NEGLIGIBLE = 1e-7;

interface Outcome {
  readonly count: number;
  readonly probability: number;
}

function outcomes(highest: number, pmf: (k: number) => number): Outcome[] {
  return Array.from({ length: highest + 1 }, (_, count) => ({ count, probability: pmf(count) })).filter(
    ({ probability }) => probability > NEGLIGIBLE,
  );
}

/** The probability that something holds for two independent counts. */
function probabilityOf(candidate: Outcome[], baseline: Outcome[], holds: (x: number, y: number) => boolean): number {
  let sum = 0;
  for (const x of candidate) {
    for (const y of baseline) {
      const both = x.probability * y.probability;
      if (both > NEGLIGIBLE && holds(x.count, y.count)) sum += both;
    }
  }
  return sum;
}

type Sizes = readonly [candidate: number, baseline: number];
const trials = ([n, m]: Sizes, x: number, y: number): [Proportion, Proportion] => [
  { events: x, trials: n },
  { events: y, trials: m },
];

describe("two proportions at one look, nominal 5 % one-sided", () => {
  const sizes: Sizes[] = [
    [50, 50],
    [5, 95],
    [100, 900],
  ];
  const levels = [0.01, 0.05, 0.2, 0.5];
  // The score test has no guarantee; with one expected event in the small arm it is off by this much and no more.
  const SCORE_CEILING = 0.12;

  test.each(sizes)(
    "%i against %i trials: exact tests keep 5 % at every level, the score test where events are expected",
    (...size) => {
      const tests: Record<string, (c: Proportion, b: Proportion, alternative: "greater" | "less") => number> = {
        fisher: (c, b, alternative) => fisherExact(c, b, { alternative }).p,
        boschloo: (c, b, alternative) => boschloo(c, b, { alternative }).p,
        score: (c, b, alternative) => twoProportionsTest(c, b, { alternative }).p,
      };
      const worst: Record<string, number> = {};
      for (const [name, p] of Object.entries(tests)) {
        for (const alternative of ["greater", "less"] as const) {
          if (name === "boschloo" && size[0] * size[1] > 5000) continue;
          const rejected = new Map<number, boolean>();
          const rejects = (x: number, y: number) => {
            const key = x * (size[1] + 1) + y;
            const known = rejected.get(key) ?? p(...trials(size, x, y), alternative) <= 0.05;
            rejected.set(key, known);
            return known;
          };
          for (const level of levels) {
            const rate = probabilityOf(
              outcomes(size[0], (k) => binomialPmf(k, size[0], level)),
              outcomes(size[1], (k) => binomialPmf(k, size[1], level)),
              rejects,
            );
            report({ test: name, sizes: size.join("/"), alternative, level, "rate %": percent(rate) });
            worst[name] = Math.max(worst[name] ?? 0, rate);
          }
        }
      }
      expect(worst["fisher"]).toBeLessThanOrEqual(0.05);
      expect(worst["boschloo"] ?? 0).toBeLessThanOrEqual(0.05);
      expect(worst["score"]).toBeLessThanOrEqual(SCORE_CEILING);
    },
  );

  test("at a margin of two points the score test promotes about 5 %, the exact one at most 5 %", () => {
    for (const [size, level] of [
      [[50, 50], 0.01],
      [[60, 300], 0.02],
      [[500, 500], 0.01],
    ] as const) {
      const candidate = outcomes(size[0], (k) => binomialPmf(k, size[0], level + 0.02));
      const baseline = outcomes(size[1], (k) => binomialPmf(k, size[1], level));
      const options = { nullDifference: 0.02, alternative: "less" } as const;
      const score = probabilityOf(
        candidate,
        baseline,
        (x, y) => twoProportionsTest(...trials(size, x, y), options).p <= 0.05,
      );
      report({ test: "score, margin 2 points", sizes: size.join("/"), level, "rate %": percent(score) });
      expect(score).toBeLessThan(0.09);
      if (size[0] * size[1] > 20_000) continue;
      const exact = probabilityOf(
        candidate,
        baseline,
        (x, y) => exactUnconditional(...trials(size, x, y), { difference: 0.02 }, "less").p <= 0.05,
      );
      report({ test: "exact unconditional, margin 2 points", sizes: size.join("/"), level, "rate %": percent(exact) });
      expect(exact).toBeLessThanOrEqual(0.05);
    }
  });

  test("at a ratio margin of 1.5 the score test promotes about 5 %", () => {
    const size: Sizes = [1000, 1000];
    for (const level of [0.005, 0.02, 0.1]) {
      const rate = probabilityOf(
        outcomes(size[0], (k) => binomialPmf(k, size[0], 1.5 * level)),
        outcomes(size[1], (k) => binomialPmf(k, size[1], level)),
        (x, y) => proportionRatioTest(...trials(size, x, y), { nullRatio: 1.5, alternative: "less" }).p <= 0.05,
      );
      report({ test: "ratio score, margin 1.5", sizes: size.join("/"), level, "rate %": percent(rate) });
      expect(rate).toBeLessThan(0.07);
    }
  });
});

describe("intervals of two proportions cover 95 % on average and not much less anywhere", () => {
  const cases: [Sizes, number, number][] = [
    [[50, 50], 0.05, 0.05],
    [[50, 50], 0.3, 0.1],
    [[5, 95], 0.2, 0.2],
    [[100, 900], 0.03, 0.01],
    [[300, 300], 0.012, 0.01],
  ];
  const methods: Record<string, (c: Proportion, b: Proportion) => { lower: number; upper: number }> = {
    "miettinen-nurminen": twoProportionsInterval,
    newcombe: newcombeInterval,
    "ratio, miettinen-nurminen": proportionRatioInterval,
  };

  test.each(cases)("%j trials, levels %d and %d", (size, p1, p2) => {
    for (const [name, interval] of Object.entries(methods)) {
      const truth = name.startsWith("ratio") ? p1 / p2 : p1 - p2;
      const coverage = probabilityOf(
        outcomes(size[0], (k) => binomialPmf(k, size[0], p1)),
        outcomes(size[1], (k) => binomialPmf(k, size[1], p2)),
        (x, y) => {
          const { lower, upper } = interval(...trials(size, x, y));
          return lower <= truth && truth <= upper;
        },
      );
      report({ interval: name, sizes: size.join("/"), levels: `${p1}, ${p2}`, "coverage %": percent(coverage) });
      expect(coverage).toBeGreaterThan(0.92);
    }
  });
});

describe("one proportion and one rate", () => {
  test("Clopper-Pearson never covers less than it says, Wilson does on average", () => {
    const covered: Record<"wilson" | "clopper-pearson", number[]> = { wilson: [], "clopper-pearson": [] };
    for (const n of [10, 59, 300]) {
      for (let level = 0.005; level < 1; level += 0.0311) {
        const all = outcomes(n, (k) => binomialPmf(k, n, level));
        for (const method of ["wilson", "clopper-pearson"] as const) {
          const coverage = all.reduce((sum, { count, probability }) => {
            const { lower, upper } = proportionInterval({ events: count, trials: n }, { method });
            return lower <= level && level <= upper ? sum + probability : sum;
          }, 0);
          covered[method].push(coverage);
        }
      }
    }
    for (const [method, list] of Object.entries(covered)) {
      const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
      report({ interval: method, "mean coverage %": percent(mean), "lowest %": percent(Math.min(...list)) });
    }
    expect(Math.min(...covered["clopper-pearson"])).toBeGreaterThan(0.95 - 1e-4);
    const mean = covered.wilson.reduce((sum, value) => sum + value, 0) / covered.wilson.length;
    expect(Math.abs(mean - 0.95)).toBeLessThan(0.01);
  });

  test("Garwood's interval never covers less than it says", () => {
    for (const mean of [0.5, 3, 20]) {
      const coverage = outcomes(120, (k) => poissonPmf(k, mean)).reduce((sum, { count, probability }) => {
        const { lower, upper } = rateInterval({ events: count, exposure: 1 });
        return lower <= mean && mean <= upper ? sum + probability : sum;
      }, 0);
      report({ interval: "garwood", mean, "coverage %": percent(coverage) });
      expect(coverage).toBeGreaterThan(0.95 - 1e-4);
    }
  });
});

describe("two rates, nominal 5 % one-sided", () => {
  const cases: [mean: number, exposures: Sizes][] = [
    [3, [1, 1]],
    [10, [0.05, 0.95]],
    [50, [0.5, 0.5]],
    [200, [0.05, 0.95]],
  ];

  test.each(cases)("%d events in all at exposures %j", (mean, exposure) => {
    const candidate = outcomes(300, (k) => poissonPmf(k, mean * exposure[0]));
    const baseline = outcomes(400, (k) => poissonPmf(k, mean * exposure[1]));
    const arms = (x: number, y: number) =>
      [
        { events: x, exposure: exposure[0] },
        { events: y, exposure: exposure[1] },
      ] as const;
    for (const alternative of ["greater", "less"] as const) {
      const rates = {
        exact: probabilityOf(candidate, baseline, (x, y) => rateRatioTest(...arms(x, y), { alternative }).p <= 0.05),
        "mid-p": probabilityOf(
          candidate,
          baseline,
          (x, y) => rateRatioTest(...arms(x, y), { alternative, method: "mid-p" }).p <= 0.05,
        ),
        score: probabilityOf(
          candidate,
          baseline,
          (x, y) => rateRatioTest(...arms(x, y), { alternative, method: "score" }).p <= 0.05,
        ),
        difference: probabilityOf(
          candidate,
          baseline,
          (x, y) => rateDifferenceTest(...arms(x, y), { alternative }).p <= 0.05,
        ),
      };
      for (const [test, rate] of Object.entries(rates)) {
        report({
          test: `rates, ${test}`,
          events: mean,
          exposures: exposure.join("/"),
          alternative,
          "rate %": percent(rate),
        });
      }
      expect(rates.exact).toBeLessThanOrEqual(0.05);
      expect(rates["mid-p"]).toBeLessThanOrEqual(0.08);
      // Half an expected event in the candidate: a single one is already "significant" for the normal approximation.
      expect(rates.score).toBeLessThanOrEqual(0.11);
      expect(rates.difference).toBeLessThanOrEqual(0.11);
    }
    const coverage = (interval: typeof rateRatioInterval | typeof rateDifferenceInterval, truth: number) =>
      probabilityOf(candidate, baseline, (x, y) => {
        const { lower, upper } = interval(...arms(x, y));
        return lower <= truth && truth <= upper;
      });
    const ratio = coverage(rateRatioInterval, 1);
    const difference = coverage(rateDifferenceInterval, 0);
    report({ interval: "rate ratio exact", events: mean, exposures: exposure.join("/"), "coverage %": percent(ratio) });
    report({
      interval: "rate difference",
      events: mean,
      exposures: exposure.join("/"),
      "coverage %": percent(difference),
    });
    expect(ratio).toBeGreaterThan(0.95 - 1e-4);
    expect(difference).toBeGreaterThan(0.88);
  });
});

describe("paired outcomes", () => {
  test("McNemar's exact test keeps 5 %, mid-p keeps it nearly", () => {
    for (const discordant of [8, 30, 200]) {
      const all = outcomes(discordant, (k) => binomialPmf(k, discordant, 0.5));
      for (const method of ["exact", "mid-p"] as const) {
        const rate = all.reduce(
          (sum, { count, probability }) =>
            mcNemar({ candidateOnly: count, baselineOnly: discordant - count }, { method }).p <= 0.05
              ? sum + probability
              : sum,
          0,
        );
        report({ test: `mcnemar ${method}`, discordant, "rate %": percent(rate) });
        expect(rate).toBeLessThanOrEqual(method === "exact" ? 0.05 : 0.075);
      }
    }
  });

  test("Newcombe's paired interval covers 95 %", () => {
    const random = seeded(301);
    // Items are easy or hard for both versions: half of them share their outcome.
    const coverage = shareOf(() => {
      const counts = { both: 0, candidateOnly: 0, baselineOnly: 0, neither: 0 };
      for (let i = 0; i < 60; i++) {
        const shared = random() < 0.5;
        const candidate = random() < 0.75;
        const baseline = shared ? candidate : random() < 0.75;
        counts[candidate ? (baseline ? "both" : "candidateOnly") : baseline ? "baselineOnly" : "neither"]++;
      }
      const { lower, upper } = newcombePairedInterval(counts);
      return lower <= 0 && 0 <= upper;
    });
    report({ interval: "newcombe paired, 60 items", "coverage %": percent(coverage) });
    expect(coverage).toBeGreaterThan(floorOf(0.95));
  });
});

describe("dispersion, nominal 5 %", () => {
  test.each([
    ["poisson", 60, 0.1],
    ["poisson", 60, 3],
    ["poisson", 1000, 0.02],
    ["binomial", 60, 0.5],
    ["binomial", 20, 5],
  ] as const)("%s counts of %i steps with mean %d", (law, steps, mean) => {
    const random = seeded(311);
    const exposure = Float64Array.from({ length: steps }, (_, i) => 8 + (i % 5));
    const rate = shareOf(() => {
      const events = exposure.map((trials) =>
        law === "poisson" ? poisson(random, (mean * trials) / 10) : binomial(random, trials, mean / 10),
      );
      return dispersion(events, exposure, { law }).p <= 0.05;
    });
    report({ test: `dispersion ${law}`, steps, mean, "rate %": percent(rate) });
    // Very rare events make the statistic lumpy; its upper tail is then heavier than the scaled chi-square's.
    expect(rate).toBeLessThanOrEqual(ceilingOf(mean < 0.2 ? 0.065 : 0.055));
  });
});

describe("thresholds, nominal 5 % each way", () => {
  test("a quantile that lies exactly at its limit is called neither way more often than 5 %", () => {
    const random = seeded(321);
    for (const n of [60, 200, 1000]) {
      // Exponential values; the limit is their true p95.
      let breached = 0;
      let holds = 0;
      for (let run = 0; run < runs; run++) {
        const values = Float64Array.from({ length: n }, () => -Math.log(1 - random()));
        const finding = quantileThreshold(values, -Math.log(0.05), { quantile: 0.95 });
        if (finding.breached) breached++;
        if (finding.holds) holds++;
      }
      report({ test: "p95 at its limit", n, "breached %": percent(breached / runs), "holds %": percent(holds / runs) });
      expect(Math.max(breached, holds) / runs).toBeLessThanOrEqual(ceilingOf(0.05));
    }
  });

  test("a mean that lies exactly at its limit", () => {
    const random = seeded(331);
    for (const [name, law] of Object.entries(laws)) {
      for (const n of [30, 300]) {
        let breached = 0;
        let holds = 0;
        for (let run = 0; run < runs; run++) {
          const finding = meanThreshold(draw(random, n, law), 1);
          if (finding.breached) breached++;
          if (finding.holds) holds++;
        }
        report({
          test: `mean at its limit, ${name}`,
          n,
          "breached %": percent(breached / runs),
          "holds %": percent(holds / runs),
        });
        // Recorded ceilings: Hall's transform cannot know a skewness that few values do not show. Student's t alone
        // has 26 % and 13 %.
        const holdsCeiling = { normal: 0.05, "lognormal 0.8": 0.085, "lognormal 1.5": 0.15, "zero-inflated": 0.08 };
        expect(holds / runs).toBeLessThanOrEqual(ceilingOf(holdsCeiling[name as keyof typeof laws]));
        expect(breached / runs).toBeLessThanOrEqual(ceilingOf(0.05));
      }
    }
  });
});
