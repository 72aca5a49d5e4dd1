import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addCounts,
  betaMixtureLogE,
  countsInterval,
  countsLogE,
  startCounts,
  type CountColumns,
  type CountsState,
} from "../../src/stats/e-value-counts.ts";
import { binomialPmf } from "../../src/stats/distributions/binomial.ts";
import { goldenCases, misses } from "./golden.ts";

const columns = (rows: readonly (readonly [events: number, exposure: number])[]): CountColumns => ({
  events: rows.map(([events]) => events),
  exposure: rows.map(([, exposure]) => exposure),
});
const arms = fc
  .array(
    fc.record({
      n: fc.integer({ min: 1, max: 500 }),
      m: fc.integer({ min: 1, max: 500 }),
      x: fc.integer({ min: 0, max: 40 }),
      y: fc.integer({ min: 0, max: 40 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((rows) => ({
    candidate: columns(rows.map(({ x, n }) => [x, n])),
    baseline: columns(rows.map(({ y, m }) => [y, m])),
  }));

describe("countsLogE", () => {
  test.each(goldenCases("sequential", "countsLogE"))("agrees with the sum over intervals: %s", (_, golden) => {
    const { candidate, baseline } = golden.input as unknown as { candidate: CountColumns; baseline: CountColumns };
    const state = addCounts(startCounts(), candidate, baseline);
    const got = Object.fromEntries(
      Object.keys(golden.expected).map((key) => {
        const [alternative, ratio] = key.split(" ");
        return [key, countsLogE(state, { nullRatio: Number(ratio), alternative: alternative as "greater" })];
      }),
    );
    expect(misses(got, golden)).toEqual([]);
  });

  test.each(goldenCases("sequential", "countsLogEEffects"))("of effects that the caller chooses: %s", (_, golden) => {
    const { candidate, baseline, effects } = golden.input as unknown as {
      candidate: CountColumns;
      baseline: CountColumns;
      effects: number[];
    };
    const state = addCounts(startCounts(), candidate, baseline);
    const got = Object.fromEntries(
      Object.keys(golden.expected).map((key) => {
        const [alternative, ratio] = key.split(" ");
        return [key, countsLogE(state, { nullRatio: Number(ratio), alternative: alternative as "greater", effects })];
      }),
    );
    expect(misses(got, golden)).toEqual([]);
  });

  test("interval by interval, through JSON, gives what all at once gives", () => {
    fc.assert(
      fc.property(arms, ({ candidate, baseline }) => {
        const whole = addCounts(startCounts(), candidate, baseline);
        let state: CountsState = startCounts();
        for (let t = 0; t < candidate.events.length; t++) {
          const one = ({ events, exposure }: CountColumns) => columns([[events[t], exposure[t]]]);
          state = JSON.parse(JSON.stringify(addCounts(state, one(candidate), one(baseline)))) as CountsState;
        }
        expect(countsLogE(state, { alternative: "greater" })).toBe(countsLogE(whole, { alternative: "greater" }));
      }),
    );
  });

  test("swapping the arms turns the question round", () => {
    fc.assert(
      fc.property(arms, ({ candidate, baseline }) => {
        const there = addCounts(startCounts(), candidate, baseline);
        const back = addCounts(startCounts(), baseline, candidate);
        expect(countsLogE(back, { nullRatio: 1 / 1.3, alternative: "less" })).toBeCloseTo(
          countsLogE(there, { nullRatio: 1.3, alternative: "greater" }),
          7,
        );
      }),
    );
  });

  test.each([
    [5, 100, 1, "greater" as const],
    [30, 30, 1, "greater" as const],
    [30, 100, 1.5, "less" as const],
    [200, 7, 0.7, "greater" as const],
  ])(
    "has expectation 1 given the total at its null, %s events at exposure ratio %s",
    (total, m, nullRatio, alternative) => {
      const odds = (nullRatio * 50) / m;
      const share = odds / (1 + odds);
      let mean = 0;
      for (let x = 0; x <= total; x++) {
        const state = addCounts(startCounts(), columns([[x, 50]]), columns([[total - x, m]]));
        mean += binomialPmf(x, total, share) * Math.exp(countsLogE(state, { nullRatio, alternative }));
      }
      expect(mean).toBeCloseTo(1, 9);
    },
  );

  test("an interval in which an arm has no exposure, or nothing happened, says nothing", () => {
    const before = addCounts(startCounts(), columns([[3, 10]]), columns([[1, 10]]));
    expect(
      addCounts(
        before,
        columns([
          [0, 0],
          [4, 10],
          [0, 7],
        ]),
        columns([
          [5, 10],
          [0, 0],
          [0, 9],
        ]),
      ),
    ).toEqual(before);
    expect(countsLogE(startCounts(), { alternative: "greater" })).toBeCloseTo(0, 12);
  });

  test("bad input is refused by name", () => {
    const good = columns([[1, 10]]);
    expect(() => addCounts(startCounts(), columns([[1.5, 10]]), good)).toThrow(/candidate.events\[0\] is 1.5/);
    expect(() => addCounts(startCounts(), good, columns([[1, 0]]))).toThrow(
      new RangeError("baseline.events[0] is 1 without exposure"),
    );
    expect(() => addCounts(startCounts(), good, columns([[1, Number.NaN]]))).toThrow(/baseline.exposure\[0\] is NaN/);
    expect(() => addCounts(startCounts(), good, columns([]))).toThrow(RangeError);
    expect(() => countsLogE(startCounts(), { nullRatio: 20, alternative: "less" })).toThrow(/nullRatio is 20/);
    expect(() => countsLogE(startCounts(), { alternative: "less", effects: [] })).toThrow(/effects is empty/);
    expect(() => countsLogE(startCounts(), { alternative: "less", effects: [0] })).toThrow(/effects\[0\] is 0/);
    expect(() => countsLogE(startCounts(), { nullRatio: 2, alternative: "greater", effects: [4.9] })).toThrow(
      "effects[0] is 4.9, beyond a log ratio of 5",
    );
  });
});

describe("countsInterval", () => {
  test.each(goldenCases("sequential", "countsInterval"))("agrees with bisection: %s", (_, golden) => {
    const { candidate, baseline } = golden.input as unknown as { candidate: CountColumns; baseline: CountColumns };
    expect(misses({ ...countsInterval(addCounts(startCounts(), candidate, baseline)) }, golden)).toEqual([]);
  });

  test("holds the maximum-likelihood ratio, which is the ratio of rates at constant exposures", () => {
    const state = addCounts(
      startCounts(),
      columns([
        [30, 100],
        [60, 200],
      ]),
      columns([
        [10, 50],
        [20, 100],
      ]),
    );
    const { estimate, lower, upper } = countsInterval(state);
    expect(estimate).toBeCloseTo(1.5, 6);
    expect(lower).toBeLessThan(1.5);
    expect(upper).toBeGreaterThan(1.5);
  });

  test("without events it says nothing; with events in one arm it is bounded on one side at most", () => {
    expect(countsInterval(startCounts())).toEqual({ estimate: 1, lower: 0, upper: Infinity });
    const state = addCounts(startCounts(), columns([[0, 100]]), columns([[40, 100]]));
    const { estimate, lower, upper } = countsInterval(state);
    expect([estimate, lower]).toEqual([0, 0]);
    expect(upper).toBeLessThan(0.5);
  });
});

describe("betaMixtureLogE", () => {
  test.each(goldenCases("sequential", "betaMixtureLogE"))("agrees with its formula: %s", (_, golden) => {
    const { candidateEvents, baselineEvents, nullShare, a, b } = golden.input as Record<string, number>;
    const got = Object.fromEntries(
      Object.keys(golden.expected).map((alternative) => [
        alternative,
        betaMixtureLogE(candidateEvents, baselineEvents, { nullShare, a, b, alternative: alternative as "greater" }),
      ]),
    );
    expect(misses(got, golden)).toEqual([]);
  });

  test.each(["two-sided", "greater", "less"] as const)("has expectation 1 at its null, %s", (alternative) => {
    let mean = 0;
    for (let x = 0; x <= 60; x++) {
      mean += binomialPmf(x, 60, 0.2) * Math.exp(betaMixtureLogE(x, 60 - x, { nullShare: 0.2, alternative }));
    }
    expect(mean).toBeCloseTo(1, 9);
  });

  test("bad input is refused by name", () => {
    expect(() => betaMixtureLogE(1, 2, { nullShare: 0 })).toThrow(/nullShare is 0/);
    expect(() => betaMixtureLogE(-1, 2, { nullShare: 0.5 })).toThrow(/candidateEvents is -1/);
    expect(() => betaMixtureLogE(1, 2, { nullShare: 0.5, a: 0 })).toThrow(/a is 0/);
  });
});
