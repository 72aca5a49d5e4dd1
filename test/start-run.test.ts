import { expect, test } from "vitest";
import type { StartRunRequest } from "../src/model/run.ts";
import { createReplaySource } from "../src/sources/replay.ts";
import { prepareRun } from "../src/start-run.ts";
import type { EarlierRun, EarlierRuns } from "../src/store/runs.ts";
import type { Store } from "../src/store/store.ts";

const ANALYSIS = {
  apiVersion: "touchstone/v1" as const,
  kind: "Analysis" as const,
  metadata: { name: "staged" },
  spec: {
    plan: { mode: "scheduled" as const, duration: "1h", every: "2m" },
    stages: [
      { name: "a", duration: "30m" },
      { name: "b", minUnits: 100 },
    ],
    metrics: [{ name: "m", kind: "latency" as const, source: "s", query: { value: "v", at: "at" } }],
  },
};
const NOW = "2026-11-20T09:00:00.000Z";
const NOTHING = { rollback: 0, promote: 0 };

async function prepared(more: Partial<StartRunRequest> = {}) {
  const sources = new Map([["s", createReplaySource(new Map())]]);
  // An inline analysis asks nothing of the record.
  const store = {} as Store;
  const backlog = { refresh: () => Promise.resolve(), admit: () => undefined };
  const request: StartRunRequest = {
    analysis: ANALYSIS,
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    rollout: { namespace: "n", name: "r", revision: "1", stage: "b" },
    ...more,
  };
  const newId = () => "run_1";
  const caller = { actor: "a test", idempotency: null };
  return prepareRun({ store, sources, targets: new Map(), backlog, newId }, "default", request, caller);
}

/** The stage before was promoted ten minutes ago. */
async function started(more: Partial<StartRunRequest> = {}) {
  const { build } = await prepared(more);
  const { analysisDigest } = build(NOW, null).run;
  const before: EarlierRun = { stage: "a", verdict: "promote", start: "2026-11-20T08:25:00.000Z", analysisDigest };
  const earlier: EarlierRuns = { stage: NOTHING, rollout: { rollback: 0.4, promote: 0 }, runs: [before] };
  return build(NOW, earlier).run;
}

test("a run of a stage has its plan, its share of the budget and the evidence of the stage before", async () => {
  const run = await started();
  expect(run.analysis.plan).toMatchObject({ durationSeconds: 3600, minUnits: 100 });
  expect(run.budgetShares).toEqual({ rollback: 0.4, promote: 0.8 });
  // On the grid of its looks, and no earlier than the run before.
  expect(run.carried).toEqual({ from: "2026-11-20T08:26:00.000Z", stages: ["a"] });
  expect(run.window).toEqual({ start: NOW, end: "2026-11-20T10:00:00.000Z" });
});

test("a run over a window of its own, or of several candidates, starts afresh", async () => {
  const window = { start: "2026-11-20T08:00:00.000Z", end: "2026-11-20T08:50:00.000Z" };
  expect((await started({ window })).carried).toBeUndefined();
  const candidates = [{ label: "v2" }, { label: "v3" }];
  expect((await started({ candidate: undefined, candidates })).carried).toBeUndefined();
  expect((await started()).carried).toBeDefined();
});

test("a run outside any rollout is judged by the plan of the analysis, under the whole budget", async () => {
  const { build } = await prepared({ rollout: undefined });
  const { run } = build(NOW, null);
  expect(run.analysis.plan).toMatchObject({ durationSeconds: 3600, minUnits: 30 });
  expect(run.budgetShares).toBeUndefined();
});
