import { formatChange, formatNumber, formatPercent } from "../judge/format.ts";
import { toDuration } from "../model/time.ts";
import type { Calibration, Detection, MetricCalibration, Rate } from "./calibrate.ts";
import { toColumns } from "./columns.ts";

/** A calibration for a terminal. */
export function toCalibrationText(calibration: Calibration): string {
  const { splits, recordings, seed, windowSeconds, budgets, falseAlarms, promoted, paused, metrics, pausedBy, notes } =
    calibration;
  const { least, most } = windowSeconds;
  const window = least === most ? toDuration(round(most)) : `${toDuration(round(least))} to ${toDuration(round(most))}`;
  const baselines = recordings === 1 ? "one recording" : `${recordings} recordings`;
  const header = ["metric", "tier", "split by", "units", "false alarms", "safe", "smallest change detected", "margin"];
  return [
    `${calibration.analysis}: the baseline against itself, ${splits} splits of ${baselines}, runs of ${window}, seed ${seed}`,
    "",
    `false alarms ${rateText(falseAlarms)}; rollback budget ${formatPercent(budgets.rollback)}`,
    `promoted     ${rateText(promoted)}`,
    `paused       ${rateText(paused)}${pausedBy.length === 0 ? "" : `: ${pausedBy.map(({ code, metric, count }) => `${metric === null ? code : `${metric} ${code}`} ${count}`).join(", ")}`}`,
    `median look  ${formatNumber(calibration.medianLook)}, after ${formatNumber(calibration.medianMinutes)} minutes`,
    "",
    ...toColumns([header, ...metrics.map(rowOf)]),
    "",
    ...notes.map((note) => `  - ${note}`),
    "",
  ].join("\n");
}

function rowOf({
  metric,
  tier,
  splitBy,
  units,
  falseAlarms,
  safe,
  detection,
  measurementUnit,
}: MetricCalibration): string[] {
  return [
    metric,
    tier,
    splitBy ?? "no data",
    units === null ? "–" : `${formatNumber(units.baseline)} / ${formatNumber(units.candidate)}`,
    rateText(falseAlarms),
    formatPercent(safe.estimate),
    ...detectionCells(detection, measurementUnit),
  ];
}

function detectionCells(detection: Detection | null, measurementUnit: string | null): [change: string, margin: string] {
  if (detection === null) return ["–", "–"];
  const { scale, change, tried, detected, of, margin } = detection;
  const accepted = formatChange(margin, scale, measurementUnit).replace(/^\+/, "");
  if (change === null) return [`none up to ${formatChange(tried, scale, measurementUnit)}`, accepted];
  return [`${formatChange(change, scale, measurementUnit)} (${detected} of ${of})`, accepted];
}

function rateText({ count, of, estimate, lower, upper }: Rate): string {
  return `${count} of ${of} (${formatPercent(estimate)}, interval ${formatPercent(lower)} to ${formatPercent(upper)})`;
}

const round = (seconds: number): number => Math.round(seconds);
