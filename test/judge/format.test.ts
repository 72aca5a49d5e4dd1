import { expect, test } from "vitest";
import { formatChange, formatCount, formatEffect, formatNumber, formatP, formatValue } from "../../src/judge/format.ts";

test.each([
  [0, "0"],
  [4, "4"],
  [3.9965, "4.00"],
  [0.25, "0.25"],
  [10.000000000000009, "10"],
  [-0.3512, "−0.351"],
  [123.456, "123.5"],
  [1234.56, "1235"],
  [2000, "2000"],
  [0.00012345, "0.000123"],
  [1.2345e-7, "1.23e-7"],
  [98765432, "9.88e+7"],
])("%d is shown as %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test("a change carries its sign and its measurement unit, an open bound says so", () => {
  expect(formatChange(0.081, "relative", "s")).toBe("+8.1%");
  expect(formatChange(-0.012, "fraction", null)).toBe("−1.2 pp");
  expect(formatChange(0.2, "difference", "s")).toBe("+0.2 s");
  expect(formatChange(-0.35, "points", "points")).toBe("−0.35");
  expect(formatChange(null, "relative", null)).toBe("unbounded");
  expect(formatEffect({ estimate: 0.1, lower: null, upper: 0.2, scale: "relative", margin: 0.05 }, "s")).toBe(
    "+10%, interval unbounded to +20%; margin 5%",
  );
});

test("values, counts and p-values read as people write them", () => {
  expect(formatValue(0.0123, "errors", null)).toBe("1.23%");
  expect(formatValue(0.412, "latency", "s")).toBe("0.412 s");
  expect(formatValue(null, "latency", "s")).toBe("–");
  expect([formatCount(1, "session"), formatCount(2, "session")]).toEqual(["1 session", "2 sessions"]);
  expect([formatP(1e-9), formatP(0.04)]).toEqual(["< 0.0001", "0.04"]);
});
