import { digestEvidence } from "../judge/evidence-digest.ts";
import { formatNumber } from "../judge/format.ts";
import type { ArmAnswer, Gathered } from "../judge/gathered.ts";
import type { Judged } from "../judge/judge.ts";
import { reportHead } from "../judge/report-head.ts";
import type { Metric } from "../model/analysis.ts";
import type { Finding, Reason } from "../model/finding.ts";
import type { LookState } from "../model/look-state.ts";
import type { Report, Run } from "../model/run.ts";
import type { Samples } from "../model/samples.ts";
import { epochSeconds, type Instant } from "../model/time.ts";
import { judgeByKayenta, type CanaryAnalysisResult, type KayentaResult } from "./judge.ts";
import { kayentaGroupWeightsOf, kayentaMetricOf } from "./metric-of.ts";
import { toWireResult } from "./wire.ts";

/**
 * A run whose analysis says `judge: kayenta`: the same gathering and the same report, judged by Kayenta's rules. One promise of ours holds all the same: missing
 * evidence neither promotes nor rolls back, it pauses.
 */
export function judgeRunByKayenta(
  run: Run,
  gathered: readonly Gathered[],
  previous: LookState | null,
  now: Instant,
): Judged {
  const { analysis } = run;
  const metrics = gathered.map(({ metric, baseline, candidate }) =>
    kayentaMetricOf(
      metric,
      { baseline: samplesOf(baseline), candidate: samplesOf(candidate) },
      { stepSeconds: analysis.plan.stepSeconds, expectedSteps: stepsOfWindow(run) },
    ),
  );
  const result = judgeByKayenta(metrics, {
    groupWeights: kayentaGroupWeightsOf(analysis),
    thresholds: analysis.kayenta,
  });
  const verdict = result.missing.length > 0 ? "pause" : result.verdict;
  const score = Number.isFinite(result.judgeResult.score.score) ? result.judgeResult.score.score : null;
  const reasons = reasonsOf(result, score, gathered);
  const n = (previous?.looks ?? 0) + 1;
  const digest = digestEvidence(previous?.digest ?? null, gathered);
  const report: Report = {
    ...reportHead(run, { n, at: now }, verdict, digest),
    candidate: run.candidate,
    summary: `${verdict}: ${reasons[0]?.text ?? ""}`,
    reasons,
    findings: gathered.map(({ metric }, index) => toFinding(metric, result, index)),
    score,
    worstMetric: null,
    budgets: analysis.budgets,
    kayenta: toWireResult(result.judgeResult),
  };
  return { report, state: { v: 2, looks: n, metrics: {}, digest, sampleRatio: null }, nextAt: null };
}

function stepsOfWindow({ window, analysis: { plan } }: Run): number {
  if (window === null) return 0;
  return Math.floor((epochSeconds(window.end) - epochSeconds(window.start)) / plan.stepSeconds);
}

function samplesOf(arm: ArmAnswer): Samples | null {
  return arm.kind === "answer" ? arm.answer.samples : null;
}

function reasonsOf(result: KayentaResult, score: number | null, gathered: readonly Gathered[]): Reason[] {
  const { classification, classificationReason } = result.judgeResult.score;
  const missing = result.missing.map((name): Reason => {
    const one = gathered[result.judgeResult.results.findIndex((metric) => metric.name === name)];
    const failed = [one?.candidate, one?.baseline].find((arm) => arm?.kind === "error");
    return failed?.kind === "error"
      ? { code: "source_error", metric: one?.metric.name ?? name, text: `${name}: ${failed.detail} (${failed.code})` }
      : {
          code: "no_data",
          metric: one?.metric.name ?? name,
          text: `${name}: an arm has no data, or Kayenta's test failed`,
        };
  });
  const why = classificationReason === "" ? "" : `; ${classificationReason}`;
  return [
    ...missing,
    {
      code: "kayenta_score",
      metric: null,
      text: `Kayenta's score is ${score === null ? "not a number" : formatNumber(score)} (${classification})${why}`,
    },
    ...result.judgeResult.results.flatMap((one, index): Reason[] =>
      one.classification === "Pass"
        ? []
        : [{ code: "kayenta_metric", metric: gathered[index]?.metric.name ?? one.name, text: textOf(one) }],
    ),
  ];
}

function textOf({ name, classification, classificationReason }: CanaryAnalysisResult): string {
  return `${name}: ${classification}${classificationReason === null ? "" : ` (${classificationReason})`}`;
}

function toFinding(metric: Metric, { judgeResult, missing }: KayentaResult, index: number): Finding {
  const result = judgeResult.results[index];
  const label = result?.classification ?? "Nodata";
  const finding = missing.includes(result?.name ?? metric.name)
    ? "no_data"
    : label === "Pass"
      ? "safe"
      : label === "High" || label === "Low"
        ? "worse"
        : "unclear";
  return {
    metric: metric.name,
    kind: metric.kind,
    tier: metric.tier,
    finding,
    shape: null,
    unit: "step",
    measurementUnit: metric.measurementUnit,
    effect: null,
    components: [],
    limits: [],
    tests: [],
    units: {
      baseline: result?.controlMetadata.stats.count ?? 0,
      candidate: result?.experimentMetadata.stats.count ?? 0,
    },
    effectiveUnits: null,
    arms: null,
    confidence: null,
    reasons: result === undefined ? [] : [{ code: "kayenta_metric", metric: metric.name, text: textOf(result) }],
    blocksPromotion: false,
    warnings: [],
    flips: null,
    examples: null,
    forecast: null,
  };
}
