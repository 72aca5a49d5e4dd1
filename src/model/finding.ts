import { z } from "zod";
import { Component } from "./analysis.ts";

export const Verdict = z.enum(["promote", "rollback", "pause"]).meta({ id: "Verdict" });
export type Verdict = z.infer<typeof Verdict>;

/** What a look decides: a verdict, or that more evidence is needed while there is time. */
export const Decision = z.enum(["promote", "rollback", "pause", "continue"]).meta({ id: "Decision" });
export type Decision = z.infer<typeof Decision>;

/** The closed list of reasons. Every `pause` has at least one. */
export const REASONS = {
  critical_metric_catastrophic: "a critical metric is proven worse than its catastrophic level",
  critical_limit_breached: "a critical metric is proven beyond its limit",
  critical_metric_worse: "a critical metric is worse",
  required_metric_worse: "a required metric is worse",
  required_limit_breached: "a required metric is proven beyond its limit",
  worse_under_critical_only:
    "a required metric is worse or beyond its limit, and the policy lets only critical metrics roll back",
  baseline_beyond_limit: "the baseline lies beyond the limit too, so the candidate cannot be blamed alone",
  limit_not_proven: "a limit is neither proven to hold nor proven to be breached",
  not_proven_safe: "a metric is neither proven safe nor proven worse",
  no_data: "an arm has no data",
  too_few_units: "an arm has too few units",
  invalid: "an arm holds values that are not values",
  source_error: "a source failed",
  scale_mismatch: "the arms differ in scale as if measured in different measurement units",
  bucket_mismatch: "the histograms of the arms have different buckets",
  shape_changed: "the distribution moved towards worse beyond the margin",
  arms_identical: "both arms hold the very same values, so one of them is not what it says",
  sample_ratio_mismatch:
    "the units arrive in another ratio than routing is configured for, so who is missing is not missing by chance",
  units_in_both_arms: "units were in both arms, so neither arm shows what one version does",
  baseline_unhealthy: "the baseline itself is proven beyond a critical limit",
  baseline_suspect: "all candidates moved the same way, so it may be the baseline that is unusual",
  mix_shift: "the arms see another mix of strata than adjusting can make good",
  missingness_differs: "more values are missing in one arm than in the other",
  conflicting: "one part of the metric is proven worse and another is better by as much",
  not_concurrent: "the arms were measured at times far apart, so that what changed in between changed one of them only",
  stale: "an arm has stopped to report",
  late_data:
    "steps that were judged before have changed since, so that data was still arriving and the newest may be incomplete",
  partial: "one arm lacks steps that the other has",
  unpaired: "too many items were met by one version only, so that they cannot be compared with themselves",
  instrument_changed: "the values were not all measured by the same instrument, for example by another judge model",
  judge_uncalibrated: "the analysis asks for a judge that agrees with people, and that is not shown",
  not_better: "the analysis asks for better, and only safe is proven",
  too_early: "the shortest time that the analysis asks for has not passed",
  kayenta_score: "Kayenta's score and what it makes of it",
  kayenta_metric: "what Kayenta's judge says of one metric",
  not_testable: "this shape of data cannot answer the question",
  all_safe: "every critical and required metric is safe and every limit holds",
} as const;
export type ReasonCode = keyof typeof REASONS;

export const Reason = z
  .object({
    code: z.enum(Object.keys(REASONS) as [ReasonCode, ...ReasonCode[]]),
    metric: z.string().nullable(),
    text: z.string().describe("One sentence with the numbers."),
  })
  .meta({ id: "Reason" });
export type Reason = z.infer<typeof Reason>;

const PerArm = <T extends z.ZodType>(inner: T) => z.object({ baseline: inner, candidate: inner });

const finite = z.number();

/** An effect is candidate minus baseline, so that its sign says where the candidate went; the margin is the accepted worsening, unsigned. */
export const Effect = z
  .object({
    estimate: finite,
    lower: finite.nullable().describe("Bound of the interval that decides; null where the data give none."),
    upper: finite.nullable(),
    scale: z
      .enum(["relative", "difference", "points", "fraction", "superiority"])
      .describe(
        "relative: candidate/baseline − 1. difference: in the metric's measurement unit. points: on the scale of a score. fraction: of errors. superiority: P(candidate larger) + half P(equal) − 1/2.",
      ),
    margin: finite,
  })
  .meta({ id: "Effect" });
export type Effect = z.infer<typeof Effect>;

export const ComponentFinding = z
  .object({
    component: Component,
    method: z.string().describe("How it was tested."),
    effect: Effect,
    guard: finite,
    pWorse: finite.describe("One-sided p-value of no harm."),
    pUnsafe: finite.describe("One-sided p-value of harm at the margin or beyond: small means safe."),
    alphaWorse: finite.describe("This component's share of the rollback budget, over all looks."),
    alphaSafe: finite.describe("The promote budget, over all looks."),
    levelWorse: finite
      .nullable()
      .describe(
        "Worse is proven at p-values up to here, at this look; null where this look was not tested. Where an e-value decides, only the interval is drawn at this level.",
      ),
    levelSafe: finite.nullable(),
    eWorse: finite
      .optional()
      .describe(
        "Exact e-value against no harm, over all looks so far: worse is proven where it reaches 1 / alphaWorse. Only where it decides.",
      ),
    eSafe: finite
      .optional()
      .describe(
        "Exact e-value against harm at the margin or beyond, over all looks so far: safe is proven where it reaches 1 / alphaSafe.",
      ),
    safeSince: z.int().nullable().describe("The look at which safety was first proven."),
    worse: z.boolean(),
    safe: z.boolean(),
    better: z.boolean(),
    gained: z.boolean().describe("Beside a component that is worse: the estimate is better by at least the guard."),
    catastrophic: z.boolean(),
  })
  .meta({ id: "ComponentFinding" });
export type ComponentFinding = z.infer<typeof ComponentFinding>;

export const TestResult = z
  .object({
    test: z.enum(["mann-whitney", "kolmogorov-smirnov", "threshold", "wilcoxon-signed-rank", "mcnemar"]),
    statistic: finite,
    superiority: finite.optional(),
    pValueNominal: finite.describe("Two-sided, as if this were the only look and the only metric."),
    method: z.string(),
  })
  .meta({ id: "TestResult" });
export type TestResult = z.infer<typeof TestResult>;

const BurnWindow = z
  .object({
    seconds: finite.describe("Its length."),
    coveredSeconds: finite.describe("How much of that the run has seen so far."),
    candidate: finite
      .nullable()
      .describe("How many times faster than sustainable the error budget was used up in it; null without events."),
    baseline: finite.nullable(),
  })
  .meta({ id: "BurnWindow" });

export const LimitFinding = z
  .object({
    statistic: z.string(),
    side: z.enum(["max", "min"]),
    limit: finite,
    check: z.enum(["proven", "point"]),
    candidate: finite.nullable().describe("The candidate's value of the statistic."),
    baseline: finite.nullable(),
    state: z.enum(["breached", "holds", "open", "baseline_breached"]),
    pBreached: finite.nullable().describe("One-sided p-value of not being beyond the limit."),
    pHolds: finite.nullable().describe("One-sided p-value of being at the limit or beyond."),
    alphaBreached: finite.nullable(),
    alphaHolds: finite.nullable(),
    levelBreached: finite.nullable().describe("The claim is made at p-values up to here, at this look."),
    levelHolds: finite.nullable(),
    baselineProvenBeyond: z.boolean().describe("The baseline by itself is proven beyond the limit."),
    burn: z
      .object({ objective: finite, long: BurnWindow, short: BurnWindow })
      .optional()
      .describe("Of the statistic burn: what is proven of the long window, and what the short one shows."),
  })
  .meta({ id: "LimitFinding" });
export type LimitFinding = z.infer<typeof LimitFinding>;

export const ArmSummary = z
  .object({
    rows: z.int().describe("Rows, steps or observations as the source returned them."),
    invalid: z.int().describe("Of those, how many had no usable value."),
    mean: finite.nullable(),
    p50: finite.nullable(),
    p95: finite.nullable(),
  })
  .meta({ id: "ArmSummary" });
export type ArmSummary = z.infer<typeof ArmSummary>;

export const Flip = z
  .object({ unit: z.string(), baseline: finite, candidate: finite })
  .describe("An item that the two versions answered differently.")
  .meta({ id: "Flip" });
export type Flip = z.infer<typeof Flip>;

export const Example = z
  .object({
    unit: z.string().nullable(),
    value: finite,
    traceUrl: z.string().describe("As the source gave it."),
  })
  .describe("A candidate unit that shows the harm, with the trace to look at.")
  .meta({ id: "Example" });
export type Example = z.infer<typeof Example>;

export const Finding = z
  .object({
    metric: z.string(),
    kind: z.enum(["latency", "errors", "score", "cost", "gauge"]),
    tier: z.enum(["critical", "required", "advisory"]),
    finding: z.enum(["worse", "safe", "better", "unclear", "no_data", "invalid", "source_error"]),
    shape: z.enum(["samples", "series", "counts", "histogram"]).nullable(),
    unit: z.string(),
    measurementUnit: z.string().nullable(),
    effect: Effect.nullable().describe("Of the component that decided, or the first one."),
    components: z.array(ComponentFinding),
    limits: z.array(LimitFinding),
    tests: z.array(TestResult),
    units: PerArm(finite).nullable(),
    effectiveUnits: PerArm(finite)
      .nullable()
      .describe("Units that independent data would need for the same precision."),
    arms: PerArm(ArmSummary).nullable(),
    confidence: finite.nullable().describe("One-sided confidence that the metric lies within its margin, 0 to 1."),
    reasons: z.array(Reason),
    blocksPromotion: z
      .boolean()
      .describe("Something other than its own evidence keeps this metric from promoting; the reasons say what."),
    warnings: z.array(z.string()),
    flips: z
      .array(Flip)
      .nullable()
      .describe("Of a paired errors or score metric: items that changed, worse ones first; at most 20."),
    examples: z
      .array(Example)
      .nullable()
      .describe("Of a metric that is worse and has trace links: the candidate's worst units, at most 5."),
    forecast: z
      .object({
        units: finite
          .nullable()
          .describe(
            "More units per arm that would probably prove the metric safe if nothing changes; null if none would.",
          ),
        minutes: finite
          .nullable()
          .describe(
            "How long these units would take at the rate of the scarcer arm so far; null where the run has one look.",
          ),
        detectable: finite
          .nullable()
          .describe(
            "Smallest worsening that this evidence would find four times out of five, on the scale of the effect.",
          ),
      })
      .nullable(),
  })
  .meta({ id: "Finding" });
export type Finding = z.infer<typeof Finding>;
