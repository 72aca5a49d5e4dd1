import type { RolloutOutcome, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { StoredRun } from "./runs.ts";

/** Runs as rollout controllers ask for them: by what is rolled out, since controllers know no ids of runs. */
export interface ControllerStore {
  /** The newest run that judges exactly this, without its report; null when there is none. A plain read, for those who ask every few seconds. */
  findPolled(project: string, asked: PolledIdentity): Promise<PolledRun | null>;
  /**
   * Remembers when a final answer about a run was first given.
   *
   * @param answer  its word; another word than before is another answer, as after an override.
   * @returns how many seconds ago that was, 0 for the first time.
   */
  tellAnswer(id: string, answer: string): Promise<number>;
  /** The newest run of this rollout under each analysis, or under the one that is named, whatever its revision. */
  listWatches(project: string, rollout: WatchedRollout): Promise<WatchedRun[]>;
  /** Lets the run's rollout go its first step without evidence, once. */
  grantFreeAdvance(id: string): Promise<void>;
  /** @returns whether there was one; then it is used up. */
  takeFreeAdvance(id: string): Promise<boolean>;
  /** Remembers which share of the traffic the candidate has from now on; nothing when that is what it had. */
  addWeight(id: string, weight: number): Promise<void>;
  /** The rollout has ended: remembers how, the first time, and ends the window of a run that is live still. */
  closeWatch(project: string, id: string, outcome: RolloutOutcome, settleSeconds: number): Promise<void>;
}

export type PolledIdentity = Pick<Run, "baseline" | "candidate"> & {
  readonly rollout: NonNullable<Run["rollout"]>;
  /** Its name. */
  readonly analysis: string;
};

/** What a poller needs to know of a run. */
export interface PolledRun extends Pick<
  StoredRun,
  "status" | "dueAt" | "attempt" | "verdict" | "override" | "summary" | "score" | "error"
> {
  readonly id: string;
  readonly requestDigest: string;
  /** How long a live run is due already; 0 when it is not. */
  readonly lateSeconds: number;
}

export interface WatchedRollout {
  readonly namespace: string;
  readonly name: string;
  readonly analysis?: string | undefined;
}

export interface WatchedRun {
  readonly stored: StoredRun;
  /** The database's time. */
  readonly now: Instant;
}
