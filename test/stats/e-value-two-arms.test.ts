import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { averageLogE } from "../../src/stats/e-value-combination.ts";
import {
  addBlock,
  betOnBlock,
  NO_BETS,
  NOTHING_KNOWN,
  type ArmsSoFar,
  type Block,
  type BlockArm,
  type TwoArmsOptions,
} from "../../src/stats/e-value-two-arms.ts";
import { goldenCases, misses } from "./golden.ts";

const one = (values: readonly number[]): BlockArm => ({ values, times: values.map(() => 1) });
const events = (bad: number, all: number): BlockArm => ({ values: [0, 1], times: [all - bad, bad] });

/** All blocks, one after the other. */
function play(blocks: readonly Block[], options: TwoArmsOptions): readonly number[] {
  let known: ArmsSoFar = NOTHING_KNOWN;
  let logs = NO_BETS;
  for (const block of blocks) {
    logs = betOnBlock(logs, known, block, options);
    known = addBlock(known, block);
  }
  return logs;
}

test.each(goldenCases("two-arms", "betOnBlock"))("agrees with the products written out: %s", (_, golden) => {
  const { blocks, absolute, relative, ...options } = golden.input as {
    blocks: { candidate: number[]; baseline: number[] }[];
    absolute: number;
    relative: number;
  } & Omit<TwoArmsOptions, "sought">;
  const logs = play(
    blocks.map(({ candidate, baseline }) => ({ candidate: one(candidate), baseline: one(baseline) })),
    { ...options, sought: (baseline) => Math.max(absolute, relative * baseline) },
  );
  expect(misses({ logs: [...logs] }, golden)).toEqual([]);
});

describe("the expected e-value on the null, over every outcome of two blocks", () => {
  /** The law of the number of events among units of these probabilities. */
  const lawOf = (units: readonly number[]): number[] =>
    units.reduce<number[]>(
      (law, p) => Array.from({ length: law.length + 1 }, (_, k) => (law[k] ?? 0) * (1 - p) + (law[k - 1] ?? 0) * p),
      [1],
    );
  const known: ArmsSoFar = addBlock(NOTHING_KNOWN, { candidate: events(2, 9), baseline: events(2, 14) });
  /** Units of an arm differ from each other, around the block's mean. */
  const around = (mean: number, units: number): number[] =>
    Array.from(
      { length: units },
      (_, i) => mean + (i % 2 === 0 ? 1 : -1) * Math.min(mean, 1 - mean) * 0.8 * (units % 2 === 0 ? 1 : 0),
    );
  const expectedAt = (candidate: number, baseline: number, options: TwoArmsOptions): number => {
    const sizes = [
      [4, 6],
      [6, 2],
    ] as const;
    const after = (place: number, soFar: ArmsSoFar, logs: readonly number[]): number => {
      const size = sizes[place];
      if (size === undefined) return Math.exp(averageLogE(logs));
      const [n, m] = size;
      const [own, other] = [lawOf(around(candidate, n)), lawOf(around(baseline, m))];
      let sum = 0;
      for (const [x, share] of own.entries())
        for (const [y, rest] of other.entries()) {
          const block = { candidate: events(x, n), baseline: events(y, m) };
          sum += share * rest * after(place + 1, addBlock(soFar, block), betOnBlock(logs, soFar, block, options));
        }
      return sum;
    };
    return after(0, known, NO_BETS);
  };
  const grid = [0, 0.001, 0.05, 0.2, 0.5, 0.8, 0.97, 1];
  const cases: [string, TwoArmsOptions, (baseline: number) => number][] = [
    [
      "no harm",
      { borders: [{ slope: 1, shift: 0 }], alternative: "greater", sought: () => 0.1, yesOrNo: true },
      (b) => b,
    ],
    [
      "harm at the looser of two margins",
      {
        borders: [
          { slope: 1, shift: 0.1 },
          { slope: 1.5, shift: 0 },
        ],
        alternative: "less",
        sought: (b) => Math.max(0.1, 0.5 * b),
        yesOrNo: true,
      },
      (b) => Math.max(b + 0.1, 1.5 * b),
    ],
    [
      "a rate that falls by a tenth",
      { borders: [{ slope: 0.9, shift: 0 }], alternative: "greater", sought: (b) => 0.1 * b, yesOrNo: true },
      (b) => 0.9 * b,
    ],
  ];
  test.each(cases)("is at most 1: %s", (_, options, border) => {
    let most = 0;
    for (const baseline of grid) {
      const edge = border(baseline);
      const side = options.alternative === "greater" ? -1 : 1;
      for (const beyond of [0, 0.03, 0.2]) {
        const candidate = edge + side * beyond;
        if (candidate < 0 || candidate > 1) continue;
        most = Math.max(most, expectedAt(candidate, baseline, options));
      }
    }
    expect(most).toBeLessThanOrEqual(1 + 1e-12);
    // A border that is reached costs hardly anything: the bets are not merely small.
    expect(most).toBeGreaterThan(0.9);
  });

  test("is at most 1 for scores of any law with the same mean", () => {
    const soFar = addBlock(NOTHING_KNOWN, {
      candidate: one([0, 0.5, 1, 1, 1, 0.5, 1, 1]),
      baseline: one([1, 1, 1, 1, 0.5, 1, 1, 1, 0]),
    });
    const points = [0, 0.5, 1];
    const laws = [
      [0.2, 0, 0.8],
      [0, 0.4, 0.6],
      [0.1, 0.2, 0.7],
    ];
    const outcomes = (law: readonly number[], units: number): [number[], number][] =>
      units === 0
        ? [[[], 1]]
        : outcomes(law, units - 1).flatMap(([values, share]) =>
            points.map((point, i): [number[], number] => [[...values, point], share * (law[i] ?? 0)]),
          );
    for (const own of laws)
      for (const other of laws)
        for (const alternative of ["greater", "less"] as const) {
          const options = { borders: [{ slope: 1, shift: 0 }], alternative, sought: () => 0.2, yesOrNo: false };
          let sum = 0;
          for (const [values, share] of outcomes(own, 3))
            for (const [rest, other_] of outcomes(other, 4))
              sum +=
                share *
                other_ *
                Math.exp(
                  averageLogE(betOnBlock(NO_BETS, soFar, { candidate: one(values), baseline: one(rest) }, options)),
                );
          expect(sum).toBeLessThanOrEqual(1 + 1e-12);
        }
  });
});

const blocksOf = fc.array(
  fc.record({
    candidate: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 12 }),
    baseline: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 8, maxLength: 12 }),
  }),
  { minLength: 2, maxLength: 5 },
);
const sought = () => 0.1;

test("what speaks for more in values speaks for less in what is missing to 1", () => {
  fc.assert(
    fc.property(blocksOf, fc.boolean(), (raw, yesOrNo) => {
      const values = (x: number) => (yesOrNo ? Math.round(x) : x);
      const there = play(
        raw.map(({ candidate, baseline }) => ({
          candidate: one(candidate.map(values)),
          baseline: one(baseline.map(values)),
        })),
        { borders: [{ slope: 1, shift: 0.05 }], alternative: "greater", sought, yesOrNo },
      );
      const mirrored = play(
        raw.map(({ candidate, baseline }) => ({
          candidate: one(candidate.map((x) => 1 - values(x))),
          baseline: one(baseline.map((x) => 1 - values(x))),
        })),
        { borders: [{ slope: 1, shift: -0.05 }], alternative: "less", sought, yesOrNo },
      );
      there.forEach((log, j) => expect(mirrored[j]).toBeCloseTo(log, 8));
    }),
  );
});

test("repeated values and values with their numbers are the same", () => {
  const options = { borders: [{ slope: 1, shift: 0 }], alternative: "greater", sought, yesOrNo: true } as const;
  const listed = play(
    [1, 2].map(() => ({ candidate: one([0, 1, 1, 0, 1, 0, 0, 1, 1]), baseline: one([0, 0, 0, 0, 1, 0, 0, 0]) })),
    options,
  );
  const counted = play(
    [1, 2].map(() => ({ candidate: events(5, 9), baseline: events(1, 8) })),
    options,
  );
  listed.forEach((log, j) => expect(counted[j]).toBeCloseTo(log, 12));
  expect(averageLogE(counted)).toBeGreaterThan(0);
});

test("a block without values of both arms, and one before anything is known, say nothing", () => {
  const options = { borders: [{ slope: 1, shift: 0 }], alternative: "greater", sought, yesOrNo: true } as const;
  const known = addBlock(NOTHING_KNOWN, { candidate: events(2, 20), baseline: events(2, 20) });
  expect(betOnBlock(NO_BETS, known, { candidate: events(5, 5), baseline: events(0, 0) }, options)).toEqual(NO_BETS);
  expect(betOnBlock(NO_BETS, NOTHING_KNOWN, { candidate: events(5, 5), baseline: events(0, 9) }, options)).toEqual(
    NO_BETS,
  );
});

test("bad input is named", () => {
  const known = addBlock(NOTHING_KNOWN, { candidate: events(2, 20), baseline: events(2, 20) });
  const options = { borders: [{ slope: 1, shift: 0 }], alternative: "greater", sought, yesOrNo: true } as const;
  const block = (candidate: BlockArm): Block => ({ candidate, baseline: events(1, 9) });
  expect(() => addBlock(known, block(one([1.2])))).toThrow("values[0] is 1.2");
  expect(() => betOnBlock(NO_BETS, known, block({ values: [1], times: [0.5] }), options)).toThrow("candidate.times[0]");
  expect(() => betOnBlock(NO_BETS, known, block({ values: [1], times: [] }), options)).toThrow("candidate.values");
  expect(() => betOnBlock(NO_BETS, known, block(events(1, 9)), { ...options, borders: [] })).toThrow(
    "borders is empty",
  );
});
