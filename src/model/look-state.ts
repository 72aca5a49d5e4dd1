import { z } from "zod";
import type { Comparisons } from "./comparison.ts";
import type { CandidateReport } from "./run.ts";

/**
 * What one look leaves behind for the next, on whatever worker that runs: the evidence so far in a compact form, and how much of each error budget has been
 * spent. Numbers stand in typed arrays; `toStoredState` and `readStoredState` carry them through the record.
 */
export interface LookState {
  readonly v: 2;
  /** Looks so far. */
  readonly looks: number;
  /** By metric. */
  readonly metrics: Readonly<Record<string, MetricState>>;
  /** Identifies everything that has been judged so far; each look's digest is made from the one before. */
  readonly digest: string;
  /** Evidence that routing shares the units as it says, as a log e-value with its counts; null where it is not tested. */
  readonly sampleRatio: {
    readonly counts: readonly number[];
    readonly expected: readonly number[];
    readonly logE: number;
    readonly maxLogE: number;
  } | null;
  /** How much of the analysis's error budgets this run has used up, as fractions: what later attempts cannot use again. */
  readonly spent?: { readonly rollback: number; readonly promote: number };
  /** Of the evidence of the run's own stage; only where that of earlier stages counts too, which the rest is of. */
  readonly own?: LookState;
  /** By candidate label; only in rainbow runs. */
  readonly rainbow?: Readonly<Record<string, CandidateState>>;
  /** The candidates against each other, as they were last compared; only in rainbow runs. */
  readonly compared?: { readonly comparisons: Comparisons; readonly best: string | null };
}

export interface MetricState {
  /** Seconds since the epoch up to which both arms have been gathered; null before the first answer. */
  readonly gatheredUpTo: number | null;
  /** The source knows no times: every look asks for the whole window again. */
  readonly timeless: boolean;
  readonly baseline: ArmState | null;
  readonly candidate: ArmState | null;
  /** By component and side (`body:worse`), and by limit and side (`p95:max:breached`). */
  readonly claims: Readonly<Record<string, ClaimState>>;
  /** Absent where no exact e-values decide. */
  readonly bets?: BetsState;
}

/** The exact e-values of a metric in a plan without an end: how the bets on all blocks so far stand, and what the next bets follow from. */
export interface BetsState {
  /** What the blocks so far say of each arm, on a range from 0 to 1. */
  readonly known: Readonly<
    Record<"baseline" | "candidate", { readonly count: number; readonly mean: number; readonly squares: number }>
  >;
  /** The log wealth of each bet, by the null that is bet against. */
  readonly wealth: Readonly<Record<string, readonly number[]>>;
  /** Values that wait until both arms have enough for a block. */
  readonly waiting: Readonly<Record<"baseline" | "candidate", Tallied>>;
}

/** Distinct values, ascending, and how often each came. */
export interface Tallied {
  readonly values: Float64Array;
  readonly times: Float64Array;
}

/** One claim that is tested again and again: "worse", "safe", "the limit is breached". */
export interface ClaimState {
  /** The look at which it was proven. */
  readonly provenAt: number | null;
  /** Alpha spending up to the latest look whose boundary was needed. */
  readonly curve: SpentSoFar | null;
  /** Looks since then, tested without needing a boundary. */
  readonly pending: readonly { readonly spent: number; readonly information: number }[];
}

export interface SpentSoFar {
  readonly looks: number;
  readonly spent: number;
  readonly information: number;
  readonly boundary: number;
  readonly curve: { readonly edges: readonly number[]; readonly values: readonly number[] };
}

/** How much of an arm has come in, and what of it was no value. */
interface ArmTally {
  readonly rows: number;
  readonly invalid: number;
  /** Kinds of invalid cells with their number and first example. */
  readonly faults: readonly { readonly kind: string; readonly count: number; readonly example: string }[];
  /** Seconds since the epoch of the newest row or step; null without times. */
  readonly lastAt: number | null;
  /** Bad events by stretches of time, the latest ones; only where a limit looks at windows of time and the source knows times. */
  readonly tallies?: Tallies;
}

/** Bad events and all events by cells of time, ascending; cells without events are absent. */
export interface Tallies {
  readonly cell: Float64Array;
  readonly events: Float64Array;
  readonly trials: Float64Array;
}

export type ArmState = UnitsState | SeriesState | CountsState | HistogramState;

export interface UnitsState extends ArmTally {
  readonly shape: "units";
  /** One value per unit, ascending. Beyond ROUND_ABOVE units rounded to 11 significant bits, which is 0.05 %. */
  readonly values: Float64Array;
  /** The same by stratum; null where no strata are declared. */
  readonly strata: readonly { readonly name: string; readonly values: Float64Array }[] | null;
  /** The same by stretches of the run's time, named in their order; for comparing arms between which a ramp shared traffic unevenly. */
  readonly blocks?: readonly { readonly name: string; readonly values: Float64Array }[];
  /** Hashes of the units that have entered, in the order of their entry, the latest ones; only where units are named and more looks follow. */
  readonly entered?: Float64Array;
  /** A sample of the units' identities, ascending hashes, for finding units that were in both arms. */
  readonly marks: { readonly shift: number; readonly hashes: Float64Array } | null;
  /** The values beside the names of their units, ascending by name; of a paired design only, which is judged in one look. */
  readonly named?: { readonly names: readonly string[]; readonly values: Float64Array };
  /** What measured the rows, by name; absent where the source does not say. */
  readonly instruments?: readonly { readonly name: string; readonly rows: number }[];
  /** Units that a person scored too, in the order of both numbers; absent without such a column. */
  readonly gold?: { readonly labels: Float64Array; readonly judged: Float64Array };
  /** Means and sums of squared distances of what was known before (x) and of the value (y); absent without such a column. */
  readonly covariate?: {
    readonly units: number;
    readonly missing: number;
    readonly x: number;
    readonly y: number;
    readonly xx: number;
    readonly xy: number;
    readonly yy: number;
  };
  /** The worst units that have a trace; absent without such a column. */
  readonly worst?: readonly { readonly unit: string | null; readonly value: number; readonly traceUrl: string }[];
}

export interface SeriesState extends ArmTally {
  readonly shape: "series";
  readonly stepSeconds: number;
  readonly at: Float64Array;
  readonly values: Float64Array;
}

export interface CountsState extends ArmTally {
  readonly shape: "counts";
  readonly stepSeconds: number;
  readonly at: Float64Array;
  readonly events: Float64Array;
  readonly exposure: Float64Array;
}

export interface HistogramState extends ArmTally {
  readonly shape: "histogram";
  readonly stepSeconds: number;
  readonly at: Float64Array;
  readonly upperEdges: Float64Array;
  readonly counts: Float64Array;
  readonly schema?: number;
}

/** The look that a rainbow run continues from: each candidate's own, and the report of those that have been decided. */
export interface CandidateState {
  /** Null once rolled back. The others are gathered until the run ends, to be compared with each other. */
  readonly state: LookState | null;
  readonly report: CandidateReport | null;
  /** When it was decided: what had been judged until then, and how much of the error budgets was used up. */
  readonly decided?: { readonly digest: string; readonly spent: NonNullable<LookState["spent"]> };
}

/** As text for the record: typed arrays become base64 of their bytes, ascending ones with repeats their distinct values and counts. */
export function toStoredState(state: LookState): string {
  return JSON.stringify(state, (_, value: unknown) => (value instanceof Float64Array ? pack(value) : value));
}

const Head = z.object({ v: z.literal(2), looks: z.int().min(1) });

/** @throws when the text was not written by `toStoredState`. */
export function readStoredState(text: string): LookState {
  const state: unknown = JSON.parse(text, (_, value: unknown) => (isPacked(value) ? unpack(value) : value));
  Head.parse(state);
  // The rest was written by this program, of the version that `v` names.
  return state as LookState;
}

/** Numbers in the fewest bytes that hold them exactly: `u32`, `f32` or `f64` as base64; `times` when equal ones follow each other. */
interface Packed {
  readonly packed: "u32" | "f32" | "f64";
  readonly bytes: string;
  /** Unpacked already when the outer one is read: JSON is read from the inside. */
  readonly times?: Packed | Float64Array;
}

function pack(values: Float64Array): Packed {
  const distinct: number[] = [];
  const times: number[] = [];
  for (const value of values) {
    if (distinct.length > 0 && value === distinct[distinct.length - 1])
      times[times.length - 1] = (times.at(-1) ?? 0) + 1;
    else {
      distinct.push(value);
      times.push(1);
    }
  }
  if (distinct.length > 0.6 * values.length) return packPlain(values);
  return { ...packPlain(Float64Array.from(distinct)), times: packPlain(Float64Array.from(times)) };
}

function packPlain(values: Float64Array): Packed {
  if (values.every((value) => value >>> 0 === value && !Object.is(value, -0)))
    return { packed: "u32", bytes: toBase64(Uint32Array.from(values)) };
  if (values.every((value) => Math.fround(value) === value))
    return { packed: "f32", bytes: toBase64(Float32Array.from(values)) };
  return { packed: "f64", bytes: toBase64(values) };
}

function unpack({ packed, bytes, times }: Packed): Float64Array {
  const raw = Buffer.from(bytes, "base64");
  // A copy begins at a multiple of eight, which a piece of a shared buffer need not.
  const { buffer } = Uint8Array.from(raw);
  const values = Float64Array.from(
    packed === "u32" ? new Uint32Array(buffer) : packed === "f32" ? new Float32Array(buffer) : new Float64Array(buffer),
  );
  if (times === undefined) return values;
  const counts = times instanceof Float64Array ? times : unpack(times);
  const all = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let place = 0;
  for (let i = 0; i < values.length; i++) {
    all.fill(values[i] ?? 0, place, place + (counts[i] ?? 0));
    place += counts[i] ?? 0;
  }
  return all;
}

function isPacked(value: unknown): value is Packed {
  return typeof value === "object" && value !== null && typeof (value as { packed?: unknown }).packed === "string";
}

function toBase64({ buffer, byteOffset, byteLength }: Float64Array | Float32Array | Uint32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}
