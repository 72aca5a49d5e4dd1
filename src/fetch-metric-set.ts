import { TouchstoneError } from "./errors.ts";
import { analysisOfConfig } from "./kayenta/analysis-of-config.ts";
import { kayentaPointsOf } from "./kayenta/metric-of.ts";
import { toWireNumber } from "./kayenta/wire.ts";
import type { MetricSetQuestion, WireNumber } from "./model/canary.ts";
import { checkAnalysis, invalidAnalysis } from "./model/read-analysis.ts";
import { epochSeconds, toDuration, toInstant } from "./model/time.ts";
import type { SourceRequest, Sources } from "./sources/source.ts";
import { faultsOf, prometheusNamed } from "./start-canary.ts";
import { argumentsOf } from "./start-run.ts";

/** As Kayenta's clients read one series: a value per step, "NaN" where there is none. */
export interface MetricSet {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly startTimeMillis: number;
  readonly startTimeIso: string;
  readonly endTimeMillis: number;
  readonly endTimeIso: string;
  readonly stepMillis: number;
  readonly values: readonly WireNumber[];
  readonly attributes: { readonly query: string };
}

/** More steps than this are no question of a person's. */
const MOST_STEPS = 11_000;

/** The PromQL that a question comes to. @throws TouchstoneError `invalid_request`, `invalid_query`. */
export function queryOf(sources: Sources, question: MetricSetQuestion): string {
  return toRequest(sources, question).query;
}

/** Asks, and puts the answer on the steps from start to end. @throws TouchstoneError as `queryOf`, and `source_*`. */
export async function fetchMetricSet(
  sources: Sources,
  question: MetricSetQuestion,
  signal: AbortSignal,
): Promise<MetricSet> {
  const { source, query, request } = toRequest(sources, question);
  const { samples } = await source.fetch(request, signal);
  const [start, end] = [epochSeconds(question.start), epochSeconds(question.end)];
  const steps = Math.floor((end - start) / question.step);
  const points = kayentaPointsOf(request.metric, samples, { start, steps, stepSeconds: question.step });
  return {
    name: question.name,
    tags: {},
    startTimeMillis: start * 1000,
    startTimeIso: toInstant(start),
    endTimeMillis: end * 1000,
    endTimeIso: toInstant(end),
    stepMillis: question.step * 1000,
    values: Array.from(points, toWireNumber),
    attributes: { query },
  };
}

function toRequest(sources: Sources, question: MetricSetQuestion) {
  const { scope, location, start, end, step } = question;
  if (epochSeconds(end) - epochSeconds(start) < step)
    throw new TouchstoneError("invalid_request", `end is ${end}, less than a step of ${step} s after start ${start}`);
  if ((epochSeconds(end) - epochSeconds(start)) / step > MOST_STEPS)
    throw new TouchstoneError("invalid_request", `step is ${step} s, which makes more than ${MOST_STEPS} steps`);
  const name = prometheusNamed(question.account, sources);
  const source = sources.get(name);
  if (source === undefined) throw new RangeError(`the source ${name} has gone`);
  const { metricName, resourceType, labelBindings, groupByFields, template } = question;
  const carried = analysisOfConfig(
    {
      metrics: [
        {
          name: question.name,
          query: {
            type: "prometheus",
            metricName,
            ...(resourceType === undefined ? {} : { resourceType }),
            labelBindings,
            groupByFields,
            ...(template === undefined ? {} : { customInlineTemplate: template }),
          },
        },
      ],
    },
    {
      name: "fetch",
      source: name,
      words: { scope: "{{ labels.scope }}", labels: new Set(["location"]) },
      plan: { mode: "once", step: toDuration(step), settle: "0s" },
      judge: "kayenta",
    },
  );
  if ("issues" in carried) throw faultsOf(carried.issues);
  const checked = checkAnalysis(carried.document);
  if ("issues" in checked) throw invalidAnalysis("the query", checked.issues);
  const { analysis } = checked;
  const [metric] = analysis.metrics;
  if (metric === undefined) throw new RangeError("a config of one metric came to none");
  const request: SourceRequest = {
    metric,
    version: { label: "fetched", labels: { scope, location } },
    args: argumentsOf(analysis, {}),
    window: { start, end },
    stepSeconds: step,
  };
  // A Prometheus source renders a series as its own name, and what it asks.
  const [, [, query]] = JSON.parse(source.render(request)) as [source: string, asked: [form: string, query: string]];
  return { source, query, request };
}
