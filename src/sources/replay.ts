import { TouchstoneError } from "../errors.ts";
import type { Answer, NamedColumn, Samples } from "../model/samples.ts";
import { epochSeconds } from "../model/time.ts";
import type { MetricSource } from "./source.ts";

/** Recorded samples of every metric, by the label of the version they were recorded of; rows and steps in the order of their times. */
export type Recording = ReadonlyMap<string, ReadonlyMap<string, Samples>>;

/** A source that plays back what was recorded: each window gets the rows and steps that lie in it. */
export const createReplaySource = (recording: Recording): MetricSource => ({
  type: "replay",
  check: () => [],
  render: ({ metric, version }) => `${metric.name} of ${version.label}`,
  fetch({ metric, version, window }) {
    const samples = recording.get(version.label)?.get(metric.name);
    if (samples === undefined)
      throw new TouchstoneError("invalid_query", `nothing of ${metric.name} was recorded for ${version.label}`);
    const played = window === null ? samples : between(samples, epochSeconds(window.start), epochSeconds(window.end));
    const answer: Answer = { samples: played, faults: [], warnings: [] };
    return Promise.resolve(answer);
  },
});

/** Rows in [start, end); steps that end in (start, end]. */
function between(samples: Samples, start: number, end: number): Samples {
  switch (samples.shape) {
    case "samples": {
      const { at } = samples;
      if (at === null) return samples;
      const [from, to] = [firstAtOrAfter(at, start), firstAtOrAfter(at, end)];
      return {
        ...samples,
        values: samples.values.subarray(from, to),
        at: at.subarray(from, to),
        units: samples.units?.subarray(from, to) ?? null,
        strata: samples.strata?.subarray(from, to) ?? null,
        ...(samples.instruments === undefined ? {} : { instruments: namesBetween(samples.instruments, from, to) }),
        ...(samples.gold === undefined ? {} : { gold: samples.gold.subarray(from, to) }),
        ...(samples.covariates === undefined ? {} : { covariates: samples.covariates.subarray(from, to) }),
        ...(samples.traceUrls === undefined ? {} : { traceUrls: namesBetween(samples.traceUrls, from, to) }),
      };
    }
    case "series": {
      const [from, to] = stepsWithin(samples.at, start, end);
      return { ...samples, at: samples.at.subarray(from, to), values: samples.values.subarray(from, to) };
    }
    case "counts": {
      if (samples.timed === false) return samples;
      const [from, to] =
        samples.stepSeconds > 0
          ? stepsWithin(samples.at, start, end)
          : [firstAtOrAfter(samples.at, start), firstAtOrAfter(samples.at, end)];
      return {
        ...samples,
        at: samples.at.subarray(from, to),
        events: samples.events.subarray(from, to),
        exposure: samples.exposure.subarray(from, to),
      };
    }
    case "histogram": {
      const [from, to] = stepsWithin(samples.at, start, end);
      const buckets = samples.upperEdges.length;
      return {
        ...samples,
        at: samples.at.subarray(from, to),
        counts: samples.counts.subarray(from * buckets, to * buckets),
      };
    }
  }
}

const namesBetween = ({ codes, names }: NamedColumn, from: number, to: number): NamedColumn => ({
  codes: codes.subarray(from, to),
  names,
});

/** Times of steps are compared with this much slack, in seconds. */
const TOUCH = 1e-3;

function stepsWithin(at: Float64Array, start: number, end: number): [from: number, to: number] {
  return [firstAtOrAfter(at, start + TOUCH), firstAtOrAfter(at, end + TOUCH)];
}

function firstAtOrAfter(at: Float64Array, time: number): number {
  let low = 0;
  let high = at.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((at[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
