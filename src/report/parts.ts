import { formatPercent } from "../judge/format.ts";
import type { CandidatePair, Comparisons } from "../model/comparison.ts";
import type { Finding, Reason } from "../model/finding.ts";
import type { Report, RunView } from "../model/run.ts";

/** What a report says of one candidate; a run of one candidate has one part, and another of its stage alone where evidence of stages before counts too. */
export interface ReportPart {
  readonly label: string;
  /** Null where the report's own summary says it already. */
  readonly summary: string | null;
  readonly decision: Report["decision"];
  readonly findings: readonly Finding[];
  readonly reasons: readonly Reason[];
}

export function partsOf(report: Report): ReportPart[] {
  if (report.candidates === undefined) {
    const { decision, findings, reasons, ownEvidence } = report;
    const whole = { label: report.candidate?.label ?? "", summary: null, decision, findings, reasons };
    return ownEvidence === undefined ? [whole] : [whole, { label: "this stage alone", ...ownEvidence }];
  }
  return report.candidates.map(({ version, ...part }) => ({ label: version.label, ...part }));
}

/** The label of the candidate, or of all. */
export function candidateLabel({ candidate, candidates }: Pick<RunView, "candidate" | "candidates">): string {
  return candidate?.label ?? (candidates ?? []).map(({ version }) => version.label).join(", ");
}

/** What is said of candidates that were compared with each other. */
export const COMPARED = "The versions against each other";

/** What `comparisons.error` promises. */
export function errorText({ error }: Comparisons): string {
  return `All of this together is wrong about a difference in at most ${formatPercent(error)} of runs.`;
}

/** A pair's finding as a word between the two labels: `v3 better than v2`. */
export function pairWords({ version, against, finding }: CandidatePair): string {
  const between = {
    better: "better than",
    worse: "worse than",
    equivalent: "equivalent to",
    trade_off: "better and worse than",
    unclear: "not told apart from",
  }[finding];
  return `${version} ${between} ${against}`;
}
