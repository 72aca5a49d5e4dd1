import { readAnalysis } from "../src/model/read-analysis.ts";
import { analysisDigest, type Analysis } from "../src/model/analysis.ts";
import type { Rollout, Run } from "../src/model/run.ts";

/** One score metric, read from a file: the smallest analysis that can promote and roll back. */
export const SMALL_ANALYSIS = `
apiVersion: touchstone/v1
kind: Analysis
metadata: { name: small }
spec:
  unit: session
  plan: { mode: once }
  metrics:
  - { name: quality, kind: score, scale: [1, 5], source: files, query: { value: score, unit: session } }
`;

export function analysisOf(text: string): Analysis {
  return readAnalysis(text, "the test").analysis;
}

export function runOf(
  options: {
    id?: string;
    analysis?: string;
    rollout?: Rollout | null;
    baseline?: string;
    candidate?: string;
    notify?: string[];
  } = {},
): Run {
  const analysis = analysisOf(options.analysis ?? SMALL_ANALYSIS);
  return {
    id: options.id ?? "run_1",
    analysis,
    analysisDigest: analysisDigest(analysis),
    baseline: { label: options.baseline ?? "v1" },
    candidate: { label: options.candidate ?? "v2" },
    window: { start: "2026-11-20T08:00:00.000Z", end: "2026-11-20T08:30:00.000Z" },
    args: {},
    rollout: options.rollout ?? null,
    ...(options.notify === undefined ? {} : { notify: options.notify }),
  };
}
