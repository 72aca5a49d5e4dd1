import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PairedCounts, Proportion } from "../../src/stats/counts.ts";
import { newcombeInterval, newcombePairedInterval } from "../../src/stats/newcombe.ts";
import { proportions } from "./arbitrary-counts.ts";
import { goldenCases, misses } from "./golden.ts";

describe("newcombeInterval", () => {
  test.each(goldenCases("counts", "newcombeInterval"))(
    "agrees with 50 digits and Newcombe's table: %s",
    (_, golden) => {
      const { candidate, baseline } = golden.input as unknown as { candidate: Proportion; baseline: Proportion };
      expect(misses({ ...newcombeInterval(candidate, baseline) }, golden)).toEqual([]);
    },
  );

  test("swapping the arms mirrors the interval", () => {
    fc.assert(
      fc.property(proportions(300), proportions(300), (a, b) => {
        const there = newcombeInterval(a, b);
        const back = newcombeInterval(b, a);
        expect(there.lower).toBeCloseTo(-back.upper, 12);
        expect(there.lower).toBeLessThanOrEqual(there.estimate);
      }),
    );
  });
});

describe("newcombePairedInterval", () => {
  const cells = fc.integer({ min: 0, max: 60 });
  const tables = fc
    .record({ both: cells, candidateOnly: cells, baselineOnly: cells, neither: cells })
    .filter((t) => t.both + t.candidateOnly + t.baselineOnly + t.neither > 0);

  test.each(goldenCases("counts", "newcombePairedInterval"))("agrees with 50 digits: %s", (_, golden) => {
    const { counts } = golden.input as unknown as { counts: PairedCounts };
    expect(misses({ ...newcombePairedInterval(counts) }, golden)).toEqual([]);
  });

  test("swapping the versions mirrors the interval, which holds the estimate", () => {
    fc.assert(
      fc.property(tables, (t) => {
        const there = newcombePairedInterval(t);
        const back = newcombePairedInterval({ ...t, candidateOnly: t.baselineOnly, baselineOnly: t.candidateOnly });
        expect(there.lower).toBeCloseTo(-back.upper, 12);
        expect(there.lower).toBeLessThanOrEqual(there.estimate + 1e-15);
        expect(there.upper).toBeGreaterThanOrEqual(there.estimate - 1e-15);
      }),
    );
  });

  test("agreement of the versions on the items narrows the interval", () => {
    const paired = newcombePairedInterval({ both: 40, candidateOnly: 6, baselineOnly: 4, neither: 50 });
    const unpaired = newcombeInterval({ events: 46, trials: 100 }, { events: 44, trials: 100 });
    expect(paired.upper - paired.lower).toBeLessThan(0.6 * (unpaired.upper - unpaired.lower));
  });

  test("a table without items is refused", () => {
    const empty = { both: 0, candidateOnly: 0, baselineOnly: 0, neither: 0 };
    expect(() => newcombePairedInterval(empty)).toThrow(new RangeError("counts holds no items"));
  });
});
