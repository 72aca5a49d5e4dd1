import type { Issue } from "../errors.ts";
import { AmountFault, readTolerance, type Measure, type Tolerance } from "./amount.ts";
import type { History, Metric, MetricInput } from "./analysis.ts";
import { queryForm } from "./query.ts";

/** What is known of a series from earlier runs, on the axis on which its difference is measured. */
export function resolveHistory(
  { kind, history, query }: MetricInput,
  at: string,
  measure: Measure,
  margin: Tolerance,
  unit: Metric["unit"],
  issues: Issue[],
): History | null {
  if (history === undefined) return null;
  const fault = (key: string, detail: string) => void issues.push({ pointer: `${at}/history${key}`, detail });
  const isSeries = queryForm(query) === "series" || (unit === "step" && ["value", "sql"].includes(queryForm(query)));
  if (!isSeries || kind === "errors")
    fault("", "is for metrics with one value per step (a series); what has units or counts shows its own variance");
  const read = readTolerance(history.stepDeviation, measure);
  if (read instanceof AmountFault) fault("/stepDeviation", read.detail);
  else if ((read.relative === null) !== (margin.relative === null))
    fault("/stepDeviation", "must be written like the margin: both relative or both absolute");
  else return { stepDeviation: read.relative ?? read.absolute ?? 0, runs: history.runs };
  return null;
}
