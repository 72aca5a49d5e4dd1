import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterRobust } from "../../src/stats/cluster-robust.ts";
import { controlVariates, cuped } from "../../src/stats/cuped.ts";
import { differenceInfluence, meanInfluence } from "../../src/stats/influence.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { solveSymmetric } from "../../src/stats/solve-symmetric.ts";
import { welch } from "../../src/stats/welch.ts";
import { goldenCases, misses } from "./golden.ts";

type Arm = Parameters<typeof cuped>[0];

/** Values that a covariate foretells with correlation `rho`. */
function arm(seed: number, n: number, rho: number, shift: number): Arm {
  const random = seeded(seed);
  const covariate = Float64Array.from({ length: n }, () => standardNormal(random));
  const values = covariate.map((x) => shift + rho * x + Math.sqrt(1 - rho * rho) * standardNormal(random));
  return { values, covariates: [covariate] };
}

describe("cuped", () => {
  test.each(goldenCases("means", "cuped"))("agrees with least squares: %s", (_, golden) => {
    const { candidate, baseline } = golden.input as unknown as { candidate: Arm; baseline: Arm };
    const got = cuped(candidate, baseline);
    const { coefficients, ...expected } = golden.expected as Record<string, number> & { coefficients: number[] };
    expect(misses({ ...got }, { ...golden, expected })).toEqual([]);
    coefficients.forEach((k, i) => expect(got.coefficients[i]).toBeCloseTo(k, 9));
  });

  test("the variance falls by the square of the correlation", () => {
    const { reduction } = cuped(arm(1, 5000, 0.8, 0), arm(2, 5000, 0.8, 0));
    expect(reduction).toBeCloseTo(0.64, 1);
  });

  test("a covariate that says nothing changes next to nothing", () => {
    const candidate = arm(3, 2000, 0, 0.2);
    const baseline = arm(4, 2000, 0, 0);
    const plain = welch(candidate.values, baseline.values);
    const adjusted = cuped(candidate, baseline);
    expect(adjusted.variance / plain.variance).toBeCloseTo(1, 2);
    expect(adjusted.estimate).toBeCloseTo(plain.estimate, 2);
  });

  test("constant and repeated covariates get coefficient 0 and no harm", () => {
    const { values, covariates } = arm(5, 50, 0.5, 0);
    const other = arm(6, 60, 0.5, 0);
    const wide = (a: Arm): Arm => ({
      values: a.values,
      covariates: [a.covariates[0], Float64Array.from(a.covariates[0], () => 7), a.covariates[0]],
    });
    const once = cuped({ values, covariates }, other);
    const thrice = cuped(wide({ values, covariates }), wide(other));
    expect(thrice.estimate).toBeCloseTo(once.estimate, 9);
    expect([...thrice.coefficients.subarray(1)]).toEqual([0, 0]);
  });

  test("rescaling a covariate does not matter", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (seed) => {
        const a = arm(seed, 20, 0.5, 0);
        const b = arm(seed + 5000, 20, 0.5, 0);
        const scaled = (x: Arm): Arm => ({ ...x, covariates: [Float64Array.from(x.covariates[0], (v) => 64 * v + 9)] });
        expect(cuped(scaled(a), scaled(b)).p).toBeCloseTo(cuped(a, b).p, 9);
      }),
      { numRuns: 30 },
    );
  });

  test("with ranks the estimate is theta - 1/2, adjusted, and immune to monotone maps", () => {
    const a = arm(7, 300, 0.7, 0.3);
    const b = arm(8, 400, 0.7, 0);
    const mapped = (x: Arm): Arm => ({
      values: Float64Array.from(x.values, (v) => Math.exp(3 * v)),
      covariates: [Float64Array.from(x.covariates[0], (v) => v ** 3)],
    });
    const plain = cuped(a, b, { ranks: true });
    const wild = cuped(mapped(a), mapped(b), { ranks: true });
    expect(wild.estimate).toBeCloseTo(plain.estimate, 12);
    expect(wild.variance).toBeCloseTo(plain.variance, 12);
    // theta of a shift by 0.3 standard deviations is Phi(0.3 / sqrt 2) = 0.584.
    expect(Math.abs(plain.estimate - 0.084)).toBeLessThan(3 * Math.sqrt(plain.variance));
    expect(plain.reduction).toBeGreaterThan(0.35);
  });

  test("faults are named", () => {
    const fine = { values: [1, 2], covariates: [[1, 2]] };
    expect(() => cuped({ values: [1, 2], covariates: [[1]] }, fine)).toThrow(/candidate.covariates\[0\] has 1/);
    expect(() => cuped({ values: [1, 2], covariates: [] }, fine)).toThrow(/candidate.covariates is empty/);
    expect(() =>
      cuped(fine, {
        values: [1, 2],
        covariates: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toThrow(/baseline has 2/);
  });
});

describe("controlVariates", () => {
  const rows = (length: number, from: number) => Array.from({ length }, (_, i) => from + i);
  const difference = (candidate: ArrayLike<number>, baseline: ArrayLike<number>) =>
    differenceInfluence(meanInfluence(candidate), meanInfluence(baseline));

  test("is CUPED for means of equal arms", () => {
    const a = arm(9, 800, 0.8, 0.1);
    const b = arm(10, 800, 0.8, 0);
    const adjusted = controlVariates(difference(a.values, b.values), [difference(a.covariates[0], b.covariates[0])]);
    const robust = clusterRobust(adjusted, { candidate: rows(800, 0), baseline: rows(800, 1000) });
    const direct = cuped(a, b);
    expect(adjusted.estimate).toBeCloseTo(direct.estimate, 9);
    // Only `cuped` adds the variance of the slope, here a third of a per cent.
    expect(robust.variance / direct.variance).toBeCloseTo(1, 2);
  });

  test("an empty list and lengths that differ are refused", () => {
    const effect = difference([1, 2], [1, 2]);
    expect(() => controlVariates(effect, [])).toThrow(/covariates is empty/);
    expect(() => controlVariates(effect, [difference([1], [1, 2])])).toThrow(/covariates\[0\].candidate has 1/);
  });
});

describe("solveSymmetric", () => {
  test("solves random positive definite systems", () => {
    const random = seeded(11);
    for (let run = 0; run < 50; run++) {
      const size = 1 + (run % 5);
      const columns = Array.from({ length: size }, () =>
        Float64Array.from({ length: size + 3 }, () => standardNormal(random)),
      );
      const inner = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
      const matrix = columns.map((a) => Float64Array.from(columns, (b) => inner(a, b)));
      const truth = Float64Array.from({ length: size }, () => standardNormal(random));
      const right = Float64Array.from(matrix, (row) => inner(row, truth));
      solveSymmetric(matrix, right).forEach((x, i) => expect(x).toBeCloseTo(truth[i], 6));
    }
  });
});
