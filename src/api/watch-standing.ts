import type { Decision, Finding, Verdict } from "../model/finding.ts";
import { Report } from "../model/run.ts";
import { epochSeconds } from "../model/time.ts";
import type { StoredRun } from "../store/runs.ts";
import type { WatchedRun } from "../store/controllers.ts";
import { lineOf, verdictLine } from "./controller-words.ts";

/** Where a run stands that watches a rollout: all that its controller may be told of, and nothing that is not stored. */
export type Standing =
  /** What a person decided, or a verdict that ended the run and that no time makes stale. */
  | { readonly kind: "verdict"; readonly verdict: Verdict; readonly why: string }
  /** The newest look, of a run that may go on or that was promoted. `doubt` says why it is no ground for the next step, null when it is one. */
  | {
      readonly kind: "look";
      readonly decision: Decision;
      readonly stale: boolean;
      readonly doubt: string | null;
      readonly why: string;
    }
  /** No look yet. */
  | { readonly kind: "waiting"; readonly late: boolean; readonly why: string }
  /** Nothing can be told any more. */
  | { readonly kind: "over"; readonly why: string };

/** A look and its successor lie `every` apart; this much later than that the newest one is stale, if that is more than `every` again. */
const SLACK_SECONDS = 60;

export function standingOf({ stored, now }: WatchedRun): Standing {
  const { run, status, override, verdict, told, error } = stored;
  const outcome = told?.outcome ?? null;
  if (outcome !== null)
    return {
      kind: "over",
      why: `the rollout ${outcome.outcome} at ${outcome.at}, and start has not been asked for since`,
    };
  if (override !== null) return decided(override.verdict, stored);
  if (status === "failed") return { kind: "over", why: `run ${run.id} failed: ${error?.detail}` };
  if (status === "cancelled") return { kind: "over", why: `run ${run.id} was cancelled: ${error?.detail}` };
  if (verdict === "rollback" || verdict === "pause") return decided(verdict, stored);
  const { everySeconds } = run.analysis.plan;
  const slack = Math.max(SLACK_SECONDS, everySeconds);
  const report = stored.report === null ? null : Report.parse(JSON.parse(stored.report));
  if (report === null) {
    const { dueAt } = stored;
    const late = dueAt !== null && epochSeconds(now) > epochSeconds(dueAt) + slack;
    return { kind: "waiting", late, why: `run ${run.id} has not looked yet; its first look is due at ${dueAt}` };
  }
  const { look, decision, findings, summary } = report;
  const age = epochSeconds(now) - epochSeconds(look.at);
  const stale = age > everySeconds + slack;
  const doubt = stale ? `the newest look is ${Math.round(age)} s old, from ${look.at}` : doubtIn(findings);
  return { kind: "look", decision, stale, doubt, why: summary };
}

function decided(verdict: Verdict, stored: StoredRun): Standing {
  return { kind: "verdict", verdict, why: verdictLine(verdict, stored) };
}

const DOUBTFUL: ReadonlySet<Finding["finding"]> = new Set(["worse", "no_data", "invalid", "source_error"] as const);

/** A metric that counts and is worse, or of which nothing is known. */
function doubtIn(findings: readonly Finding[]): string | null {
  const doubtful = findings.find(({ tier, finding }) => tier !== "advisory" && DOUBTFUL.has(finding));
  return doubtful === undefined ? null : `${doubtful.metric} is ${doubtful.finding.replaceAll("_", " ")}`;
}

/** May the rollout take its next step? Null when it may, else why not. */
export function whyNotAdvance(standing: Standing): string | null {
  switch (standing.kind) {
    case "verdict":
      return standing.verdict === "promote" ? null : standing.why;
    case "look":
      if (standing.doubt !== null) return lineOf("not yet", standing.doubt);
      return standing.decision === "promote" || standing.decision === "continue" ? null : standing.why;
    case "waiting":
    case "over":
      return lineOf("not yet", standing.why);
  }
}

/** May the candidate take over? Null when it may, else why not. */
export function whyNotPromote(standing: Standing): string | null {
  if (standing.kind === "look" && standing.decision !== "promote") return lineOf("not yet", standing.why);
  return whyNotAdvance(standing);
}

/** Must the rollout go back? Null when it must, else why not. */
export function whyNotRollBack(standing: Standing): string | null {
  if (standing.kind === "verdict" && standing.verdict === "rollback") return null;
  return lineOf("no rollback", standing.why);
}
