import { expect, test } from "vitest";
import { AmountFault, readLevel, readTolerance, type Measure } from "../../src/model/amount.ts";

const latency: Measure = { kind: "latency", measurementUnit: "s" };
const latencyMs: Measure = { kind: "latency", measurementUnit: "ms" };
const errors: Measure = { kind: "errors", measurementUnit: null };
const score: Measure = { kind: "score", measurementUnit: "points" };
const cost: Measure = { kind: "cost", measurementUnit: "USD" };
const gauge: Measure = { kind: "gauge", measurementUnit: null };

function faultOf(result: unknown): string {
  if (!(result instanceof AmountFault)) throw new Error(`expected a fault, got ${JSON.stringify(result)}`);
  return result.detail;
}

test("a percentage is relative to the baseline", () => {
  expect(readTolerance("5%", latency)).toEqual({ relative: 0.05, absolute: null });
  expect(readTolerance("50 %", errors)).toEqual({ relative: 0.5, absolute: null });
});

test("an absolute amount is converted to the unit that the source returns", () => {
  expect(readTolerance("200ms", latency)).toEqual({ relative: null, absolute: 0.2 });
  expect(readTolerance("0.2s", latencyMs)).toEqual({ relative: null, absolute: 200 });
  expect(readTolerance("1pp", errors)).toEqual({ relative: null, absolute: 0.01 });
  expect(readTolerance(0.25, score)).toEqual({ relative: null, absolute: 0.25 });
  expect(readTolerance("0.02 USD", cost)).toEqual({ relative: null, absolute: 0.02 });
});

test("a margin of errors may be the looser of two, no other may", () => {
  expect(readTolerance({ relative: "50%", absolute: "0.1pp" }, errors)).toEqual({ relative: 0.5, absolute: 0.001 });
  expect(faultOf(readTolerance({ relative: "5%", absolute: "1ms" }, latency))).toMatch(/only an errors metric/);
});

test("an amount without its measurement unit is refused and says what to write", () => {
  expect(faultOf(readTolerance(5, latency))).toBe("5 lacks its measurement unit; write 5%, 5ms or 5s");
  expect(faultOf(readTolerance("1", errors))).toMatch(/write 1pp .* or 1%/);
  expect(faultOf(readTolerance(3, cost))).toBe('3 lacks its measurement unit; write "3 USD" or 3%');
  expect(faultOf(readTolerance(3, gauge))).toMatch(/declare measurementUnit/);
});

test("a foreign measurement unit is refused", () => {
  expect(faultOf(readTolerance("5 EUR", cost))).toBe("EUR is not the metric's measurementUnit, which is USD");
  expect(faultOf(readTolerance("5 parsecs", latency))).toMatch(/parsecs is not a unit of time/);
  expect(faultOf(readTolerance("5ms", errors))).toMatch(/ms is not a measurement unit of an error fraction/);
  expect(faultOf(readTolerance("5%", score))).toMatch(/the zero of a score is arbitrary/);
});

test.each([["abc"], ["5,5%"], [""], ["NaN"], [Number.NaN], [Number.POSITIVE_INFINITY]])("%j is no amount", (text) => {
  expect(faultOf(readTolerance(text, latency))).toMatch(/is not an amount/);
});

test.each([["0%"], ["-5%"], [-0.1], [0]])("%j is not above zero", (amount) => {
  expect(faultOf(readTolerance(amount, typeof amount === "number" ? score : latency))).toMatch(/is not above 0/);
});

test("a limit is an amount on the metric's own axis", () => {
  expect(readLevel("4s", latencyMs)).toBe(4000);
  expect(readLevel("2%", errors)).toBe(0.02);
  expect(readLevel(3.5, score)).toBe(3.5);
  expect(readLevel("-3 C", { kind: "gauge", measurementUnit: "C" })).toBe(-3);
  expect(faultOf(readLevel("5%", latency))).toMatch(/a limit is absolute/);
  expect(faultOf(readLevel(0.02, errors))).toMatch(/write a percentage/);
});
