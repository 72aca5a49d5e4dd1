import { describeEffect } from "../judge/words.ts";
import type { CanaryJudgeResult } from "../model/canary.ts";
import type { Finding, Verdict } from "../model/finding.ts";
import { TOUCHSTONE_JUDGE_NAME } from "./judge-name.ts";
import type { MetricLabel } from "./classify.ts";
import type { KayentaThresholds } from "./score.ts";
import { scoreGroups } from "./score.ts";
import { scoreOfVerdict } from "./verdict-score.ts";
import { toWireNumber } from "./wire.ts";

type Result = CanaryJudgeResult["results"][number];

/** One metric as a canary config names it, with what Touchstone's judge found. */
export interface NamedFinding {
  readonly name: string;
  readonly id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  readonly finding: Finding;
  /** Of the points that were judged; left out, what the finding knows of them. */
  readonly stats?: {
    readonly experiment: Result["experimentMetadata"]["stats"];
    readonly control: Result["experimentMetadata"]["stats"];
  };
}

/**
 * What Touchstone's judge says, in the shape of Kayenta's answer. The score comes from the verdict alone; groups are scored as Kayenta does, for people.
 */
export function resultOfFindings(
  findings: readonly NamedFinding[],
  { verdict, summary }: { readonly verdict: Verdict; readonly summary: string },
  thresholds: KayentaThresholds,
): CanaryJudgeResult {
  const results = findings.map(toResult);
  const groups = scoreGroups(results.filter(({ muted }) => !muted));
  return {
    judgeName: TOUCHSTONE_JUDGE_NAME,
    results,
    groupScores: groups.map(({ name, score }) => ({ name, score, classification: "", classificationReason: "" })),
    score: scoreOfVerdict(verdict, thresholds, summary),
  };
}

function toResult({ name, id, tags, groups, finding, stats }: NamedFinding): Result {
  const classification = labelOf(finding);
  const ratio = ratioOf(finding);
  return {
    name,
    id,
    tags: { ...tags },
    classification,
    classificationReason: reasonOf(finding),
    groups: [...groups],
    experimentMetadata: { stats: stats?.experiment ?? knownOf(finding, "candidate") },
    controlMetadata: { stats: stats?.control ?? knownOf(finding, "baseline") },
    ...(ratio === null ? {} : { resultMetadata: { ratio: toWireNumber(ratio) } }),
    critical: finding.tier === "critical" && finding.finding === "worse",
    muted: finding.tier === "advisory",
  };
}

/** Kayenta has no word for evidence that shows neither harm nor safety; missing evidence comes nearest. */
function labelOf({ finding, effect, limits }: Finding): MetricLabel {
  if (limits.some(({ state }) => state === "breached")) return "High";
  switch (finding) {
    case "safe":
    case "better":
      return "Pass";
    case "worse":
      return (effect?.estimate ?? 0) < 0 ? "Low" : "High";
    case "unclear":
    case "no_data":
      return "Nodata";
    case "invalid":
    case "source_error":
      return "Error";
  }
}

function reasonOf(finding: Finding): string {
  const [first] = finding.reasons;
  return first?.text ?? `${finding.finding}: ${describeEffect(finding)}`;
}

function ratioOf({ arms }: Finding): number | null {
  const [above, below] = [arms?.candidate.mean ?? null, arms?.baseline.mean ?? null];
  if (above === null || below === null) return null;
  return above === 0 || below === 0 ? NaN : above / below;
}

function knownOf({ arms, units }: Finding, arm: "baseline" | "candidate"): Result["experimentMetadata"]["stats"] {
  const mean = arms?.[arm].mean ?? null;
  return { ...(mean === null ? {} : { mean }), count: Math.round(units?.[arm] ?? 0) };
}
