import { describe, expect, test } from "vitest";
import {
  nextBoundary,
  obrienFlemingSpending,
  pocockSpending,
  powerSpending,
  type SpendingState,
} from "../../src/stats/alpha-spending.ts";
import { mixtureEValue } from "../../src/stats/confidence-sequence.ts";
import { normalSf } from "../../src/stats/distributions/normal.ts";
import { studentTSf } from "../../src/stats/distributions/student-t.ts";
import { orderMonitor, uniformDkwHalfWidth } from "../../src/stats/dkw-band.ts";
import { bet, startBetting } from "../../src/stats/e-value-bounded.ts";
import { pairArrivals, startPairing } from "../../src/stats/pair-arrivals.ts";
import { averageLogE, closedLogE } from "../../src/stats/e-value-combination.ts";
import { addCounts, betaMixtureLogE, countsLogE, startCounts } from "../../src/stats/e-value-counts.ts";
import { costOfLooks } from "../../src/stats/group-sequential.ts";
import { logRatioFromMoments } from "../../src/stats/log-ratio-of-means.ts";
import { holm } from "../../src/stats/multiplicity.ts";
import { dunnettCritical } from "../../src/stats/dunnett.ts";
import { seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { superioritySorted } from "../../src/stats/superiority.ts";
import { differenceOfMeans } from "../../src/stats/welch.ts";
import { binomial, draw, laws, poisson } from "./laws.ts";
import { ceilingOf, floorOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

const ALPHA = 0.05;
const REJECT = Math.log(1 / ALPHA);
const even = (k: number): number[] => Array.from({ length: k }, (_, i) => (i + 1) / k);

/** Boundaries as p-value levels, for looks at these fractions of the plan that hold this information. */
function levelsOf(times: readonly number[], information: readonly number[], spend: (t: number) => number): number[] {
  let state: SpendingState | null = null;
  return times.map((t, i) => {
    const look = nextBoundary(state, { spent: spend(t), information: information[i] });
    state = look.state;
    return look.level;
  });
}

/** The mean, variance and size of what has been added, by Welford's recurrence. */
function createMoments() {
  let n = 0;
  let mean = 0;
  let squares = 0;
  return {
    add(x: number): void {
      n++;
      const d = x - mean;
      mean += d / n;
      squares += d * (x - mean);
    },
    now: () => ({ n, mean, variance: n < 2 ? 0 : squares / (n - 1) }),
  };
}

describe("alpha spending, over all looks", () => {
  const spendings = {
    "power 1.5": powerSpending,
    "O'Brien-Fleming type": obrienFlemingSpending,
    "Pocock type": pocockSpending,
  };

  test.each(Object.entries(spendings))(
    "%s spends its budget and finds what it was planned for, 20 looks",
    (name, spend) => {
      const times = even(20);
      const levels = levelsOf(times, times, (t) => spend(t, ALPHA));
      const { drift } = costOfLooks({ times, spend: (t) => spend(t, ALPHA) }, { alpha: ALPHA, power: 0.8 });
      const crossed = (random: Random, drift: number): boolean => {
        let s = 0;
        return levels.some((level, k) => {
          s += standardNormal(random) / Math.sqrt(20) + drift / 20;
          return normalSf(s / Math.sqrt(times[k])) <= level;
        });
      };
      const random = seeded(101);
      const size = shareOf(() => crossed(random, 0));
      const power = shareOf(() => crossed(random, drift));
      report({
        method: `spending, ${name}`,
        data: "normal, 20 looks",
        crossing: percent(size),
        "power, planned 80.0": percent(power),
      });
      expect(size).toBeLessThanOrEqual(ceilingOf(ALPHA));
      expect(size).toBeGreaterThanOrEqual(floorOf(ALPHA));
      expect(power).toBeGreaterThanOrEqual(floorOf(0.8));
      expect(power).toBeLessThanOrEqual(ceilingOf(0.8));
    },
  );

  test("a traffic ramp does not inflate it when looks are correlated by information, and does when by the clock", () => {
    // Units per arm until each of 20 looks: the rate doubles every three.
    const units = even(20).map((_, k) => Math.round(40 * 2 ** (k / 3)));
    const by = (information: readonly number[]) => levelsOf(even(20), information, (t) => pocockSpending(t, ALPHA));
    const right = by(units);
    const wrong = by(even(20));
    const random = seeded(102);
    const happened = { right: 0, wrong: 0 };
    for (let run = 0; run < runs; run++) {
      let sum = 0;
      let before = 0;
      let crossedRight = false;
      let crossedWrong = false;
      units.forEach((n, k) => {
        sum += Math.sqrt(n - before) * standardNormal(random);
        before = n;
        const p = normalSf(sum / Math.sqrt(n));
        crossedRight ||= p <= right[k];
        crossedWrong ||= p <= wrong[k];
      });
      if (crossedRight) happened.right++;
      if (crossedWrong) happened.wrong++;
    }
    report({
      method: "spending, Pocock type",
      data: "normal, units double every 3 of 20 looks",
      "correlated by information": percent(happened.right / runs),
      "by the clock": percent(happened.wrong / runs),
    });
    expect(happened.right / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
    expect(happened.right / runs).toBeGreaterThanOrEqual(floorOf(ALPHA));
    expect(happened.wrong).toBeGreaterThan(happened.right);
  });

  /** What a look sees: two arms of units, the candidate's share of them, and a one-sided p-value of harm. */
  const estimators = {
    "difference of means, Welch t": (candidate: Float64Array, baseline: Float64Array) => {
      const { estimate, variance, df } = differenceOfMeans(momentsOf(candidate), momentsOf(baseline));
      return variance === 0 ? 1 : studentTSf(estimate / Math.sqrt(variance), df);
    },
    "theta, placement variance": (candidate: Float64Array, baseline: Float64Array) =>
      superioritySorted(sortSample(candidate, "candidate"), sortSample(baseline, "baseline"), {
        alternative: "greater",
      }).p,
  };

  test.each([
    ["difference of means, Welch t", "normal", 0.5, 5, ALPHA],
    ["difference of means, Welch t", "lognormal 0.8", 0.5, 10, ALPHA],
    ["theta, placement variance", "lognormal 1.5", 0.5, 5, ALPHA],
    // Ten units are few for the variance of theta: 5.6 % of 20,000 runs.
    ["theta, placement variance", "zero-inflated", 0.5, 10, 0.055],
    ["theta, placement variance", "lognormal 1.5", 0.05, 20, ALPHA],
  ] as const)(
    "%s on %s values at a candidate share of %s, %s candidate units at the first of 10 looks",
    (name, law, share, first, ceiling) => {
      const looks = 10;
      const plan = even(looks);
      const perLook = { candidate: first, baseline: Math.round((first * (1 - share)) / share) };
      const levels = levelsOf(plan, plan, (t) => powerSpending(t, ALPHA));
      const estimator = estimators[name];
      const random = seeded(103);
      const times = Math.min(runs, share < 0.5 ? 1000 : runs);
      const size = shareOf(() => {
        const candidate = draw(random, perLook.candidate * looks, laws[law]);
        const baseline = draw(random, perLook.baseline * looks, laws[law]);
        return levels.some(
          (level, k) =>
            estimator(
              candidate.subarray(0, perLook.candidate * (k + 1)),
              baseline.subarray(0, perLook.baseline * (k + 1)),
            ) <= level,
        );
      }, times);
      report({
        method: `spending, power 1.5, ${name}`,
        data: `${law}, candidate share ${share}, ${first} units a look, 10 looks`,
        crossing: percent(size),
      });
      expect(size).toBeLessThanOrEqual(ceilingOf(ceiling, times));
    },
  );
});

function momentsOf(values: Float64Array) {
  const moments = createMoments();
  for (const value of values) moments.add(value);
  return moments.now();
}

describe("normal-mixture e-values, at every look", () => {
  test.each([0.02, 0.1, 0.5])("known variance, 300 looks, tau %s", (tau) => {
    const random = seeded(104);
    const rate = shareOf(() => {
      let sum = 0;
      for (let n = 1; n <= 300; n++) {
        sum += standardNormal(random);
        if (mixtureEValue({ estimate: sum / n, variance: 1 / n }, { tau, alternative: "greater" }).logE >= REJECT)
          return true;
      }
      return false;
    });
    report({ method: "mixture e-value", data: `normal, 300 looks, tau ${tau}`, crossing: percent(rate) });
    expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA));
  });

  test.each([
    ["lognormal 1.5", 0.5],
    ["lognormal 1.5", 0.05],
    ["zero-inflated", 0.5],
  ] as const)(
    "log ratio of means of %s values at a candidate share of %s after a burn-in of 100 candidate units",
    (law, share) => {
      const random = seeded(105);
      const every = Math.round((1 - share) / share);
      const rate = shareOf(
        () => {
          const candidate = createMoments();
          const baseline = createMoments();
          for (let n = 1; n <= 600; n++) {
            candidate.add(laws[law](random));
            for (let j = 0; j < every; j++) baseline.add(laws[law](random));
            if (n < 100 || n % 5 > 0) continue;
            const effect = logRatioFromMoments(candidate.now(), baseline.now());
            if (mixtureEValue(effect, { tau: 0.2, alternative: "greater" }).logE >= REJECT) return true;
          }
          return false;
        },
        Math.min(runs, share < 0.5 ? 500 : runs),
      );
      report({
        method: "mixture e-value, log ratio of means",
        data: `${law}, candidate share ${share}, 101 looks from 100 units`,
        crossing: percent(rate),
      });
      expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA));
    },
  );

  test("theta with its placement variance, 5 : 95, 40 looks from 30 candidate units", () => {
    const random = seeded(106);
    const times = Math.min(runs, 500);
    const rate = shareOf(() => {
      const candidate = draw(random, 30 + 40 * 5, laws["lognormal 1.5"]);
      const baseline = draw(random, 19 * (30 + 40 * 5), laws["lognormal 1.5"]);
      for (let k = 0; k < 40; k++) {
        const n = 30 + 5 * k;
        const effect = superioritySorted(
          sortSample(candidate.subarray(0, n), "c"),
          sortSample(baseline.subarray(0, 19 * n), "b"),
        );
        if (mixtureEValue(effect, { tau: 0.05, nullValue: 0.5, alternative: "greater" }).logE >= REJECT) return true;
      }
      return false;
    }, times);
    report({
      method: "mixture e-value, theta",
      data: "lognormal 1.5, candidate share 0.05, 40 looks from 30 units",
      crossing: percent(rate),
    });
    expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA, times));
  });
});

describe("count e-process, at every interval of a ramp", () => {
  /** Exposure of both arms over 120 intervals: 5 to 50 % of traffic, with a seasonal rate and traffic. */
  const ramp = Array.from({ length: 120 }, (_, t) => {
    const share = 0.05 + (0.45 * t) / 119;
    const traffic = 200 * (1 + 0.5 * Math.sin(t / 9));
    return { candidate: share * traffic, baseline: (1 - share) * traffic, rate: 0.02 * (1 + 0.8 * Math.sin(t / 15)) };
  });

  test.each([
    ["harm", "greater", 1, 1],
    ["safety", "less", 1.5, 1.5],
    ["harm", "greater", 1.2, 1.2],
  ] as const)(
    "%s: Poisson counts at the null ratio cross rarely, and far beyond it nearly always",
    (_, alternative, nullRatio, ratio) => {
      const random = seeded(107);
      const ever = (ratio: number): boolean => {
        let state = startCounts();
        return ramp.some(({ candidate, baseline, rate }) => {
          const x = poisson(random, candidate * rate * ratio);
          const y = poisson(random, baseline * rate);
          state = addCounts(state, { events: [x], exposure: [candidate] }, { events: [y], exposure: [baseline] });
          return countsLogE(state, { nullRatio, alternative }) >= REJECT;
        });
      };
      const rate = shareOf(() => ever(ratio));
      const beyond = alternative === "greater" ? 2.5 * ratio : ratio / 2.5;
      const times = Math.min(runs, 300);
      const power = shareOf(() => ever(beyond), times);
      report({
        method: "count e-process",
        data: `Poisson, ramp 5-50 %, 120 intervals, null ratio ${nullRatio}, ${alternative}`,
        crossing: percent(rate),
        [`power at ratio ${beyond}`]: percent(power),
      });
      expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA));
      expect(power).toBeGreaterThan(0.8);
    },
  );

  /** Yes-or-no outcomes that are not rare: the law given the total is not binomial except approximately. */
  test.each([
    ["greater", 1, 0.4],
    ["greater", 1.2, 0.4],
    ["less", 1.2, 0.4],
    ["less", 1.5, 0.02],
  ] as const)("yes-or-no outcomes, %s than %s times a baseline of %s", (alternative, nullRatio, p) => {
    const random = seeded(108);
    const rate = shareOf(() => {
      let state = startCounts();
      return ramp.some(({ candidate, baseline }) => {
        const n = Math.round(candidate / 5);
        const m = Math.round(baseline / 5);
        const x = binomial(random, n, p * nullRatio);
        const y = binomial(random, m, p);
        state = addCounts(state, { events: [x], exposure: [n] }, { events: [y], exposure: [m] });
        return countsLogE(state, { nullRatio, alternative }) >= REJECT;
      });
    });
    report({
      method: "count e-process",
      data: `Bernoulli, baseline ${p}, ramp 5-50 %, null ratio ${nullRatio}, ${alternative}`,
      crossing: percent(rate),
    });
    expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA));
  });

  test("beta mixture at a constant exposure share of 5 %, after every event", () => {
    const random = seeded(109);
    const rate = shareOf(
      () => {
        let x = 0;
        for (let n = 1; n <= 400; n++) {
          if (random() < 0.05) x++;
          if (betaMixtureLogE(x, n - x, { nullShare: 0.05, alternative: "greater" }) >= REJECT) return true;
        }
        return false;
      },
      Math.min(runs, 1000),
    );
    report({ method: "beta mixture", data: "share 0.05, after each of 400 events", crossing: percent(rate) });
    expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA));
  });
});

describe("betting e-process, at every value", () => {
  const scores: Readonly<Record<string, { readonly mean: number; readonly draw: (random: Random) => number }>> = {
    arcsine: { mean: 0.5, draw: (random) => Math.sin((Math.PI / 2) * random()) ** 2 },
    "five points": { mean: (0.07 * 1 + 0.15 * 2 + 0.35 * 3 + 0.4 * 4) / 4, draw: fivePoints },
    "rare failures": { mean: 0.97, draw: (random) => (random() < 0.97 ? 1 : 0) },
  };

  test.each(Object.keys(scores))("%s", (name) => {
    const { mean, draw } = scores[name];
    const random = seeded(110);
    const happened = { greater: 0, less: 0 };
    for (let run = 0; run < runs; run++) {
      let state = startBetting();
      let greater = false;
      let less = false;
      for (let t = 0; t < 500; t++) {
        state = bet(state, [draw(random)], { mean });
        greater ||= state.logGreater >= REJECT;
        less ||= state.logLess >= REJECT;
      }
      if (greater) happened.greater++;
      if (less) happened.less++;
    }
    report({
      method: "betting",
      data: `${name}, 500 looks`,
      "crossing, greater": percent(happened.greater / runs),
      less: percent(happened.less / runs),
    });
    expect(happened.greater / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
    expect(happened.less / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
  });

  test("two arms at 5 : 95 in order of arrival, and a fall of half a point on five", () => {
    const random = seeded(111);
    const ever = (fall: number, n: number): boolean => {
      const marks = Array.from({ length: n }, () => (random() < 0.05 ? 1 : 0));
      const values = marks.map((mark) => Math.max(0, fivePoints(random) - (mark === 1 && random() < 0.5 ? fall : 0)));
      const { differences } = pairArrivals(startPairing(), values, marks);
      let state = startBetting();
      for (const d of differences) {
        state = bet(state, [(d + 1) / 2], { mean: 0.5 });
        if (state.logLess >= REJECT) return true;
      }
      return false;
    };
    const times = Math.min(runs, 1000);
    const rate = shareOf(() => ever(0, 4000), times);
    const power = shareOf(() => ever(0.25, 6000), Math.min(runs, 200));
    report({
      method: "betting, two arms",
      data: "five points, candidate share 0.05, 200 candidate values",
      crossing: percent(rate),
      "power at a fall of half a point, 300 candidate values": percent(power),
    });
    expect(rate).toBeLessThanOrEqual(ceilingOf(ALPHA, times));
    expect(power).toBeGreaterThan(0.8);
  });
});

function fivePoints(random: Random): number {
  const u = random();
  return [0.03, 0.1, 0.25, 0.6, 1].findIndex((upTo) => u < upTo) / 4;
}

describe("bands, at every look", () => {
  test("one empirical distribution stays inside, two arms are not told apart", () => {
    const random = seeded(112);
    const times = Math.min(runs, 500);
    let left = 0;
    let alarms = 0;
    for (let run = 0; run < times; run++) {
      const candidate = draw(random, 1000, (random) => random());
      const baseline = draw(random, 1000, (random) => random());
      let outside = false;
      let alarm = false;
      for (let n = 30; n <= 1000; n = Math.ceil(n * 1.15)) {
        const c = sortSample(candidate.subarray(0, n), "c");
        const b = sortSample(baseline.subarray(0, n), "b");
        let worst = 0;
        let i = 0;
        let plus = 0;
        let minus = 0;
        for (let j = 0; j < n; j++) {
          worst = Math.max(worst, (j + 1) / n - c[j], c[j] - j / n);
          while (i < n && b[i] <= c[j]) i++;
          plus = Math.max(plus, (j + 1 - i) / n);
          minus = Math.max(minus, (i - j) / n);
        }
        outside ||= worst > uniformDkwHalfWidth(n);
        const { larger, smaller } = orderMonitor({ plus, minus }, { candidate: n, baseline: n });
        alarm ||= larger || smaller;
      }
      if (outside) left++;
      if (alarm) alarms++;
    }
    report({
      method: "uniform DKW band",
      data: "25 looks from 30 to 1000",
      "one arm left": percent(left / times),
      "two arms told apart": percent(alarms / times),
    });
    expect(left / times).toBeLessThanOrEqual(ceilingOf(ALPHA, times));
    expect(alarms / times).toBeLessThanOrEqual(ceilingOf(ALPHA, times));
  });
});

describe("several tests at once", () => {
  test("the average of dependent e-values and closed testing keep the family's error at every look", () => {
    const random = seeded(113);
    let any = 0;
    let named = 0;
    for (let run = 0; run < runs; run++) {
      const sums = new Float64Array(6);
      let crossed = false;
      let falselyNamed = false;
      for (let n = 1; n <= 60; n++) {
        const common = standardNormal(random);
        for (let j = 0; j < 6; j++) sums[j] += 0.7 * common + 0.714 * standardNormal(random) + (j === 0 ? 0.3 : 0);
        const logEs = Array.from(
          sums,
          (sum) => mixtureEValue({ estimate: sum / n, variance: 1 / n }, { tau: 0.3, alternative: "greater" }).logE,
        );
        crossed ||= averageLogE(logEs.slice(1)) >= REJECT;
        falselyNamed ||= closedLogE(logEs).some((logE, j) => j > 0 && logE >= REJECT);
      }
      if (crossed) any++;
      if (falselyNamed) named++;
    }
    report({
      method: "average of e-values; closed testing beside a harmed metric",
      data: "6 correlated metrics, 60 looks",
      crossing: percent(any / runs),
      "falsely named": percent(named / runs),
    });
    expect(any / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
    expect(named / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
  });

  test("Dunnett's critical value uses the family's error up, Holm on the same tests stays below", () => {
    const random = seeded(114);
    const sizes = { baseline: 12, candidates: [12, 6, 20] };
    const df = 46;
    const critical = dunnettCritical(ALPHA, sizes, { df, alternative: "greater" });
    let dunnett = 0;
    let holmed = 0;
    for (let run = 0; run < runs; run++) {
      const arms = [sizes.baseline, ...sizes.candidates].map((n) => momentsOf(draw(random, n, laws.normal)));
      const pooled = arms.reduce((sum, { n, variance }) => sum + (n - 1) * variance, 0) / df;
      const ts = arms
        .slice(1)
        .map(({ n, mean }) => (mean - arms[0].mean) / Math.sqrt(pooled * (1 / n + 1 / sizes.baseline)));
      if (Math.max(...ts) >= critical) dunnett++;
      if (Math.min(...holm(ts.map((t) => studentTSf(t, df)))) <= ALPHA) holmed++;
    }
    report({
      method: "three candidates, one-sided",
      data: "normal, 12 : 12 : 6 : 20",
      "Dunnett, any false": percent(dunnett / runs),
      Holm: percent(holmed / runs),
    });
    expect(dunnett / runs).toBeLessThanOrEqual(ceilingOf(ALPHA));
    expect(dunnett / runs).toBeGreaterThanOrEqual(floorOf(ALPHA));
    expect(holmed).toBeLessThanOrEqual(dunnett);
  });
});
