import type { Metric } from "../model/analysis.ts";
import type { Samples, Series } from "../model/samples.ts";
import { seriesOf } from "./accumulate.ts";

/** One series of all that the looks of a run were answered: where answers overlap the later one knows better. Null where there is none. */
export function joinedSeries(answers: readonly Samples[], metric: Metric, stepSeconds: number): Series | null {
  const values = new Map<number, number>();
  for (const samples of answers) {
    const series = seriesOf(samples, metric, stepSeconds);
    for (const [step, time] of series?.at.entries() ?? []) values.set(time, series?.values[step] ?? 0);
  }
  if (values.size === 0) return null;
  const at = Float64Array.from(values.keys()).sort();
  return { shape: "series", stepSeconds, at, values: at.map((time) => values.get(time) ?? 0) };
}
