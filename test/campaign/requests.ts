import type { Verdict } from "../../src/model/finding.ts";

/** A request, and what must come of it when nobody cancels it. */
export interface RunRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly expected: Verdict;
}

/** What the source does for a candidate of this name decides the verdict. */
const EXPECTED = { good: "promote", bad: "rollback", silent: "pause", broken: "pause" } as const satisfies Record<
  string,
  Verdict
>;
export type CandidateKind = keyof typeof EXPECTED;
export const CANDIDATE_KINDS = Object.keys(EXPECTED) as CandidateKind[];

const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T08:30:00Z" };

const analysis = (name: string, plan: object): object => ({
  apiVersion: "touchstone/v1",
  kind: "Analysis",
  metadata: { name },
  spec: {
    unit: "step",
    plan,
    metrics: ["latency", "cost"].map((kind) => ({
      name: kind,
      kind,
      source: "metrics",
      tier: "critical",
      query: { series: `agent_${kind}{version="{{ version }}"}` },
    })),
  },
});

const ONE_LOOK = analysis("one-look", { mode: "once", duration: "30m", step: "60s" });
const MANY_LOOKS = analysis("many-looks", {
  mode: "scheduled",
  duration: "12s",
  every: "1s",
  settle: "0s",
  step: "1s",
});

/** One look back at a window that has passed. */
export const oneLook = (kind: CandidateKind, label: string, more: object = {}): RunRequest => ({
  body: {
    analysis: ONE_LOOK,
    baseline: { label: "v1" },
    candidate: { label: `${kind}-${label}` },
    window: WINDOW,
    ...more,
  },
  expected: EXPECTED[kind],
});

/** A look every second, for twelve seconds at most. */
export const manyLooks = (kind: CandidateKind, label: string, more: object = {}): RunRequest => ({
  body: { analysis: MANY_LOOKS, baseline: { label: "v1" }, candidate: { label: `${kind}-${label}` }, ...more },
  expected: EXPECTED[kind],
});

/** One look at a candidate that the source treats specially: `poison` or `hang`. */
export const oddLook = (label: string): RunRequest => ({
  body: { ...oneLook("good", label).body, candidate: { label } },
  expected: "pause",
});
