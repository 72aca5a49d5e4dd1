import type { Verdict } from "../model/finding.ts";
import { classify, type MetricEvidence, type MetricLabel } from "./classify.ts";
import { resolveConfiguration, type KayentaMetric } from "./metric.ts";
import { scoreMetrics, type GroupScore, type KayentaThresholds, type Score, type ScoreLabel } from "./score.ts";
import { summarize, type KayentaStatistics } from "./statistics.ts";
import { transformPoints } from "./transform.ts";

export interface KayentaOptions {
  /** Percent per group; groups without one share what is left of 100. */
  readonly groupWeights?: Readonly<Record<string, number>>;
  readonly thresholds?: KayentaThresholds;
}

/** What Kayenta answers (`CanaryJudgeResult`), what it means in our words, and what it keeps to itself. */
export interface KayentaResult {
  readonly judgeResult: CanaryJudgeResult;
  /** Pass promotes, Marginal pauses, Fail rolls back. */
  readonly verdict: Verdict;
  /**
   * Metrics, not muted, that Kayenta could not judge for want of data or because its test failed. It may promote or roll
   * back all the same; who holds to "missing evidence never promotes and never rolls back" pauses when this is not empty.
   */
  readonly missing: readonly string[];
  /** In the order of the metrics. */
  readonly evidence: readonly (MetricEvidence | null)[];
}

export interface CanaryJudgeResult {
  readonly judgeName: string;
  readonly results: readonly CanaryAnalysisResult[];
  readonly groupScores: readonly GroupScore[];
  readonly score: Score;
}

export interface CanaryAnalysisResult {
  readonly name: string;
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly classification: MetricLabel;
  readonly classificationReason: string | null;
  readonly groups: readonly string[];
  readonly experimentMetadata: { readonly stats: KayentaStatistics };
  readonly controlMetadata: { readonly stats: KayentaStatistics };
  /** The ratio is NaN when a mean is 0 (Kayenta writes the string "NaN" to JSON); null when the test failed. */
  readonly resultMetadata: { readonly ratio: number } | null;
  readonly critical: boolean;
  readonly muted: boolean;
}

export const KAYENTA_JUDGE_NAME = "NetflixACAJudge-v1.0";

/** What Spinnaker's canary stage uses when it names none. */
export const DEFAULT_THRESHOLDS: KayentaThresholds = { pass: 75, marginal: 50 };

const VERDICTS: Readonly<Record<ScoreLabel, Verdict>> = { Pass: "promote", Marginal: "pause", Fail: "rollback" };

/**
 * Judges as Kayenta's `NetflixACAJudge-v1.0` does, faults included; docs/kayenta-judge.md lists both.
 *
 * Pure, where Kayenta is not: constants get their noise from a fixed seed.
 *
 * @throws RangeError when outliers are to be removed with a factor that is not positive.
 */
export function judgeByKayenta(metrics: readonly KayentaMetric[], options: KayentaOptions = {}): KayentaResult {
  const judged = metrics.map(judgeMetric);
  const results = judged.map(({ result }) => result);
  const missing = judged.filter(({ result, isMissing }) => isMissing && !result.muted).map(({ result }) => result.name);
  const counted = results.filter(({ muted }) => !muted);
  const { score, groupScores } = scoreMetrics(
    counted,
    options.groupWeights ?? {},
    options.thresholds ?? DEFAULT_THRESHOLDS,
  );
  return {
    judgeResult: { judgeName: KAYENTA_JUDGE_NAME, results, groupScores, score },
    verdict: VERDICTS[score.classification],
    missing: [...new Set(missing)],
    evidence: judged.map(({ evidence }) => evidence),
  };
}

interface JudgedMetric {
  readonly result: CanaryAnalysisResult;
  readonly evidence: MetricEvidence | null;
  readonly isMissing: boolean;
}

function judgeMetric(metric: KayentaMetric): JudgedMetric {
  const { name, id = name, tags = {}, groups } = metric;
  const configuration = resolveConfiguration(metric.analysisConfiguration);
  const experiment = transformPoints(metric.experiment, configuration);
  const control = transformPoints(metric.control, configuration);
  const { classification, reason, ratio, critical, evidence } = classify(name, experiment, control, configuration);
  const result: CanaryAnalysisResult = {
    name,
    id,
    tags,
    classification,
    classificationReason: reason,
    groups,
    experimentMetadata: { stats: summarize(experiment) },
    controlMetadata: { stats: summarize(control) },
    resultMetadata: ratio === null ? null : { ratio },
    critical,
    muted: configuration.muted,
  };
  // Asked of the points as they came: `replace` turns a side without any into zeros, which pass.
  const isMissing = classification === "Error" || hasNoPoint(metric.experiment) || hasNoPoint(metric.control);
  return { result, evidence, isMissing };
}

function hasNoPoint(points: ArrayLike<number>): boolean {
  for (let step = 0; step < points.length; step++) if (!Number.isNaN(points[step])) return false;
  return true;
}
