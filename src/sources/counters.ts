import { TouchstoneError } from "../errors.ts";
import type { Answer } from "../model/samples.ts";
import type { FaultTally } from "./cell.ts";

/** One series of a range query: ascending times and finite values. */
export interface RawSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly at: Float64Array;
  readonly values: Float64Array;
}

export interface RawAnswer {
  readonly series: readonly RawSeries[];
  readonly faults: FaultTally;
  readonly warnings: readonly string[];
}

/** What one or more counters grew by in each step. A step in which one of them was reset is in `resets` and has no growth. */
interface Growth {
  readonly byStep: ReadonlyMap<number, number>;
  readonly resets: ReadonlySet<number>;
}

/**
 * Growth per step, summed over series.
 *
 * Each series is differenced by itself, so that the restart of one replica is seen. The first point of a series only begins it: what it counted
 * before is not known to lie in the window. After a gap the growth counts in the step in which the series is back.
 */
function growthOf(series: readonly RawSeries[]): Growth {
  const byStep = new Map<number, number>();
  const resets = new Set<number>();
  for (const { at, values } of series) {
    for (let i = 1; i < at.length; i++) {
      const step = at[i];
      const growth = values[i] - values[i - 1];
      if (growth < 0) resets.add(step);
      else byStep.set(step, (byStep.get(step) ?? 0) + growth);
    }
  }
  for (const step of resets) byStep.delete(step);
  return { byStep, resets };
}

/**
 * Events and exposure per step from two raw counters.
 *
 * Traffic is asked for separately because a counter of errors that never happened does not exist: exposure without events is zero events,
 * no exposure is no data.
 */
export function toCounts(events: RawAnswer, exposure: RawAnswer, stepSeconds: number): Answer {
  const bad = growthOf(events.series);
  const all = growthOf(exposure.series);
  const { faults } = exposure;
  for (const fault of events.faults.list) for (let i = 0; i < fault.count; i++) faults.add(fault.kind, fault.example);

  const resets = new Set([...bad.resets, ...all.resets]);
  for (const step of resets) faults.add("counter_reset", new Date(step * 1000).toISOString(), step);
  const steps: number[] = [];
  const kept: { events: number; exposure: number }[] = [];
  for (const [step, total] of [...all.byStep].sort(([a], [b]) => a - b)) {
    if (resets.has(step)) continue;
    const count = bad.byStep.get(step) ?? 0;
    if (count > total) {
      faults.add("events_above_exposure", `${count} of ${total} at ${new Date(step * 1000).toISOString()}`, step);
      continue;
    }
    steps.push(step);
    kept.push({ events: count, exposure: total });
  }
  return {
    samples: {
      shape: "counts",
      stepSeconds,
      at: Float64Array.from(steps),
      events: Float64Array.from(kept, (step) => step.events),
      exposure: Float64Array.from(kept, (step) => step.exposure),
    },
    faults: faults.list,
    warnings: [...exposure.warnings, ...events.warnings],
    ...resetsOf(resets),
  };
}

/**
 * Observations per step and bucket from raw classic bucket counters (`le` labels), one layout for all replicas.
 *
 * @throws TouchstoneError `source_malformed` when a series has no usable `le`, the +Inf bucket is missing, or replicas have different buckets.
 */
export function toHistogram(answer: RawAnswer, stepSeconds: number, source: string): Answer {
  const { series, faults, warnings } = answer;
  const byEdge = new Map<number, RawSeries[]>();
  const byReplica = new Map<string, Set<number>>();
  for (const one of series) {
    const edge = readEdge(one.labels["le"], source);
    const { le: _, ...rest } = one.labels;
    const replica = JSON.stringify(Object.entries(rest).sort(byName));
    const edges = byReplica.get(replica) ?? new Set();
    if (edges.has(edge)) throw malformed(source, `two buckets le="${one.labels["le"]}" for one replica`);
    byReplica.set(replica, edges.add(edge));
    byEdge.set(edge, [...(byEdge.get(edge) ?? []), one]);
  }
  const edges = [...byEdge.keys()].sort((a, b) => a - b);
  if (series.length > 0 && edges.at(-1) !== Infinity)
    throw malformed(source, 'buckets without le="+Inf"; ask for all buckets, summed by le at most');
  for (const [replica, own] of byReplica) {
    if (own.size !== edges.length)
      throw malformed(source, `replicas with different buckets: ${replica} has ${own.size} of ${edges.length}`);
  }

  const cumulative = edges.map((edge) => growthOf(byEdge.get(edge) ?? []));
  const resets = new Set(cumulative.flatMap((growth) => [...growth.resets]));
  for (const step of resets) faults.add("counter_reset", new Date(step * 1000).toISOString(), step);
  const total = cumulative.at(-1);
  const steps: number[] = [];
  const rows: number[][] = [];
  for (const step of [...(total?.byStep.keys() ?? [])].sort((a, b) => a - b)) {
    if (resets.has(step)) continue;
    let below = 0;
    const row = cumulative.map((growth) => {
      const upTo = growth.byStep.get(step) ?? 0;
      const inside = upTo - below;
      below = upTo;
      return inside;
    });
    if (row.some((count) => count < 0)) {
      faults.add("negative", `buckets that fall at ${new Date(step * 1000).toISOString()}`, step);
      continue;
    }
    steps.push(step);
    rows.push(row);
  }
  return {
    samples: {
      shape: "histogram",
      stepSeconds,
      at: Float64Array.from(steps),
      upperEdges: Float64Array.from(edges),
      counts: Float64Array.from(rows.flat()),
    },
    faults: faults.list,
    warnings,
    ...resetsOf(resets),
  };
}

/** As an answer tells of them. */
export function resetsOf(resets: ReadonlySet<number>): Pick<Answer, "resets"> {
  return resets.size === 0 ? {} : { resets: Float64Array.from(resets).sort() };
}

function readEdge(le: string | undefined, source: string): number {
  if (le === undefined) throw malformed(source, "a series without an le label; ask for the raw buckets, name_bucket");
  if (le === "+Inf") return Infinity;
  const edge = Number(le);
  if (le === "" || !Number.isFinite(edge)) throw malformed(source, `a bucket le="${le}"`);
  return edge;
}

function malformed(source: string, what: string): TouchstoneError {
  return new TouchstoneError("source_malformed", `${source} answered with ${what}`);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
