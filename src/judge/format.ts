import type { Burn } from "../model/analysis.ts";
import type { Effect } from "../model/finding.ts";
import { toDuration } from "../model/time.ts";

/** Numbers as sentences show them: few digits, a true minus, the measurement unit behind. The report itself keeps every digit. */

/** Three significant digits, more where a number is large: 1234, 12.3, 0.0123, 1.23e-7. */
export function formatNumber(value: number): string {
  // What is a whole number but for rounding is one: 100 × 0.1 is not quite 10.
  const magnitude = Math.abs(Number(value.toPrecision(12)));
  if (magnitude === 0) return "0";
  const digits =
    magnitude >= 1000 ? magnitude.toFixed(0) : magnitude >= 100 ? magnitude.toFixed(1) : magnitude.toPrecision(3);
  // 3.9965 is "4.00": without its zeros it would pass for a whole number.
  const shown = Number.isInteger(Number(digits)) && !Number.isInteger(magnitude) ? digits : String(Number(digits));
  const text = magnitude >= 1e7 || magnitude < 1e-4 ? magnitude.toExponential(2) : shown;
  return value < 0 ? `−${text}` : text;
}

/** With its sign: +0.12, −0.35, 0. */
export function formatSigned(value: number): string {
  return value > 0 ? `+${formatNumber(value)}` : formatNumber(value);
}

/** A share as a percentage: 0.0123 → 1.23%. */
export function formatPercent(fraction: number): string {
  return `${formatNumber(100 * fraction)}%`;
}

/** An objective with all of its nines, which three digits would round away: 0.9995 → 99.95%. */
export function formatObjective(objective: number): string {
  return `${Number((100 * objective).toPrecision(12))}%`;
}

/** What a limit looks at, for a table: `p95`, `burn of 99.9% over 1h and 5m`. */
export function formatStatistic(statistic: string, burn: Burn | undefined): string {
  if (burn === undefined) return statistic;
  const { objective, longSeconds, shortSeconds } = burn;
  return `${statistic} of ${formatObjective(objective)} over ${toDuration(longSeconds)} and ${toDuration(shortSeconds)}`;
}

/** A value of the metric itself: `0.412 s`, `3.91`, `1.2%`. */
export function formatValue(value: number | null, kind: string, measurementUnit: string | null): string {
  if (value === null) return "–";
  if (kind === "errors") return formatPercent(value);
  return measurementUnit === null || kind === "score"
    ? formatNumber(value)
    : `${formatNumber(value)} ${measurementUnit}`;
}

/** A change on the scale of its effect: `+8.1%`, `−0.35`, `+1.2 pp`, `+0.2 s`. */
export function formatChange(value: number | null, scale: Effect["scale"], measurementUnit: string | null): string {
  if (value === null) return "unbounded";
  switch (scale) {
    case "relative":
      return `${formatSigned(100 * value)}%`;
    case "fraction":
      return `${formatSigned(100 * value)} pp`;
    case "difference":
      return measurementUnit === null ? formatSigned(value) : `${formatSigned(value)} ${measurementUnit}`;
    case "points":
    case "superiority":
      return formatSigned(value);
  }
}

/** `−0.35, interval −0.52 to −0.18; margin 0.25` */
export function formatEffect(
  { estimate, lower, upper, scale, margin }: Effect,
  measurementUnit: string | null,
): string {
  const change = (value: number | null) => formatChange(value, scale, measurementUnit);
  const accepted = formatChange(margin, scale, measurementUnit).replace(/^\+/, "");
  return `${change(estimate)}, interval ${change(lower)} to ${change(upper)}; margin ${accepted}`;
}

export function formatCount(count: number, noun: string): string {
  const whole = Math.round(count);
  return `${whole} ${noun}${whole === 1 ? "" : "s"}`;
}

/** A p-value as people quote it. */
export function formatP(p: number): string {
  return p < 0.0001 ? "< 0.0001" : formatNumber(p);
}
