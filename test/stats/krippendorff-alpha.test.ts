import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  krippendorffAlpha,
  krippendorffAlphaInterval,
  type AlphaMetric,
  type ItemScores,
} from "../../src/stats/krippendorff-alpha.ts";
import { seeded } from "../../src/stats/random.ts";
import { goldenCases, misses } from "./golden.ts";

const metrics: AlphaMetric[] = ["nominal", "ordinal", "interval", "ratio"];

describe("krippendorffAlpha", () => {
  test.each(goldenCases("llm-judges", "krippendorffAlpha"))("agrees with the coincidence matrix: %s", (_, golden) => {
    const { items, metric } = golden.input as unknown as { items: ItemScores[]; metric: AlphaMetric };
    expect(misses({ alpha: krippendorffAlpha(items, metric) }, golden)).toEqual([]);
  });

  const tables = fc.array(
    fc.array(fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }), { minLength: 2, maxLength: 4 }),
    { minLength: 2, maxLength: 12 },
  );
  const usable = (table: ItemScores[]) => table.some((row) => row.filter((score) => score !== null).length > 1);

  test("is at most 1, and blind to the order of judges and of items", () => {
    fc.assert(
      fc.property(tables.filter(usable), fc.constantFrom(...metrics), (table, metric) => {
        const alpha = krippendorffAlpha(table, metric);
        expect(alpha).toBeLessThanOrEqual(1);
        const turned = table.toReversed().map((row) => row.toReversed());
        expect(krippendorffAlpha(turned, metric)).toBeCloseTo(alpha, 10);
      }),
    );
  });

  test("each metric is blind to the maps that keep its scale", () => {
    fc.assert(
      fc.property(tables.filter(usable), (table) => {
        const mapped = (f: (score: number) => number) => table.map((row) => row.map((s) => (s === null ? s : f(s))));
        const same = (metric: AlphaMetric, f: (score: number) => number) =>
          expect(krippendorffAlpha(mapped(f), metric)).toBeCloseTo(krippendorffAlpha(table, metric), 9);
        same("nominal", (s) => (s * 2) % 5);
        same("ordinal", (s) => s ** 3);
        same("interval", (s) => 3 * s - 7);
        same("ratio", (s) => 8 * s);
      }),
    );
  });

  test("scores that never vary show no reliability", () => {
    for (const metric of metrics)
      expect(
        krippendorffAlpha(
          [
            [0.1, 0.1],
            [0.1, 0.1, 0.1],
          ],
          metric,
        ),
      ).toBe(0);
  });

  test("perfect agreement with variation is 1", () => {
    expect(
      krippendorffAlpha(
        [
          [1, 1],
          [2, 2],
          [5, 5, null],
        ],
        "interval",
      ),
    ).toBe(1);
  });

  test("faults are named", () => {
    expect(() => krippendorffAlpha([[1], [null, 2]], "nominal")).toThrow(new RangeError("no item has two scores"));
    expect(() => krippendorffAlpha([[1, NaN]], "nominal")).toThrow(new RangeError("items[0][1] is NaN"));
    expect(() => krippendorffAlpha([[1, -1]], "ratio")).toThrow(/items\[0\]\[1\] is -1, less than 0/);
  });
});

describe("krippendorffAlphaInterval", () => {
  const items = Array.from({ length: 60 }, (_, i) => [i % 5, (i % 5) + (i % 7 === 0 ? 1 : 0), i % 5]);

  test("holds the estimate and repeats with its seed", () => {
    const run = () => krippendorffAlphaInterval(items, "ordinal", { resamples: 300 }, seeded(3));
    const { estimate, lower, upper } = run();
    expect(estimate).toBe(krippendorffAlpha(items, "ordinal"));
    expect(lower).toBeLessThan(estimate);
    expect(upper).toBeGreaterThan(estimate);
    expect(run()).toEqual(run());
  });

  test("families of items that err together widen it", () => {
    const families = items.map((_, i) => Math.floor(i / 10));
    const wrongTogether = items.map(([a], i) => [a, families[i] === 2 ? (a + 2) % 5 : a]);
    const alone = krippendorffAlphaInterval(wrongTogether, "nominal", { resamples: 400 }, seeded(4));
    const together = krippendorffAlphaInterval(
      wrongTogether,
      "nominal",
      { resamples: 400, clusters: families },
      seeded(4),
    );
    expect(together.upper - together.lower).toBeGreaterThan(1.5 * (alone.upper - alone.lower));
  });

  test("clusters of another length are refused", () => {
    expect(() => krippendorffAlphaInterval(items, "nominal", { clusters: [1] }, seeded(1))).toThrow(/clusters has 1/);
  });
});
