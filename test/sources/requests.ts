import type { Metric } from "../../src/model/analysis.ts";
import { readAnalysis } from "../../src/model/read-analysis.ts";
import type { Persist } from "../../src/sources/retries.ts";
import type { SourceRequest } from "../../src/sources/source.ts";

/** Asks once, without limits. */
export const ONCE: Persist = (attempt, signal) => attempt(signal);

/** A question of one metric, its query written as in a file. */
export function ask(
  query: string,
  options: Partial<Omit<SourceRequest, "metric">> & { kind?: string } = {},
): SourceRequest {
  const { kind = "latency", ...rest } = options;
  const limit = query.includes("instant") ? ', limit: { value: { max: "1 x", check: point } }, measurementUnit: x' : "";
  const text = `apiVersion: touchstone/v1\nkind: Analysis\nmetadata: { name: t }\nspec:\n  metrics:\n  - { name: m, kind: ${query.includes("instant") ? "gauge" : kind}, source: s, query: ${query}${limit}${kind === "score" ? ", scale: [0, 10]" : ""} }\n`;
  const [metric] = readAnalysis(text, "the test").analysis.metrics as [Metric];
  return {
    metric,
    version: { label: "v2", labels: { team: "blue" } },
    args: { region: "eu" },
    window: { start: "2026-11-20T08:00:00.000Z", end: "2026-11-20T08:05:00.000Z" },
    stepSeconds: 60,
    ...rest,
  };
}
