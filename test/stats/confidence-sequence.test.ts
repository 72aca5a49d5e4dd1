import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  criticalZ,
  mixtureEValue,
  mixtureInterval,
  tightestTau,
  type VarianceEstimate,
} from "../../src/stats/confidence-sequence.ts";
import { goldenCases, misses } from "./golden.ts";

interface Input {
  readonly estimate: number;
  readonly variance: number;
  readonly df: number | "Infinity";
  readonly tau: number;
  readonly confidence: number;
  readonly alternative: "two-sided" | "greater" | "less";
}

const evidences = fc.record({
  estimate: fc.double({ min: -3, max: 3, noNaN: true }),
  variance: fc.double({ min: 1e-4, max: 4, noNaN: true }),
  df: fc.constantFrom(4, 17.5, 1000, Infinity),
});
const taus = fc.double({ min: 0.05, max: 3, noNaN: true });

describe("mixtureEValue", () => {
  test.each(goldenCases("sequential", "mixtureEValue"))("agrees with its formula: %s", (_, golden) => {
    const { estimate, variance, df, tau, alternative } = golden.input as unknown as Input;
    const got = mixtureEValue({ estimate, variance, df: Number(df) }, { tau, alternative });
    expect(misses({ ...got }, golden)).toEqual([]);
  });

  test("turning the effect round swaps the sides", () => {
    fc.assert(
      fc.property(evidences, taus, (evidence, tau) => {
        const mirrored = { ...evidence, estimate: -evidence.estimate };
        const greater = mixtureEValue(evidence, { tau, alternative: "greater" }).logE;
        expect(mixtureEValue(mirrored, { tau, alternative: "less" }).logE).toBeCloseTo(greater, 9);
        expect(mixtureEValue(mirrored, { tau }).logE).toBeCloseTo(mixtureEValue(evidence, { tau }).logE, 9);
      }),
    );
  });

  test("scaling estimate, null, tau and variance together changes nothing", () => {
    fc.assert(
      fc.property(evidences, taus, ({ estimate, variance, df }, tau) => {
        const scaled = { estimate: 10 * (estimate + 2), variance: 100 * variance, df };
        const options = { tau: 10 * tau, nullValue: 20 };
        expect(mixtureEValue(scaled, options).logE).toBeCloseTo(
          mixtureEValue({ estimate, variance, df }, { tau }).logE,
          8,
        );
      }),
    );
  });

  test("both one-sided e-values average to the two-sided one", () => {
    fc.assert(
      fc.property(evidences, taus, (evidence, tau) => {
        const e = (alternative: "two-sided" | "greater" | "less") =>
          Math.exp(Math.min(300, mixtureEValue(evidence, { tau, alternative }).logE));
        const two = e("two-sided");
        fc.pre(two < 1e100);
        expect((e("greater") + e("less")) / 2 / two).toBeCloseTo(1, 9);
      }),
    );
  });

  test("a variance of 0 proves nothing, in either direction", () => {
    expect(mixtureEValue({ estimate: 5, variance: 0 }, { tau: 1 })).toEqual({ logE: 0, z: 0 });
    expect(mixtureInterval({ estimate: 5, variance: 0 }, { tau: 1 })).toEqual({ lower: -Infinity, upper: Infinity });
  });

  test("an infinite variance proves nothing, even with an infinite estimate", () => {
    expect(mixtureEValue({ estimate: Infinity, variance: Infinity, df: 3 }, { tau: 1 })).toEqual({ logE: 0, z: 0 });
    expect(mixtureInterval({ estimate: 0, variance: Infinity }, { tau: 1 }).upper).toBe(Infinity);
  });

  test("an estimate of many standard errors at few degrees of freedom keeps a finite z", () => {
    const { logE, z } = mixtureEValue({ estimate: 1e6, variance: 1, df: 2 }, { tau: 10, alternative: "greater" });
    expect(z).toBeGreaterThan(7);
    expect(z).toBeLessThan(8);
    expect(logE).toBeGreaterThan(20);
  });

  test("bad input is refused by name", () => {
    const good: VarianceEstimate = { estimate: 1, variance: 1 };
    expect(() => mixtureEValue({ ...good, estimate: Number.NaN }, { tau: 1 })).toThrow(/estimate is NaN/);
    expect(() => mixtureEValue({ ...good, variance: -1 }, { tau: 1 })).toThrow(/variance is -1/);
    expect(() => mixtureEValue({ ...good, df: 0 }, { tau: 1 })).toThrow(/df is 0/);
    expect(() => mixtureEValue(good, { tau: 0 })).toThrow(/tau is 0/);
    expect(() => mixtureInterval(good, { tau: 1, confidence: 1 })).toThrow(/confidence is 1/);
  });
});

describe("mixtureInterval", () => {
  test.each(goldenCases("sequential", "mixtureInterval"))("agrees with the closed form: %s", (_, golden) => {
    const { estimate, variance, tau, confidence } = golden.input as unknown as Input;
    expect(misses(mixtureInterval({ estimate, variance }, { tau, confidence }), golden)).toEqual([]);
  });

  test.each(goldenCases("sequential", "mixtureLowerBound"))(
    "one-sided, inverts the e-value within the closed form: %s",
    (_, golden) => {
      const { estimate, variance, tau, confidence } = golden.input as unknown as Input;
      const options = { tau, confidence, alternative: "greater" } as const;
      const { lower, upper } = mixtureInterval({ estimate, variance }, options);
      const { lower: closedForm } = mixtureInterval({ estimate, variance }, { ...options, form: "closed" });
      expect(misses({ lower, closedForm }, golden)).toEqual([]);
      expect(lower).toBeGreaterThanOrEqual(closedForm);
      expect(upper).toBe(Infinity);
    },
  );

  test("holds exactly the null values that the e-value does not reject", () => {
    fc.assert(
      fc.property(
        evidences,
        taus,
        fc.constantFrom("two-sided" as const, "greater" as const, "less" as const),
        (evidence, tau, alternative) => {
          const { lower, upper } = mixtureInterval(evidence, { tau, confidence: 0.9, alternative });
          for (const bound of [lower, upper]) {
            if (!Number.isFinite(bound)) continue;
            const { logE } = mixtureEValue(evidence, { tau, nullValue: bound, alternative });
            expect(logE).toBeCloseTo(Math.log(10), 5);
          }
        },
      ),
    );
  });

  test("fewer degrees of freedom widen it, up to infinity", () => {
    const width = (df: number) => mixtureInterval({ estimate: 0, variance: 0.01, df }, { tau: 0.2 }).upper;
    expect(width(5)).toBeGreaterThan(width(50));
    expect(width(50)).toBeGreaterThan(width(Infinity));
    expect(mixtureInterval({ estimate: 0, variance: 100, df: 1 }, { tau: 0.01 }).upper).toBe(Infinity);
  });
});

describe("tightestTau", () => {
  test.each(goldenCases("sequential", "tightestTau"))("agrees with its formula: %s", (_, golden) => {
    const { variance, confidence, alternative } = golden.input as unknown as Input;
    expect(misses({ tau: tightestTau(variance, { confidence, alternative }) }, golden)).toEqual([]);
  });

  test("is nearly the best there is at its variance", () => {
    const tau = tightestTau(0.04);
    const best = criticalZ(0.04, tau, 0.05, "two-sided");
    for (const factor of [0.3, 0.6, 0.9, 1.1, 1.7, 3]) {
      expect(criticalZ(0.04, factor * tau, 0.05, "two-sided")).toBeGreaterThan(best - 0.01);
    }
  });
});
