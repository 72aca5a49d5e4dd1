import { createHash } from "node:crypto";
import { formatEffect, formatNumber, formatP, formatStatistic } from "../judge/format.ts";
import type { CandidatePair, Comparisons } from "../model/comparison.ts";
import type { ComponentFinding, Finding, LimitFinding } from "../model/finding.ts";
import type { Report } from "../model/run.ts";
import { candidateLabel, COMPARED, errorText, pairWords, partsOf, type ReportPart } from "./parts.ts";
import { armValues, effectText } from "./text.ts";
import { isLink, unitsShown, type UnitShown } from "./units-shown.ts";

/** Light and dark by the reader's setting; a verdict is told by its word, colour only repeats it. */
export const HTML_STYLE = `
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#c62828;--wait:#9a6700}
@media (prefers-color-scheme:dark){:root{--good:#57c26f;--bad:#ff7b72;--wait:#e0b04a}}
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;border-left:.5rem solid var(--wait);padding-left:.75rem}
h1.promote{border-color:var(--good)}h1.rollback{border-color:var(--bad)}
h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.number{font-variant-numeric:tabular-nums}
.worse,.rollback-word{color:var(--bad);font-weight:600}.safe,.better,.promote-word{color:var(--good);font-weight:600}
.unclear,.no_data,.invalid,.source_error,.pause-word{color:var(--wait);font-weight:600}
svg{width:16rem;height:1.6rem;display:block}svg line,svg circle{stroke:currentColor;fill:currentColor}
svg .zero{stroke-width:1;opacity:.6}svg .margin{stroke-dasharray:3 3;stroke-width:1.5;opacity:.9}svg .interval{stroke-width:3}
code{font-size:.9em;overflow-wrap:anywhere}nav a{margin-right:1rem}.quiet{opacity:.75}
`;

/** For a Content-Security-Policy that allows this style and nothing else. */
export const HTML_STYLE_HASH = `sha256-${createHash("sha256").update(HTML_STYLE).digest("base64")}`;

/** One page, self-contained, without scripts: it can be mailed, archived, printed. */
export function toHtml(report: Report): string {
  const window = report.window === null ? "all rows" : `${report.window.start} to ${report.window.end}`;
  return page(
    report.summary,
    `<h1 class="${report.decision}">${escapeHtml(report.summary)}</h1>
<p>Candidate <code>${escapeHtml(candidateLabel(report))}</code> against baseline <code>${escapeHtml(report.baseline.label)}</code>,
analysis <code>${escapeHtml(report.analysis.name)}</code>, ${escapeHtml(window)}.</p>
${partsOf(report).map(toPart).join("\n")}
${report.comparisons ? toComparisons(report.comparisons) : ""}
${report.counterfactual ? `<p>It ${escapeHtml(report.counterfactual)}.</p>` : ""}
<h2>For the record</h2>
<p class="quiet">Score ${report.score === null ? "–" : formatNumber(report.score)} of 100, for orientation: no verdict comes from it.
Error budgets: rollback ${formatNumber(report.budgets.rollback)}, promote ${formatNumber(report.budgets.promote)}.
Run <code>${escapeHtml(report.run)}</code>, look ${report.look.n} at ${escapeHtml(report.look.at)}, ${escapeHtml(report.evidence.engine)},
analysis <code>${escapeHtml(report.analysis.digest)}</code>, evidence <code>${escapeHtml(report.evidence.digest)}</code>.</p>`,
  );
}

function toPart({ label, summary, decision, findings, reasons }: ReportPart): string {
  const title = summary === null ? "" : `<h1 class="${decision}">${escapeHtml(label)}: ${escapeHtml(summary)}</h1>\n`;
  return `${title}<h2>Because</h2>
<ul>${reasons.map(({ text }) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>
<h2>Metrics</h2>
<table><thead><tr><th>metric</th><th>finding</th><th>baseline</th><th>candidate</th><th>effect</th><th>no change · margin</th><th>units</th></tr></thead>
<tbody>${findings.map(toRow).join("\n")}</tbody></table>
${findings.map(toDetails).join("\n")}`;
}

function toComparisons(comparisons: Comparisons): string {
  const { text, pairs } = comparisons;
  const row = (pair: CandidatePair): string =>
    `<tr><td>${escapeHtml(pairWords(pair))}</td><td>${escapeHtml(pair.text)}</td></tr>`;
  const table = `<table><thead><tr><th>pair</th><th>metric by metric</th></tr></thead><tbody>${pairs.map(row).join("\n")}</tbody></table>
<p class="quiet">${escapeHtml(errorText(comparisons))}</p>`;
  return `<h2>${COMPARED}</h2>
<p><strong>${escapeHtml(text)}</strong></p>
${pairs.length === 0 ? "" : table}`;
}

/** A page around a body that is escaped already. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>${HTML_STYLE}</style></head>
<body>
${body}
</body></html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function toRow(finding: Finding): string {
  const [baseline, candidate] = armValues(finding);
  const effect = effectText(finding);
  const units =
    finding.units === null ? "–" : `${formatNumber(finding.units.baseline)} / ${formatNumber(finding.units.candidate)}`;
  return `<tr><td>${escapeHtml(finding.metric)}<br><span class="quiet">${finding.tier}</span></td><td class="${finding.finding}">${finding.finding.replace("_", " ")}</td>
<td class="number">${escapeHtml(baseline)}</td><td class="number">${escapeHtml(candidate)}</td><td class="number">${escapeHtml(effect)}</td><td>${toPlot(finding)}</td><td class="number">${units}</td></tr>`;
}

/** The interval on a line that shows no change and the margin; the same numbers stand beside it as text. */
function toPlot({ effect, components }: Finding): string {
  const component = components.find((one) => one.effect === effect) ?? components[0];
  if (effect === null || component === undefined) return "";
  const { estimate, margin } = effect;
  const reach = 1.15 * Math.max(margin, Math.abs(estimate), Math.abs(effect.lower ?? 0), Math.abs(effect.upper ?? 0));
  if (!(reach > 0)) return "";
  const x = (value: number) => (100 + (100 * Math.max(-reach, Math.min(reach, value))) / reach).toFixed(1);
  const left = x(effect.lower ?? -reach);
  const right = x(effect.upper ?? reach);
  return `<svg viewBox="0 0 200 20" role="img" aria-label="interval and margin"><line class="zero" x1="100" y1="1" x2="100" y2="19"/>
<line class="margin" x1="${x(margin)}" y1="1" x2="${x(margin)}" y2="19"/><line class="margin" x1="${x(-margin)}" y1="1" x2="${x(-margin)}" y2="19"/>
<line class="interval" x1="${left}" y1="10" x2="${right}" y2="10"/><circle cx="${x(estimate)}" cy="10" r="4"/></svg>`;
}

function toDetails(finding: Finding): string {
  const components = finding.components.map((component) => toComponentRow(component, finding));
  const limits = finding.limits.map((limit) => toLimitRow(limit));
  if (components.length === 0 && limits.length === 0 && finding.tests.length === 0 && finding.reasons.length === 0)
    return "";
  const tests = finding.tests
    .map(
      ({ test, statistic, superiority, pValueNominal, method }) =>
        `<li>${test} (${escapeHtml(method)}): statistic ${formatNumber(statistic)}${superiority === undefined ? "" : `, superiority ${formatNumber(superiority)}`}, nominal p ${formatP(pValueNominal)}</li>`,
    )
    .join("");
  return `<h2>${escapeHtml(finding.metric)}</h2>
${finding.reasons.length + finding.warnings.length === 0 ? "" : `<ul>${[...finding.reasons.map(({ text }) => text), ...finding.warnings].map((text) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>`}
${components.length === 0 ? "" : `<table><thead><tr><th>component</th><th>effect</th><th>p of no harm</th><th>p of harm at the margin</th><th>says</th></tr></thead><tbody>${components.join("")}</tbody></table>`}
${limits.length === 0 ? "" : `<table><thead><tr><th>limit</th><th>candidate</th><th>baseline</th><th>state</th></tr></thead><tbody>${limits.join("")}</tbody></table>`}
${tests === "" ? "" : `<ul class="quiet">${tests}</ul>`}
${unitsShown(finding).map(toUnitList).join("\n")}`;
}

function toUnitList({ title, units }: ReturnType<typeof unitsShown>[number]): string {
  const item = ({ text, traceUrl }: UnitShown): string => {
    if (traceUrl === null) return escapeHtml(text);
    const url = escapeHtml(traceUrl);
    return isLink(traceUrl)
      ? `${escapeHtml(text)} <a href="${url}" rel="noopener noreferrer nofollow">trace</a>`
      : `${escapeHtml(text)} <code>${url}</code>`;
  };
  return `<p>${escapeHtml(title)}</p>
<ul>${units.map((unit) => `<li>${item(unit)}</li>`).join("")}</ul>`;
}

function toComponentRow(component: ComponentFinding, { measurementUnit }: Finding): string {
  const says = component.worse ? "worse" : component.better ? "better" : component.safe ? "safe" : "unclear";
  return `<tr><td>${component.component}<br><span class="quiet">${escapeHtml(component.method)}</span></td><td class="number">${escapeHtml(formatEffect(component.effect, measurementUnit))}</td>
<td class="number">${formatP(component.pWorse)} (${levelText(component.levelWorse, component.alphaWorse, component.eWorse)})</td><td class="number">${formatP(component.pUnsafe)} (${levelText(component.levelSafe, component.alphaSafe, component.eSafe)})</td><td class="${says}">${says}</td></tr>`;
}

/** At which p the claim is made at this look, or at which e-value, and its budget over all looks. */
function levelText(level: number | null, budget: number, eValue: number | undefined): string {
  if (eValue !== undefined)
    return `e-value ${formatNumber(eValue)}, needs ${formatNumber(1 / budget)}; budget ${formatNumber(budget)}`;
  if (level === null || level === 0) return `not tested at this look; budget ${formatNumber(budget)}`;
  return level === budget
    ? `budget ${formatNumber(budget)}`
    : `needs ${formatNumber(level)} at this look; budget ${formatNumber(budget)}`;
}

function toLimitRow({ statistic, side, limit, check, candidate, baseline, state, burn }: LimitFinding): string {
  const windows = burn && {
    objective: burn.objective,
    longSeconds: burn.long.seconds,
    shortSeconds: burn.short.seconds,
  };
  const value = (number: number | null) => (number === null ? "–" : formatNumber(number));
  return `<tr><td>${escapeHtml(formatStatistic(statistic, windows))} ${side} ${formatNumber(limit)} (${check})</td><td class="number">${value(candidate)}</td><td class="number">${value(baseline)}</td><td>${state.replace("_", " ")}</td></tr>`;
}
