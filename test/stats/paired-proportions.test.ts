import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PairedCounts } from "../../src/stats/counts.ts";
import { pairedProportionsTest, type PairedBorder } from "../../src/stats/paired-proportions.ts";
import { expectGolden, goldenCases, type GoldenCase } from "./golden.ts";

const inputOf = ({ input }: GoldenCase) => input as { readonly counts: PairedCounts; readonly border: PairedBorder };

describe("golden", () => {
  test.each(goldenCases("paired-proportions", "difference"))("a difference: %s", (_, golden) => {
    const { counts, border } = inputOf(golden);
    const run = (alternative: "less" | "greater", method: "exact" | "asymptotic") =>
      pairedProportionsTest(counts, border, alternative, method);
    expectGolden(
      {
        statistic: run("less", "asymptotic").statistic,
        pLess: run("less", "asymptotic").p,
        pGreater: run("greater", "asymptotic").p,
        exactLess: run("less", "exact").p,
        exactGreater: run("greater", "exact").p,
      },
      golden,
    );
  });

  test.each(goldenCases("paired-proportions", "ratio"))("a ratio: %s", (_, golden) => {
    const { counts, border } = inputOf(golden);
    const [less, greater] = (["less", "greater"] as const).map((side) => pairedProportionsTest(counts, border, side));
    expectGolden({ statistic: less?.statistic, pLess: less?.p, pGreater: greater?.p }, golden);
  });
});

test("149 items without a failure rule out two points at 5 %, as the rule of three has it, and 148 do not", () => {
  const p = (neither: number) =>
    pairedProportionsTest({ both: 0, candidateOnly: 0, baselineOnly: 0, neither }, { difference: 0.02 }, "less").p;
  expect(p(149)).toBeLessThan(0.05);
  expect(p(148)).toBeGreaterThan(0.05);
  expect(p(149)).toBeCloseTo(0.98 ** 149, 4);
});

test("no event at all teaches nothing about a ratio", () => {
  const none = { both: 0, candidateOnly: 0, baselineOnly: 0, neither: 500 };
  expect(pairedProportionsTest(none, { ratio: 1.5 }, "less").p).toBe(1);
});

test("exchanging the arms mirrors the border", () => {
  const count = fc.integer({ min: 0, max: 30 });
  fc.assert(
    fc.property(
      count,
      count,
      count,
      count,
      fc.double({ min: -0.4, max: 0.4, noNaN: true }),
      (a, b, c, d, difference) => {
        const counts = { both: a, candidateOnly: b, baselineOnly: c, neither: d + 1 };
        const mirrored = { ...counts, candidateOnly: c, baselineOnly: b };
        const one = pairedProportionsTest(counts, { difference }, "less");
        const other = pairedProportionsTest(mirrored, { difference: -difference }, "greater");
        expect(Math.abs(other.p - one.p)).toBeLessThan(1e-9);
        expect(Math.abs(one.statistic + other.statistic)).toBeLessThan(1e-9);
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test("what cannot be is refused", () => {
  const counts = { both: 1, candidateOnly: 0, baselineOnly: 0, neither: 1 };
  expect(() => pairedProportionsTest(counts, { difference: 1 }, "less")).toThrow(RangeError);
  expect(() => pairedProportionsTest(counts, { ratio: 0 }, "less")).toThrow(RangeError);
  expect(() => pairedProportionsTest({ ...counts, both: 0.5 }, { ratio: 1 }, "less")).toThrow(RangeError);
});
