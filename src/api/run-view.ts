import { parseReport, type EvidenceView, type LookView, type RunListItem, type RunView } from "../model/run.ts";
import type { StoredEvidence, StoredLook, StoredRun } from "../store/runs.ts";

/** A stored run as callers read it: the row and the report of its last look. */
export function toRunView(stored: StoredRun): RunView {
  const report = stored.report === null ? null : parseReport(stored.report);
  return {
    ...toRunListItem(stored),
    ...(report?.candidates === undefined
      ? {}
      : { candidates: report.candidates, best: report.best ?? null, comparisons: report.comparisons ?? null }),
    dueAt: stored.dueAt,
    window: stored.run.window,
    ...(stored.run.carried === undefined ? {} : { carried: stored.run.carried }),
    ...(report?.ownEvidence === undefined ? {} : { ownEvidence: report.ownEvidence }),
    args: stored.run.args,
    lastLook: report === null ? null : { n: report.look.n, decision: report.decision, at: report.look.at },
    ...(stored.told === null ? {} : stored.told),
    worstMetric: report?.worstMetric ?? null,
    reasons: report?.reasons ?? [],
    findings: report?.findings ?? [],
    rollbackTarget: report?.rollbackTarget ?? null,
    evidence: report?.evidence ?? null,
    error: stored.error,
  };
}

export function toRunListItem({
  run,
  status,
  verdict,
  summary,
  createdAt,
  decidedAt,
  score,
  attempt,
  version,
  override,
}: StoredRun): RunListItem {
  const self = `/v1/runs/${run.id}`;
  return {
    id: run.id,
    status,
    version,
    verdict,
    effectiveVerdict: override?.verdict ?? verdict,
    override,
    summary,
    createdAt,
    decidedAt,
    analysis: { name: run.analysis.name, digest: run.analysisDigest },
    baseline: run.baseline,
    ...(run.candidates === undefined
      ? { candidate: run.candidate }
      : { candidates: run.candidates.map((version) => ({ version })) }),
    rollout: run.rollout === null ? null : { ...run.rollout, ...(attempt === null ? {} : { attempt }) },
    ...(run.schedule === undefined ? {} : { schedule: run.schedule }),
    score,
    links: { self, looks: `${self}/looks`, report: `${self}/report` },
  };
}

export function toLookView({ n, at, decision, report }: StoredLook): LookView {
  const { summary, evidence } = parseReport(report);
  return { n, at, decision, summary, evidence };
}

export function toEvidenceView({ body, ...rest }: StoredEvidence): EvidenceView {
  return { ...rest, body: body === null ? null : Buffer.from(body).toString("base64") };
}
