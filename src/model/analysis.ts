import { z } from "zod";
import { digestOf } from "./canonical.ts";
import { Name } from "./name.ts";
import { Query } from "./query.ts";
import { Stage, StageInput } from "./stage.ts";
import { Duration } from "./time.ts";

/**
 * The analysis as an operator writes it (`AnalysisDocument`) and as a run holds it (`Analysis`: every default filled in, every amount a number).
 * `resolve-analysis.ts` leads from the one to the other.
 */

const Amount = z.union([z.number(), z.string().min(1).max(64)], {
  error: "must be an amount, for example 5%, 200ms, 1pp or 0.25",
});

const ToleranceInput = z
  .union([Amount, z.strictObject({ relative: z.string().min(1).max(64).optional(), absolute: Amount.optional() })], {
    error: "must be an amount (5%, 200ms, 1pp, 0.25) or, for errors, { relative: 50%, absolute: 0.1pp }",
  })
  .describe(
    "Accepted worsening: relative to the baseline (5%), or absolute with its measurement unit (200ms, 1pp, 0.25 points).",
  )
  .meta({ id: "Tolerance" });

const LimitCheck = z
  .enum(["proven", "point"])
  .describe(
    "proven (default): tested within the error budgets. point: the plain value is compared, outside the budgets.",
  );

const LimitInput = z
  .strictObject({
    max: Amount.optional().describe("The candidate must lie below."),
    min: Amount.optional().describe("The candidate must lie above."),
    check: LimitCheck.optional(),
  })
  .meta({ id: "Limit" });

const BurnInput = z
  .strictObject({
    objective: z
      .string()
      .min(1)
      .max(64)
      .describe("The share of events that must be good: 99.9%. The rest is the error budget."),
    windows: z
      .array(
        z.strictObject({
          rate: z
            .number()
            .positive()
            .describe("How many times faster than sustainable the error budget may be used up, at least 1."),
          long: Duration.describe("The window over which that must be proven."),
          short: Duration.describe("The window that must show it too: that it is still going on."),
        }),
      )
      .min(1, "needs at least one pair of windows")
      .max(4),
    check: LimitCheck.optional(),
  })
  .describe("Error-budget burn of the candidate, by pairs of windows that both must show it.")
  .meta({ id: "BurnLimit" });

const Tier = z
  .enum(["critical", "required", "advisory"])
  .describe(
    "critical: worse rolls back even under policy critical-only. required: must be safe to promote. advisory: reported, decides nothing.",
  );

const AmountStatistic = z.enum(["mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "value"]);

/** Below so many runs the deviation of their means is itself known too badly. */
export const LEAST_HISTORY = 10;

const HistoryInput = z
  .strictObject({
    stepDeviation: Amount.describe(
      "Of one step: over n steps the means of two equal versions differ by this divided by the root of n. Written like the margin: 9%, or 20ms.",
    ),
    runs: z
      .int()
      .min(LEAST_HISTORY)
      .max(1_000_000)
      .describe("From how many runs without a change of version that is known."),
  })
  .describe(
    "For a metric by steps: how much two equal versions differed in earlier runs, as `touchstone history` measures it; takes the place of the estimate from the run's own few steps.",
  )
  .meta({ id: "History" });

/** What only Kayenta's judge reads of a metric, in its own words. Direction, critical and muted are `worse` and `tier`. */
const KayentaSettings = z
  .strictObject({
    name: z.string().min(1).max(256).optional().describe("What Kayenta calls the metric. Default: its name."),
    groups: z.array(z.string().min(1).max(256)).max(100).optional().describe("Default: the metric's name."),
    nanStrategy: z.enum(["remove", "replace"]).optional().describe("replace: a step without a value is a 0."),
    mustHaveData: z.boolean().optional(),
    outliers: z
      .strictObject({
        strategy: z.enum(["keep", "remove"]).optional(),
        outlierFactor: z.number().positive().optional(),
      })
      .optional(),
    effectSize: z
      .strictObject({
        measure: z.enum(["meanRatio", "cles"]).optional(),
        allowedIncrease: z.number().optional(),
        allowedDecrease: z.number().optional(),
        criticalIncrease: z.number().optional(),
        criticalDecrease: z.number().optional(),
      })
      .optional(),
  })
  .meta({ id: "KayentaSettings" });

const shared = {
  name: Name,
  source: Name.describe("A source that the operator has configured."),
  query: Query,
  unit: z
    .enum(["request", "session", "user", "task", "step"])
    .optional()
    .describe("What is counted, where it differs from the analysis."),
  tier: Tier.optional(),
  weight: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe("Share of the rollback budget relative to the other metrics. Default 3 for critical, 1 for required."),
  margin: ToleranceInput.optional(),
  guard: ToleranceInput.optional().describe("The smallest estimate that may roll back. Default: the margin."),
  catastrophic: ToleranceInput.optional().describe(
    "A critical metric proven worse than this rolls back at once, whatever the integrity alarms.",
  ),
  strict: z
    .boolean()
    .optional()
    .describe("Roll back only when worse than the margin is proven, not merely worse than the baseline."),
  minUnits: z
    .int()
    .min(5)
    .max(10_000_000)
    .optional()
    .describe("Units per arm before this metric may promote or use asymptotic evidence."),
  maxInvalidFraction: Amount.optional().describe(
    "Rows or steps that may lack a usable value before the metric is invalid. Default 0%.",
  ),
  worse: z.enum(["higher", "lower", "either"]).optional().describe("The direction in which worse lies."),
  history: HistoryInput.optional(),
  kayenta: KayentaSettings.optional().describe("For judge: kayenta, what it alone reads."),
};

const amountLimits = z
  .partialRecord(AmountStatistic, LimitInput)
  .optional()
  .describe("Limits for the candidate by statistic: { p95: { max: 4s } }.");
const tailMargin = z
  .string()
  .min(1)
  .max(64)
  .optional()
  .describe("Accepted growth of the share of values beyond the pooled 95th percentile. Default 25%.");
const components = z
  .array(z.enum(["body", "mean", "tail"]))
  .min(1)
  .refine((names) => new Set(names).size === names.length, "names a component twice")
  .optional()
  .describe(
    "What is compared. body: the typical value by ranks. mean: the mean. tail: the share beyond the pooled 95th percentile.",
  );
const perUnit = z.enum(["mean", "sum", "max", "min"]).optional().describe("How the rows of one unit become one value.");
const measurementUnit = z.string().min(1).max(32).optional().describe("What the values are measured in.");

const LatencyInput = z.strictObject({
  kind: z.literal("latency"),
  ...shared,
  measurementUnit: z
    .enum(["ns", "us", "ms", "s", "min", "h"])
    .optional()
    .describe("What the source returns. Default s."),
  limit: amountLimits,
  tailMargin,
  components,
  perUnit: perUnit.describe("Default mean."),
});
const ErrorsInput = z.strictObject({
  kind: z.literal("errors"),
  ...shared,
  limit: z
    .strictObject({ rate: LimitInput.optional(), burn: BurnInput.optional() })
    .optional()
    .describe("Limits for the candidate: its rate, { rate: { max: 2% } }, and how fast it uses up its error budget."),
});
const ScoreInput = z.strictObject({
  kind: z.literal("score"),
  ...shared,
  scale: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, "must be [lowest, highest] with lowest below highest")
    .describe("The lowest and the highest score that the judge can give. A value outside it is invalid."),
  superiorityMargin: z
    .number()
    .gt(0)
    .lt(0.5)
    .optional()
    .describe(
      "Accepted drop of P(candidate scores higher) + half P(equal) below 1/2. Default: the margin as a fraction of the scale.",
    ),
  limit: amountLimits,
  components: z
    .array(z.enum(["body", "mean"]))
    .min(1)
    .optional()
    .describe("Default both."),
  perUnit: perUnit.describe("Default mean."),
  calibration: z
    .enum(["required", "reported"])
    .optional()
    .describe(
      "How the judge's agreement with gold labels counts. required: without it the metric does not promote. reported (default): it is told.",
    ),
});
const CostInput = z.strictObject({
  kind: z.literal("cost"),
  ...shared,
  measurementUnit,
  limit: amountLimits,
  tailMargin,
  components,
  perUnit: perUnit.describe("Default sum."),
});
const GaugeInput = z.strictObject({
  kind: z.literal("gauge"),
  ...shared,
  measurementUnit,
  limit: amountLimits,
  perUnit: perUnit.describe("Default mean."),
});

export const MetricInput = z
  .discriminatedUnion("kind", [LatencyInput, ErrorsInput, ScoreInput, CostInput, GaugeInput], {
    error: (issue) => (issue.code === "invalid_union" ? "must be latency, errors, score, cost or gauge" : undefined),
  })
  .meta({ id: "MetricDocument" });
export type MetricInput = z.infer<typeof MetricInput>;

const budget = z.number().min(0.0001).max(0.5);

export const AnalysisDocument = z
  .strictObject({
    apiVersion: z.literal("touchstone/v1"),
    kind: z.literal("Analysis"),
    metadata: z.strictObject({ name: Name, description: z.string().max(2000).optional() }),
    spec: z.strictObject({
      unit: z
        .enum(["request", "session", "user", "task", "step"])
        .optional()
        .describe("What the statistics count and what routing assigns. Default request."),
      budgets: z
        .strictObject({
          rollback: budget.optional().describe("P(rollback | no harm). Default 0.05."),
          promote: budget.optional().describe("P(promote | harm at the margin). Default 0.05."),
        })
        .optional(),
      allocation: z
        .strictObject({ baseline: z.number().positive(), candidate: z.number().positive() })
        .optional()
        .describe(
          "How routing shares the units between the arms, as weights: { baseline: 95, candidate: 5 }. Given, a run whose units arrive in another ratio is paused.",
        ),
      judge: z
        .enum(["touchstone", "kayenta"])
        .optional()
        .describe(
          "kayenta: Kayenta's own judge with its faults, to compare before switching; margins, budgets and limits do not count then. Default touchstone.",
        ),
      kayenta: z
        .strictObject({
          pass: z.number().min(0).max(100),
          marginal: z.number().min(0).max(100),
          groupWeights: z
            .record(z.string().min(1).max(256), z.number())
            .optional()
            .describe("Percent per group of metrics; groups without one share what is left of 100."),
        })
        .refine(({ pass, marginal }) => marginal <= pass, { error: "must not be above pass", path: ["marginal"] })
        .optional()
        .describe("Score thresholds and weights of Kayenta's judge. Default pass 75, marginal 50."),
      familywise: z
        .boolean()
        .optional()
        .describe(
          "Rainbow: true spreads the rollback budget over the candidates, so that it holds for all together; by default it holds for each.",
        ),
      design: z
        .enum(["independent", "paired"])
        .optional()
        .describe(
          "independent (default): each unit meets one version. paired: the same items (tasks, prompts) were given to both, and each is compared with itself; for mode once, samples with unit ids.",
        ),
      superiority: z
        .array(Name)
        .max(100)
        .optional()
        .describe("Metrics that must be better, not merely safe, before a run promotes."),
      policy: z
        .enum(["any", "critical-only"])
        .optional()
        .describe("any (default): a required metric that is worse rolls back too. critical-only: it pauses."),
      plan: z
        .strictObject({
          mode: z
            .enum(["once", "scheduled", "continuous"], { error: "must be once, scheduled or continuous" })
            .describe(
              "once: one look at one window. scheduled: many looks until a known end, by alpha spending. continuous: valid at every look, without an end, by e-values.",
            ),
          duration: Duration.optional().describe(
            "once: length of the window that ends now, when a run names none. scheduled: how long the run may take. Default 30m.",
          ),
          maxDuration: Duration.optional().describe("continuous: when the run ends undecided. Default 7d."),
          minDuration: Duration.optional().describe(
            "No promotion before this much of the run has been seen. Default 0s.",
          ),
          every: Duration.optional().describe("scheduled and continuous: time between looks. Default 1m."),
          settle: Duration.optional().describe(
            "How long after the end of a window late samples still arrive. Default 60s.",
          ),
          warmup: Duration.optional().describe("Dropped from the start of the window, for both arms. Default 0s."),
          followUp: Duration.optional().describe(
            "scheduled and continuous: a unit enters by its first row and is frozen this long after. Default 0s.",
          ),
          step: Duration.optional().describe("Step of series, counters and histograms. Default 60s."),
          minUnits: z
            .int()
            .min(5)
            .max(10_000_000)
            .optional()
            .describe("Units per arm, for promotion and for asymptotic evidence. Default 30."),
          minSteps: z
            .int()
            .min(3)
            .max(100_000)
            .optional()
            .describe("The same for metrics whose unit is the step, in effective steps. Default 9."),
        })
        .optional(),
      args: z
        .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/), z.string().max(256).nullable())
        .optional()
        .describe("Arguments that queries use, with their defaults; null: every run must give it."),
      stages: z
        .array(StageInput)
        .min(1, "needs at least one stage")
        .max(20)
        .optional()
        .describe(
          "The stages of a rollout in their order. Declared, a run that belongs to a rollout must name one of them, and they share the rollback budget.",
        ),
      metrics: z.array(MetricInput).min(1, "needs at least one metric").max(100),
    }),
  })
  .meta({ id: "AnalysisDocument", title: "Touchstone analysis" });
export type AnalysisDocument = z.infer<typeof AnalysisDocument>;

const Tolerance = z.strictObject({ relative: z.number().nullable(), absolute: z.number().nullable() });

const Burn = z.strictObject({ objective: z.number(), longSeconds: z.number(), shortSeconds: z.number() });
export type Burn = z.infer<typeof Burn>;

const Limit = z.strictObject({
  statistic: z.enum(["mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "value", "rate", "burn"]),
  max: z.number().nullable(),
  min: z.number().nullable(),
  check: z.enum(["proven", "point"]),
  burn: Burn.optional().describe("Of the statistic burn, whose max is how many times faster than sustainable."),
});
export type Limit = z.infer<typeof Limit>;

const History = z.strictObject({
  stepDeviation: z.number().describe("A fraction where the margin is relative, else in the measurement unit."),
  runs: z.number(),
});
export type History = z.infer<typeof History>;

export const Component = z.enum(["body", "mean", "tail", "rate"]);
export type Component = z.infer<typeof Component>;

/** A metric with everything in force: what `touchstone validate` shows and what the judge reads. */
export const Metric = z
  .strictObject({
    name: Name,
    kind: z.enum(["latency", "errors", "score", "cost", "gauge"]),
    source: Name,
    query: Query,
    unit: z.enum(["request", "session", "user", "task", "step"]),
    measurementUnit: z.string().nullable(),
    worse: z.enum(["higher", "lower", "either"]),
    tier: Tier,
    weight: z.number(),
    margin: Tolerance,
    guard: Tolerance,
    catastrophic: Tolerance.nullable(),
    tailMargin: z
      .number()
      .describe("As a ratio less one: 0.25 lets the share beyond the pooled 95th percentile grow by a quarter."),
    superiorityMargin: z.number().nullable(),
    strict: z.boolean(),
    scale: z.tuple([z.number(), z.number()]).nullable(),
    components: z.array(Component),
    perUnit: z.enum(["mean", "sum", "max", "min"]),
    limits: z.array(Limit),
    minUnits: z.number(),
    maxInvalidFraction: z.number(),
    design: z.enum(["independent", "paired"]),
    calibration: z.enum(["required", "reported"]).nullable().describe("Of a score; null for other kinds."),
    history: History.optional().describe("Absent where none is given."),
    kayenta: KayentaSettings.optional(),
  })
  .meta({ id: "Metric" });
export type Metric = z.infer<typeof Metric>;

export const Analysis = z
  .strictObject({
    name: Name,
    description: z.string(),
    unit: z.enum(["request", "session", "user", "task", "step"]),
    budgets: z.strictObject({ rollback: z.number(), promote: z.number() }),
    policy: z.enum(["any", "critical-only"]),
    allocation: z.strictObject({ baseline: z.number(), candidate: z.number() }).nullable(),
    superiority: z.array(z.string()),
    familywise: z.boolean(),
    judge: z.enum(["touchstone", "kayenta"]),
    kayenta: z.strictObject({
      pass: z.number(),
      marginal: z.number(),
      groupWeights: z.record(z.string(), z.number()).optional(),
    }),
    plan: z.strictObject({
      mode: z.enum(["once", "scheduled", "continuous"]),
      durationSeconds: z.number().describe("Of the window; in continuous mode the longest a run may take."),
      minDurationSeconds: z.number(),
      everySeconds: z.number(),
      followUpSeconds: z.number(),
      settleSeconds: z.number(),
      warmupSeconds: z.number(),
      stepSeconds: z.number(),
      minUnits: z.number(),
      minSteps: z.number(),
    }),
    args: z.record(z.string(), z.string().nullable()),
    stages: z.array(Stage).optional().describe("Absent where none are declared."),
    metrics: z.array(Metric),
  })
  .meta({ id: "Analysis" });
export type Analysis = z.infer<typeof Analysis>;

/** Identifies what is in force: two documents that differ in comments or in spelled-out defaults have the same digest. */
export function analysisDigest(analysis: Analysis): string {
  return digestOf(analysis);
}
