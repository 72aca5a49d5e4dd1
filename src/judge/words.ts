import type { Finding, LimitFinding, Reason } from "../model/finding.ts";
import { toDuration } from "../model/time.ts";
import { decisiveComponent } from "./find.ts";
import {
  formatChange,
  formatCount,
  formatEffect,
  formatNumber,
  formatObjective,
  formatP,
  formatValue,
} from "./format.ts";
import type { Decided } from "./decide.ts";

/** `3.91 vs 4.26 (−0.35, interval −0.52 to −0.18; margin 0.25)`: candidate first, as effects are. */
export function describeEffect(finding: Finding): string {
  const component = decisiveComponent(finding.components);
  if (component === null || finding.arms === null) return "no evidence";
  const { arms, kind, measurementUnit } = finding;
  const effect = formatEffect(component.effect, measurementUnit);
  if (component.effect.scale === "superiority")
    return `superiority ${formatNumber(0.5 + component.effect.estimate)} (${effect})`;
  const typical = component.component === "body";
  const value = (arm: { mean: number | null; p50: number | null }) =>
    formatValue(typical ? (arm.p50 ?? arm.mean) : arm.mean, kind, measurementUnit);
  const values = component.component === "tail" ? "" : `${value(arms.candidate)} vs ${value(arms.baseline)} `;
  const part =
    component.component === "rate" || (component.component === "mean" && kind === "score")
      ? ""
      : `${PARTS[component.component]} `;
  return `${part}${values}(${effect})`;
}

/** What a component is called in a sentence. */
export const PARTS = { body: "typical value", mean: "mean", tail: "tail", rate: "rate" } as const;

export function describeLimit({ kind, measurementUnit }: Finding, finding: LimitFinding): string {
  const { statistic, side, limit, candidate, baseline, pBreached, pHolds, state, burn } = finding;
  const value = (number: number | null) => formatValue(number, kind, measurementUnit);
  const p = state === "open" ? pHolds : pBreached;
  const proof = p === null ? "" : `, p ${formatP(p)}`;
  if (burn !== undefined) return `${describeBurn(burn)}; limit ${formatNumber(limit)}${proof})`;
  return `${statistic} ${value(candidate)} (baseline ${value(baseline)}; ${side} ${value(limit)}${proof})`;
}

/** `the candidate burns its 99.9% error budget at 21 times the sustainable rate over 1h and 30 times over 5m (baseline 1.1 and 0.9`, for the limit to follow. */
function describeBurn({ objective, long, short }: NonNullable<LimitFinding["burn"]>): string {
  const times = ({ candidate }: typeof long, unit: string) =>
    candidate === null ? "an unknown pace" : `${formatNumber(candidate)} times${unit}`;
  const over = ({ seconds, coveredSeconds }: typeof long) =>
    coveredSeconds < seconds
      ? `the ${toDuration(Math.round(coveredSeconds))} so far of ${toDuration(seconds)}`
      : toDuration(seconds);
  const baseline = [long, short].map((window) => (window.baseline === null ? "–" : formatNumber(window.baseline)));
  return `the candidate burns its ${formatObjective(objective)} error budget at ${times(long, " the sustainable rate")} over ${over(long)} and ${times(short, "")} over ${over(short)} (baseline ${baseline.join(" and ")}`;
}

/** One sentence that begins with the verdict's word. */
export function summarize({ decision, reasons }: Decided, findings: readonly Finding[]): string {
  if (decision === "promote") return `promote: ${promoted(findings)}`;
  const [first, ...rest] = reasons;
  if (first === undefined) throw new RangeError(`a ${decision} without a reason`);
  const others = rest.length === 0 ? "" : `; and ${formatCount(rest.length, "more reason")}`;
  return `${decision}: ${short(first, findings)}${others}`;
}

/** The reason without the words that the verdict says already. */
function short(reason: Reason, findings: readonly Finding[]): string {
  const finding = findings.find(({ metric }) => metric === reason.metric);
  if (finding !== undefined && (reason.code === "critical_metric_worse" || reason.code === "required_metric_worse"))
    return `${finding.metric} ${describeEffect(finding)}`;
  if (finding !== undefined && reason.code === "not_proven_safe") return `${reason.text}${outlook(finding)}`;
  return reason.text;
}

function outlook({ forecast, unit }: Finding): string {
  if (forecast?.units === null || forecast?.units === undefined || forecast.units === 0) return "";
  const { minutes } = forecast;
  const time = minutes === null ? "" : ` (${formatCount(Math.ceil(minutes), "minute")} at the present rate)`;
  return `, about ${formatNumber(forecast.units)} more ${unit}s per arm${time} would probably decide`;
}

function promoted(findings: readonly Finding[]): string {
  const deciding = findings.filter(({ tier }) => tier !== "advisory");
  const closest = deciding
    .filter(({ confidence }) => confidence !== null)
    .sort((a, b) => (a.confidence ?? 1) - (b.confidence ?? 1))[0];
  const all =
    deciding.length === 1 ? `${deciding[0]?.metric ?? ""} is safe` : `all ${deciding.length} metrics are safe`;
  if (closest === undefined || closest.effect === null) return all;
  const { effect, measurementUnit, metric } = closest;
  const change = (value: number | null) => formatChange(value, effect.scale, measurementUnit);
  return `${all}; closest to its margin: ${metric} ${change(effect.estimate)}, interval ${change(effect.lower)} to ${change(effect.upper)}; margin ${change(effect.margin).replace(/^\+/, "")}`;
}

/**
 * What would have to be different for another decision, in one sentence; null where nothing simple would do. It moves the numbers it names and leaves all others.
 */
export function counterfactual({ decision, reasons }: Decided, findings: readonly Finding[]): string | null {
  switch (decision) {
    case "rollback":
      return wouldNotRollBack(reasons, findings);
    case "promote":
      return wouldNotPromote(findings);
    case "pause":
    case "continue":
      return wouldPromote(reasons, findings);
  }
}

function wouldNotRollBack(reasons: readonly Reason[], findings: readonly Finding[]): string | null {
  const harmed = findings.filter(
    ({ metric, finding }) => finding === "worse" && reasons.some((reason) => reason.metric === metric),
  );
  const beyond = reasons.filter(({ code }) => code === "critical_limit_breached" || code === "required_limit_breached");
  const changes = harmed.flatMap((finding) => {
    const worse = finding.components.filter((component) => component.worse);
    return worse.map(({ component, effect, guard }) => {
      const part = effect.scale === "superiority" ? "superiority" : PARTS[component];
      const accepted = formatChange(guard, effect.scale, finding.measurementUnit).replace(/^\+/, "");
      return `the ${part} of ${finding.metric} had worsened by less than ${accepted}, or its interval reached no change`;
    });
  });
  if (beyond.length > 0)
    changes.push(`${beyond.map(({ metric }) => metric).join(" and ")} were not proven beyond the limit`);
  return changes.length === 0 ? null : `would not roll back if ${changes.join("; and ")}`;
}

function wouldNotPromote(findings: readonly Finding[]): string | null {
  const closest = findings
    .filter(({ tier, confidence, effect }) => tier !== "advisory" && confidence !== null && effect !== null)
    .sort((a, b) => (a.confidence ?? 1) - (b.confidence ?? 1))[0];
  if (closest === undefined || closest.effect === null) return null;
  const { effect, metric, measurementUnit, components } = closest;
  const component = components.find((one) => one.effect === effect);
  // The bound on the side of harm is the one nearer to the margin there.
  const bounds = [effect.lower, effect.upper].filter((bound) => bound !== null).map(Math.abs);
  if (component === undefined || bounds.length === 0) return null;
  const harmIsUp = component.pWorse > 0.5 ? effect.estimate <= 0 : effect.estimate > 0;
  const bound = harmIsUp ? effect.upper : effect.lower;
  if (bound === null) return null;
  const room = effect.margin - (harmIsUp ? bound : -bound);
  if (!(room > 0)) return null;
  const accepted = formatChange(room, effect.scale, measurementUnit).replace(/^\+/, "");
  return `would not promote if ${metric} were worse by another ${accepted}`;
}

function wouldPromote(reasons: readonly Reason[], findings: readonly Finding[]): string | null {
  const names = [...new Set(reasons.map(({ metric }) => metric))];
  const wanted = names.map((name): string | null => {
    const own = reasons.filter(({ metric }) => metric === name);
    const finding = findings.find(({ metric }) => metric === name);
    const decisive = finding === undefined ? null : decisiveComponent(finding.components);
    if (
      finding === undefined ||
      decisive === null ||
      own.some(({ code }) => code !== "not_proven_safe" && code !== "too_few_units")
    )
      return null;
    const { effect, component } = decisive;
    const accepted = formatChange(effect.margin, effect.scale, finding.measurementUnit).replace(/^\+/, "");
    return `the ${effect.scale === "superiority" ? "superiority" : PARTS[component]} of ${finding.metric} were proven to stay within ${accepted}${outlook(finding)}`;
  });
  // A fault that no number would mend has its own reason; then there is nothing to suppose.
  if (wanted.length === 0 || wanted.includes(null)) return null;
  return `flips to promote if ${wanted.join("; and ")}`;
}
