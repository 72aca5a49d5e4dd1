import { formatEffect, formatNumber } from "../judge/format.ts";
import type { Report } from "../model/run.ts";
import { armValues } from "./text.ts";

/** The report for a pull request or a post-mortem. */
export function toMarkdown(report: Report): string {
  const rows = report.findings.map((finding) => {
    const [baseline, candidate] = armValues(finding);
    const effect = finding.effect === null ? "–" : formatEffect(finding.effect, finding.measurementUnit);
    const units =
      finding.units === null
        ? "–"
        : `${formatNumber(finding.units.baseline)} / ${formatNumber(finding.units.candidate)}`;
    return `| ${[finding.metric, finding.tier, `**${finding.finding}**`, escape(baseline), escape(candidate), escape(effect), units].join(" | ")} |`;
  });
  const window = report.window === null ? "all rows" : `${report.window.start} to ${report.window.end}`;
  return [
    `# ${escape(report.summary)}`,
    "",
    `Candidate \`${report.candidate.label}\` against baseline \`${report.baseline.label}\`, analysis \`${report.analysis.name}\`, ${window}.`,
    "",
    "| metric | tier | finding | baseline | candidate | effect | units |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
    "## Because",
    "",
    ...report.reasons.map(({ text }) => `- ${escape(text)}`),
    "",
    `Score ${report.score === null ? "–" : formatNumber(report.score)} of 100. Run \`${report.run}\`, look ${report.look.n} at ${report.look.at}, ${report.evidence.engine}, evidence \`${report.evidence.digest}\`.`,
    "",
  ].join("\n");
}

/** Texts may come from a hostile source: no markup, no links, no mentions. */
function escape(text: string): string {
  return text
    .replace(/\p{C}+/gu, " ")
    .replace(/[\\`*_{}[\]<>()#|~!]/g, "\\$&")
    .replace(/@/g, "@\u200b");
}
