import { labelOf } from "../../kayenta/score.ts";
import { TOUCHSTONE_JUDGE_NAME } from "../../kayenta/judge-name.ts";
import { resultOfFindings } from "../../kayenta/result-of-findings.ts";
import { scoreOfVerdict } from "../../kayenta/verdict-score.ts";
import type { CanaryExecution, CanaryJudgeResult } from "../../model/canary.ts";
import type { Verdict } from "../../model/finding.ts";
import { Report } from "../../model/run.ts";
import { epochSeconds, type Instant } from "../../model/time.ts";
import type { StoredRun } from "../../store/runs.ts";

/** What Kayenta calls where an execution stands. */
export type ExecutionStatus = "not_started" | "running" | "succeeded" | "terminal" | "canceled";

/** A run as Kayenta's clients read an execution: what Orca, Deck and Argo Rollouts ask of it. */
export function toExecutionView(stored: StoredRun, canary: CanaryExecution) {
  const { run, error } = stored;
  const status = statusOf(stored);
  const result = judgeResultOf(stored, canary);
  const { caller, config, request } = canary;
  return {
    ...caller,
    pipelineId: run.id,
    stageStatus: { setupContext: "succeeded", judge: status },
    complete: isComplete(status),
    status,
    ...(error === null || status === "succeeded" ? {} : { exception: exceptionOf(error, stored.createdAt) }),
    config,
    canaryExecutionRequest: request,
    ...momentOf("build", stored.createdAt),
    ...momentOf("start", stored.createdAt),
    ...(stored.decidedAt === null ? {} : momentOf("end", stored.decidedAt)),
    ...(stored.looks === 0 ? {} : { metricSetPairListId: run.id }),
    ...(result === null ? {} : { result: { judgeResult: result, ...durationOf(stored) } }),
  };
}

/** A person's verdict ends an execution for its readers, however the run itself stands. */
export function statusOf({ status, override }: Pick<StoredRun, "status" | "override">): ExecutionStatus {
  if (override !== null) return "succeeded";
  switch (status) {
    case "queued":
      return "not_started";
    case "running":
      return "running";
    case "done":
      return "succeeded";
    case "failed":
      return "terminal";
    case "cancelled":
      return "canceled";
  }
}

export function isComplete(status: ExecutionStatus): boolean {
  return status !== "not_started" && status !== "running";
}

/**
 * What the judge answered. Kayenta's judge speaks for itself while its score says the same as the effective verdict; where a person decided otherwise, or evidence is
 * missing and the run pauses for it, the verdict makes the score.
 */
export function judgeResultOf(stored: StoredRun, { config, thresholds }: CanaryExecution): CanaryJudgeResult | null {
  const { override } = stored;
  const verdict = override?.verdict ?? stored.verdict;
  if (verdict === null) return null;
  const summary =
    override === null
      ? (stored.summary ?? verdict)
      : `${verdict}: ${override.by} decided so: ${override.reason}${stored.summary === null ? "" : ` (computed: ${stored.summary})`}`;
  const report = stored.report === null ? null : Report.parse(JSON.parse(stored.report));
  if (report === null) return { ...NO_RESULT, score: scoreOfVerdict(verdict, thresholds, summary) };
  if (report.kayenta !== undefined) return ofKayenta(report.kayenta, { verdict, summary, thresholds });
  const findings = report.findings.map((finding, index) => {
    const metric = config.metrics?.[index];
    const name = metric?.name ?? finding.metric;
    return { name, id: `${stored.run.id}-${index}`, tags: {}, groups: metric?.groups ?? [], finding };
  });
  return resultOfFindings(findings, { verdict, summary }, thresholds);
}

const NO_RESULT = { judgeName: TOUCHSTONE_JUDGE_NAME, results: [], groupScores: [] };

const VERDICTS: Readonly<Record<ReturnType<typeof labelOf>, Verdict>> = {
  Pass: "promote",
  Marginal: "pause",
  Fail: "rollback",
};

function ofKayenta(
  result: CanaryJudgeResult,
  decided: { readonly verdict: Verdict; readonly summary: string; readonly thresholds: CanaryExecution["thresholds"] },
): CanaryJudgeResult {
  const { verdict, summary, thresholds } = decided;
  const own = result.score.score;
  const agrees = typeof own === "number" && VERDICTS[labelOf(own, thresholds)] === verdict;
  return {
    ...result,
    score: agrees
      ? { ...result.score, classification: labelOf(own, thresholds) }
      : scoreOfVerdict(verdict, thresholds, summary),
  };
}

function exceptionOf({ code, detail }: NonNullable<StoredRun["error"]>, at: Instant) {
  return {
    exceptionType: code,
    operation: "judge",
    details: { error: detail, errors: [detail], stackTrace: "" },
    timestamp: Date.parse(at),
    shouldRetry: false,
  };
}

function momentOf(name: "build" | "start" | "end", at: Instant) {
  return { [`${name}TimeMillis`]: Date.parse(at), [`${name}TimeIso`]: at };
}

function durationOf({ run: { window } }: StoredRun): { canaryDuration?: string } {
  if (window === null) return {};
  return { canaryDuration: toIsoDuration(epochSeconds(window.end) - epochSeconds(window.start)) };
}

/** As `java.time.Duration` writes it: 3661 is `PT1H1M1S`. */
export function toIsoDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / 3600), "H"],
    [Math.floor((whole % 3600) / 60), "M"],
    [whole % 60, "S"],
  ] as const;
  const text = parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("");
  return text === "" ? "PT0S" : `PT${text}`;
}
