import { describe, expect, test } from "vitest";
import { normalQuantileUpper, normalSf } from "../../src/stats/distributions/normal.ts";
import {
  conditionalPower,
  eventsForRateRatio,
  extraUnits,
  smallestDetectableEffect,
  unitsForMeans,
  unitsForProportions,
  unitsForSuperiority,
  type PlanShape,
} from "../../src/stats/planning.ts";
import { goldenCases, misses } from "./golden.ts";

type Numbers = Record<string, number>;

/** What each golden function computes from its input. */
const formulas: Readonly<Record<string, (input: Numbers, shape: PlanShape) => object>> = {
  smallestDetectableEffect: ({ variance, critical, power }) => ({
    effect: smallestDetectableEffect(variance, { critical, power }),
  }),
  unitsForMeans: ({ effect, candidate, baseline }, shape) => unitsForMeans(effect, { candidate, baseline }, shape),
  unitsForSuperiority: ({ theta }, shape) => unitsForSuperiority(theta, shape),
  unitsForProportions: ({ candidate, baseline, margin }, shape) =>
    unitsForProportions(candidate, baseline, { ...shape, margin }),
  eventsForRateRatio: ({ ratio }, shape) => ({ events: eventsForRateRatio(ratio, shape) }),
  conditionalPower: ({ z, ...options }) => ({
    power: conditionalPower(z, options as { fraction: number; critical: number; drift: number }),
  }),
};

describe.each(Object.entries(formulas))("%s", (name, formula) => {
  test.each(goldenCases("planning", name))("agrees with its formula: %s", (_, golden) => {
    const { shape, ...input } = golden.input as { shape: PlanShape };
    expect(misses({ ...formula(input as unknown as Numbers, shape) }, golden)).toEqual([]);
  });
});

describe("planning", () => {
  test("units for an effect are those at which it is the smallest detectable one", () => {
    const { candidate, baseline } = unitsForMeans(0.3, 2, { alpha: 0.05, power: 0.9, share: 0.2 });
    const variance = 4 / candidate + 4 / baseline;
    const critical = normalQuantileUpper(0.05);
    expect(smallestDetectableEffect(variance, { critical, power: 0.9 })).toBeCloseTo(0.3, 12);
  });

  test("a harmless proportion is planned by its distance from the margin", () => {
    const shape = { alpha: 0.05 };
    expect(unitsForProportions(0.01, 0.01, { ...shape, margin: 0.02 }).total).toBeCloseTo(
      unitsForMeans(0.02, Math.sqrt(0.01 * 0.99), shape).total,
      9,
    );
  });

  test("the design effect and the looks multiply, and a lopsided split costs", () => {
    const plain = unitsForSuperiority(0.6, { alpha: 0.05 }).total;
    expect(unitsForSuperiority(0.6, { alpha: 0.05, designEffect: 2, inflation: 1.13 }).total).toBeCloseTo(
      2.26 * plain,
      9,
    );
    expect(unitsForSuperiority(0.6, { alpha: 0.05, share: 0.05 }).total).toBeCloseTo(plain / (4 * 0.05 * 0.95), 9);
  });

  test("what no number of units can find is refused, and so is a power below the level", () => {
    expect(() => unitsForMeans(0, 1, { alpha: 0.05 })).toThrow(
      new RangeError("effect is 0: no number of units finds it"),
    );
    expect(() => unitsForSuperiority(0.5, { alpha: 0.05 })).toThrow(/theta - 1\/2 is 0/);
    expect(() => eventsForRateRatio(1, { alpha: 0.05 })).toThrow(/log\(ratio\) is 0/);
    expect(() => unitsForProportions(0, 0, { alpha: 0.05, margin: 0.01 })).toThrow(/no variance/);
    expect(() => unitsForProportions(1.1, 0, { alpha: 0.05 })).toThrow(/candidate is 1.1/);
    expect(() => unitsForMeans(1, 1, { alpha: 0.5, power: 0.4 })).toThrow(/power is 0.4, not above alpha/);
    expect(() => unitsForMeans(1, 1, { alpha: 0.05, share: 1 })).toThrow(/share is 1/);
    expect(() => unitsForMeans(Number.NaN, 1, { alpha: 0.05 })).toThrow(/effect is NaN/);
    expect(() => unitsForMeans(1, { candidate: 1, baseline: 0 }, { alpha: 0.05 })).toThrow(/sd.baseline is 0/);
    expect(() => smallestDetectableEffect(0, { critical: 2 })).toThrow(/variance is 0/);
    expect(() => conditionalPower(1, { fraction: 1, critical: 2, drift: 0 })).toThrow(/fraction is 1/);
  });

  test("conditional power at the start of a run is its power, and near the end it is the answer", () => {
    const critical = normalQuantileUpper(0.05);
    expect(conditionalPower(0, { fraction: 1e-12, critical, drift: critical + 0.8416212335729143 })).toBeCloseTo(
      0.8,
      5,
    );
    expect(conditionalPower(critical + 0.1, { fraction: 1 - 1e-9, critical, drift: 0 })).toBeCloseTo(1, 9);
    expect(conditionalPower(critical - 0.1, { fraction: 1 - 1e-9, critical, drift: 9 })).toBeCloseTo(0, 9);
  });
});

describe("extraUnits", () => {
  test.each(goldenCases("planning", "extraUnits"))("agrees with its formula: %s", (_, golden) => {
    const { estimate, variance, units, towards, critical, tau, power } = golden.input as unknown as Numbers & {
      towards: "harm" | number;
    };
    const got = extraUnits(
      { estimate, variance, units },
      { towards: towards === "harm" ? "harm" : { margin: towards }, criticalAt: () => critical, tau, power },
    );
    expect(misses({ ...got }, golden)).toEqual([]);
  });

  test("an effect at or beyond the margin can never be proven safe, nor one of 0 harmful", () => {
    const at = (estimate: number, towards: "harm" | { margin: number }) =>
      extraUnits({ estimate, variance: 1e-6, units: 10 }, { towards, criticalAt: () => 1.6, tau: 100 }).extra;
    expect(at(0.06, { margin: 0.05 })).toBe(Infinity);
    expect(at(0, "harm")).toBe(Infinity);
    expect(at(-0.1, "harm")).toBe(Infinity);
    expect(at(0.04, { margin: 0.05 })).toBe(0);
  });

  test("a boundary that falls as information grows is followed", () => {
    const criticalAt = (ratio: number) => 1.7 + 1 / ratio;
    const { needed } = extraUnits(
      { estimate: 0.02, variance: 0.0009, units: 400 },
      { towards: { margin: 0.05 }, criticalAt, tau: 10 },
    );
    const ratio = needed / 400;
    const reached = (0.05 - 0.02) / Math.sqrt(0.0009 / ratio);
    expect(normalSf(criticalAt(ratio) - reached)).toBeCloseTo(0.8, 2);
  });
});
