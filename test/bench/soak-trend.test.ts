import { expect, test } from "vitest";
import { isGrowing, trendOf } from "../../bench/soak/trend.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";

const HOUR = Array.from({ length: 100 }, (_, i) => i / 100);
const tolerance = { absolute: 1, share: 0 };

test("the line through points is that of scipy's linregress", () => {
  const values = [3.1, 2.9, 3.6, 4.4, 4.1];
  const trend = trendOf(values.map((value, i) => ({ hours: i, value })));
  // scipy 1.17.1: linregress([0, 1, 2, 3, 4], …) → slope 0.35, stderr 0.11590225767142481
  expect(trend.perHour).toBeCloseTo(0.35, 12);
  expect(trend.standardError).toBeCloseTo(0.11590225767142481, 12);
});

test("a leak of two an hour is found under noise, and noise alone or a slow rise is flat", () => {
  const random = seeded(7);
  const rising = (perHour: number) =>
    trendOf(HOUR.map((hours) => ({ hours, value: 100 + perHour * hours + 0.5 * standardNormal(random) })));
  expect(isGrowing(rising(2), tolerance)).toBe(true);
  expect(isGrowing(rising(0), tolerance)).toBe(false);
  expect(isGrowing(rising(0.5), tolerance)).toBe(false);
  expect(isGrowing(rising(2), { absolute: 1, share: 0.05 })).toBe(false);
});

test("a tooth of retention that comes and goes is flat", () => {
  const teeth = HOUR.map((hours) => ({ hours, value: 5000 + 2000 * ((hours * 24) % 1) }));
  expect(isGrowing(trendOf(teeth), { absolute: 20, share: 0.05 })).toBe(false);
});

test("two points are no trend", () => {
  expect(() => trendOf([{ hours: 0, value: 1 }])).toThrow(RangeError);
});
