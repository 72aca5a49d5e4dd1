import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rateInterval } from "../../src/stats/rate-interval.ts";
import { rates } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

type Input = { rate: { events: number; exposure: number }; confidence: number };

describe("rateInterval", () => {
  test.each(goldenCases("counts", "rateInterval"))("agrees with 50 digits: %s", (_, golden) => {
    const { rate, confidence } = golden.input as unknown as Input;
    expect(misses({ ...rateInterval(rate, { confidence }) }, golden)).toEqual([]);
  });

  test("another measurement unit of exposure scales the interval", () => {
    fc.assert(
      fc.property(rates, (rate) => {
        const perUnit = rateInterval(rate);
        const perThousand = rateInterval({ events: rate.events, exposure: rate.exposure / 1000 });
        expect(perThousand.lower / 1000).toBeCloseTo(perUnit.lower, 9);
        expect(perThousand.upper / 1000).toBeCloseTo(perUnit.upper, 9);
        expect(perUnit.lower).toBeLessThanOrEqual(perUnit.estimate);
        expect(perUnit.upper).toBeGreaterThan(perUnit.estimate);
      }),
    );
  });

  test("one-sided bounds leave the other side open", () => {
    expect(rateInterval({ events: 3, exposure: 1 }, { alternative: "less" }).lower).toBe(0);
    expect(rateInterval({ events: 3, exposure: 1 }, { alternative: "greater" }).upper).toBe(Infinity);
  });

  test("an exposure that is not positive is refused", () => {
    expect(() => rateInterval({ events: 1, exposure: 0 })).toThrow(/rate.exposure is 0/);
    expect(() => rateInterval({ events: -1, exposure: 1 })).toThrow(/rate.events is -1/);
  });
});
