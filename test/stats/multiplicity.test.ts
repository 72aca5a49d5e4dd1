import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { benjaminiHochberg, benjaminiYekutieli, bonferroni, hochberg, holm } from "../../src/stats/multiplicity.ts";
import { goldenCases } from "./golden.ts";

const methods = { bonferroni, holm, hochberg, benjaminiHochberg, benjaminiYekutieli };
const ps = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 });

describe("adjusted p-values", () => {
  test.each(goldenCases("multiplicity", "adjusted"))("agree with rational arithmetic: %s", (_, golden) => {
    const { ps, weights } = golden.input as { ps: number[]; weights: number[] };
    const expected = golden.expected as Record<keyof typeof methods, number[]>;
    const got = {
      bonferroni: bonferroni(ps, weights),
      holm: holm(ps, weights),
      hochberg: hochberg(ps),
      benjaminiHochberg: benjaminiHochberg(ps),
      benjaminiYekutieli: benjaminiYekutieli(ps),
    };
    for (const [name, values] of Object.entries(expected)) {
      values.forEach((p, i) =>
        expect(Math.abs(got[name as keyof typeof got][i] - p), name).toBeLessThanOrEqual(golden.tolerance.rel * p),
      );
    }
  });

  describe.each(Object.entries(methods))("%s", (_, adjust) => {
    test("never falls below the p-value, stays in [0, 1], keeps the order and does not mind the order given", () => {
      fc.assert(
        fc.property(ps, (values) => {
          const adjusted = adjust(values);
          adjusted.forEach((p, i) => {
            expect(p).toBeGreaterThanOrEqual(values[i]);
            expect(p).toBeLessThanOrEqual(1);
            values.forEach((other, j) => other > values[i] && expect(adjusted[j]).toBeGreaterThanOrEqual(p));
          });
          expect(adjust(values.toReversed()).toReversed()).toEqual(adjusted);
        }),
      );
    });

    test("leaves a single p-value alone", () => {
      expect(adjust([0.03])).toEqual([0.03]);
    });

    test("refuses an empty list and what is no probability by name", () => {
      expect(() => adjust([])).toThrow(/ps is empty/);
      expect(() => adjust([0.1, 1.2])).toThrow(/ps\[1\] is 1.2/);
      expect(() => adjust([Number.NaN])).toThrow(/ps\[0\] is NaN/);
    });
  });

  test("Hochberg lies within Holm, Holm within Bonferroni, Benjamini-Hochberg within all", () => {
    fc.assert(
      fc.property(ps, (values) => {
        const rows = [benjaminiHochberg(values), hochberg(values), holm(values), bonferroni(values)];
        for (let r = 1; r < rows.length; r++) {
          rows[r].forEach((p, i) => expect(rows[r - 1][i]).toBeLessThanOrEqual(p + 1e-15));
        }
      }),
    );
  });

  test("a weight that is not positive or missing is refused", () => {
    expect(() => holm([0.1, 0.2], [1, 0])).toThrow(/weights\[1\] is 0/);
    expect(() => bonferroni([0.1, 0.2], [1])).toThrow(RangeError);
  });
});
