import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logRatioOfMeans } from "../../src/stats/log-ratio-of-means.ts";
import { goldenCases, goldenSample, misses } from "./golden.ts";

const costs = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 2, maxLength: 30 });

describe("logRatioOfMeans", () => {
  test.each(goldenCases("means", "logRatioOfMeans"))("agrees with numpy: %s", (_, golden) => {
    const { candidate, baseline } = golden.input;
    expect(misses({ ...logRatioOfMeans(goldenSample(candidate), goldenSample(baseline)) }, golden)).toEqual([]);
  });

  test("the measurement unit does not matter, and swapping the arms inverts the ratio", () => {
    fc.assert(
      fc.property(costs, costs, (a, b) => {
        const inMills = (values: number[]) => values.map((value) => value * 1024);
        const there = logRatioOfMeans(a, b);
        expect(logRatioOfMeans(inMills(a), inMills(b)).p).toBeCloseTo(there.p, 9);
        const back = logRatioOfMeans(b, a);
        expect(back.p).toBeCloseTo(there.p, 9);
        // exp of +-Infinity is 0 or Infinity, so arms of zeros fit in.
        expect(Math.min(1e9, back.ratio.estimate)).toBeCloseTo(Math.min(1e9, 1 / there.ratio.estimate), 6);
      }),
    );
  });

  test("the pooled form takes over when the smaller arm happens to be tame", () => {
    const tame = [5, 5.5, 5.2];
    const wild = Array.from({ length: 60 }, (_, i) => (i % 10 === 0 ? 60 : 1));
    const { variance } = logRatioOfMeans(tame, wild);
    // The wild arm's squared coefficient of variation is about 7; a third of it is the least that three units can have.
    expect(variance).toBeGreaterThan(2);
  });

  test("an arm of zeros has no log ratio, and proves nothing", () => {
    expect(logRatioOfMeans([0, 0, 0], [1, 2])).toMatchObject({
      estimate: -Infinity,
      p: 1,
      ratio: { estimate: 0, lower: 0, upper: Infinity },
    });
    expect(logRatioOfMeans([1, 2], [0, -0]).estimate).toBe(Infinity);
    expect(logRatioOfMeans([0], [0, 0])).toMatchObject({ estimate: 0, p: 1 });
  });

  test("a negative value is refused by name", () => {
    expect(() => logRatioOfMeans([1, -2], [1])).toThrow(new RangeError("candidate[1] is -2, less than 0"));
  });
});
