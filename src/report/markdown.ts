import { formatNumber } from "../judge/format.ts";
import type { Comparisons } from "../model/comparison.ts";
import type { Report } from "../model/run.ts";
import { candidateLabel, COMPARED, errorText, partsOf } from "./parts.ts";
import { armValues, effectText } from "./text.ts";
import { unitsShown } from "./units-shown.ts";

/** The report for a pull request or a post-mortem. */
export function toMarkdown(report: Report): string {
  const toRow = (finding: Report["findings"][number]): string => {
    const [baseline, candidate] = armValues(finding);
    const effect = effectText(finding);
    const units =
      finding.units === null
        ? "–"
        : `${formatNumber(finding.units.baseline)} / ${formatNumber(finding.units.candidate)}`;
    return `| ${[finding.metric, finding.tier, `**${finding.finding}**`, escape(baseline), escape(candidate), escape(effect), units].join(" | ")} |`;
  };
  const window = report.window === null ? "all rows" : `${report.window.start} to ${report.window.end}`;
  return [
    `# ${escape(report.summary)}`,
    "",
    `Candidate \`${candidateLabel(report)}\` against baseline \`${report.baseline.label}\`, analysis \`${report.analysis.name}\`, ${window}.`,
    "",
    ...partsOf(report).flatMap(({ summary, label, findings, reasons }) => [
      ...(summary === null ? [] : [`## ${escape(label)}: ${escape(summary)}`, ""]),
      "| metric | tier | finding | baseline | candidate | effect | units |",
      "|---|---|---|---|---|---|---|",
      ...findings.map(toRow),
      "",
      summary === null ? "## Because" : "### Because",
      "",
      ...reasons.map(({ text }) => `- ${escape(text)}`),
      "",
      ...findings.flatMap((finding) =>
        unitsShown(finding).flatMap(({ title, units }) => [
          `**${escape(finding.metric)}**: ${escape(title)}`,
          "",
          ...units.map(({ text, traceUrl }) => `- ${escape(text)}${traceUrl === null ? "" : ` ${asCode(traceUrl)}`}`),
          "",
        ]),
      ),
    ]),
    ...(report.comparisons ? comparisonLines(report.comparisons) : []),
    ...(report.counterfactual ? [`It ${escape(report.counterfactual)}.`, ""] : []),
    `Score ${report.score === null ? "–" : formatNumber(report.score)} of 100. Run \`${report.run}\`, look ${report.look.n} at ${report.look.at}, ${report.evidence.engine}, evidence \`${report.evidence.digest}\`.`,
    "",
  ].join("\n");
}

function comparisonLines(comparisons: Comparisons): string[] {
  const { text, pairs } = comparisons;
  return [
    `## ${COMPARED}`,
    "",
    `**${escape(text)}**`,
    "",
    ...pairs.map((pair) => `- ${escape(pair.text)}`),
    ...(pairs.length === 0 ? [] : ["", errorText(comparisons), ""]),
  ];
}

/** An address to copy: a source could name anything, so it is no link. */
function asCode(url: string): string {
  return `\`${url.replace(/[\p{C}\s`]+/gu, "")}\``;
}

/** Texts may come from a hostile source: no markup, no links, no mentions. */
function escape(text: string): string {
  return text
    .replace(/\p{C}+/gu, " ")
    .replace(/[\\`*_{}[\]<>()#|~!]/g, "\\$&")
    .replace(/@/g, "@\u200b");
}
