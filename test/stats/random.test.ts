import { expect, test } from "vitest";
import { randomInteger, seeded, standardNormal } from "../../src/stats/random.ts";
import { goldenSample } from "./golden.ts";

test("the same seed and stream give the same numbers, another stream gives others", () => {
  const first = Array.from({ length: 5 }, seeded(42, 1));
  expect(Array.from({ length: 5 }, seeded(42, 1))).toEqual(first);
  expect(Array.from({ length: 5 }, seeded(42, 2))).not.toEqual(first);
});

test("the stream equals the one of fixtures/golden/data.py", () => {
  const random = seeded(42);
  expect([random(), random()]).toEqual([0.6606157208001621, 0.1117019639532224]);
  expect(goldenSample({ seed: 42, n: 1, law: "uniform" })[0]).toBe(0.6606157208001621);
});

test("uniform numbers have mean 1/2 and variance 1/12", () => {
  const random = seeded(1);
  let sum = 0;
  let squares = 0;
  const n = 200_000;
  for (let i = 0; i < n; i++) {
    const u = random();
    sum += u;
    squares += (u - 0.5) ** 2;
  }
  // Five standard errors of each moment.
  expect(Math.abs(sum / n - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
  expect(Math.abs(squares / n - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
});

test("standard normal numbers have mean 0 and variance 1", () => {
  const random = seeded(2);
  let sum = 0;
  let squares = 0;
  const n = 200_000;
  for (let i = 0; i < n; i++) {
    const z = standardNormal(random);
    sum += z;
    squares += z * z;
  }
  expect(Math.abs(sum / n)).toBeLessThan(5 / Math.sqrt(n));
  expect(Math.abs(squares / n - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
});

test("a seed that is not an integer is refused by name", () => {
  expect(() => seeded(0.5)).toThrow(new RangeError("seed must be an integer, got 0.5"));
  expect(() => randomInteger(seeded(1), 0)).toThrow(RangeError);
});
