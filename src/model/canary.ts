import { z } from "zod";
import { NUMBER } from "./amount.ts";
import { Instant } from "./time.ts";

/**
 * Kayenta's documents, in Kayenta's words: its *control* is our baseline, its *experiment* our candidate.
 *
 * Unknown keys stay, since its clients and its providers write keys of their own; null is the same as absent (`withoutNulls`).
 */

const EffectSize = z.looseObject({
  measure: z.string().optional(),
  allowedIncrease: z.number().optional(),
  allowedDecrease: z.number().optional(),
  criticalIncrease: z.number().optional(),
  criticalDecrease: z.number().optional(),
});

/** `metrics[].analysisConfigurations.canary`. Words that Kayenta does not know mean its default, as there. */
export const CanaryAnalysisConfiguration = z.looseObject({
  direction: z.string().optional(),
  nanStrategy: z.string().optional(),
  critical: z.boolean().optional(),
  mustHaveData: z.boolean().optional(),
  muted: z.boolean().optional(),
  outliers: z.looseObject({ strategy: z.string().optional(), outlierFactor: z.number().optional() }).optional(),
  effectSize: EffectSize.optional(),
});
export type CanaryAnalysisConfiguration = z.infer<typeof CanaryAnalysisConfiguration>;

export const CanaryMetric = z.looseObject({
  name: z.string(),
  scopeName: z.string().optional(),
  groups: z.array(z.string()).optional(),
  query: z
    .looseObject({
      type: z.string().optional(),
      metricName: z.string().optional(),
      resourceType: z.string().optional(),
      labelBindings: z.array(z.string()).optional(),
      groupByFields: z.array(z.string()).optional(),
      customInlineTemplate: z.string().optional(),
      customFilterTemplate: z.string().optional(),
      customFilter: z.string().optional(),
    })
    .optional(),
  analysisConfigurations: z.looseObject({ canary: CanaryAnalysisConfiguration.optional() }).optional(),
});
export type CanaryMetric = z.infer<typeof CanaryMetric>;

export const CanaryConfig = z
  .looseObject({
    id: z.string().optional(),
    name: z.string().optional(),
    description: z.string().optional(),
    configVersion: z.string().optional(),
    applications: z.array(z.string()).optional(),
    judge: z.looseObject({ name: z.string().optional() }).optional(),
    metrics: z.array(CanaryMetric).optional(),
    templates: z.record(z.string(), z.string()).optional(),
    classifier: z.looseObject({ groupWeights: z.record(z.string(), z.number()).optional() }).optional(),
    createdTimestamp: z.int().optional(),
    updatedTimestamp: z.int().optional(),
    createdTimestampIso: z.string().optional(),
    updatedTimestampIso: z.string().optional(),
  })
  .describe("A canary config of Kayenta's.")
  .meta({ id: "CanaryConfig" });
export type CanaryConfig = z.infer<typeof CanaryConfig>;

/** Some clients write numbers as text. */
const Numeric = z.union([z.number(), z.string().regex(NUMBER, "must be a number").transform(Number)], {
  error: "must be a number",
});

export const CanaryThresholds = z.looseObject({ pass: Numeric, marginal: Numeric });
export type CanaryThresholds = z.infer<typeof CanaryThresholds>;

/** What is in it is looked at by a loop, not by zod: there may be millions of points. */
const Points = z.array(z.unknown()).describe('Numbers, "NaN", "Infinity" or "-Infinity".');

const MetricSetScope = z.looseObject({
  startTimeMillis: z.number().optional(),
  stepMillis: z.number().positive().optional(),
});

/** The points of one metric on both sides, one per step. */
export const MetricSetPair = z.looseObject({
  name: z.string(),
  id: z.string().optional(),
  tags: z.record(z.string(), z.string()).optional(),
  values: z.looseObject({ control: Points, experiment: Points }),
  scopes: z.looseObject({ control: MetricSetScope.optional(), experiment: MetricSetScope.optional() }).optional(),
});
export type MetricSetPair = z.infer<typeof MetricSetPair>;

/** Body of `POST /judge`, as Kayenta's `RemoteJudge-v1.0` sends it. */
export const CanaryJudgeRequest = z
  .looseObject({
    canaryConfig: CanaryConfig,
    scoreThresholds: CanaryThresholds,
    metricSetPairList: z.array(MetricSetPair),
  })
  .meta({ id: "CanaryJudgeRequest" });
export type CanaryJudgeRequest = z.infer<typeof CanaryJudgeRequest>;

/** A number, or what JSON has no number for, as Kayenta writes it. */
export const WireNumber = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])]);
export type WireNumber = z.infer<typeof WireNumber>;

const SideMetadata = z.object({
  stats: z.object({
    min: WireNumber.optional(),
    max: WireNumber.optional(),
    mean: WireNumber.optional(),
    std: WireNumber.optional(),
    count: z.int(),
  }),
});

/** What Kayenta's judges answer, as it goes over the wire. */
export const CanaryJudgeResult = z
  .object({
    judgeName: z.string(),
    results: z.array(
      z.object({
        name: z.string(),
        id: z.string(),
        tags: z.record(z.string(), z.string()),
        classification: z.enum(["Pass", "High", "Low", "Nodata", "NodataFailMetric", "Error"]),
        classificationReason: z.string().optional(),
        groups: z.array(z.string()),
        experimentMetadata: SideMetadata,
        controlMetadata: SideMetadata,
        resultMetadata: z.object({ ratio: WireNumber }).optional(),
        critical: z.boolean(),
        muted: z.boolean(),
      }),
    ),
    groupScores: z.array(
      z.object({
        name: z.string(),
        score: WireNumber,
        classification: z.string(),
        classificationReason: z.string(),
      }),
    ),
    score: z.object({
      score: WireNumber,
      classification: z.enum(["Pass", "Marginal", "Fail"]),
      classificationReason: z.string(),
    }),
  })
  .meta({ id: "CanaryJudgeResult" });
export type CanaryJudgeResult = z.infer<typeof CanaryJudgeResult>;

/** Absent, empty or `auto`: Touchstone decides. */
const ScopeTime = z
  .union([Instant, z.literal(""), z.literal("auto")], { error: "must be a point in time as ISO 8601, empty or auto" })
  .optional()
  .transform((time) => (time === "" || time === "auto" ? undefined : time));

/** One arm, as the caller names it. Argo Rollouts before 1.9 says `region` where others say `location`. */
export const CanaryScope = z.looseObject({
  scope: z.string().min(1, "is empty").max(1024),
  location: z.string().max(256).optional(),
  region: z.string().max(256).optional(),
  start: ScopeTime,
  end: ScopeTime,
  step: Numeric.pipe(z.number().min(1).max(86_400)).optional(),
  extendedScopeParams: z.record(z.string(), z.coerce.string()).optional(),
});
export type CanaryScope = z.infer<typeof CanaryScope>;

export const CanaryScopePair = z.looseObject({ controlScope: CanaryScope, experimentScope: CanaryScope });
export type CanaryScopePair = z.infer<typeof CanaryScopePair>;

/** Body of `POST /canary/{canaryConfigId}`. */
export const CanaryExecutionRequest = z
  .looseObject({
    scopes: z.record(z.string(), CanaryScopePair).optional(),
    thresholds: CanaryThresholds.optional(),
  })
  .meta({ id: "CanaryExecutionRequest" });
export type CanaryExecutionRequest = z.infer<typeof CanaryExecutionRequest>;

const Minutes = Numeric.pipe(z.number().min(0).max(525_600)).optional();

/** Body of `POST /standalone_canary_analysis/{canaryConfigId}`. Times and step are those of the first scope. */
export const StandaloneRequest = z
  .looseObject({
    scopes: z
      .array(
        z.looseObject({
          scopeName: z.string().optional(),
          controlScope: z.string(),
          controlLocation: z.string().optional(),
          controlOffsetInMinutes: Minutes,
          experimentScope: z.string(),
          experimentLocation: z.string().optional(),
          startTimeIso: Instant.optional(),
          endTimeIso: Instant.optional(),
          step: Numeric.pipe(z.number().min(1).max(86_400)).optional(),
          extendedScopeParams: z.record(z.string(), z.coerce.string()).optional(),
        }),
      )
      .min(1, "Canary StageExecution configuration must contain at least one scope."),
    thresholds: CanaryThresholds.optional(),
    lifetimeDurationMins: Minutes,
    beginAfterMins: Minutes,
    lookbackMins: Minutes,
    analysisIntervalMins: Minutes,
  })
  .meta({ id: "StandaloneCanaryRequest" });
export type StandaloneRequest = z.infer<typeof StandaloneRequest>;

/** What a caller of Kayenta's API said of itself and of the accounts that it knows. */
export const CanaryCaller = z.object({
  application: z.string(),
  parentPipelineExecutionId: z.string().optional(),
  canaryConfigId: z.string().optional(),
  metricsAccountName: z.string().optional(),
  configurationAccountName: z.string().optional(),
  storageAccountName: z.string().optional(),
});
export type CanaryCaller = z.infer<typeof CanaryCaller>;

/** Which standalone canary analysis a run belongs to. */
export const StandaloneCanary = z.object({
  user: z.string(),
  n: z.int().min(1).describe("This run's place among the judgements."),
  runs: z.array(z.string()).describe("All of them, in their order."),
  request: z.looseObject({}).describe("As it was sent."),
});
export type StandaloneCanary = z.infer<typeof StandaloneCanary>;

/** What a run that was asked for in Kayenta's words has to remember of them. */
export const CanaryExecution = z
  .object({
    caller: CanaryCaller,
    config: CanaryConfig,
    request: z.looseObject({}).describe("As it was sent, with the times and the step that were taken."),
    thresholds: z.object({ pass: z.number(), marginal: z.number() }),
    standalone: StandaloneCanary.optional(),
  })
  .meta({ id: "CanaryExecution" });
export type CanaryExecution = z.infer<typeof CanaryExecution>;

/** The same value without keys that are null, at any depth of objects and arrays. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}

/** One question to a metrics account, as `POST /fetch/prometheus/query` of Kayenta's puts it. */
export const MetricSetQuestion = z.strictObject({
  account: z.string().optional(),
  name: z.string().max(256),
  metricName: z.string().min(1).max(1000),
  scope: z.string().max(1000),
  location: z.string().max(256),
  start: Instant,
  end: Instant,
  step: z.int().min(1).max(86_400),
  resourceType: z.string().max(256).optional(),
  labelBindings: z.array(z.string().max(1000)).max(100),
  groupByFields: z.array(z.string().max(256)).max(100),
  template: z.string().max(8000).optional(),
});
export type MetricSetQuestion = z.infer<typeof MetricSetQuestion>;
