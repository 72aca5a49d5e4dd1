import { toHtml } from "../report/html.ts";
import { toMarkdown } from "../report/markdown.ts";
import { toText } from "../report/text.ts";
import { canonicalJson } from "../model/canonical.ts";
import type { Verdict } from "../model/finding.ts";
import type { Report, RunListItem, RunView } from "../model/run.ts";
import { candidateLabel } from "../report/parts.ts";

export const OUTPUTS = ["table", "json", "markdown", "html"] as const;
export type Output = (typeof OUTPUTS)[number];

/** Exit codes that say what a run came to. */
export const EXIT: Readonly<Record<Verdict, number>> = { promote: 0, rollback: 1, pause: 2 };

export function printReport(report: Report, output: Output): string {
  switch (output) {
    case "table":
      return toText(report);
    case "json":
      return `${canonicalJson(report)}\n`;
    case "markdown":
      return toMarkdown(report);
    case "html":
      return toHtml(report);
  }
}

/** A run that has no report yet, or never will. */
export function printRun(run: RunView, output: Output): string {
  if (output === "json") return `${canonicalJson(run)}\n`;
  const why = run.error === null ? "" : `: ${run.error.detail} (${run.error.code})`;
  const verdict = run.verdict === null ? "" : ` ${run.verdict}`;
  const { override } = run;
  const instead =
    override === null ? "" : `; ${override.by} overrode it to ${override.verdict}: ${override.reason} (${override.at})`;
  return `${run.id} ${run.status}${verdict}${why}${instead}\n`;
}

export function printRuns(items: readonly RunListItem[], output: Output): string {
  if (output === "json") return `${canonicalJson(items)}\n`;
  return items
    .map(
      (item) =>
        `${item.id}  ${item.createdAt}  ${(item.effectiveVerdict ?? item.status).padEnd(9)}  ${item.analysis.name}  ${item.baseline.label} → ${candidateLabel(item)}  ${item.summary ?? ""}`.trimEnd() +
        "\n",
    )
    .join("");
}
