import { expect, test } from "vitest";
import { satterthwaite } from "../../src/stats/satterthwaite.ts";

test("adds degrees of freedom when equal variances with equal df are added", () => {
  expect(satterthwaite([2, 2], [7, 7])).toBeCloseTo(14, 12);
  expect(satterthwaite([1, 0], [7, 3])).toBeCloseTo(7, 12);
});

test("does not underflow in tiny measurement units", () => {
  expect(satterthwaite([1e-200, 1e-200], [5, 5])).toBeCloseTo(10, 12);
});

test("without any variance the degrees of freedom are those of all together", () => {
  expect(satterthwaite([0, 0], [7, 3])).toBe(10);
  expect(satterthwaite([0, 0], [0, 0])).toBe(1);
});
