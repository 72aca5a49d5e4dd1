import { describe, expect, test } from "vitest";
import { randomInteger, seeded, standardNormal, type Random } from "../../src/stats/random.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import { shiftInterval, type ShiftIntervalOptions } from "../../src/stats/shift-interval.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { superiority, superiorityFromSummary } from "../../src/stats/superiority.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";
import { cauchy, lognormal, normal, scores, uniform, zeroInflated } from "./samples.ts";

test.each(goldenCases("hodges-lehmann", "shiftInterval"))("golden: %s", (_, golden) => {
  const { candidate, baseline, options } = golden.input;
  const x = sortSample(goldenSample(candidate), "candidate");
  const y = sortSample(goldenSample(baseline), "baseline");
  expect(misses({ ...shiftInterval(x, y, options as ShiftIntervalOptions) }, golden)).toEqual([]);
});

const laws: readonly (readonly [string, (random: Random, n: number) => Float64Array])[] = [
  ["uniform", uniform],
  ["normal", normal],
  ["scores", scores],
  ["lognormal", lognormal],
  ["cauchy", cauchy],
  ["zeros and costs", zeroInflated],
  ["whole milliseconds", (random, n) => lognormal(random, n, 1).map((v) => Math.floor(50 * v))],
  ["a narrow band far from 0", (random, n) => normal(random, n).map((v) => 1e9 + v * 1e-4)],
];

describe("agreement with the superiority test", () => {
  test.each(laws)("no shift, and the margin, are outside exactly when the test rejects them: %s", (_, law) => {
    const random = seeded(31);
    for (let run = 0; run < 60; run++) {
      const x = sortSample(
        law(random, 2 + randomInteger(random, 60)).map((v) => v * (run % 3 === 0 ? 1.3 : 1)),
        "x",
      );
      const y = sortSample(law(random, 2 + randomInteger(random, 60)), "y");
      const spread = y[y.length - 1] - y[0];
      for (const scale of x[0] >= 0 && y[0] >= 0 ? (["difference", "ratio"] as const) : (["difference"] as const)) {
        const none = scale === "ratio" ? 1 : 0;
        const margin = scale === "ratio" ? 1.1 : spread * 0.1 + 0.1;
        const [alphaLower, alphaUpper] = [0.05, 0.01];
        const { lower, upper } = shiftInterval(x, y, { alphaLower, alphaUpper, scale, agreeAt: [margin] });
        for (const shift of [none, margin]) {
          const summary = rankSummary(x, y, scale === "ratio" ? { divisor: shift } : { shift });
          const p = (alternative: "greater" | "less") => superiorityFromSummary(summary, { alternative }).p;
          expect(lower > shift).toBe(p("greater") <= alphaLower);
          expect(upper < shift).toBe(p("less") <= alphaUpper);
        }
      }
    }
  });

  test.each(laws)("just inside a limit the test accepts and just outside it rejects: %s", (_, law) => {
    const random = seeded(37);
    for (let run = 0; run < 40; run++) {
      const x = sortSample(law(random, 8 + randomInteger(random, 300)), "x");
      const y = sortSample(law(random, 8 + randomInteger(random, 300)), "y");
      const alpha = 0.025;
      const { lower, upper } = shiftInterval(x, y, { alphaLower: alpha, alphaUpper: alpha });
      const size = Math.max(...[x, y].flatMap((v) => [Math.abs(v[0]), Math.abs(v[v.length - 1])]));
      const step = 8 * Number.EPSILON * size;
      const p = (shift: number, alternative: "greater" | "less") =>
        superiorityFromSummary(rankSummary(x, y, { shift }), { alternative }).p;
      // The greatest p-value outside and the least inside; without a limit there is neither.
      const outside = [
        Number.isFinite(lower) ? p(lower - step, "greater") : 0,
        Number.isFinite(upper) ? p(upper + step, "less") : 0,
      ];
      const inside = [
        Number.isFinite(lower) ? p(lower + step, "greater") : 1,
        Number.isFinite(upper) ? p(upper - step, "less") : 1,
      ];
      expect(Math.max(...outside)).toBeLessThanOrEqual(alpha);
      expect(Math.min(...inside)).toBeGreaterThan(alpha);
    }
  });

  test("large samples, where the search starts from thinned ones, agree as well", () => {
    const random = seeded(41);
    for (const law of [uniform, lognormal, scores, zeroInflated]) {
      const x = sortSample(law(random, 30_000), "x");
      const y = sortSample(law(random, 12_000), "y");
      const { lower, upper } = shiftInterval(x, y, { alphaLower: 0.05, alphaUpper: 0.05 });
      const { lower: theta, upper: thetaUpper } = superiority(x, y, { confidence: 0.9 });
      expect(lower > 0).toBe(theta > 0.5);
      expect(upper < 0).toBe(thetaUpper < 0.5);
      const at = (shift: number, alternative: "greater" | "less") =>
        superiorityFromSummary(rankSummary(x, y, { shift }), { alternative }).p;
      const beyond = 1e-5 * (y[9000] - y[3000]);
      expect(at(lower - beyond, "greater")).toBeLessThanOrEqual(0.05);
      expect(at(upper + beyond, "less")).toBeLessThanOrEqual(0.05);
    }
  });
});

describe("what it returns", () => {
  const seven = Float64Array.of(1, 2, 3, 4, 5, 6, 7);

  test("the example of the docstring holds", () => {
    expect(shiftInterval(seven, seven, { alphaLower: 0.05, alphaUpper: 0.05 })).toEqual({ lower: -2, upper: 2 });
  });

  test("too few values for the level have no limits", () => {
    const few = Float64Array.of(1, 2, 3);
    expect(shiftInterval(few, few, { alphaLower: 0.05, alphaUpper: 0.05 })).toEqual({
      lower: -Infinity,
      upper: Infinity,
    });
    expect(shiftInterval(few, few, { alphaLower: 0.05, alphaUpper: 0.05, scale: "ratio" })).toEqual({
      lower: 0,
      upper: Infinity,
    });
  });

  test("an alpha of 0 asks for no limit on that side", () => {
    expect(shiftInterval(seven, seven, { alphaLower: 0, alphaUpper: 0.05 })).toEqual({ lower: -Infinity, upper: 2 });
  });

  test("a smaller alpha gives a wider interval", () => {
    const random = seeded(43);
    const [x, y] = [sortSample(normal(random, 80), "x"), sortSample(normal(random, 50), "y")];
    const wide = shiftInterval(x, y, { alphaLower: 0.001, alphaUpper: 0.001 });
    const narrow = shiftInterval(x, y, { alphaLower: 0.1, alphaUpper: 0.1 });
    expect(wide.lower).toBeLessThan(narrow.lower);
    expect(wide.upper).toBeGreaterThan(narrow.upper);
  });

  test("ratios of zeros: no factor makes something of nothing", () => {
    const zeros = new Float64Array(12);
    const some = Float64Array.from({ length: 12 }, (_, i) => 1 + i);
    const options = { alphaLower: 0.05, alphaUpper: 0.05, scale: "ratio" } as const;
    expect(shiftInterval(zeros, some, options)).toEqual({ lower: 0, upper: 0 });
    expect(shiftInterval(some, zeros, options)).toEqual({ lower: Infinity, upper: Infinity });
    expect(shiftInterval(zeros, zeros, options)).toEqual({ lower: 0, upper: Infinity });
  });

  test("arms that are one constant each have a shift but no certainty beyond the floor", () => {
    const four = new Float64Array(40).fill(4);
    const { lower, upper } = shiftInterval(four, four, { alphaLower: 0.05, alphaUpper: 0.05 });
    expect(lower).toBeCloseTo(0, 12);
    expect(upper).toBeCloseTo(0, 12);
  });

  test("values spread over hundreds of powers of ten have limits: once the search divided beyond the largest double", () => {
    const random = seeded(53);
    const options = { alphaLower: 0.05, alphaUpper: 0.05 };
    for (let run = 0; run < 20; run++) {
      const logs = (n: number) =>
        Float64Array.from({ length: n }, () =>
          Math.max(-700, Math.min(700, 60 * Math.tan(3.1 * (random() - 0.5)))),
        ).sort();
      const [x, y] = [logs(25), logs(20)];
      const factor = shiftInterval(x.map(Math.exp), y.map(Math.exp), { ...options, scale: "ratio" });
      const shift = shiftInterval(x, y, options);
      expect(shiftInterval(y.map(Math.exp), x.map(Math.exp), { ...options, scale: "ratio" }).lower).not.toBeNaN();
      expect(Math.log(factor.lower)).toBeCloseTo(shift.lower, 6);
      expect(Math.log(factor.upper)).toBeCloseTo(shift.upper, 6);
    }
  });

  test("differences beyond the largest double are Infinity, not a fault", () => {
    const high = Float64Array.from({ length: 20 }, (_, i) => 1.7e308 + i * 1e305);
    const low = high.map((value) => -value).sort();
    const options = { alphaLower: 0.05, alphaUpper: 0.05 };
    expect(shiftInterval(high, low, options)).toEqual({ lower: Infinity, upper: Infinity });
    expect(shiftInterval(low, high, options)).toEqual({ lower: -Infinity, upper: -Infinity });
  });

  test("a fault is named", () => {
    const options = { alphaLower: 0.05, alphaUpper: 0.05 };
    expect(() => shiftInterval(seven, seven, { ...options, alphaUpper: 0.5 })).toThrow(
      new RangeError("alphaUpper is 0.5, not in [0, 1/2)"),
    );
    expect(() => shiftInterval(new Float64Array(0), seven, options)).toThrow(new RangeError("candidate is empty"));
    expect(() => shiftInterval(seven, new Float64Array(0), options)).toThrow(new RangeError("baseline is empty"));
    expect(() => shiftInterval(Float64Array.of(-1, 1), seven, { ...options, scale: "ratio" })).toThrow(RangeError);
    expect(() => shiftInterval(seven, seven, { ...options, agreeAt: [NaN] })).toThrow(RangeError);
  });
});

test("swapping the arms turns the interval around", () => {
  const random = seeded(47);
  for (let run = 0; run < 30; run++) {
    const x = sortSample(
      normal(random, 30).map((v) => v + 0.3 * standardNormal(random)),
      "x",
    );
    const y = sortSample(normal(random, 20), "y");
    const one = shiftInterval(x, y, { alphaLower: 0.05, alphaUpper: 0.02 });
    const other = shiftInterval(y, x, { alphaLower: 0.02, alphaUpper: 0.05 });
    expect(other.lower).toBeCloseTo(-one.upper, 12);
    expect(other.upper).toBeCloseTo(-one.lower, 12);
  }
});
