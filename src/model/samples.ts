/**
 * What a source returns for one arm, one metric and one window: columnar typed arrays, checked by loops.
 *
 * Every number in them is finite, save where a column says otherwise. What was not a number stands in `faults`, counted by its kind; it is never a value.
 */

export interface SampleRows {
  readonly shape: "samples";
  /** One per row, in the metric's measurement unit. */
  readonly values: Float64Array;
  /** Index into `unitNames` for every row; null when the source knows no units, so that every row is one. */
  readonly units: Int32Array | null;
  readonly unitNames: readonly string[];
  /** Seconds since the epoch for every row; null when the source knows no times. */
  readonly at: Float64Array | null;
  /** Index into `stratumNames` for every row; null when no strata are declared. */
  readonly strata: Int32Array | null;
  readonly stratumNames: readonly string[];
  /** What measured each row, as an index; absent where the source does not say. */
  readonly instruments?: NamedColumn;
  /** A person's score of each row, NaN where nobody gave one; absent without such a column. */
  readonly gold?: Float64Array;
  /** A number known before the unit met a version, NaN where it is not; absent without such a column. */
  readonly covariates?: Float64Array;
  /** Where to look at each row, as an index; the empty name is no link. Absent without such a column. */
  readonly traceUrls?: NamedColumn;
}

/** Texts by row, each of them held once. */
export interface NamedColumn {
  readonly codes: Int32Array;
  readonly names: readonly string[];
}

export interface Series {
  readonly shape: "series";
  readonly stepSeconds: number;
  /** Seconds since the epoch at which a step ends; steps without a value are absent. Ascending. */
  readonly at: Float64Array;
  readonly values: Float64Array;
}

export interface Counts {
  readonly shape: "counts";
  /** 0 when the source knows no steps: then there is one entry per row and `at` counts rows. */
  readonly stepSeconds: number;
  readonly at: Float64Array;
  /** Bad events in the step; 0 ≤ events ≤ exposure. */
  readonly events: Float64Array;
  readonly exposure: Float64Array;
  /** False when the rows have no times, so that `at` counts them. */
  readonly timed?: boolean;
}

export interface Histogram {
  readonly shape: "histogram";
  readonly stepSeconds: number;
  readonly at: Float64Array;
  /** Upper edge of each bucket, ascending, the last one Infinity; a bucket holds values in (previous edge, edge]. */
  readonly upperEdges: Float64Array;
  /** Observations per step and bucket, row by row: `counts[step * upperEdges.length + bucket]`. */
  readonly counts: Float64Array;
  /** Of native histograms: the finite edges are 2^(i · 2^-schema) for neighbouring i, the first bucket holds zeros only, the last nothing. */
  readonly schema?: number;
}

export type Samples = SampleRows | Series | Counts | Histogram;

/** Why something in an answer is not a value. */
export type ValueFaultKind =
  | "missing"
  | "nan"
  | "infinite"
  | "not_a_number"
  | "negative"
  | "events_above_exposure"
  | "bad_time"
  | "counter_reset";

export interface ValueFault {
  readonly kind: ValueFaultKind;
  /** How many rows or steps. */
  readonly count: number;
  /** The first of them as it stood, cut to 80 characters. */
  readonly example: string;
}

/** An answer: the samples, what in it was not a value, and what the source itself warned of. */
export interface Answer {
  readonly samples: Samples;
  readonly faults: readonly ValueFault[];
  readonly warnings: readonly string[];
  /** Ends of the steps, ascending, that are not among the samples because a counter was reset in them; absent where there are none. */
  readonly resets?: Float64Array;
}

/** Rows, steps or observations: how much there is before units are counted. */
export function sampleSize(samples: Samples): number {
  switch (samples.shape) {
    case "samples":
    case "series":
      return samples.values.length;
    case "counts":
      return samples.events.length;
    case "histogram":
      return samples.at.length;
  }
}

/** Rows without times cannot be told from those of the look before: each look has to ask for all of them again. */
export function isTimeless(samples: Samples): boolean {
  return (
    (samples.shape === "samples" && samples.at === null) || (samples.shape === "counts" && samples.timed === false)
  );
}
