import { canonicalJson } from "../../src/model/canonical.ts";
import type { RunEvent } from "../../src/model/event.ts";

type Data = RunEvent["data"];

/** An event of a run that was rolled back, with what a test changes of it; and the bytes that would be stored. */
export function eventOf(
  type: RunEvent["type"] = "run.done",
  data: Partial<Data> = {},
  id = "evt_1_end",
): { event: RunEvent; body: string } {
  const event: RunEvent = {
    id,
    type,
    timestamp: "2026-11-19T08:30:00.000Z",
    data: {
      run: "run_1",
      status: "done",
      verdict: "rollback",
      effectiveVerdict: "rollback",
      override: null,
      summary: "rollback: quality 3.91 vs 4.26 (−0.35)",
      reasons: [{ code: "critical_metric_worse", metric: "quality", text: "quality is worse" }],
      error: null,
      score: 12,
      analysis: { name: "support-agent", digest: "sha256:a" },
      baseline: { label: "v41" },
      candidates: [{ label: "v42" }],
      rollout: null,
      links: { run: "/v1/runs/run_1", report: "/v1/runs/run_1/report" },
      audit: { seq: 7, hash: "sha256:b" },
      ...data,
    },
  };
  return { event, body: canonicalJson(event) };
}
