import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairArrivals, startPairing } from "../../src/stats/pair-arrivals.ts";
import { seeded } from "../../src/stats/random.ts";

describe("pairArrivals", () => {
  test("sets a value against the oldest quarter of those that wait", () => {
    const { differences, state } = pairArrivals(
      startPairing(),
      [0.2, 0.9, 0.4, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1],
      [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
    expect(Array.from(differences, (d) => Number(d.toFixed(12)))).toEqual([0.7, 0.75]);
    expect(state).toEqual({ waiting: [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], arm: "baseline" });
  });

  test("goes on from a stored state, and swapping the arms turns the differences round", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1)), { maxLength: 60 }),
        fc.nat(60),
        (arrivals, cut) => {
          const values = arrivals.map(([value]) => value);
          const marks = arrivals.map(([, mark]) => mark);
          const whole = pairArrivals(startPairing(), values, marks);
          const first = pairArrivals(startPairing(), values.slice(0, cut), marks.slice(0, cut));
          const second = pairArrivals(first.state, values.slice(cut), marks.slice(cut));
          expect([...first.differences, ...second.differences]).toEqual([...whole.differences]);
          expect(second.state).toEqual(whole.state);
          const swapped = pairArrivals(
            startPairing(),
            values,
            marks.map((mark) => 1 - mark),
          );
          expect(Array.from(swapped.differences, (d) => d + 0)).toEqual(Array.from(whole.differences, (d) => 0 - d));
        },
      ),
    );
  });

  test.each([
    [0.5, 0.85, 30],
    [0.2, 0.85, 60],
    [0.05, 0.85, 200],
  ])("at a candidate share of %s keeps %s of the information, and few values wait", (share, efficiency, longest) => {
    const random = seeded(77);
    const n = 20_000;
    const marks = Array.from({ length: n }, () => (random() < share ? 1 : 0));
    const values = Array.from({ length: n }, () => random());
    const { differences, state } = pairArrivals(startPairing(), values, marks);
    let squares = 0;
    for (const d of differences) squares += d * d;
    const perPair = squares / differences.length;
    const information = differences.length / perPair;
    const candidates = marks.filter((mark) => mark === 1).length;
    const ideal = ((candidates * (n - candidates)) / n) * 12;
    expect(information / ideal).toBeGreaterThan(efficiency);
    expect(state.waiting.length).toBeLessThan(longest);
  });

  test("bad input is refused by name", () => {
    expect(() => pairArrivals(startPairing(), [0.1, 0.2], [1])).toThrow(RangeError);
    expect(() => pairArrivals(startPairing(), [0.1], [2])).toThrow(
      new RangeError("candidate[0] is 2, neither 0 nor 1"),
    );
    expect(() => pairArrivals(startPairing(), [-0.1], [1])).toThrow(/values\[0\] is -0.1/);
  });
});
