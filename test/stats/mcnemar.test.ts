import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mcNemar } from "../../src/stats/mcnemar.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = { counts: Parameters<typeof mcNemar>[0] } & Parameters<typeof mcNemar>[1];

describe("mcNemar", () => {
  test.each(goldenCases("counts", "mcNemar"))("agrees with rational arithmetic: %s", (_, golden) => {
    const { counts, ...options } = golden.input as unknown as Input;
    expect(misses({ ...mcNemar(counts, options) }, golden)).toEqual([]);
  });

  test("swapping the versions swaps the sides", () => {
    const counts = fc.integer({ min: 0, max: 400 });
    fc.assert(
      fc.property(counts, counts, (b, c) => {
        const there = mcNemar({ candidateOnly: b, baselineOnly: c }, { alternative: "greater" }).p;
        const back = mcNemar({ candidateOnly: c, baselineOnly: b }, { alternative: "less" }).p;
        expect(there).toBeCloseTo(back, 10);
      }),
    );
  });

  test("without discordant items p is 1 and the share 1/2", () => {
    expect(mcNemar({ candidateOnly: 0, baselineOnly: 0 }, { method: "mid-p" })).toEqual({ p: 1, estimate: 0.5 });
  });

  test("p survives far tails", () => {
    const { p } = mcNemar({ candidateOnly: 0, baselineOnly: 900 });
    expect(Math.abs(Math.log2(p) - -899)).toBeLessThan(1e-8);
  });

  test("a count that is not whole is refused by name", () => {
    expect(() => mcNemar({ candidateOnly: 1.5, baselineOnly: 0 })).toThrow(/counts.candidateOnly is 1.5/);
  });
});
