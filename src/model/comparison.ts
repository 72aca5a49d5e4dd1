import { z } from "zod";
import { Component } from "./analysis.ts";
import { Effect, Reason } from "./finding.ts";

/** What is proven about two candidates of a rainbow run in one metric, of `version` against `against`. */
export const MetricComparison = z
  .object({
    metric: z.string(),
    measurementUnit: z.string().nullable(),
    finding: z
      .enum(["better", "worse", "different", "equivalent", "unclear"])
      .describe(
        "better, worse: a difference is proven, however small. different: the same, where the metric has no worse direction. equivalent: no difference is proven, and none beyond the margin is left. unclear: none of these.",
      ),
    withinMargin: z.boolean().describe("The whole difference is proven to be smaller than the margin."),
    component: Component.nullable().describe("The part of the metric that `effect` is of."),
    effect: Effect.nullable().describe(
      "`version` less `against`. The intervals of all pairs and metrics hold together.",
    ),
    advantage: z
      .number()
      .nullable()
      .describe(
        "How far `version` is ahead, in margins, averaged over the parts of the metric; below 0 it is behind. An estimate, no proof. Null without evidence.",
      ),
    reason: Reason.nullable().describe("Why the two could not be compared in this metric."),
  })
  .meta({ id: "MetricComparison" });
export type MetricComparison = z.infer<typeof MetricComparison>;

/** Two candidates of a rainbow run against each other. */
export const CandidatePair = z
  .object({
    version: z.string().describe("Label; the one that stands later in `candidates`."),
    against: z.string().describe("Label; the earlier one."),
    finding: z
      .enum(["better", "worse", "equivalent", "trade_off", "unclear"])
      .describe(
        "better: `version` is proven better in at least one metric and worse in none, and none lacks evidence; worse: the reverse. trade_off: better in one metric and worse in another. equivalent: in every metric.",
      ),
    metrics: z.array(MetricComparison).describe("Critical and required metrics."),
    text: z.string().describe("One sentence with the numbers."),
  })
  .meta({ id: "CandidatePair" });
export type CandidatePair = z.infer<typeof CandidatePair>;

/** The candidates of a rainbow run against each other. No verdict comes from it. */
export const Comparisons = z
  .object({
    look: z.int().describe("The look that this is from: the latest one that brought a verdict."),
    error: z
      .number()
      .describe(
        "P(any difference is claimed that is not there), over all pairs, metrics and looks together; and the same for equivalence.",
      ),
    pairs: z.array(CandidatePair).describe("Those that have a verdict other than rollback, each with each."),
    unbeaten: z
      .array(z.string())
      .describe("Labels of the promoted candidates that no other promoted one is proven better than."),
    text: z.string().describe("Which is the best of the safe ones, in one sentence."),
  })
  .meta({ id: "Comparisons" });
export type Comparisons = z.infer<typeof Comparisons>;
