import { describe, expect, test } from "vitest";
import { chiSquareFit, chiSquareIndependence } from "../../src/stats/chi-square-test.ts";
import { mixShift, numericMixShift } from "../../src/stats/mix-shift.ts";
import { populationStability } from "../../src/stats/population-stability.ts";
import { seeded, type Random } from "../../src/stats/random.ts";
import { sampleRatioTest, startSampleRatio, updateSampleRatio } from "../../src/stats/sample-ratio.ts";
import { binomial, draw, laws } from "./laws.ts";
import { ceilingOf, percent, shareOf } from "./rates.ts";
import { report } from "./report.ts";
import { runs } from "./runs.ts";

/** Counts of n units over categories of these shares. */
function multinomial(random: Random, n: number, shares: readonly number[]): number[] {
  const counts = shares.map(() => 0);
  for (let i = 0; i < n; i++) {
    let u = random();
    let j = 0;
    while (j < shares.length - 1 && u >= shares[j]) {
      u -= shares[j];
      j++;
    }
    counts[j]++;
  }
  return counts;
}

describe("sample ratio", () => {
  test("200 looks at a fair split alarm in at most 5 % at a limit of 20, and 0.1 % at 1000", () => {
    const random = seeded(3000);
    let crossed20 = 0;
    let crossed1000 = 0;
    for (let run = 0; run < runs; run++) {
      let state = startSampleRatio(2);
      for (let look = 0; look < 200; look++) {
        const events = binomial(random, 20, 0.5);
        state = updateSampleRatio(state, [events, 20 - events], [1, 1]);
      }
      if (state.maxLogE >= Math.log(20)) crossed20 += 1 / runs;
      if (state.maxLogE >= Math.log(1000)) crossed1000 += 1 / runs;
    }
    report({
      test: "srm e-value, 200 looks, 50:50",
      "beyond 20 %": percent(crossed20),
      "beyond 1000 %": percent(crossed1000),
    });
    expect(crossed20).toBeLessThanOrEqual(ceilingOf(0.05));
    expect(crossed1000).toBeLessThanOrEqual(ceilingOf(0.001));
  });

  test("a ramp from 5 % to 50 % does not alarm by itself, and a mismatch in it is found", () => {
    const random = seeded(3010);
    const ramp = Array.from({ length: 60 }, (_, k) => 0.05 + (0.45 * k) / 59);
    const run = (lost: number) => {
      let state = startSampleRatio(2);
      for (const share of ramp) {
        const candidate = binomial(random, 40, share);
        const kept = candidate - binomial(random, candidate, lost);
        state = updateSampleRatio(state, [40 - candidate, kept], [1 - share, share]);
      }
      return state.maxLogE;
    };
    const fair = shareOf(() => run(0) >= Math.log(20));
    const broken = shareOf(() => run(0.3) >= Math.log(1000), Math.round(runs / 4));
    report({ test: "srm e-value on a ramp", "fair beyond 20 %": percent(fair), "30 % lost, found %": percent(broken) });
    expect(fair).toBeLessThanOrEqual(ceilingOf(0.05));
    expect(broken).toBeGreaterThan(0.9);
  });

  test("chi-square at one look", () => {
    const random = seeded(3020);
    const rate = shareOf(() => {
      const candidate = binomial(random, 1000, 0.05);
      return sampleRatioTest([1000 - candidate, candidate], [95, 5]).p <= 0.05;
    });
    report({ test: "srm chi-square, 95:5 of 1000", "rate %": percent(rate) });
    expect(rate).toBeLessThanOrEqual(ceilingOf(0.055));
  });
});

describe("mixes, nominal 5 %", () => {
  test.each([
    [[0.5, 0.3, 0.2], 200, 200],
    [[0.7, 0.2, 0.06, 0.02, 0.01, 0.01], 60, 1140],
  ] as [number[], number, number][])("shares %j, %i against %i units", (shares, n, m) => {
    const random = seeded(3100 + n);
    const rates = { independence: 0, fit: 0, "mix shift": 0, psi: 0, "psi alarm": 0 };
    for (let run = 0; run < runs; run++) {
      const candidate = multinomial(random, n, shares);
      const baseline = multinomial(random, m, shares);
      if (chiSquareIndependence([candidate, baseline]).p <= 0.05) rates.independence += 1 / runs;
      if (chiSquareFit(baseline, shares).p <= 0.05) rates.fit += 1 / runs;
      if (mixShift(candidate, baseline).p <= 0.05) rates["mix shift"] += 1 / runs;
      const stability = populationStability(candidate, baseline);
      if (stability.p <= 0.05) rates.psi += 1 / runs;
      if (stability.shifted) rates["psi alarm"] += 1 / runs;
    }
    for (const [name, rate] of Object.entries(rates))
      report({ test: name, sizes: `${n}/${m}`, "rate %": percent(rate) });
    expect(rates["mix shift"]).toBeLessThanOrEqual(ceilingOf(0.06));
    expect(rates["independence"]).toBeLessThanOrEqual(ceilingOf(0.07));
    expect(rates.fit).toBeLessThanOrEqual(ceilingOf(0.06));
    expect(rates.psi).toBeLessThanOrEqual(ceilingOf(0.06));
    expect(rates["psi alarm"]).toBeLessThanOrEqual(ceilingOf(0.02));
  });

  test("a numeric feature in ten bins of pooled quantiles", () => {
    const random = seeded(3200);
    const rate = shareOf(
      () =>
        numericMixShift(draw(random, 200, laws["zero-inflated"]), draw(random, 600, laws["zero-inflated"])).p <= 0.05,
    );
    report({ test: "numeric mix shift, 200/600", "rate %": percent(rate) });
    expect(rate).toBeLessThanOrEqual(ceilingOf(0.055));
  });
});
