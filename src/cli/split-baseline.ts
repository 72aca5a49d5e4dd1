import { TouchstoneError } from "../errors.ts";
import type { Analysis } from "../model/analysis.ts";
import type { SampleRows, Samples } from "../model/samples.ts";
import { seeded } from "../stats/random.ts";
import { lastOf, type KeyedRecording, type Recording } from "./replay-recording.ts";

/** One recording of the baseline, and how it can be taken for two arms. */
export interface Splittable {
  readonly metrics: ReadonlyMap<string, Samples>;
  readonly start: number;
  /** How long a run over it lasts. */
  readonly windowSeconds: number;
  /** Where the window of an arm may begin, in steps after the start: 0 to here. */
  readonly lastOffset: number;
  /** Some metric has steps, which no unit can be taken out of: their arms are two windows. */
  readonly byWindows: boolean;
  readonly stepSeconds: number;
  readonly followUpSeconds: number;
  /** The candidate's share of the units. */
  readonly share: number;
}

export interface Split {
  readonly recording: Recording;
  /** Seconds since the epoch. */
  readonly start: number;
}

export const ARMS = { baseline: "baseline", candidate: "candidate" } as const;

/**
 * How a recording of the baseline alone can stand for both arms. Units are shared by a hash of their id. Steps hold all units together, so two windows of the
 * recording are compared, the one shifted in time to lie under the other.
 *
 * @throws TouchstoneError `invalid_input` when the recording is too short.
 */
export function splittable(
  { key, start, recording }: KeyedRecording,
  label: string,
  { plan, allocation }: Analysis,
): Splittable {
  const metrics = recording.get(label) ?? new Map<string, Samples>();
  const byWindows = [...metrics.values()].some(({ shape, at }) => shape !== "samples" && at !== null && at.length > 0);
  const { row, step } = lastOf(new Map([[label, metrics]]));
  const { stepSeconds, followUpSeconds } = plan;
  // The step in which the last row stands counts whole.
  const length = Math.max(Math.ceil((row - start) / stepSeconds + 1e-9) * stepSeconds, step - start);
  const longest = byWindows ? Math.floor(length / 2 / stepSeconds + 1e-9) * stepSeconds : length;
  const planned = plan.mode === "once" ? longest : plan.durationSeconds;
  const windowSeconds = Math.min(planned, longest);
  const least = plan.warmupSeconds + (plan.mode === "once" ? stepSeconds : plan.everySeconds);
  if (windowSeconds < least) {
    const name = key === null ? "the recording of the baseline" : `the recording of the baseline of ${key}`;
    const needed = byWindows ? `two windows of ${least} s, one for each arm` : `a window of ${least} s`;
    throw new TouchstoneError("invalid_input", `${name} is ${Math.round(length)} s long, too short for ${needed}`);
  }
  const room = length - (byWindows ? 2 : 1) * windowSeconds;
  return {
    metrics,
    start,
    windowSeconds,
    lastOffset: Math.max(0, Math.floor(room / stepSeconds + 1e-9)),
    byWindows,
    stepSeconds,
    followUpSeconds,
    share: allocation === null ? 0.5 : allocation.candidate / (allocation.candidate + allocation.baseline),
  };
}

/** One of the ways to take the baseline for both arms; the same for the same seed and number. */
export function drawSplit(source: Splittable, seed: number, split: number): Split {
  const { metrics, start, stepSeconds, windowSeconds, lastOffset, followUpSeconds, byWindows, share } = source;
  const random = seeded(seed, split);
  const [first, second] = [random(), random()].map((u) => Math.floor(u * (lastOffset + 1))).sort((a, b) => a - b);
  const early = first ?? 0;
  const windowSteps = Math.floor(windowSeconds / stepSeconds + 1e-9);
  const late = (second ?? 0) + windowSteps;
  // Which of the windows is the baseline is drawn too, so that a trend in the recording favours neither arm.
  const [own, other] = !byWindows ? [early, early] : random() < 0.5 ? [early, late] : [late, early];
  const from = start + own * stepSeconds;
  const salt = saltOf(seed, split);
  const baseline = new Map<string, Samples>();
  const candidate = new Map<string, Samples>();
  for (const [name, samples] of metrics) {
    if (samples.shape === "samples") {
      const [low, high] = [from - followUpSeconds, from + windowSeconds].map((time) =>
        firstAtOrAfter(samples.at, time),
      );
      const [kept, taken] = shareRows(samples, low ?? 0, high ?? 0, (identity) => uniform(identity, salt) < share);
      baseline.set(name, kept);
      candidate.set(name, taken);
    } else {
      baseline.set(name, windowOf(samples, source, own, own));
      candidate.set(name, windowOf(samples, source, other, own));
    }
  }
  return {
    start: from,
    recording: new Map([
      [ARMS.baseline, baseline],
      [ARMS.candidate, candidate],
    ]),
  };
}

function shareRows(
  rows: SampleRows,
  low: number,
  high: number,
  isTaken: (identity: number) => boolean,
): [kept: SampleRows, taken: SampleRows] {
  const identities = identitiesOf(rows);
  const kept: number[] = [];
  const taken: number[] = [];
  for (let row = low; row < high; row++) (isTaken(identities[row] ?? 0) ? taken : kept).push(row);
  return [pickRows(rows, kept), pickRows(rows, taken)];
}

function pickRows(rows: SampleRows, indices: readonly number[]): SampleRows {
  const { at, units, strata } = rows;
  const codes = new Int32Array(rows.unitNames.length).fill(-1);
  const unitNames: string[] = [];
  const codeOf = (row: number): number => {
    const unit = units?.[row] ?? 0;
    if (codes[unit] === -1) codes[unit] = unitNames.push(rows.unitNames[unit] ?? "") - 1;
    return codes[unit] ?? 0;
  };
  return {
    ...rows,
    values: Float64Array.from(indices, (row) => rows.values[row] ?? 0),
    at: at === null ? null : Float64Array.from(indices, (row) => at[row] ?? 0),
    units: units === null ? null : Int32Array.from(indices, codeOf),
    unitNames,
    strata: strata === null ? null : Int32Array.from(indices, (row) => strata[row] ?? 0),
  };
}

/** The steps of the window that begins `from` steps after the start, as if it had begun `to` steps after it. */
function windowOf(
  samples: Exclude<Samples, SampleRows>,
  { start, stepSeconds, windowSeconds }: Splittable,
  from: number,
  to: number,
): Samples {
  const windowSteps = Math.floor(windowSeconds / stepSeconds + 1e-9);
  const numberOf = (time: number) => Math.round((time - start) / stepSeconds);
  const low = samples.at.findIndex((time) => numberOf(time) > from);
  const beyond = samples.at.findIndex((time) => numberOf(time) > from + windowSteps);
  const [first, end] = [low === -1 ? samples.at.length : low, beyond === -1 ? samples.at.length : beyond];
  // Written as the reader of records writes it, so that steps of both arms are equal to the last bit.
  const at = samples.at.subarray(first, end).map((time) => start + (numberOf(time) - from + to) * stepSeconds);
  switch (samples.shape) {
    case "series":
      return { ...samples, at, values: samples.values.subarray(first, end) };
    case "counts":
      return {
        ...samples,
        at,
        events: samples.events.subarray(first, end),
        exposure: samples.exposure.subarray(first, end),
      };
    case "histogram": {
      const buckets = samples.upperEdges.length;
      return { ...samples, at, counts: samples.counts.subarray(first * buckets, end * buckets) };
    }
  }
}

function firstAtOrAfter(at: Float64Array | null, time: number): number {
  let low = 0;
  let high = at?.length ?? 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((at?.[middle] ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** For every row the hash of its unit's name, or its number where rows are units. */
export function identitiesOf(rows: SampleRows): Int32Array {
  const known = IDENTITIES.get(rows);
  if (known !== undefined) return known;
  const { units, unitNames } = rows;
  const ofNames = Int32Array.from(unitNames, hashOf);
  const identities =
    units === null
      ? Int32Array.from(rows.values, (_, row) => row)
      : Int32Array.from(units, (unit) => ofNames[unit] ?? 0);
  IDENTITIES.set(rows, identities);
  return identities;
}

/** Hashing a million names once is enough. */
const IDENTITIES = new WeakMap<SampleRows, Int32Array>();

/** FNV-1a (Fowler, Noll & Vo). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

export function saltOf(seed: number, split: number, purpose = 0): number {
  return mixed(Math.imul(seed, 0x9e3779b1) ^ mixed(Math.imul(split + 1, 0x85ebca6b) ^ purpose));
}

/** A number in [0, 1) that looks drawn, and is the same for the same identity and salt. */
export function uniform(identity: number, salt: number): number {
  return (mixed(identity ^ salt) >>> 0) / 2 ** 32;
}

/** The finalizer of MurmurHash3 (Appleby), twice: its input here is two hashes that were only xored. */
function mixed(hash: number): number {
  return finalized(finalized(hash) + 0x9e3779b1);
}

function finalized(hash: number): number {
  let h = hash | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
