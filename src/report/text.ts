import { formatEffect, formatNumber, formatValue } from "../judge/format.ts";
import type { Comparisons } from "../model/comparison.ts";
import type { Finding } from "../model/finding.ts";
import type { Report } from "../model/run.ts";
import { COMPARED, errorText, partsOf, type ReportPart } from "./parts.ts";
import { unitsShown } from "./units-shown.ts";

/** A table for a terminal: one line per metric, then why. Without colour, so that it can be piped and pasted. */
export function toText(report: Report): string {
  return [
    oneLine(report.summary),
    "",
    ...partsOf(report).flatMap(partLines),
    ...(report.comparisons ? comparisonLines(report.comparisons) : []),
    ...(report.counterfactual ? [`it ${oneLine(report.counterfactual)}`, ""] : []),
    `score ${report.score === null ? "–" : formatNumber(report.score)} of 100${report.worstMetric === null ? "" : ` (worst: ${report.worstMetric})`}, evidence ${report.evidence.digest}`,
    "",
  ].join("\n");
}

function partLines({ label, summary, findings, reasons }: ReportPart): string[] {
  const header = ["metric", "tier", "finding", "baseline", "candidate", "effect", "units"];
  const rows = findings.map((finding) => [
    finding.metric,
    finding.tier,
    finding.finding,
    ...armValues(finding),
    effectText(finding),
    finding.units === null ? "–" : `${formatNumber(finding.units.baseline)} / ${formatNumber(finding.units.candidate)}`,
  ]);
  const warnings = findings.flatMap((finding) =>
    finding.warnings.map((text) => `  - ${finding.metric}: ${oneLine(text)}`),
  );
  return [
    ...(summary === null ? [] : [`${label}: ${oneLine(summary)}`]),
    ...toColumns([header, ...rows]),
    "",
    "because",
    ...reasons.map(({ text }) => `  - ${oneLine(text)}`),
    ...(warnings.length === 0 ? [] : ["", "note", ...warnings]),
    ...findings.flatMap((finding) =>
      unitsShown(finding).flatMap(({ title, units }) => [
        "",
        `${finding.metric}: ${title}`,
        ...units.map(
          ({ text, traceUrl }) => `  - ${oneLine(text)}${traceUrl === null ? "" : `  ${oneLine(traceUrl)}`}`,
        ),
      ]),
    ),
    "",
  ];
}

function comparisonLines(comparisons: Comparisons): string[] {
  return [
    `${COMPARED}: ${oneLine(comparisons.text)}`,
    ...comparisons.pairs.map((pair) => `  - ${oneLine(pair.text)}`),
    ...(comparisons.pairs.length === 0 ? [] : [`  ${errorText(comparisons)}`]),
    "",
  ];
}

/** The effect that decided, with the part of the metric that it is of: a mean beside a median would not add up. */
export function effectText({ effect, components, measurementUnit }: Finding): string {
  if (effect === null) return "–";
  const own = components.find((one) => one.effect === effect)?.component;
  const part =
    effect.scale === "superiority" ? "superiority " : components.length > 1 && own !== undefined ? `${own} ` : "";
  return `${part}${formatEffect(effect, measurementUnit)}`;
}

/** The value that people know a metric by: the mean, or for latency the median. Baseline first. */
export function armValues({ arms, kind, measurementUnit }: Finding): [baseline: string, candidate: string] {
  if (arms === null) return ["–", "–"];
  const value = (arm: { mean: number | null; p50: number | null }) =>
    formatValue(kind === "latency" ? (arm.p50 ?? arm.mean) : arm.mean, kind, measurementUnit);
  return [value(arms.baseline), value(arms.candidate)];
}

function toColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Texts of sources may hold anything; a terminal obeys control characters. */
function oneLine(text: string): string {
  return text.replace(/\p{C}+/gu, " ");
}
