import type { AnalysisDocument, MetricInput } from "../model/analysis.ts";
import type { CanaryConfig, CanaryMetric } from "../model/canary.ts";
import { KIND_DEFAULTS } from "../model/resolve-analysis.ts";
import type { KayentaConfigurationInput } from "./metric.ts";

/** What a metric of ours takes over from Kayenta's configuration of it, and what of that has no counterpart. */
export interface MetricFields {
  readonly fields: Pick<MetricInput, "kind" | "unit" | "worse" | "tier"> & {
    readonly margin?: string;
    readonly guard?: string;
    readonly weight?: number;
  };
  /** One sentence each, without the metric's name. */
  readonly lost: readonly string[];
}

/** Kayenta's configuration of a metric; what it does not know means its default. */
export function configurationOf(metric: CanaryMetric): KayentaConfigurationInput {
  const given = metric.analysisConfigurations?.canary ?? {};
  const { direction, nanStrategy, critical, mustHaveData, muted, outliers, effectSize } = given;
  return {
    direction: direction === "increase" || direction === "decrease" ? direction : "either",
    nanStrategy: nanStrategy === "replace" ? "replace" : "remove",
    critical,
    mustHaveData,
    muted,
    outliers: { strategy: outliers?.strategy === "remove" ? "remove" : "keep", outlierFactor: outliers?.outlierFactor },
    effectSize: {
      measure: effectSize?.measure === "cles" ? "cles" : "meanRatio",
      allowedIncrease: effectSize?.allowedIncrease,
      allowedDecrease: effectSize?.allowedDecrease,
      criticalIncrease: effectSize?.criticalIncrease,
      criticalDecrease: effectSize?.criticalDecrease,
    },
  };
}

/**
 * The same metric under Touchstone's judge: a gauge per step.
 *
 * An allowed increase of 1.2 is a margin of 20 %; of two directions the narrower margin counts. A critical metric with a critical increase beyond the margin rolls back
 * from there on (`guard`). Weights of groups are shared evenly by their metrics.
 */
export function fieldsOf(metric: CanaryMetric, config: CanaryConfig): MetricFields {
  const configuration = configurationOf(metric);
  const { direction = "either", critical = false, muted = false, effectSize } = configuration;
  const lost: string[] = [];
  const isCles = effectSize?.measure === "cles";
  if (isCles) lost.push(`effectSize.measure cles has no counterpart; the margin is ${DEFAULT_MARGIN_PERCENT}%`);
  if (configuration.outliers?.strategy === "remove")
    lost.push("outliers.strategy remove has no counterpart; nothing is removed");
  const sides = direction === "either" ? (["increase", "decrease"] as const) : [direction];
  const allowed = isCles ? {} : { increase: effectSize?.allowedIncrease, decrease: effectSize?.allowedDecrease };
  const beyond = isCles ? {} : { increase: effectSize?.criticalIncrease, decrease: effectSize?.criticalDecrease };
  const margins = sides.map((side) => percentOf(side, allowed[side], lost));
  const margin = narrowest(margins);
  if (margins.length === 2 && margins[0] !== margins[1])
    lost.push(`one margin counts for both directions; it is the narrower one, ${margin ?? DEFAULT_MARGIN_PERCENT}%`);
  const guard = critical ? narrowest(sides.map((side) => percentOf(side, beyond[side], lost))) : null;
  const weight = weightOf(metric, config);
  return {
    fields: {
      kind: "gauge",
      unit: "step",
      worse: WORSE[direction],
      tier: muted ? "advisory" : critical ? "critical" : "required",
      ...(margin === null ? {} : { margin: `${margin}%` }),
      ...(guard === null || guard <= (margin ?? DEFAULT_MARGIN_PERCENT) ? {} : { guard: `${guard}%` }),
      ...(weight === null || muted ? {} : { weight }),
    },
    lost,
  };
}

/** `any` where no metric is critical. Who marks some as critical lets the others lower the score only: those pause. */
export function policyOf(metrics: readonly { readonly tier?: string }[]): AnalysisDocument["spec"]["policy"] {
  return metrics.some(({ tier }) => tier === "critical") ? "critical-only" : "any";
}

const WORSE = { increase: "higher", decrease: "lower", either: "either" } as const;
const DEFAULT_MARGIN_PERCENT = 100 * (KIND_DEFAULTS.gauge.margin?.relative ?? 0);

/** A ratio of means as percent of change; null where it says none. */
function percentOf(side: "increase" | "decrease", ratio: number | undefined, lost: string[]): number | null {
  if (ratio === undefined || ratio === 1) return null;
  const percent = Number((100 * (side === "increase" ? ratio - 1 : 1 - ratio)).toPrecision(12));
  if (percent > 0 && (side === "increase" || percent < 100)) return percent;
  lost.push(`an effect size of ${ratio} is no ${side}; it is left out`);
  return null;
}

/** A direction without an allowance has the default margin. */
function narrowest(percents: readonly (number | null)[]): number | null {
  if (percents.every((percent) => percent === null)) return null;
  return Math.min(...percents.map((percent) => percent ?? DEFAULT_MARGIN_PERCENT));
}

/** Null where no group has a weight, or the metric's groups have none: then the tier gives it one. */
function weightOf(metric: CanaryMetric, { classifier, metrics = [] }: CanaryConfig): number | null {
  const weights = new Map(Object.entries(classifier?.groupWeights ?? {}));
  const sum = (metric.groups ?? []).reduce((total, group) => {
    const members = metrics.filter(({ groups = [] }) => groups.includes(group)).length;
    return total + (weights.get(group) ?? 0) / members;
  }, 0);
  return sum > 0 && sum <= 1000 ? Number(sum.toPrecision(6)) : null;
}
