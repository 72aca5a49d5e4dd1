import { binomialPmf } from "../../src/stats/distributions/binomial.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { marginAt, proportionMarginInterval, proportionMarginTest } from "../../src/stats/proportion-margin.ts";
import { proportionRatioInterval, proportionRatioTest } from "../../src/stats/proportion-ratio.ts";
import { twoProportionsInterval, twoProportionsTest } from "../../src/stats/two-proportions.ts";
import { readGolden, expectGolden } from "./golden.ts";

const counts = fc
  .integer({ min: 1, max: 400 })
  .chain((trials) => fc.record({ trials: fc.constant(trials), events: fc.integer({ min: 0, max: trials }) }));
const FM = { variance: "farrington-manning" } as const;
/** Both sides solve for the most likely pair, one by a closed form and one by bisection. */
const SLACK = 1e-6;

test.each(readGolden("proportion-margin").cases.map((golden) => [golden.name, golden] as const))("%s", (_, golden) => {
  const { candidate, baseline, margin, multiple, dispersion } = golden.input as never as {
    candidate: never;
    baseline: never;
    margin: never;
    multiple: number;
    dispersion: number;
  };
  const tests = (["less", "greater"] as const).map((alternative) =>
    proportionMarginTest(candidate, baseline, margin, multiple, alternative, { dispersion }),
  );
  expectGolden({ statistic: tests[0]?.statistic, pLess: tests[0]?.p, pGreater: tests[1]?.p }, golden);
});

test("with an absolute margin alone it is the score test of a difference", () => {
  fc.assert(
    fc.property(counts, counts, fc.double({ min: 0.001, max: 0.5, noNaN: true }), (candidate, baseline, absolute) => {
      const own = proportionMarginTest(candidate, baseline, { absolute, relative: null }, 1, "less");
      const known = twoProportionsTest(candidate, baseline, { nullDifference: absolute, alternative: "less", ...FM });
      // Where the border is cut at 1 the closed form follows the border that is not cut.
      if (baseline.events / baseline.trials + absolute < 0.9 && known.variance > 0)
        expect(Math.abs(own.statistic - known.statistic)).toBeLessThan(SLACK * (1 + Math.abs(known.statistic)));
    }),
    { seed: 1 },
  );
});

test("with a relative margin alone it is the score test of a ratio", () => {
  fc.assert(
    fc.property(counts, counts, fc.double({ min: 0.01, max: 0.9, noNaN: true }), (candidate, baseline, relative) => {
      const own = proportionMarginTest(candidate, baseline, { absolute: null, relative }, 1, "less");
      const known = proportionRatioTest(candidate, baseline, { nullRatio: 1 + relative, alternative: "less", ...FM });
      if (candidate.events > 0 && baseline.events > 0 && baseline.events < baseline.trials / 2.2)
        expect(Math.abs(own.statistic - known.statistic)).toBeLessThan(SLACK * (1 + Math.abs(known.statistic)));
    }),
    { seed: 2 },
  );
});

test("the looser part binds on its side of the corner", () => {
  const margin = { absolute: 0.001, relative: 0.5 };
  expect(marginAt(margin, 0.0001)).toBe(0.001);
  expect(marginAt(margin, 0.1)).toBe(0.05);
  const rare = [
    { events: 1, trials: 10_000 },
    { events: 1, trials: 10_000 },
  ] as const;
  expect(proportionMarginTest(...rare, margin, 1, "less").p).toBeCloseTo(
    proportionMarginTest(...rare, { absolute: 0.001, relative: null }, 1, "less").p,
    9,
  );
  const common = [
    { events: 1000, trials: 10_000 },
    { events: 1000, trials: 10_000 },
  ] as const;
  expect(proportionMarginTest(...common, margin, 1, "less").p).toBeCloseTo(
    proportionMarginTest(...common, { absolute: null, relative: 0.5 }, 1, "less").p,
    9,
  );
});

test("the interval holds the multiples that the test does not reject", () => {
  fc.assert(
    fc.property(
      counts,
      counts,
      fc.double({ min: 0.001, max: 0.3, noNaN: true }),
      fc.double({ min: 0.01, max: 0.2, noNaN: true }),
      (candidate, baseline, absolute, alpha) => {
        const margin = { absolute, relative: 0.5 };
        const { lower, upper } = proportionMarginInterval(candidate, baseline, margin, { lower: alpha, upper: alpha });
        if (Number.isFinite(lower))
          expect(Math.abs(proportionMarginTest(candidate, baseline, margin, lower, "greater").p - alpha)).toBeLessThan(
            1e-6,
          );
        if (Number.isFinite(upper))
          expect(Math.abs(proportionMarginTest(candidate, baseline, margin, upper, "less").p - alpha)).toBeLessThan(
            1e-6,
          );
        expect(lower).toBeLessThanOrEqual(upper);
      },
    ),
    { seed: 3, numRuns: 50 },
  );
});

test("the interval in multiples is that of the difference, or of the ratio", () => {
  const [c, b] = [
    { events: 15, trials: 1000 },
    { events: 10, trials: 1000 },
  ] as const;
  const difference = twoProportionsInterval(c, b, { confidence: 0.9, ...FM });
  expect(
    proportionMarginInterval(c, b, { absolute: 0.02, relative: null }, { lower: 0.05, upper: 0.05 }).upper * 0.02,
  ).toBeCloseTo(difference.upper, 9);
  const ratio = proportionRatioInterval(c, b, { confidence: 0.9, ...FM });
  expect(
    1 + proportionMarginInterval(c, b, { absolute: null, relative: 0.5 }, { lower: 0.05, upper: 0.05 }).lower * 0.5,
  ).toBeCloseTo(ratio.lower, 9);
});

test("nothing varies, nothing is proven; a wider spread and fewer degrees of freedom prove less", () => {
  expect(
    proportionMarginTest(
      { events: 0, trials: 50 },
      { events: 0, trials: 50 },
      { absolute: null, relative: 0.5 },
      1,
      "less",
    ),
  ).toEqual({ p: 1, statistic: 0, expected: { candidate: 0, baseline: 0 } });
  const [c, b] = [
    { events: 10, trials: 1000 },
    { events: 10, trials: 1000 },
  ] as const;
  const p = (options: object) => proportionMarginTest(c, b, { absolute: 0.02, relative: null }, 1, "less", options).p;
  expect(p({})).toBeLessThan(p({ dispersion: 2 }));
  expect(p({ dispersion: 2 })).toBeLessThan(p({ dispersion: 2, df: 5 }));
});

test("bad input is named", () => {
  const one = { events: 1, trials: 2 };
  expect(() => proportionMarginTest(one, one, { absolute: null, relative: null }, 1, "less")).toThrow(
    "the margin has no positive part",
  );
  expect(() => proportionMarginTest(one, one, { absolute: -1, relative: 0.5 }, 1, "less")).toThrow(
    "margin.absolute is -1",
  );
  expect(() =>
    proportionMarginTest({ events: 3, trials: 2 }, one, { absolute: 0.1, relative: null }, 1, "less"),
  ).toThrow(RangeError);
});

describe("the roots of score and likelihood", () => {
  const margin = { absolute: 0.02, relative: null };

  test("the likelihood root is twice the likelihood lost on the border, found by a fine grid", () => {
    const [candidate, baseline] = [
      { events: 3, trials: 125 },
      { events: 11, trials: 400 },
    ];
    const likelihood = (p: number, q: number) =>
      11 * Math.log(p) + 389 * Math.log1p(-p) + 3 * Math.log(q) + 122 * Math.log1p(-q);
    let best = -Infinity;
    for (let p = 1e-5; p < 0.2; p += 1e-5) best = Math.max(best, likelihood(p, p + 0.02));
    const lost = likelihood(11 / 400, 3 / 125) - best;
    const { statistic } = proportionMarginTest(candidate, baseline, margin, 1, "less", { statistic: "likelihood" });
    expect(statistic).toBeCloseTo(-Math.sqrt(2 * lost), 6);
    const score = proportionMarginTest(candidate, baseline, margin, 1, "less").statistic;
    const mean = proportionMarginTest(candidate, baseline, margin, 1, "less", { statistic: "mean" }).statistic;
    expect(mean).toBeCloseTo((score + statistic) / 2, 12);
  });

  test("their mean keeps 1 % and 0.1 % in unequal arms with rare events, by enumeration", () => {
    const sizes = { candidate: 125, baseline: 400 };
    const [q, p] = [0.04, 0.02];
    const rejected = { one: 0, tenth: 0 };
    for (let c = 0; c <= 25; c++)
      for (let b = 0; b <= 30; b++) {
        const arms = [
          { events: c, trials: sizes.candidate },
          { events: b, trials: sizes.baseline },
        ] as const;
        const value = proportionMarginTest(...arms, margin, 1, "less", { statistic: "mean" }).p;
        const chance = binomialPmf(c, sizes.candidate, q) * binomialPmf(b, sizes.baseline, p);
        if (value <= 0.01) rejected.one += chance;
        if (value <= 0.001) rejected.tenth += chance;
      }
    expect(rejected.one).toBeLessThan(0.01);
    expect(rejected.one).toBeGreaterThan(0.006);
    expect(rejected.tenth).toBeLessThan(0.001);
  });
});
