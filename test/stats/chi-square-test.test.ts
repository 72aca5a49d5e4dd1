import { describe, expect, test } from "vitest";
import { chiSquareFit, chiSquareIndependence } from "../../src/stats/chi-square-test.ts";
import { goldenCases, misses } from "./golden.ts";

describe("chiSquareIndependence", () => {
  test.each(goldenCases("drift", "chiSquareIndependence"))("agrees with scipy: %s", (_, golden) => {
    const { table } = golden.input as { table: number[][] };
    expect(misses({ ...chiSquareIndependence(table) }, golden)).toEqual([]);
  });

  test("permuting and transposing the table changes nothing", () => {
    const table = [
      [12, 3, 7],
      [9, 1, 30],
    ];
    const { p, cramersV } = chiSquareIndependence(table);
    const turned = chiSquareIndependence(table[0].map((_, j) => table.map((row) => row[2 - j])));
    expect(turned.p).toBeCloseTo(p, 12);
    expect(turned.cramersV).toBeCloseTo(cramersV, 12);
  });

  test("rows and columns without counts are left out", () => {
    const padded = chiSquareIndependence([
      [10, 0, 20],
      [0, 0, 0],
      [20, 0, 10],
    ]);
    expect(padded.df).toBe(1);
    expect(padded.p).toBeCloseTo(
      chiSquareIndependence([
        [10, 20],
        [20, 10],
      ]).p,
      12,
    );
    expect(chiSquareIndependence([[5], [3]])).toMatchObject({ statistic: 0, df: 0, p: 1, cramersV: 0 });
  });

  test("faults are named", () => {
    expect(() => chiSquareIndependence([[1, 2]])).toThrow(/table has 1 rows/);
    expect(() => chiSquareIndependence([[1, 2], [1]])).toThrow(/table\[0\] has 2 values and table\[1\] has 1/);
    expect(() => chiSquareIndependence([[0], [0]])).toThrow(/table holds no counts/);
    expect(() => chiSquareIndependence([[1.5], [1]])).toThrow(/table\[0\]\[0\] is 1.5/);
  });
});

describe("chiSquareFit", () => {
  test.each(goldenCases("drift", "chiSquareFit"))("agrees with scipy: %s", (_, golden) => {
    const { counts, weights } = golden.input as Record<string, number[]>;
    expect(misses({ ...chiSquareFit(counts, weights) }, golden)).toEqual([]);
  });

  test("no counts and a single category fit anything", () => {
    expect(chiSquareFit([0, 0], [1, 2]).p).toBe(1);
    expect(chiSquareFit([7], [1])).toMatchObject({ p: 1, df: 0 });
  });

  test("a weight that is not positive is refused", () => {
    expect(() => chiSquareFit([1, 2], [1, 0])).toThrow(/weights\[1\] is 0/);
  });
});
