import type { Effect, Finding, Verdict } from "../model/finding.ts";
import type { CandidateState, LookState } from "../model/look-state.ts";
import type { CandidateReport, Report, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { Version } from "../model/version.ts";
import { WHOLE_BUDGETS, type BudgetShares } from "./attempts.ts";
import { chooseBest, listOf, type Choice } from "./best.ts";
import { compareEach, COMPARISON_ERROR } from "./compare.ts";
import { combineDigests } from "./evidence-digest.ts";
import { withShares, type Judged } from "./judge.ts";
import { reportHead } from "./report-head.ts";

/**
 * One baseline, several candidates: each is judged against the baseline as in a run of its own, and has a verdict of its own. By default each has the whole error
 * budget, since each is a decision by itself; `familywise` spreads it. Those that are not rolled back are compared with each other besides.
 */

/** The run of one candidate alone. */
export function pairRun(run: Run, candidate: Version): Run {
  const { candidates = [], ...rest } = run;
  const { analysis } = run;
  const share = analysis.familywise ? 1 / Math.max(1, candidates.length) : 1;
  const budgets = { ...analysis.budgets, rollback: analysis.budgets.rollback * share };
  return { ...rest, candidate, analysis: { ...analysis, budgets } };
}

/** A candidate at this look. */
export interface CandidateLook {
  readonly version: Version;
  /** What the look before left behind; null at the first. */
  readonly before: CandidateState | null;
  /** Its look against the baseline; null once rolled back. Of one that has its verdict it only carries the evidence on. */
  readonly judged: Judged | null;
}

/** May this candidate still be looked at? One that was rolled back has gone. */
export function isLookedAt(before: CandidateState | null): boolean {
  return before === null || before.report === null || before.state !== null;
}

const SEVERITY: Readonly<Record<Verdict, number>> = { promote: 0, pause: 1, rollback: 2 };

/** The look of a rainbow run from those of its candidates. The run's verdict, once all have theirs, is the worst of them. */
export function combineCandidates(
  run: Run,
  looks: readonly CandidateLook[],
  previous: LookState | null,
  now: Instant,
): Judged {
  const n = (previous?.looks ?? 0) + 1;
  const standings = looks.map(toStanding);
  const candidates = standings.map(({ report }) => report);
  const verdicts = candidates.map(({ verdict }) => verdict);
  const open = verdicts.includes(null);
  const worst = verdicts.reduce<Verdict>(
    (sum, verdict) => (verdict !== null && SEVERITY[verdict] > SEVERITY[sum] ? verdict : sum),
    "promote",
  );
  const verdict = open ? null : worst;
  const digest = combineDigests(standings.map((standing) => standing.digest));
  const decision = verdict ?? "continue";
  const choice = standings.some(({ isNew }) => isNew)
    ? compare(run, looks, standings, n, now, open)
    : (previous?.compared ?? null);
  const told = candidates.map(({ version, decision: own }) => `${version.label} ${own}`).join(", ");
  const scores = candidates.map(({ score }) => score).filter((score) => score !== null);
  const report: Report = {
    ...reportHead(run, { n, at: now }, decision, digest),
    candidates,
    best: choice?.best ?? null,
    comparisons: choice?.comparisons ?? null,
    summary: `${decision}: ${told}${choice === null ? "" : summaryOf(choice)}`,
    reasons: [
      ...suspicions(standings),
      ...candidates.flatMap(({ version, reasons }) =>
        reasons.slice(0, 1).map((reason) => ({ ...reason, text: `${version.label}: ${reason.text}` })),
      ),
    ],
    findings: [],
    score: scores.length === 0 ? null : Math.min(...scores),
    worstMetric: null,
    budgets: withShares(run.analysis, run.budgetShares ?? WHOLE_BUDGETS).budgets,
  };
  const next = looks
    .flatMap(({ judged }, index) => (verdicts[index] === null && judged?.nextAt ? [judged.nextAt] : []))
    .sort();
  return {
    report,
    state: {
      v: 2,
      looks: n,
      metrics: {},
      digest,
      sampleRatio: null,
      spent: mostSpent(standings.map(({ spent }) => spent)),
      ...(open ? { rainbow: toStates(looks, standings) } : {}),
      ...(open && choice !== null ? { compared: choice } : {}),
    },
    nextAt: open ? (next[0] ?? null) : null,
  };
}

/** Where a candidate stands after this look. */
interface Standing {
  readonly report: CandidateReport;
  /** Its verdict is from this look. */
  readonly isNew: boolean;
  /** What this look finds, also of one that was decided before. */
  readonly findings: readonly Finding[];
  /** What has been judged of it. */
  readonly digest: string;
  /** How much of the budgets was used up, until it was decided. */
  readonly spent: BudgetShares;
}

function toStanding({ version, before, judged }: CandidateLook): Standing {
  const decided = before?.report ?? null;
  const report = decided ?? (judged === null ? null : toCandidateReport(version, judged.report));
  if (report === null) throw new RangeError(`${version.label} was neither judged nor decided`);
  return {
    report,
    isNew: decided === null && report.verdict !== null,
    findings: judged?.report.findings ?? report.findings,
    digest: judged?.state.digest ?? before?.decided?.digest ?? version.label,
    // A record of before this was kept counts as all.
    spent: (decided === null ? judged?.state.spent : before?.decided?.spent) ?? WHOLE_BUDGETS,
  };
}

function toStates(looks: readonly CandidateLook[], standings: readonly Standing[]): Record<string, CandidateState> {
  const states: Record<string, CandidateState> = {};
  for (const [index, { version, judged }] of looks.entries()) {
    const standing = standings[index];
    if (standing === undefined) continue;
    const { report, digest, spent } = standing;
    const state = judged?.state ?? null;
    states[version.label] =
      report.verdict === null
        ? { state, report: null }
        : { state: report.verdict === "rollback" ? null : state, report, decided: { digest, spent } };
  }
  return states;
}

/** Those that have a verdict and were not rolled back, each with each. Kayenta's judge keeps no evidence to compare. */
function compare(
  run: Run,
  looks: readonly CandidateLook[],
  standings: readonly Standing[],
  look: number,
  now: Instant,
  open: boolean,
): Choice | null {
  if (run.analysis.judge === "kayenta") return null;
  const contenders = looks.flatMap(({ version, judged }, index) => {
    const verdict = standings[index]?.report.verdict ?? null;
    if (verdict === null || verdict === "rollback") return [];
    return [{ label: version.label, metrics: judged?.state.metrics ?? {} }];
  });
  const promoted = standings.flatMap(({ report }) => (report.verdict === "promote" ? [report.version.label] : []));
  const pairs = compareEach(run, contenders, look, now);
  return chooseBest(pairs, promoted, run.analysis, { look, error: COMPARISON_ERROR, open });
}

/** A summary is one line. */
const MOST_NAMED = 3;

function summaryOf({ best, comparisons }: Choice): string {
  const { unbeaten } = comparisons;
  if (unbeaten.length > MOST_NAMED) return `; ${unbeaten.length} versions not told apart`;
  if (unbeaten.length > 1) return `; ${listOf(unbeaten)} not told apart`;
  return best === null ? "" : `; best ${best}`;
}

/** Each candidate has budgets of its own; the run has used up as much as the one that used most. */
function mostSpent(all: readonly BudgetShares[]): BudgetShares {
  return {
    rollback: Math.max(...all.map(({ rollback }) => rollback)),
    promote: Math.max(...all.map(({ promote }) => promote)),
  };
}

function toCandidateReport(version: Version, report: Report): CandidateReport {
  const { decision, verdict, summary, reasons, findings, score, worstMetric, look } = report;
  return { version, look: look.n, decision, verdict, summary, reasons, findings, score, worstMetric };
}

/** When the candidates moved the same way, what they share may be the cause, or the one that they were compared with may be the odd one. */
function suspicions(standings: readonly Standing[]): Report["reasons"] {
  const metrics = standings[0]?.findings.map(({ metric }) => metric) ?? [];
  return metrics.flatMap((metric) => {
    const own = standings.flatMap(({ findings }) => findings.filter((one) => one.metric === metric && !isFaulty(one)));
    const moved = (["worse", "better"] as const).find((way) => haveMoved(own, way));
    if (moved === undefined) return [];
    const evident = own.length === standings.length ? "" : " with evidence";
    const who = `${own.length === 2 ? "both" : `all ${own.length}`} candidates${evident}`;
    return [
      {
        code: "baseline_suspect" as const,
        metric,
        text: `${metric}: ${who} are ${moved} than the baseline; the cause may be what they share, or it may be the baseline that is ${moved === "worse" ? "unusually good" : "unwell"}`,
      },
    ];
  });
}

function isFaulty({ finding }: Finding): boolean {
  return finding === "no_data" || finding === "invalid" || finding === "source_error";
}

/** Fewer candidates that agree say nothing about the baseline, unless they moved by the same amount. */
const AGREEING_CANDIDATES = 3;

/**
 * By the margin or more, and in one and the same part of the metric: the others may be too noisy to say so. All share the chance error of one baseline, so that
 * less than the margin would often be that.
 */
function haveMoved(findings: readonly Finding[], way: "worse" | "better"): boolean {
  const areMany = findings.length >= AGREEING_CANDIDATES;
  // Kayenta's judge says only what it finds.
  if (findings.every(({ components }) => components.length === 0))
    return areMany && findings.every(({ finding }) => finding === way);
  // The tail forgives the margin, so that an equal version is better in it.
  const parts = (findings[0]?.components ?? []).flatMap(({ component }) =>
    way === "better" && component === "tail" ? [] : [component],
  );
  return parts.some((part) => {
    const own = findings.flatMap(({ components }) => components.filter(({ component }) => component === part));
    const agree = own.every((one) => one[way] && Math.abs(one.effect.estimate) >= one.effect.margin);
    return agree && own.length === findings.length && (areMany || isSameEffect(own.map(({ effect }) => effect)));
  });
}

/** Each lies in the interval of the other. */
function isSameEffect(effects: readonly Effect[]): boolean {
  if (effects.length < 2) return false;
  return effects.every(({ lower, upper }) =>
    effects.every(({ estimate }) => (lower ?? -Infinity) <= estimate && estimate <= (upper ?? Infinity)),
  );
}
