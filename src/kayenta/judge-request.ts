import { judge } from "../judge/judge.ts";
import type { ArmAnswer, Gathered } from "../judge/gathered.ts";
import type { Issue } from "../errors.ts";
import type { AnalysisDocument, MetricInput } from "../model/analysis.ts";
import {
  CanaryJudgeRequest,
  withoutNulls,
  type CanaryJudgeResult,
  type CanaryMetric,
  type MetricSetPair,
} from "../model/canary.ts";
import { toIssues } from "../model/issues.ts";
import { resolveAnalysis } from "../model/resolve-analysis.ts";
import type { Run } from "../model/run.ts";
import { toInstant } from "../model/time.ts";
import { judgeNamed } from "./judge-name.ts";
import { judgeByKayenta } from "./judge.ts";
import { configurationOf, fieldsOf, policyOf } from "./metric-fields.ts";
import { metricNames } from "./metric-names.ts";
import { resultOfFindings } from "./result-of-findings.ts";
import { summarize } from "./statistics.ts";
import { readWireNumber, toWireResult, toWireStatistics } from "./wire.ts";

/**
 * Judges metric sets that somebody else has gathered: what Kayenta's `RemoteJudge-v1.0` asks for. Pure.
 *
 * A config whose judge is `NetflixACAJudge-v1.0` is judged by Kayenta's rules, missing data and faults included; any other by Touchstone's, which takes the points as a
 * series per step.
 *
 * @param body  parsed JSON of a `CanaryJudgeRequest`; numbers that JSON has none for as "NaN", "Infinity", "-Infinity".
 * @returns the answer, or every fault in the request with its JSON pointer.
 */
export function judgeCanary(body: unknown): { result: CanaryJudgeResult } | { issues: Issue[] } {
  const parsed = CanaryJudgeRequest.safeParse(withoutNullKeys(body));
  if (!parsed.success) return { issues: toIssues(parsed.error) };
  const { canaryConfig, metricSetPairList } = parsed.data;
  const judgeName = canaryConfig.judge?.name;
  const named = judgeNamed(judgeName);
  const issues: Issue[] = [];
  if (named === null)
    issues.push({ pointer: "/canaryConfig/judge/name", detail: `Unable to resolve judge ${judgeName}.` });
  if (metricSetPairList.length === 0) issues.push({ pointer: "/metricSetPairList", detail: "is empty" });
  const pairs = metricSetPairList.flatMap((pair, index) => readPair(pair, index, parsed.data, issues));
  if (named === null || issues.length > 0) return { issues };
  return named === "kayenta" ? judgeAsKayenta(parsed.data, pairs) : judgeAsTouchstone(parsed.data, pairs);
}

/** The points of one metric, and how the config wants them judged. */
interface Pair {
  readonly pair: MetricSetPair;
  readonly metric: CanaryMetric;
  readonly experiment: Float64Array;
  readonly control: Float64Array;
}

/** Lists of points hold no null that could be left out, and are long: they stay as they are. */
function withoutNullKeys(body: unknown): unknown {
  if (body === null || typeof body !== "object" || !("canaryConfig" in body)) return body;
  return { ...body, canaryConfig: withoutNulls(body.canaryConfig) };
}

function readPair(pair: MetricSetPair, index: number, { canaryConfig }: CanaryJudgeRequest, issues: Issue[]): Pair[] {
  const metric = canaryConfig.metrics?.find(({ name }) => name === pair.name);
  if (metric === undefined) {
    const detail = `Could not find metric config for ${pair.name}`;
    issues.push({ pointer: `/metricSetPairList/${index}/name`, detail });
    return [];
  }
  const [experiment, control] = (["experiment", "control"] as const).map((side) =>
    readPoints(pair.values[side], `/metricSetPairList/${index}/values/${side}`, issues),
  ) as [Float64Array, Float64Array];
  return [{ pair, metric, experiment, control }];
}

/** The first fault is told; a list of the wrong kind has as many as points. */
function readPoints(values: readonly unknown[], pointer: string, issues: Issue[]): Float64Array {
  const points = new Float64Array(values.length);
  for (const [step, value] of values.entries()) {
    const point = readWireNumber(value);
    if (point === null) {
      const shown = JSON.stringify(value).slice(0, 40);
      issues.push({ pointer: `${pointer}/${step}`, detail: `is ${shown}, not a number, "NaN" or "Infinity"` });
      return points;
    }
    points[step] = point;
  }
  return points;
}

function judgeAsKayenta(
  { canaryConfig, scoreThresholds }: CanaryJudgeRequest,
  pairs: readonly Pair[],
): { result: CanaryJudgeResult } | { issues: Issue[] } {
  const issues = pairs.flatMap(({ metric, pair }): Issue[] => {
    const { outliers } = configurationOf(metric);
    if (outliers?.strategy !== "remove" || outliers.outlierFactor === undefined || outliers.outlierFactor > 0)
      return [];
    return [{ pointer: "/canaryConfig/metrics", detail: `the outlierFactor of ${pair.name} must be above 0` }];
  });
  if (issues.length > 0) return { issues };
  const { judgeResult } = judgeByKayenta(
    pairs.map(({ pair, metric, experiment, control }) => ({
      name: pair.name,
      id: pair.id,
      tags: pair.tags,
      experiment,
      control,
      groups: metric.groups ?? [],
      analysisConfiguration: configurationOf(metric),
    })),
    { groupWeights: canaryConfig.classifier?.groupWeights, thresholds: scoreThresholds },
  );
  return { result: toWireResult(judgeResult) };
}

const BASELINE = { label: "control" };
const CANDIDATE = { label: "experiment" };

function judgeAsTouchstone(
  { canaryConfig, scoreThresholds }: CanaryJudgeRequest,
  pairs: readonly Pair[],
): { result: CanaryJudgeResult } | { issues: Issue[] } {
  const names = metricNames(pairs.map(({ pair: { name, tags = {} } }) => [name, ...Object.values(tags)].join("-")));
  const metrics = pairs.map(({ metric }, index): MetricInput => {
    const { fields } = fieldsOf(metric, canaryConfig);
    return { name: names[index] ?? "", source: "kayenta", query: { series: "metric sets" }, ...fields } as MetricInput;
  });
  const stepSeconds = Math.max(1, ...pairs.map(({ pair }) => stepSecondsOf(pair, "control")));
  const document: AnalysisDocument = {
    apiVersion: "touchstone/v1",
    kind: "Analysis",
    metadata: { name: "remote-judge" },
    spec: { unit: "step", policy: policyOf(metrics), plan: { mode: "once", step: `${stepSeconds}s` }, metrics },
  };
  const resolved = resolveAnalysis(document);
  if ("issues" in resolved) return { issues: resolved.issues.map((issue) => ({ ...issue, pointer: "/canaryConfig" })) };
  const { analysis } = resolved;
  const gathered = analysis.metrics.map((metric, index): Gathered => {
    const pair = pairs[index];
    if (pair === undefined) throw new RangeError(`no pair for ${metric.name}`);
    return { metric, baseline: toAnswer(pair, "control"), candidate: toAnswer(pair, "experiment") };
  });
  const run: Run = {
    id: "remote-judge",
    analysis,
    analysisDigest: "",
    baseline: BASELINE,
    candidate: CANDIDATE,
    window: null,
    args: {},
    rollout: null,
  };
  // Without a window the report hangs on the points alone, whatever the time of the look.
  const { report } = judge(run, gathered, null, toInstant(0));
  const named = report.findings.map((finding, index) => {
    const { pair, metric, experiment, control } = pairs[index];
    const { name, id = name, tags = {} } = pair;
    const stats = { experiment: statisticsOf(experiment), control: statisticsOf(control) };
    return { name, id, tags, groups: metric.groups ?? [], finding, stats };
  });
  const { summary, verdict } = report;
  return { result: resultOfFindings(named, { verdict: verdict ?? "pause", summary }, scoreThresholds) };
}

function statisticsOf(points: Float64Array) {
  return toWireStatistics(summarize(points.filter((point) => !Number.isNaN(point))));
}

function stepSecondsOf({ scopes }: MetricSetPair, side: "control" | "experiment"): number {
  return (scopes?.[side]?.stepMillis ?? 60_000) / 1000;
}

/** NaN is a step without a value, or a 0 where the config says so; an infinity is a fault. */
function toAnswer({ pair, metric, ...sides }: Pair, side: "control" | "experiment"): ArmAnswer {
  const isReplaced = configurationOf(metric).nanStrategy === "replace";
  const stepSeconds = stepSecondsOf(pair, side);
  const start = (pair.scopes?.[side]?.startTimeMillis ?? 0) / 1000;
  const at: number[] = [];
  const values: number[] = [];
  let infinite = 0;
  for (const [step, point] of sides[side].entries()) {
    const value = isReplaced && Number.isNaN(point) ? 0 : point;
    if (Number.isNaN(value)) continue;
    if (!Number.isFinite(value)) {
      infinite += 1;
      continue;
    }
    at.push(start + step * stepSeconds);
    values.push(value);
  }
  return {
    kind: "answer",
    answer: {
      samples: { shape: "series", stepSeconds, at: Float64Array.from(at), values: Float64Array.from(values) },
      faults: infinite === 0 ? [] : [{ kind: "infinite", count: infinite, example: "Infinity" }],
      warnings: [],
    },
  };
}
