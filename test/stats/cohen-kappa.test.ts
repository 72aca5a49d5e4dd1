import { describe, expect, test } from "vitest";
import { agreementTable, cohenKappa, type KappaOptions } from "../../src/stats/cohen-kappa.ts";
import { goldenCases, misses } from "./golden.ts";

describe("cohenKappa", () => {
  test.each(goldenCases("llm-judges", "cohenKappa"))("agrees with fractions: %s", (_, golden) => {
    const { table, weights } = golden.input as { table: number[][]; weights: NonNullable<KappaOptions["weights"]> };
    expect(misses({ ...cohenKappa(table, { weights }) }, golden)).toEqual([]);
  });

  test("swapping the judges changes nothing; for two categories all weights are one", () => {
    const table = [
      [20, 5],
      [10, 15],
    ];
    const turned = [
      [20, 10],
      [5, 15],
    ];
    expect(cohenKappa(turned).estimate).toBeCloseTo(cohenKappa(table).estimate, 12);
    expect(cohenKappa(turned).variance).toBeCloseTo(cohenKappa(table).variance, 12);
    expect(cohenKappa(table, { weights: "quadratic" })).toEqual(cohenKappa(table, { weights: "linear" }));
  });

  test("perfect agreement is 1, but without disagreement nothing bounds it from below", () => {
    expect(
      cohenKappa([
        [12, 0],
        [0, 30],
      ]),
    ).toMatchObject({ estimate: 1, variance: 0, lower: -1, upper: 1 });
  });

  test("everything in one category shows no agreement", () => {
    expect(
      cohenKappa([
        [40, 0],
        [0, 0],
      ]),
    ).toMatchObject({ estimate: 0, variance: Infinity, lower: -1, upper: 1 });
  });

  test("faults are named", () => {
    expect(() => cohenKappa([[1, 2]])).toThrow(/table has 1 values and table\[0\] has 2/);
    expect(() => cohenKappa([[0]])).toThrow(/table holds no items/);
  });
});

describe("agreementTable", () => {
  test("counts pairs of categories", () => {
    expect(agreementTable([0, 1, 1], [0, 1, 0], 2)).toEqual([Float64Array.of(1, 0), Float64Array.of(1, 1)]);
  });

  test("a score that is no category is refused", () => {
    expect(() => agreementTable([0, 2], [0, 1], 2)).toThrow(/first\[1\] is 2, not below 2/);
  });
});
