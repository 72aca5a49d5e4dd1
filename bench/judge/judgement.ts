import type { Comparison, Workload } from "./workload.ts";

/** What a judge made of one comparison. */
export interface Judgement {
  readonly verdict: "promote" | "rollback" | "pause";
  /** The look of the verdict, counted from 1, and its minute. */
  readonly look: number;
  readonly minutes: number;
  /** Whether it would ever have rolled back, had promotion been ignored, and at which look first. */
  readonly everRolledBack: boolean;
  readonly rollbackLook: number | null;
  /** For every look, how far its free parameter could be tightened and still have rolled back by then; see peers.ts. */
  readonly path?: readonly number[];
}

export type Judge = (comparison: Comparison, workload: Workload) => Promise<Judgement>;
