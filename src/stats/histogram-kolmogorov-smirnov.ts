import { requireHistogram, type Histogram } from "./histogram.ts";
import { histogramRankSummary, histogramTies } from "./histogram-ranks.ts";
import {
  kolmogorovSmirnovFromSummary,
  type KolmogorovSmirnov,
  type KolmogorovSmirnovOptions,
} from "./kolmogorov-smirnov.ts";

export interface HistogramKolmogorovSmirnov extends KolmogorovSmirnov {
  /** No values that fall into these buckets have a larger distance than this. */
  readonly upper: number;
}

/**
 * Kolmogorov-Smirnov on two histograms with the same edges: do both arms follow the same distribution?
 *
 * @param candidate  a histogram with whole counts. Not modified.
 * @param baseline   a histogram on the same edges.
 * @param options    as `kolmogorovSmirnov`.
 * @returns `statistic`, the distance at the edges: the values' own D is at least this and at most `upper`. `p` is that
 *          of the test on the binned values, valid on its own and never smaller for hidden values; `location` is an
 *          upper edge.
 * @throws RangeError when a histogram is faulty, counts are not whole, or edges differ.
 * @example histogramKolmogorovSmirnov({ edges: [0, 1, 2], counts: [4, 1] }, { edges: [0, 1, 2], counts: [1, 4] }).statistic // 0.6
 */
export function histogramKolmogorovSmirnov(
  candidate: Histogram,
  baseline: Histogram,
  options: KolmogorovSmirnovOptions = {},
): HistogramKolmogorovSmirnov {
  const n = requireHistogram("candidate", candidate);
  const m = requireHistogram("baseline", baseline);
  for (let b = 0; b < candidate.edges.length; b++) {
    if (candidate.edges[b] !== baseline.edges[b]) {
      throw new RangeError(`candidate.edges[${b}] is ${candidate.edges[b]}, baseline.edges[${b}] ${baseline.edges[b]}`);
    }
  }
  const summary = histogramRankSummary(candidate.counts, baseline.counts);
  const tested = kolmogorovSmirnovFromSummary(summary, options, histogramTies(candidate.counts, baseline.counts));
  const { alternative = "two-sided" } = options;
  let smaller = 0;
  let larger = 0;
  let i = 0;
  let j = 0;
  for (let b = 0; b < candidate.counts.length; b++) {
    smaller = Math.max(smaller, (i + candidate.counts[b]) * m - j * n);
    larger = Math.max(larger, (j + baseline.counts[b]) * n - i * m);
    i += candidate.counts[b];
    j += baseline.counts[b];
  }
  const upper = { greater: larger, less: smaller, "two-sided": Math.max(smaller, larger) }[alternative];
  return { ...tested, location: candidate.edges[tested.location + 1], upper: upper / (n * m) };
}
