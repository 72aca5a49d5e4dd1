import { expect, test } from "vitest";
import { moments } from "../../src/stats/moments.ts";

test("equal values have no variance, whatever they are, and one value an unknown one", () => {
  expect(moments([0.1, 0.1, 0.1])).toEqual({ n: 3, mean: 0.1, variance: 0 });
  expect(moments([2])).toEqual({ n: 1, mean: 2, variance: Infinity });
});

test("no value, a NaN and an infinity are refused: once they became a mean of NaN", () => {
  expect(() => moments([])).toThrow(new RangeError("values is empty"));
  expect(() => moments([1, NaN])).toThrow(new RangeError("values[1] is NaN"));
  expect(() => moments([Infinity, 1])).toThrow(new RangeError("values[0] is Infinity"));
});
