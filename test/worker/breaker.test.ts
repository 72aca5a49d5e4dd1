import { expect, test } from "vitest";
import { createBreaker } from "../../src/worker/breaker.ts";

test("five failures in a row open it, a success between them does not", () => {
  const breaker = createBreaker(4);
  for (let i = 0; i < 4; i++) expect(breaker.failed(0)).toBe(false);
  breaker.succeeded();
  for (let i = 0; i < 4; i++) expect(breaker.failed(0)).toBe(false);
  expect([breaker.room(0), breaker.isOpen()]).toEqual([4, false]);
  expect(breaker.failed(0)).toBe(true);
  expect([breaker.room(0), breaker.isOpen()]).toEqual([0, true]);
});

test("after its rest one attempt is made; each failure of it doubles the rest up to five minutes, a success ends it", () => {
  const breaker = createBreaker(4);
  let now = 0;
  for (let i = 0; i < 5; i++) breaker.failed(now);
  const rests: number[] = [];
  for (let i = 0; i < 7; i++) {
    const from = now;
    while (breaker.room(now) === 0) now += 1000;
    rests.push((now - from) / 1000);
    expect(breaker.room(now)).toBe(1);
    expect(breaker.failed(now)).toBe(true);
  }
  expect(rests).toEqual([30, 60, 120, 240, 300, 300, 300]);
  breaker.succeeded();
  expect([breaker.room(now), breaker.isOpen()]).toEqual([4, false]);
  for (let i = 0; i < 5; i++) breaker.failed(now);
  expect([breaker.room(now + 29_999), breaker.room(now + 30_000)]).toEqual([0, 1]);
});

test("attempts that were under way when it opened do not lengthen the rest", () => {
  const breaker = createBreaker(4);
  for (let i = 0; i < 5; i++) breaker.failed(0);
  for (let i = 0; i < 3; i++) expect(breaker.failed(10)).toBe(false);
  expect(breaker.room(30_000)).toBe(1);
});

test("a target rests as long as it asked, and is then well again", () => {
  const breaker = createBreaker(4);
  breaker.rest(60_000);
  breaker.rest(10_000);
  expect([breaker.room(59_999), breaker.room(60_000), breaker.isOpen()]).toEqual([0, 4, false]);
});
