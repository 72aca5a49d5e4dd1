import { readAnalysis } from "../../src/model/read-analysis.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import type { ArmAnswer, Gathered } from "../../src/judge/gathered.ts";
import type { SampleRows, Samples, ValueFault } from "../../src/model/samples.ts";
import { seeded, standardNormal } from "../../src/stats/random.ts";

/** An analysis of these metrics, written as in a file. */
export function analysisWith(metrics: string, spec = ""): Analysis {
  return readAnalysis(
    `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  unit: session\n  ${spec}\n  metrics:\n${metrics.replaceAll(/^/gm, "  ")}\n`,
    "the test",
  ).analysis;
}

export function rows(values: Iterable<number>, units?: readonly string[]): ArmAnswer {
  const column = Float64Array.from(values);
  const names = [...new Set(units ?? [])];
  return answer({
    shape: "samples",
    values: column,
    units: units === undefined ? null : Int32Array.from(units, (unit) => names.indexOf(unit)),
    unitNames: names,
    at: null,
    strata: null,
    stratumNames: [],
  });
}

/** Rows of these times, seconds since the epoch, each of a unit of its own. */
export function timedRows(values: ArrayLike<number>, at: ArrayLike<number>): SampleRows {
  return {
    shape: "samples",
    values: Float64Array.from(values),
    units: null,
    unitNames: [],
    at: Float64Array.from(at),
    strata: null,
    stratumNames: [],
  };
}

export function series(values: Iterable<number>): ArmAnswer {
  const column = Float64Array.from(values);
  return answer({ shape: "series", stepSeconds: 60, at: column.map((_, step) => 60 * step), values: column });
}

export function counts(steps: Iterable<readonly [events: number, exposure: number]>): ArmAnswer {
  const list = [...steps];
  return answer({
    shape: "counts",
    stepSeconds: 60,
    at: Float64Array.from(list, (_, step) => 60 * step),
    events: Float64Array.from(list, ([events]) => events),
    exposure: Float64Array.from(list, ([, exposure]) => exposure),
  });
}

export function histogram(upperEdges: readonly number[], steps: readonly (readonly number[])[]): ArmAnswer {
  return answer({
    shape: "histogram",
    stepSeconds: 60,
    at: Float64Array.from(steps, (_, step) => 60 * step),
    upperEdges: Float64Array.from(upperEdges),
    counts: Float64Array.from(steps.flat()),
  });
}

export function answer(samples: Samples, faults: readonly ValueFault[] = []): ArmAnswer {
  return { kind: "answer", answer: { samples, faults, warnings: [] } };
}

export const DEAD: ArmAnswer = { kind: "error", code: "source_unavailable", detail: "prometheus answered 503" };

/** The arms of each metric in the order of the analysis, baseline first. */
export function gather(
  { metrics }: Analysis,
  arms: readonly (readonly [baseline: ArmAnswer, candidate: ArmAnswer])[],
): Gathered[] {
  return metrics.map((metric, index) => {
    const pair = arms[index];
    if (pair === undefined) throw new Error(`no arms for ${metric.name}`);
    return { metric, baseline: pair[0], candidate: pair[1] };
  });
}

export function draw(seed: number, n: number, one: (random: () => number) => number): number[] {
  const random = seeded(seed);
  return Array.from({ length: n }, () => one(random));
}

export const lognormal =
  (median: number, sigma: number) =>
  (random: () => number): number =>
    median * Math.exp(sigma * standardNormal(random));

/** Scores 1 to 5 with these shares. */
export const scores =
  (...shares: readonly number[]) =>
  (random: () => number): number => {
    let rest = random();
    const index = shares.findIndex((share) => (rest -= share) < 0);
    return index < 0 ? shares.length : index + 1;
  };

/** Counts values into buckets (previous edge, edge]. */
export function toBuckets(values: readonly number[], upperEdges: readonly number[]): number[] {
  const result = upperEdges.map(() => 0);
  for (const value of values) {
    const bucket = upperEdges.findIndex((edge) => value <= edge);
    result[bucket] = (result[bucket] ?? 0) + 1;
  }
  return result;
}
