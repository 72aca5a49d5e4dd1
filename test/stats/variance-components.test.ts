import { describe, expect, test } from "vitest";
import { seeded, standardNormal } from "../../src/stats/random.ts";
import { bestRepeats, varianceComponents } from "../../src/stats/variance-components.ts";
import { goldenCases, misses } from "./golden.ts";

describe("varianceComponents", () => {
  test.each(goldenCases("llm-judges", "varianceComponents"))("agrees with numpy: %s", (_, golden) => {
    const { judge, item, reliability } = varianceComponents((golden.input as { items: number[][] }).items);
    const flat = { judge, item, reliability: reliability.estimate, lower: reliability.lower, upper: reliability.upper };
    expect(misses(flat, golden)).toEqual([]);
  });

  test("five per cent of doubled items tell the components apart", () => {
    const random = seeded(91);
    const items = Array.from({ length: 4000 }, (_, i) => {
      const level = 3 + standardNormal(random);
      return Array.from({ length: i % 20 === 0 ? 2 : 1 }, () => level + 0.5 * standardNormal(random));
    });
    const { judge, item, repeated, reliability } = varianceComponents(items);
    expect(repeated).toBe(200);
    expect(judge).toBeGreaterThan(0.18);
    expect(judge).toBeLessThan(0.32);
    expect(item).toBeCloseTo(1, 0);
    expect(reliability.lower).toBeLessThan(0.8);
    expect(reliability.upper).toBeGreaterThan(0.8);
  });

  test("another measurement unit squares the variances and keeps the reliability", () => {
    const items = [[4, 5], [2, 2], [3, 4], [1, 1], [5]];
    const scaled = items.map((row) => row.map((score) => 10 * score - 3));
    const there = varianceComponents(items);
    const back = varianceComponents(scaled);
    expect(back.judge).toBeCloseTo(100 * there.judge, 9);
    expect(back.reliability.estimate).toBeCloseTo(there.reliability.estimate, 12);
  });

  test("equal scores show nothing", () => {
    expect(
      varianceComponents([
        [0.1, 0.1],
        [0.1, 0.1],
      ]),
    ).toMatchObject({
      judge: 0,
      item: 0,
      reliability: { estimate: 0, lower: 0, upper: 1 },
    });
  });

  test("faults are named", () => {
    expect(() => varianceComponents([[1, 2]])).toThrow(/items has 1 rows, fewer than 2/);
    expect(() => varianceComponents([[1], [2]])).toThrow(new RangeError("no item has two scores"));
    expect(() => varianceComponents([[1, NaN], [2]])).toThrow(new RangeError("items[0][1] is NaN"));
  });
});

describe("bestRepeats", () => {
  test("cheap scores and a noisy judge are worth repeating", () => {
    expect(bestRepeats({ judge: 0.5, item: 1 }, { item: 8, score: 1 })).toBe(2);
    expect(bestRepeats({ judge: 0.5, item: 1 }, { item: 1, score: 1 })).toBe(1);
    expect(bestRepeats({ judge: 0, item: 0 }, { item: 1, score: 1 })).toBe(1);
    expect(bestRepeats({ judge: 1, item: 0 }, { item: 1, score: 1 })).toBe(Infinity);
  });
});
