import type { Samples } from "../../src/model/samples.ts";
import { LOOK_MINUTES, LOOKS, MINUTES, START_SECONDS, type Comparison, type PeerMetric } from "./workload.ts";

/**
 * One arm of one metric as the peers see it. They know no units: every row is a value. It counts at the minute in which
 * its unit begins, which is a gift to them: no session is cut off by a look, and minutes share none.
 */
export interface ArmView {
  /** Minutes since the start, ascending; of steps their start. */
  readonly minutes: Float64Array;
  /** The rows; of counts the bad events of each step. */
  readonly values: Float64Array;
  /** All events of the step; null unless these are counts. */
  readonly exposure: Float64Array | null;
  /** The rows that happen in each look's three minutes; counts are rows of 0 and 1. */
  readonly chunks: readonly Float64Array[];
}

export interface MetricView {
  readonly metric: PeerMetric;
  readonly baseline: ArmView;
  readonly candidate: ArmView;
}

export function viewOf(comparison: Comparison, metrics: readonly PeerMetric[]): readonly MetricView[] {
  const known = views.get(comparison);
  if (known !== undefined) return known;
  const arm = (samples: Samples | undefined, name: string): ArmView => {
    if (samples === undefined) throw new RangeError(`an arm holds no samples of ${name}`);
    return armView(samples);
  };
  const view = metrics.map((metric) => ({
    metric,
    baseline: arm(comparison.baseline.get(metric.name), metric.name),
    candidate: arm(comparison.candidate.get(metric.name), metric.name),
  }));
  views.set(comparison, view);
  return view;
}

/** Every peer reads the same view. */
const views = new WeakMap<Comparison, readonly MetricView[]>();

/** One point a minute from the start to before `until`: the mean of its rows, or the share of bad events; NaN where there is none. */
export function minutePoints(arm: ArmView, until: number): Float64Array {
  const sums = new Float64Array(until);
  const counts = new Float64Array(until);
  for (let i = 0; i < arm.minutes.length && arm.minutes[i] < until; i++) {
    const minute = Math.floor(arm.minutes[i]);
    sums[minute] += arm.values[i];
    counts[minute] += arm.exposure === null ? 1 : arm.exposure[i];
  }
  return sums.map((sum, minute) => sum / counts[minute]);
}

/** The value of the window [from, until) in minutes; NaN when it is empty. */
export function windowValue(arm: ArmView, from: number, until: number, statistic: "mean" | "p95"): number {
  const first = firstAtOrAfter(arm.minutes, from);
  const last = firstAtOrAfter(arm.minutes, until);
  const values = arm.values.subarray(first, last);
  if (arm.exposure !== null) return sum(values) / sum(arm.exposure.subarray(first, last));
  if (statistic === "mean") return sum(values) / values.length;
  if (values.length === 0) return Number.NaN;
  const sorted = values.slice().sort();
  const place = 0.95 * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/**
 * All rows up to each look in ascending order, one array per look.
 *
 * @param from  rows of earlier minutes are left out; a multiple of the distance of two looks.
 */
export function* growingSorted(arm: ArmView, from: number): Generator<Float64Array> {
  let all = new Float64Array();
  for (let look = 0; look < LOOKS; look++) {
    if ((look + 1) * LOOK_MINUTES > from) all = merge(all, arm.chunks[look].slice().sort());
    yield all;
  }
}

function armView(samples: Samples): ArmView {
  switch (samples.shape) {
    case "samples": {
      const at = samples.at;
      if (at === null) throw new RangeError("rows without a time cannot be replayed");
      const rowMinutes = at.map(minutesSinceStart);
      const chunks = chunked(rowMinutes, samples.values);
      if (samples.units === null) return { minutes: rowMinutes, values: samples.values, exposure: null, chunks };
      return { ...byStartOfUnit(rowMinutes, samples.values, samples.units), exposure: null, chunks };
    }
    case "series": {
      const minutes = samples.at.map((at) => minutesSinceStart(at - samples.stepSeconds));
      return { minutes, values: samples.values, exposure: null, chunks: chunked(minutes, samples.values) };
    }
    case "counts": {
      const minutes = samples.at.map((at) => minutesSinceStart(at - samples.stepSeconds));
      return {
        minutes,
        values: samples.events,
        exposure: samples.exposure,
        chunks: chunkedCounts(minutes, samples.events, samples.exposure),
      };
    }
    case "histogram":
      throw new RangeError("no workload holds histograms");
  }
}

/** The rows in the order in which their units begin, at the minutes at which those begin. */
function byStartOfUnit(
  rowMinutes: Float64Array,
  values: Float64Array,
  units: Int32Array,
): Pick<ArmView, "minutes" | "values"> {
  const begins = new Map<number, number>();
  for (let row = 0; row < units.length; row++) {
    if (!begins.has(units[row])) begins.set(units[row], rowMinutes[row]);
  }
  const starts = Float64Array.from(units, (unit) => begins.get(unit) ?? NaN);
  const order = Uint32Array.from(units, (_, row) => row).sort((a, b) => starts[a] - starts[b]);
  return {
    minutes: Float64Array.from(order, (row) => starts[row]),
    values: Float64Array.from(order, (row) => values[row]),
  };
}

function chunked(minutes: Float64Array, values: Float64Array): Float64Array[] {
  return Array.from({ length: LOOKS }, (_, look) =>
    values.subarray(firstAtOrAfter(minutes, look * LOOK_MINUTES), firstAtOrAfter(minutes, (look + 1) * LOOK_MINUTES)),
  );
}

function chunkedCounts(minutes: Float64Array, events: Float64Array, exposure: Float64Array): Float64Array[] {
  const bad = chunked(minutes, events);
  const all = chunked(minutes, exposure);
  return bad.map((chunk, look) => new Float64Array(sum(all[look])).fill(1, 0, sum(chunk)));
}

function minutesSinceStart(at: number): number {
  return (at - START_SECONDS) / 60;
}

/** The index of the first time at or after this minute; the hour ends before minute 60. */
function firstAtOrAfter(minutes: Float64Array, minute: number): number {
  if (minute > MINUTES) throw new RangeError(`minute ${minute} lies beyond the hour`);
  let low = 0;
  let high = minutes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (minutes[middle] < minute) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merge(a: Float64Array, b: Float64Array): Float64Array<ArrayBuffer> {
  const both = new Float64Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < both.length; k++) both[k] = j >= b.length || (i < a.length && a[i] <= b[j]) ? a[i++] : b[j++];
  return both;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
