import type { Metric } from "../model/analysis.ts";
import type { Effect } from "../model/finding.ts";
import type { Histogram, SampleRows, Samples } from "../model/samples.ts";
import { marginAt } from "../stats/proportion-margin.ts";
import { seeded, standardNormal, type Random } from "../stats/random.ts";
import { identitiesOf, uniform } from "./split-baseline.ts";

/** A worsening of one metric that can be made larger and larger. Sizes are unsigned. */
export interface Worsening {
  readonly scale: Effect["scale"];
  /** +1 where the values grow. */
  readonly direction: 1 | -1;
  /** The margin: where the search begins. */
  readonly margin: number;
  /** More than this is not possible, or not worth a search. */
  readonly most: number;
  /** The same salt gives the same draws, so that a larger change worsens the same units and more. */
  readonly apply: (samples: Samples, size: number, salt: number) => Samples;
}

/** A factor beyond this is found by anybody. */
const MOST_FACTOR = 31;
const LEAST_REMAINING = 0.01;
const MOST_MARGINS = 256;

/** How a metric becomes worse: by a factor, by a difference, or by more events, as its margin is written. */
export function worseningOf(metric: Metric, baseline: Samples): Worsening {
  const direction = metric.worse === "lower" ? -1 : 1;
  if (metric.kind === "errors") {
    const share = shareOf(baseline);
    return {
      scale: "fraction",
      direction,
      margin: marginAt(metric.margin, share),
      most: direction === 1 ? 1 - share : share,
      apply: (samples, size, salt) => moreEvents(samples, size, direction, salt),
    };
  }
  if (metric.margin.relative !== null) {
    return {
      scale: "relative",
      direction,
      margin: metric.margin.relative,
      most: direction === 1 ? MOST_FACTOR : 1 - LEAST_REMAINING,
      apply: (samples, size) =>
        moved(
          samples,
          (value) => value * (1 + direction * size),
          (value) => value / (1 + direction * size),
        ),
    };
  }
  const margin = metric.margin.absolute ?? 0;
  if (metric.scale !== null) {
    const [low, high] = metric.scale;
    const grid = gridOf(baseline);
    return {
      scale: "points",
      direction,
      margin,
      most: high - low,
      apply: (samples, size, salt) => {
        let row = 0;
        const inside = (value: number) => Math.min(high, Math.max(low, value));
        return moved(samples, (value) => inside(value + direction * onGrid(size, grid, uniform(row++, salt))), null);
      },
    };
  }
  const lowest = metric.kind === "gauge" ? -Infinity : 0;
  return {
    scale: "difference",
    direction,
    margin,
    most: MOST_MARGINS * margin,
    apply: (samples, size) =>
      moved(
        samples,
        (value) => Math.max(lowest, value + direction * size),
        (value) => value - direction * size,
      ),
  };
}

/** Scores in whole steps stay in whole steps: some move a step more than others, so that they move by `size` on average. */
function onGrid(size: number, grid: number | null, u: number): number {
  if (grid === null) return size;
  const steps = Math.floor(size / grid);
  return (steps + (u < size / grid - steps ? 1 : 0)) * grid;
}

/** More values than this are no grid. */
const MOST_GRID = 64;

/** The step between values that are all whole steps apart; null when they are not. */
function gridOf(samples: Samples): number | null {
  if (samples.shape !== "samples" && samples.shape !== "series") return null;
  const distinct = new Set<number>();
  for (const value of samples.values) {
    distinct.add(value);
    if (distinct.size > MOST_GRID) return null;
  }
  const values = [...distinct].sort((a, b) => a - b);
  const [lowest = 0] = values;
  const step = values.reduce(
    (least, value, i) => (i === 0 ? least : Math.min(least, value - (values[i - 1] ?? 0))),
    Infinity,
  );
  const isWhole = (value: number) => Math.abs((value - lowest) / step - Math.round((value - lowest) / step)) < 1e-6;
  return Number.isFinite(step) && values.every(isWhole) ? step : null;
}

/** @param back  where a value of the moved distribution came from, for histograms. */
function moved(samples: Samples, forth: (value: number) => number, back: ((value: number) => number) | null): Samples {
  switch (samples.shape) {
    case "samples":
    case "series":
      return { ...samples, values: samples.values.map(forth) };
    case "histogram":
      return back === null ? samples : movedHistogram(samples, back);
    case "counts":
      return samples;
  }
}

/** Values are spread over a bucket evenly, on a logarithmic scale where it does not begin at 0. Every step keeps its number of observations. */
function movedHistogram(histogram: Histogram, back: (value: number) => number): Histogram {
  const { upperEdges, counts } = histogram;
  const buckets = upperEdges.length;
  const result = new Float64Array(counts.length);
  for (let begin = 0; begin < counts.length; begin += buckets) {
    const step = counts.subarray(begin, begin + buckets);
    const all = step.reduce((sum, count) => sum + count, 0);
    let before = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const edge = upperEdges[bucket] ?? Infinity;
      const up = edge === Infinity ? all : Math.max(before, Math.round(countUpTo(back(edge), upperEdges, step)));
      result[begin + bucket] = up - before;
      before = up;
    }
  }
  return { ...histogram, counts: result };
}

function countUpTo(value: number, upperEdges: Float64Array, counts: Float64Array): number {
  let below = 0;
  let lower = Math.min(0, upperEdges[0] ?? 0);
  for (let bucket = 0; bucket < upperEdges.length; bucket++) {
    const upper = upperEdges[bucket] ?? Infinity;
    const count = counts[bucket] ?? 0;
    if (value < upper) {
      if (value <= lower || upper === Infinity) return below;
      const part = lower > 0 ? Math.log(value / lower) / Math.log(upper / lower) : (value - lower) / (upper - lower);
      return below + part * count;
    }
    below += count;
    lower = upper;
  }
  return below;
}

/** Units (or events) become bad, or cease to be good, with the probability that moves the share by `size`. */
function moreEvents(samples: Samples, size: number, direction: 1 | -1, salt: number): Samples {
  const share = shareOf(samples);
  const chance = Math.min(1, size / (direction === 1 ? 1 - share : share));
  if (!(chance > 0)) return samples;
  switch (samples.shape) {
    case "samples": {
      // All rows of a unit: the unit is what is bad.
      const identities = identitiesOf(samples);
      const hit = direction === 1 ? 1 : 0;
      return {
        ...samples,
        values: samples.values.map((value, row) => (uniform(identities[row] ?? 0, salt) < chance ? hit : value)),
      };
    }
    case "series":
      return {
        ...samples,
        values: samples.values.map((value) => (direction === 1 ? value + chance * (1 - value) : value * (1 - chance))),
      };
    case "counts": {
      const random = seeded(salt);
      const events = samples.events.map((count, step) =>
        direction === 1
          ? count + binomial(random, (samples.exposure[step] ?? 0) - count, chance)
          : count - binomial(random, count, chance),
      );
      return { ...samples, events };
    }
    case "histogram":
      return samples;
  }
}

/** Of units, of events, or the mean of a series. */
function shareOf(samples: Samples): number {
  switch (samples.shape) {
    case "samples":
      return samples.units === null ? averageOf(samples.values) : shareOfUnits(samples);
    case "series":
      return averageOf(samples.values);
    case "counts": {
      const exposure = samples.exposure.reduce((sum, count) => sum + count, 0);
      return exposure === 0 ? 0 : samples.events.reduce((sum, count) => sum + count, 0) / exposure;
    }
    case "histogram":
      return 0;
  }
}

function shareOfUnits({ values, units }: SampleRows): number {
  const worst = new Map<number, number>();
  for (const [row, value] of values.entries()) {
    const unit = units?.[row] ?? row;
    worst.set(unit, Math.max(worst.get(unit) ?? 0, value));
  }
  return averageOf(Float64Array.from(worst.values()));
}

export function averageOf(values: Float64Array): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Beyond as many expected events of both kinds a normal law is as good. */
const COUNTED_TO = 100;

function binomial(random: Random, trials: number, chance: number): number {
  const spread = trials * chance * (1 - chance);
  if (spread > COUNTED_TO)
    return Math.min(trials, Math.max(0, Math.round(trials * chance + Math.sqrt(spread) * standardNormal(random))));
  if (chance >= 1) return trials;
  let hits = 0;
  // From one hit to the next the number of misses is geometric.
  for (let trial = gap(random, chance); trial < trials; trial += 1 + gap(random, chance)) hits += 1;
  return hits;
}

function gap(random: Random, chance: number): number {
  return Math.floor(Math.log(1 - random()) / Math.log1p(-chance));
}
