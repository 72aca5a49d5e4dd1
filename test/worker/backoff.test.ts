import { expect, test } from "vitest";
import { seeded } from "../../src/stats/random.ts";
import { backoffSeconds, waitSeconds } from "../../src/worker/backoff.ts";

test("waits double from five seconds to an hour, and chance takes away up to half", () => {
  const at = (attempts: number, random: number) => backoffSeconds(attempts, () => random);
  expect([1, 2, 3, 10, 11, 100, 10_000].map((attempts) => at(attempts, 0))).toEqual([
    5, 10, 20, 2560, 3600, 3600, 3600,
  ]);
  expect([1, 2, 11].map((attempts) => at(attempts, 1))).toEqual([2.5, 5, 1800]);
  const random = seeded(7);
  for (let i = 0; i < 1000; i++) {
    const seconds = backoffSeconds(3, random);
    expect(seconds).toBeGreaterThan(10);
    expect(seconds).toBeLessThanOrEqual(20);
  }
});

test("three days hold about a hundred attempts", () => {
  let seconds = 0;
  let attempts = 0;
  while (seconds < 3 * 86_400) seconds += backoffSeconds((attempts += 1), () => 0.5);
  expect(attempts).toBeGreaterThan(80);
  expect(attempts).toBeLessThan(120);
});

test("what the receiver asks for counts, between a second and an hour", () => {
  const random = () => 0;
  expect(waitSeconds(1, 120, random)).toBe(120);
  expect(waitSeconds(1, 0, random)).toBe(1);
  expect(waitSeconds(1, 1e9, random)).toBe(3600);
  expect(waitSeconds(1, null, random)).toBe(5);
});
