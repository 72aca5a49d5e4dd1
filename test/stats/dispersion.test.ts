import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dispersion } from "../../src/stats/dispersion.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = { events: number[]; exposure: number[]; law: "poisson" | "binomial" };

describe("dispersion", () => {
  test.each(goldenCases("counts", "dispersion"))("agrees with enumerated moments: %s", (_, golden) => {
    const { events, exposure, law } = golden.input as unknown as Input;
    expect(misses({ ...dispersion(events, exposure, { law }) }, golden)).toEqual([]);
  });

  test("does not depend on the order of the steps or the measurement unit of exposure", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 10, max: 40 })), {
      minLength: 2,
      maxLength: 30,
    });
    fc.assert(
      fc.property(steps, (pairs) => {
        const run = (list: typeof pairs, scale: number) =>
          dispersion(
            list.map(([events]) => events),
            list.map(([, exposure]) => exposure * scale),
          );
        const there = run(pairs, 1);
        const back = run(pairs.toReversed(), 0.125);
        expect(back.statistic).toBeCloseTo(there.statistic, 9);
        expect(back.p).toBeCloseTo(there.p, 9);
      }),
    );
  });

  test("a burst is seen and even counts are not", () => {
    const exposure = Array.from({ length: 20 }, () => 100);
    const burst = exposure.map((_, i) => (i === 7 ? 30 : 1));
    expect(dispersion(burst, exposure).dispersion).toBeGreaterThan(2);
    expect(dispersion(burst, exposure).p).toBeLessThan(1e-9);
    expect(
      dispersion(
        exposure.map(() => 3),
        exposure,
      ).p,
    ).toBeGreaterThan(0.99);
  });

  test("no events, or nothing but events, are no burst", () => {
    expect(dispersion([0, 0], [5, 5])).toEqual({ statistic: 1, df: 1, dispersion: 1, p: 1 });
    expect(dispersion([5, 5], [5, 5], { law: "binomial" }).p).toBe(1);
  });

  test("millions of events keep their digits", () => {
    const exposure = Array.from({ length: 60 }, () => 20_000_000);
    const events = exposure.map((_, i) => 2_000_000 + (i % 2 === 0 ? 1300 : -1300));
    const { dispersion: ratio, p } = dispersion(events, exposure, { law: "binomial" });
    // Each step is 1300^2 / (2e6 * 0.9) = 0.93889 off, times 60/59.
    expect(ratio).toBeCloseTo((0.938888888 * 60) / 59, 6);
    expect(p).toBeGreaterThan(0.5);
  });

  test("faults are named", () => {
    expect(() => dispersion([1], [1])).toThrow(/events has 1 values, fewer than the 2 needed/);
    expect(() => dispersion([1, 2], [1])).toThrow(/exposure has 1 values/);
    expect(() => dispersion([1, 2], [1, 0])).toThrow(/exposure\[1\] is 0/);
    expect(() => dispersion([1, 2], [1, 1], { law: "binomial" })).toThrow(/exposure\[1\] is 1, less than its 2 events/);
  });
});
