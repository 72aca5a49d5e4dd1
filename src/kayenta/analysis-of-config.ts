import type { Issue } from "../errors.ts";
import type { AnalysisDocument, MetricInput } from "../model/analysis.ts";
import type { CanaryConfig, CanaryMetric, CanaryThresholds } from "../model/canary.ts";
import { checkAnalysis } from "../model/read-analysis.ts";
import { judgeNamed } from "./judge-name.ts";
import { DEFAULT_THRESHOLDS } from "./judge.ts";
import { configurationOf, fieldsOf, policyOf } from "./metric-fields.ts";
import { metricNames } from "./metric-names.ts";
import { promqlOf, type QueryWords } from "./promql-of-metric.ts";

export interface ConfigOptions {
  readonly name: string;
  /** The operator's source that all metrics ask. */
  readonly source: string;
  readonly words: QueryWords;
  readonly plan: NonNullable<AnalysisDocument["spec"]["plan"]>;
  /** Instead of the judge that the config names. */
  readonly judge?: "touchstone" | "kayenta";
  readonly thresholds?: CanaryThresholds;
}

/** An analysis that asks and judges what a canary config of Kayenta's does, and what of the config is lost in it. */
export interface CarriedConfig {
  readonly document: AnalysisDocument;
  /** One sentence each, beginning with the metric's name. */
  readonly lost: readonly string[];
}

/**
 * A canary config as an analysis: one metric for each of its metrics, in their order. The config's judge decides which judge runs.
 *
 * @returns every metric that cannot be carried, with the fault: half a config would be judged as if it were the whole.
 */
export function analysisOfConfig(config: CanaryConfig, options: ConfigOptions): CarriedConfig | { issues: Issue[] } {
  const issues: Issue[] = [];
  const given = config.metrics ?? [];
  if (given.length === 0) {
    const detail = "The canary config must specify at least one metric. Otherwise we're not analyzing anything. :)";
    issues.push({ pointer: "/metrics", detail });
  }
  const named = judgeNamed(config.judge?.name);
  if (named === null && options.judge === undefined)
    issues.push({ pointer: "/judge/name", detail: `Unable to resolve judge ${config.judge?.name}.` });
  const judge = options.judge ?? named ?? "touchstone";
  const names = metricNames(given.map(({ name }) => name));
  const args: Record<string, string | null> = {};
  const lost: string[] = [];
  const metrics = given.flatMap((metric, index): MetricInput[] => {
    const read = promqlOf(metric, config, options.words);
    if (typeof read === "string") {
      issues.push({ pointer: `/metrics/${index}/query`, detail: `the metric ${metric.name} ${read}` });
      return [];
    }
    // An argument has one default; where two queries give it two, every run has to say.
    for (const [name, fallback] of Object.entries(read.args))
      args[name] = name in args && args[name] !== fallback ? null : fallback;
    const own = judge === "kayenta" ? kayentaFields(metric, names[index] ?? "") : touchstoneFields(metric, config);
    lost.push(...own.lost.map((sentence) => `${metric.name}: ${sentence}`));
    const query = { series: read.promql };
    return [{ name: names[index] ?? "", source: options.source, query, ...own.fields } as MetricInput];
  });
  if (issues.length > 0) return { issues };
  const { description } = config;
  const document: AnalysisDocument = {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: options.name, ...(description === undefined ? {} : { description: description.slice(0, 2000) }) },
    spec: {
      unit: "step",
      ...(judge === "kayenta"
        ? { judge, kayenta: { ...thresholdsOf(options.thresholds), ...weightsOf(config) } }
        : { policy: policyOf(metrics) }),
      plan: options.plan,
      ...(Object.keys(args).length === 0 ? {} : { args }),
      metrics,
    },
  };
  const checked = checkAnalysis(document);
  if ("issues" in checked) return { issues: checked.issues };
  return { document, lost };
}

interface Fields {
  readonly fields: Partial<MetricInput>;
  readonly lost: readonly string[];
}

function touchstoneFields(metric: CanaryMetric, config: CanaryConfig): Fields {
  const { fields, lost } = fieldsOf(metric, config);
  return configurationOf(metric).nanStrategy === "replace"
    ? { fields, lost: [...lost, "nanStrategy replace has no counterpart; a step without a value is absent, not 0"] }
    : { fields, lost };
}

/** Nothing is lost but the words for what is the default. */
function kayentaFields(metric: CanaryMetric, name: string): Fields {
  const { direction, critical, muted, ...rest } = configurationOf(metric);
  const { mustHaveData, nanStrategy, outliers, effectSize } = rest;
  const effects = Object.fromEntries(
    Object.entries(effectSize ?? {}).filter(([key, value]) => value !== undefined && value !== DEFAULTS[key]),
  );
  const kayenta = {
    ...(metric.name === name ? {} : { name: metric.name }),
    groups: metric.groups ?? [],
    ...(nanStrategy === "replace" ? { nanStrategy } : {}),
    ...(mustHaveData === true ? { mustHaveData } : {}),
    ...(outliers?.strategy === "remove" ? { outliers: { strategy: outliers.strategy, ...factorOf(outliers) } } : {}),
    ...(Object.keys(effects).length === 0 ? {} : { effectSize: effects }),
  };
  const worse = direction === "increase" ? "higher" : direction === "decrease" ? "lower" : "either";
  const tier = muted === true ? "advisory" : critical === true ? "critical" : "required";
  return { fields: { kind: "gauge", unit: "step", worse, tier, kayenta }, lost: [] };
}

const DEFAULTS: Readonly<Record<string, unknown>> = { measure: "meanRatio" };

function factorOf({ outlierFactor }: { readonly outlierFactor?: number }): { outlierFactor?: number } {
  return outlierFactor === undefined ? {} : { outlierFactor };
}

function thresholdsOf(thresholds: CanaryThresholds | undefined): { pass: number; marginal: number } {
  return {
    pass: thresholds?.pass ?? DEFAULT_THRESHOLDS.pass,
    marginal: thresholds?.marginal ?? DEFAULT_THRESHOLDS.marginal,
  };
}

function weightsOf({ classifier }: CanaryConfig): { groupWeights?: Record<string, number> } {
  return { groupWeights: classifier?.groupWeights ?? {} };
}
