import { joinedSeries } from "./judge/joined-series.ts";
import { kayentaPointsOf } from "./kayenta/metric-of.ts";
import { toWireNumber } from "./kayenta/wire.ts";
import type { WireNumber } from "./model/canary.ts";
import { samplesGiven, type KeptAnswer } from "./model/look-evidence.ts";
import type { Metric } from "./model/analysis.ts";
import type { Run } from "./model/run.ts";
import type { Samples } from "./model/samples.ts";
import { epochSeconds, toInstant } from "./model/time.ts";
import { readBody } from "./recorded-look.ts";

/** Both sides of a metric, step by step, as Deck draws them. */
export interface MetricSetPair {
  readonly name: string;
  /** That of the metric's result. */
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly values: { readonly control: readonly WireNumber[]; readonly experiment: readonly WireNumber[] };
  readonly scopes: { readonly control: PairScope; readonly experiment: PairScope };
}

interface PairScope {
  readonly startTimeIso: string;
  readonly startTimeMillis: number;
  readonly stepMillis: number;
}

/**
 * What the looks of a run were given, as pairs of points. A series of many looks is joined; of other shapes the last look's answer stands.
 *
 * @param bodies  the evidence of the looks, in their order.
 * @param names   name and id of each metric's result, in the order of the analysis.
 */
export function metricSetPairsOf(
  { analysis, baseline, candidate, window }: Run,
  bodies: readonly Uint8Array[],
  names: readonly { readonly name: string; readonly id: string }[],
): MetricSetPair[] {
  const answers = bodies.flatMap((body) => readBody(body).answers);
  const { stepSeconds } = analysis.plan;
  const [start, end] = window === null ? [0, 0] : [epochSeconds(window.start), epochSeconds(window.end)];
  const grid = { start, steps: Math.round((end - start) / stepSeconds), stepSeconds };
  const scope = { startTimeIso: toInstant(start), startTimeMillis: 1000 * start, stepMillis: 1000 * stepSeconds };
  return analysis.metrics.map((metric, index) => {
    const side = (label: string) =>
      Array.from(kayentaPointsOf(metric, samplesOf(answers, metric, label, stepSeconds), grid), toWireNumber);
    return {
      name: names[index]?.name ?? metric.name,
      id: names[index]?.id ?? metric.name,
      tags: {},
      values: { control: side(baseline.label), experiment: side(candidate.label) },
      scopes: { control: scope, experiment: scope },
    };
  });
}

function samplesOf(answers: readonly KeptAnswer[], metric: Metric, label: string, stepSeconds: number): Samples | null {
  const own = samplesGiven(answers, metric.name, label);
  return joinedSeries(own, metric, stepSeconds) ?? own.at(-1) ?? null;
}
