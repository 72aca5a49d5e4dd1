import { expect, test } from "vitest";
import { createFaultTally, readNumber, readTime } from "../../src/sources/cell.ts";

test.each<[unknown, unknown]>([
  ["1", 1],
  ["-1.5e3", -1500],
  [".5", 0.5],
  [0.25, 0.25],
  [true, 1],
  [false, 0],
  ["", "missing"],
  [null, "missing"],
  [undefined, "missing"],
  ["NaN", "nan"],
  [Number.NaN, "nan"],
  ["+Inf", "infinite"],
  ["-Infinity", "infinite"],
  ["1e999", "infinite"],
  [JSON.parse("1e999"), "infinite"],
  ["12abc", "not_a_number"],
  ["0x10", "not_a_number"],
  [" 1", "not_a_number"],
  ["1,5", "not_a_number"],
  [[], "not_a_number"],
  [{}, "not_a_number"],
])("%j reads as %j", (raw, expected) => {
  expect(readNumber(raw)).toBe(expected);
});

test.each<[unknown, unknown]>([
  ["2026-11-20T08:00:00Z", 1795161600],
  ["2026-11-20 08:00:00+00", 1795161600],
  ["2026-11-20 10:00:00.5+02:00", 1795161600.5],
  ["2026-11-20T09:00+0100", 1795161600],
  ["1795161600", 1795161600],
  [1795161600.25, 1795161600.25],
  [1795161600000, 1795161600],
  ["2026-11-20T08:00:00", "bad_time"],
  ["20.11.2026", "bad_time"],
  ["2026-13-45T00:00:00Z", "bad_time"],
  ["", "missing"],
])("the time %j reads as %j", (raw, expected) => {
  expect(readTime(raw)).toBe(expected);
});

test("faults are counted by kind with the first example, cut to a length", () => {
  const tally = createFaultTally();
  tally.add("nan", "NaN");
  tally.add("nan", "nan");
  tally.add("missing", undefined);
  tally.add("not_a_number", "x".repeat(500));
  expect(tally.list.map(({ kind, count }) => [kind, count])).toEqual([
    ["missing", 1],
    ["nan", 2],
    ["not_a_number", 1],
  ]);
  expect(tally.list[1]?.example).toBe('"NaN"');
  expect(tally.list[2]?.example.length).toBe(80);
});
