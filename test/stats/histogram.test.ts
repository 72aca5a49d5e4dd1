import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { histogramKolmogorovSmirnov } from "../../src/stats/histogram-kolmogorov-smirnov.ts";
import { deflateHistogram, mergeToCommonEdges, refineToAllEdges } from "../../src/stats/histogram-layout.ts";
import {
  histogramRankSummary,
  histogramSuperiorityInfluence,
  histogramTies,
  superiorityBounds,
} from "../../src/stats/histogram-ranks.ts";
import { histogramExceedance, histogramMean, histogramQuantile } from "../../src/stats/histogram-values.ts";
import { classicEdges, exponentialEdges, resolvableMargin, type Histogram } from "../../src/stats/histogram.ts";
import { kolmogorovSmirnov, kolmogorovSmirnovFromSummary } from "../../src/stats/kolmogorov-smirnov.ts";
import { mannWhitney, mannWhitneyFromSummary } from "../../src/stats/mann-whitney.ts";
import { seeded } from "../../src/stats/random.ts";
import { rankSummary } from "../../src/stats/rank-summary.ts";
import { sortSample } from "../../src/stats/sort-sample.ts";
import { superiority, superiorityFromSummary } from "../../src/stats/superiority.ts";
import { goldenCases, misses } from "./golden.ts";
import { lognormal } from "./samples.ts";

const goldenOf = (functionName: string) => goldenCases("histogram-ranks", functionName);

function readHistogram(input: unknown): Histogram {
  const { edges, counts } = input as { edges: unknown[]; counts: number[] };
  return { edges: edges.map(Number), counts };
}

test.each(goldenOf("histogramRankSummary"))("golden, summary: %s", (_, golden) => {
  const { candidate, baseline } = golden.input as Record<string, number[]>;
  expect(misses({ ...histogramRankSummary(candidate, baseline) }, golden)).toEqual([]);
});

test.each(goldenOf("superiorityBounds"))("golden, bounds: %s", (_, golden) => {
  const { candidate, baseline, divisor } = golden.input;
  const deflated = deflateHistogram(readHistogram(candidate), { divisor: Number(divisor) });
  expect(misses({ ...superiorityBounds(deflated, readHistogram(baseline)) }, golden)).toEqual([]);
});

test.each(goldenOf("histogramKolmogorovSmirnov"))("golden, largest distance: %s", (_, golden) => {
  const { candidate, baseline } = golden.input as Record<string, number[]>;
  const edges = Array.from({ length: candidate.length + 1 }, (_, i) => i);
  expect(
    misses({ ...histogramKolmogorovSmirnov({ edges, counts: candidate }, { edges, counts: baseline }) }, golden),
  ).toEqual([]);
});

test.each(goldenOf("histogramSuperiorityInfluence"))("golden, influence: %s", (_, golden) => {
  const { candidate, baseline } = golden.input as Record<string, number[][]>;
  expect(misses({ ...histogramSuperiorityInfluence(candidate, baseline) }, golden)).toEqual([]);
});

test.each(goldenOf("histogramQuantile"))("golden, quantile: %s", (_, golden) => {
  const { order, options } = golden.input;
  const got = histogramQuantile(readHistogram(golden.input), Number(order), options as { confidence: number });
  expect(misses({ ...got }, golden)).toEqual([]);
});

test.each(goldenOf("histogramMean"))("golden, mean: %s", (_, golden) => {
  expect(misses({ ...histogramMean(readHistogram(golden.input)) }, golden)).toEqual([]);
});

describe("layouts", () => {
  test("the examples of the docstrings hold", () => {
    expect(classicEdges([0.1, 0.5, 1], 0)).toEqual(Float64Array.of(0, 0.1, 0.5, 1, Infinity));
    expect(exponentialEdges(0, -1, 2)).toEqual(Float64Array.of(0.5, 1, 2, 4));
    expect(resolvableMargin([1, 2, 4], 3).relative).toBe(0.5);
    expect(histogramRankSummary([1, 2, 2], [2, 1, 1]).u).toBe(13);
    const two = { edges: [0, 1, 2], counts: [1, 1] };
    expect(superiorityBounds(two, two)).toEqual({ lower: 0.25, upper: 0.75 });
    const [early, late] = [
      [
        [1, 0],
        [0, 1],
      ],
      [
        [1, 0],
        [1, 0],
      ],
    ];
    expect(histogramSuperiorityInfluence(early, late).candidate).toEqual(Float64Array.of(-0.125, 0.125));
    const [left, right] = [
      { edges: [0, 1, 2], counts: [4, 1] },
      { edges: [0, 1, 2], counts: [1, 4] },
    ];
    expect(histogramKolmogorovSmirnov(left, right).statistic).toBeCloseTo(0.6, 15);
    expect(
      mergeToCommonEdges({ edges: [0, 1, 2, 4], counts: [1, 2, 3] }, { edges: [0, 2, 3, 4], counts: [4, 5, 6] })
        ?.candidate,
    ).toEqual(Float64Array.of(3, 3));
    expect(refineToAllEdges({ edges: [0, 2], counts: [4] }, { edges: [0, 1, 2], counts: [1, 1] }).candidate).toEqual(
      Float64Array.of(2, 2),
    );
    expect(deflateHistogram({ edges: [1, 2, Infinity], counts: [3, 4] }, { divisor: 2 }).edges).toEqual(
      Float64Array.of(0.5, 1, Infinity),
    );
    expect(histogramMean({ edges: [0, 1, 2], counts: [1, 3] }).upper).toBe(1.75);
    expect(histogramExceedance({ edges: [0, 1, 2], counts: [1, 3] }, 1)).toEqual({ total: 4, lower: 3, upper: 3 });
    expect(histogramQuantile({ edges: [0, 1, 2, 4], counts: [50, 30, 20] }, 0.9).upper).toBe(4);
  });

  test("schema 3 makes buckets 9.05 percent wide, so that 4.5 percent is the least margin it can judge", () => {
    const edges = exponentialEdges(3, 0, 80);
    expect(edges[1] / edges[0] - 1).toBeCloseTo(0.0905, 4);
    expect(resolvableMargin(edges, 100).relative).toBeCloseTo(0.0453, 4);
    expect(resolvableMargin(classicEdges([1, 2], 0), 5).relative).toBe(Infinity);
  });

  test("schemas nest: merging a fine and a coarse exponential histogram gives the coarse edges", () => {
    const random = seeded(3);
    const fine = binned(lognormal(random, 500), exponentialEdges(3, -64, 64));
    const coarse = binned(lognormal(random, 700), exponentialEdges(1, -20, 20));
    const merged = mergeToCommonEdges(fine, coarse);
    expect(merged?.edges.filter((edge) => edge >= 2 ** -8 && edge <= 2 ** 8)).toEqual(exponentialEdges(1, -16, 16));
    expect(merged?.candidate.reduce((a, b) => a + b, 0)).toBe(500);
    expect(merged?.baseline.reduce((a, b) => a + b, 0)).toBe(700);
  });

  test("edges printed to nine digits are the same edges", () => {
    const edges = exponentialEdges(2, 0, 8);
    const printed = Array.from(edges, (edge) => Number(edge.toPrecision(10)));
    const counts = new Float64Array(8).fill(2);
    expect(mergeToCommonEdges({ edges, counts }, { edges: printed, counts })?.candidate).toEqual(counts);
  });

  test("layouts without common edges, or that leave an arm in one bucket, are refused", () => {
    const coarse = { edges: [0, 10, Infinity], counts: [5, 5] };
    expect(mergeToCommonEdges({ edges: [0, 3, 7, Infinity], counts: [1, 2, 3] }, coarse)).toBeUndefined();
    expect(mergeToCommonEdges({ edges: [0, 3, 7, 10, Infinity], counts: [1, 2, 3, 0] }, coarse)).toBeUndefined();
    expect(mergeToCommonEdges({ edges: [0, 3, 7, 10, Infinity], counts: [1, 2, 3, 4] }, coarse)?.candidate).toEqual(
      Float64Array.of(6, 4),
    );
  });

  test("faults are named", () => {
    const good = { edges: [0, 1, 2], counts: [1, 1] };
    const faulty: readonly (readonly [Histogram, string])[] = [
      [{ edges: [0, 1, 1], counts: [1, 1] }, "candidate.edges[2] is 1, not above 1"],
      [{ edges: [0, NaN, 1], counts: [1, 1] }, "candidate.edges[1] is NaN"],
      [{ edges: [0], counts: [] }, "candidate.edges has 1 edges, fewer than 2"],
      [{ edges: [0, 1], counts: [1, 1] }, "candidate has 2 edges and 2 buckets"],
      [{ edges: [0, 1, 2], counts: [1, -1] }, "candidate.counts[1] is -1"],
      [{ edges: [0, 1, 2], counts: [0, 0] }, "candidate.counts holds no values"],
    ];
    for (const [histogram, message] of faulty) {
      expect(() => superiorityBounds(histogram, good)).toThrow(new RangeError(message));
    }
    expect(() => histogramRankSummary([1, 2], [1, 2, 3])).toThrow(RangeError);
    expect(() => histogramTies([0.5], [1])).toThrow(RangeError);
    // A negative count once disappeared in the sum of the bucket.
    expect(() => histogramTies([-1, 2], [1, 2])).toThrow(new RangeError("candidate[0] is -1"));
    expect(() => histogramKolmogorovSmirnov(good, { edges: [0, 1, 3], counts: [1, 1] })).toThrow(RangeError);
    expect(() => histogramSuperiorityInfluence([[1]], [[1], [1]])).toThrow(RangeError);
    expect(() => histogramSuperiorityInfluence([[1], [1, 2]], [[1], [1]])).toThrow(RangeError);
    expect(() => exponentialEdges(1.5, 0, 1)).toThrow(RangeError);
    expect(() => classicEdges([2, 1])).toThrow(RangeError);
    expect(() => deflateHistogram(good, { divisor: -1 })).toThrow(RangeError);
    expect(() => histogramQuantile(good, 1)).toThrow(RangeError);
  });
});

/** A histogram of a sample. */
function binned(sample: Float64Array, edges: Float64Array): Histogram {
  const counts = new Float64Array(edges.length - 1);
  for (const value of sample) {
    const bucket = edges.findIndex((edge) => value <= edge) - 1;
    counts[Math.min(counts.length - 1, Math.max(0, bucket))] += 1;
  }
  return { edges, counts };
}

test("split buckets hold parts of values: their p-values are asymptotic, and exact ones are refused", () => {
  const refined = refineToAllEdges({ edges: [1, 3, 9], counts: [3, 4] }, { edges: [1, 2, 4, 9], counts: [2, 2, 1] });
  const summary = histogramRankSummary(refined.candidate, refined.baseline);
  expect(Math.round(summary.n)).toBeCloseTo(summary.n, 12);
  expect(mannWhitneyFromSummary(summary).method).toBe("asymptotic");
  expect(kolmogorovSmirnovFromSummary(summary).method).toBe("asymptotic");
  expect(() => mannWhitneyFromSummary(summary, { method: "exact" })).toThrow(RangeError);
  expect(() => kolmogorovSmirnovFromSummary(summary, { method: "exact" })).toThrow(RangeError);
});

describe("properties", () => {
  const counts = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 5, maxLength: 5 });
  const filled = counts.filter((c) => c.some((v) => v > 0));
  const written = (c: readonly number[]) => c.flatMap((k, b) => Array.from({ length: k }, () => b));

  test("a histogram says of buckets what the rank statistics say of bucket numbers", () => {
    fc.assert(
      fc.property(filled, filled, (c, d) => {
        const summary = histogramRankSummary(c, d);
        const sorted = rankSummary(sortSample(written(c), "c"), sortSample(written(d), "d"));
        for (const [field, value] of Object.entries(summary)) {
          expect(value).toBeCloseTo(sorted[field as keyof typeof sorted], 12);
        }
        const ties = histogramTies(c, d);
        const tested = mannWhitneyFromSummary(summary, {}, ties);
        expect(tested).toEqual(mannWhitney(written(c), written(d)));
        const edges = [0, 1, 2, 3, 4, 5];
        const { location, upper, ...ks } = histogramKolmogorovSmirnov({ edges, counts: c }, { edges, counts: d });
        const { location: at, ...plain } = kolmogorovSmirnov(written(c), written(d));
        expect(ks).toEqual(plain);
        expect(location).toBe(at + 1);
        expect(upper).toBeGreaterThanOrEqual(ks.statistic);
      }),
    );
  });

  test("with a bucket for each value the histogram is the sample", () => {
    const random = seeded(6);
    const x = lognormal(random, 400);
    const y = lognormal(random, 300);
    const pooled = Float64Array.of(...x, ...y).sort();
    const edges = Float64Array.of(-Infinity, ...pooled);
    const c = binned(x, edges);
    const d = binned(y, edges);
    const { estimate, variance, p } = superiorityFromSummary(histogramRankSummary(c.counts, d.counts));
    const plain = superiority(x, y);
    expect(estimate).toBeCloseTo(plain.estimate, 14);
    expect(variance).toBeCloseTo(plain.variance, 14);
    expect(p).toBeCloseTo(plain.p, 10);
    expect(histogramKolmogorovSmirnov(c, d).statistic).toBe(kolmogorovSmirnov(x, y).statistic);
  });

  test("theta and D of the values lie within what their buckets allow, also once the candidate is deflated", () => {
    const random = seeded(12);
    for (let run = 0; run < 50; run++) {
      const x = lognormal(random, 60);
      const y = lognormal(random, 80);
      const layouts = [classicEdges([0.1, 0.3, 1, 3, 10], 0), exponentialEdges(0, -12, 12)];
      const c = binned(x, layouts[run % 2]);
      const d = binned(y, layouts[0]);
      for (const divisor of [1, 1.1]) {
        const theta = superiority(
          x.map((v) => v / divisor),
          y,
        ).estimate;
        const { lower, upper } = superiorityBounds(deflateHistogram(c, { divisor }), d);
        expect(theta).toBeGreaterThanOrEqual(lower);
        expect(theta).toBeLessThanOrEqual(upper);
        const refined = refineToAllEdges(deflateHistogram(c, { divisor }), d);
        const between = histogramRankSummary(refined.candidate, refined.baseline);
        expect(between.u / between.n / between.m).toBeGreaterThanOrEqual(lower);
        expect(between.u / between.n / between.m).toBeLessThanOrEqual(upper);
      }
      const e = binned(x, layouts[0]);
      const { statistic, upper } = histogramKolmogorovSmirnov(e, d);
      const values = kolmogorovSmirnov(x, y).statistic;
      expect(values).toBeGreaterThanOrEqual(statistic - 1e-12);
      expect(values).toBeLessThanOrEqual(upper + 1e-12);
    }
  });

  test("mean, exceedance and quantiles of the values lie within their bounds", () => {
    const random = seeded(14);
    for (let run = 0; run < 50; run++) {
      const x = lognormal(random, 101);
      const histogram = binned(x, classicEdges([0.1, 0.3, 1, 3, 10, 1e6], 0));
      const mean = x.reduce((a, b) => a + b, 0) / x.length;
      const { lower, upper } = histogramMean(histogram);
      expect(mean).toBeGreaterThanOrEqual(lower);
      expect(mean).toBeLessThanOrEqual(upper);
      const over = (limit: number) => x.filter((v) => v > limit).length;
      expect(histogramExceedance(histogram, 3)).toEqual({ total: 101, lower: over(3), upper: over(3) });
      expect(histogramExceedance(histogram, 2).lower).toBeLessThanOrEqual(over(2));
      expect(histogramExceedance(histogram, 2).upper).toBeGreaterThanOrEqual(over(2));
      const median = x.slice().sort()[50];
      const bounds = histogramQuantile(histogram, 0.5);
      expect(median).toBeGreaterThanOrEqual(bounds.lower);
      expect(median).toBeLessThanOrEqual(bounds.upper);
    }
  });

  test("influence values of steps add up to those of their rows, and to 0", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(counts, counts), { minLength: 1, maxLength: 6 }), (steps) => {
        const c = steps.map(([one]) => one);
        const d = steps.map(([, other]) => other);
        fc.pre(c.flat().some((v) => v > 0) && d.flat().some((v) => v > 0));
        const { candidate, baseline, estimate } = histogramSuperiorityInfluence(c, d);
        expect(candidate.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 12);
        expect(baseline.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 12);
        const all = superiority(c.flatMap(written), d.flatMap(written));
        expect(estimate).toBeCloseTo(all.estimate, 12);
      }),
    );
  });
});
