import type { Finding, Verdict } from "../model/finding.ts";
import type { CandidateState, LookState } from "../model/look-state.ts";
import type { CandidateReport, Report, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { Version } from "../model/version.ts";
import { WHOLE_BUDGETS, type BudgetShares } from "./attempts.ts";
import { combineDigests } from "./evidence-digest.ts";
import type { Judged } from "./judge.ts";
import { reportHead } from "./report-head.ts";

/**
 * One baseline, several candidates: each is judged against the baseline as in a run of its own, and has a verdict of its own. By default each has the whole error
 * budget, since each is a decision by itself; `familywise` spreads it.
 */

/** The run of one candidate alone. */
export function pairRun(run: Run, candidate: Version): Run {
  const { candidates = [], ...rest } = run;
  const { analysis } = run;
  const share = analysis.familywise ? 1 / Math.max(1, candidates.length) : 1;
  const budgets = { ...analysis.budgets, rollback: analysis.budgets.rollback * share };
  return { ...rest, candidate, analysis: { ...analysis, budgets } };
}

/** A candidate at this look: judged now, or decided before. */
export type CandidateLook =
  | { readonly version: Version; readonly judged: Judged }
  | { readonly version: Version; readonly decided: CandidateReport };

const SEVERITY: Readonly<Record<Verdict, number>> = { promote: 0, pause: 1, rollback: 2 };

/** Fewer candidates that agree say nothing about the baseline. */
const AGREEING_CANDIDATES = 3;

/** The look of a rainbow run from those of its candidates. The run's verdict, once all have theirs, is the worst of them. */
export function combineCandidates(
  run: Run,
  looks: readonly CandidateLook[],
  previous: LookState | null,
  now: Instant,
): Judged {
  const n = (previous?.looks ?? 0) + 1;
  const candidates = looks.map((look): CandidateReport =>
    "decided" in look ? look.decided : toCandidateReport(look.version, look.judged.report),
  );
  const verdicts = candidates.map(({ verdict }) => verdict);
  const open = verdicts.includes(null);
  const worst = verdicts.reduce<Verdict>(
    (sum, verdict) => (verdict !== null && SEVERITY[verdict] > SEVERITY[sum] ? verdict : sum),
    "promote",
  );
  const verdict = open ? null : worst;
  const digest = combineDigests(
    looks.map((look) => ("decided" in look ? look.version.label : look.judged.report.evidence.digest)),
  );
  const decision = verdict ?? "continue";
  const told = candidates.map(({ version, decision: own }) => `${version.label} ${own}`).join(", ");
  const scores = candidates.map(({ score }) => score).filter((score) => score !== null);
  const report: Report = {
    ...reportHead(run, { n, at: now }, decision, digest),
    candidates,
    best: bestOf(candidates),
    summary: `${decision}: ${told}`,
    reasons: [
      ...suspicions(candidates),
      ...candidates.flatMap(({ version, reasons }) =>
        reasons.slice(0, 1).map((reason) => ({ ...reason, text: `${version.label}: ${reason.text}` })),
      ),
    ],
    findings: [],
    score: scores.length === 0 ? null : Math.min(...scores),
    worstMetric: null,
    budgets: run.analysis.budgets,
  };
  const rainbow: Record<string, CandidateState> = {};
  for (const [index, look] of looks.entries()) {
    const own = candidates[index];
    if (own === undefined) continue;
    rainbow[look.version.label] =
      own.verdict === null && "judged" in look
        ? { state: look.judged.state, report: null }
        : { state: null, report: own };
  }
  const next = looks
    .flatMap((look) => ("judged" in look && look.judged.nextAt !== null ? [look.judged.nextAt] : []))
    .sort();
  return {
    report,
    state: {
      v: 2,
      looks: n,
      metrics: {},
      digest,
      sampleRatio: null,
      spent: mostSpent(looks),
      ...(open ? { rainbow } : {}),
    },
    nextAt: open ? (next[0] ?? null) : null,
  };
}

/** Each candidate has budgets of its own; the run has used up as much as the one that used most. */
function mostSpent(looks: readonly CandidateLook[]): BudgetShares {
  const all = looks.map((look) => ("judged" in look ? (look.judged.state.spent ?? WHOLE_BUDGETS) : WHOLE_BUDGETS));
  return {
    rollback: Math.max(...all.map(({ rollback }) => rollback)),
    promote: Math.max(...all.map(({ promote }) => promote)),
  };
}

function toCandidateReport(version: Version, report: Report): CandidateReport {
  const { decision, verdict, summary, reasons, findings, score, worstMetric, look } = report;
  return { version, look: look.n, decision, verdict, summary, reasons, findings, score, worstMetric };
}

/** When every candidate moved the same way, the one they were compared with may be the odd one. */
function suspicions(candidates: readonly CandidateReport[]): Report["reasons"] {
  if (candidates.length < AGREEING_CANDIDATES) return [];
  const metrics = candidates[0]?.findings.map(({ metric }) => metric) ?? [];
  return metrics.flatMap((metric) => {
    const all = candidates.map(({ findings }) => findings.find((finding) => finding.metric === metric)?.finding);
    const moved = (["worse", "better"] as const).find((way) => all.every((finding) => finding === way));
    if (moved === undefined) return [];
    return [
      {
        code: "baseline_suspect" as const,
        metric,
        text: `${metric}: all ${candidates.length} candidates are ${moved} than the baseline; it may be the baseline that is ${moved === "worse" ? "unusually good" : "unwell"}`,
      },
    ];
  });
}

/** Of the promoted the one whose metrics lie farthest, in margins, from harm. */
function bestOf(candidates: readonly CandidateReport[]): string | null {
  const promoted = candidates.filter(({ verdict }) => verdict === "promote");
  let best: { label: string; harm: number } | null = null;
  for (const { version, findings } of promoted) {
    const harms = findings.filter(({ tier }) => tier !== "advisory").flatMap(harmInMargins);
    if (harms.length === 0) continue;
    const harm = harms.reduce((sum, one) => sum + one, 0) / harms.length;
    if (best === null || harm < best.harm) best = { label: version.label, harm };
  }
  return best?.label ?? null;
}

/** How many standard margins towards harm; by the p-values, which know the direction of harm. */
function harmInMargins({ effect, components }: Finding): number[] {
  const component = components.find((one) => one.effect === effect);
  if (effect === null || component === undefined || !(effect.margin > 0)) return [];
  const size = Math.abs(effect.estimate) / effect.margin;
  return [component.pWorse < 0.5 ? size : -size];
}
