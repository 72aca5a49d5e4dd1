/**
 * What Kayenta's judge reads, in Kayenta's words: its `control` is our baseline, its `experiment` our candidate.
 */

/** One metric with the points of both sides. With several tag sets a metric is several of these, each judged for itself. */
export interface KayentaMetric {
  readonly name: string;
  /** Stands in the result as it is; Kayenta's dashboard finds the graph by it. */
  readonly id?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Points in order of time, one per step; NaN where there is none. Infinities stay what they are. */
  readonly experiment: ArrayLike<number>;
  readonly control: ArrayLike<number>;
  /** A metric counts in every group it names, and in no score if it names none. */
  readonly groups: readonly string[];
  readonly analysisConfiguration?: KayentaConfigurationInput;
}

/** `metrics[].analysisConfigurations.canary` with Kayenta's defaults filled in. */
export interface KayentaConfiguration {
  /** Which side can fail. */
  readonly direction: "increase" | "decrease" | "either";
  /** `replace` takes every missing point for a 0. */
  readonly nanStrategy: "remove" | "replace";
  readonly critical: boolean;
  /** Missing data fails the metric; read only with `nanStrategy: remove` and when the metric is not critical. */
  readonly mustHaveData: boolean;
  /** Classified and listed, but neither scored nor counted. */
  readonly muted: boolean;
  readonly outliers: { readonly strategy: "keep" | "remove"; readonly outlierFactor: number };
  /** Thresholds for the mean ratio experiment / control, or for P(experiment > control) + P(equal) / 2. */
  readonly effectSize: {
    readonly measure: "meanRatio" | "cles";
    readonly allowedIncrease: number;
    readonly allowedDecrease: number;
    readonly criticalIncrease: number;
    readonly criticalDecrease: number;
  };
}

/** The same as people write it: every field may be left out. */
export type KayentaConfigurationInput = Partial<Omit<KayentaConfiguration, "outliers" | "effectSize">> & {
  readonly outliers?: Partial<KayentaConfiguration["outliers"]>;
  readonly effectSize?: Partial<KayentaConfiguration["effectSize"]>;
};

/** Fills in what Kayenta fills in. "No effect" is a ratio of 1, and 0.5 on the scale of `cles`. */
export function resolveConfiguration(input: KayentaConfigurationInput = {}): KayentaConfiguration {
  const measure = input.effectSize?.measure ?? "meanRatio";
  const none = measure === "cles" ? 0.5 : 1;
  return {
    direction: input.direction ?? "either",
    nanStrategy: input.nanStrategy ?? "remove",
    critical: input.critical ?? false,
    mustHaveData: input.mustHaveData ?? false,
    muted: input.muted ?? false,
    outliers: { strategy: input.outliers?.strategy ?? "keep", outlierFactor: input.outliers?.outlierFactor ?? 3 },
    effectSize: {
      measure,
      allowedIncrease: input.effectSize?.allowedIncrease ?? none,
      allowedDecrease: input.effectSize?.allowedDecrease ?? none,
      criticalIncrease: input.effectSize?.criticalIncrease ?? none,
      criticalDecrease: input.effectSize?.criticalDecrease ?? none,
    },
  };
}
