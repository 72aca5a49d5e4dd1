import type { Decision, Verdict } from "../model/finding.ts";
import type { Override, Rollout, Run, RunStatus, ToldByController } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { TraceParent } from "../model/trace-parent.ts";
import type { Listed, Page } from "./listed.ts";

/** Runs as callers see them. */
export interface RunStore {
  /**
   * Stores a run, or finds the one that the same identity already has; and the idempotency key with it.
   *
   * @param build  makes the run from the time of the transaction.
   * @throws TouchstoneError `conflict` when a newer revision is live or the identity is live with another body; `idempotency_mismatch`.
   */
  startRun(start: NewRun): Promise<StartedRun>;
  readRun(project: string, id: string): Promise<StoredRun | null>;
  listRuns(project: string, filter: RunFilter, page: Page): Promise<Listed<StoredRun>>;
  /** Those with the newest run first. */
  listRollouts(project: string, filter: RolloutFilter, page: Page): Promise<Listed<StoredRollout>>;
  listLooks(project: string, id: string, page: Page): Promise<Listed<StoredLook>>;
  /** What each look was given, beside its report; of looks without evidence only that. */
  listEvidence(project: string, id: string, page: Page): Promise<Listed<StoredEvidence>>;
  /** @returns the run after the attempt; null when there is none. A terminal run stays as it is. */
  cancelRun(project: string, id: string, detail: string, actor: string): Promise<StoredRun | null>;
  /**
   * Puts a person's verdict beside the computed one.
   *
   * @returns the run with it; null when there is none.
   * @throws TouchstoneError `conflict` when the run is no longer at the expected version, or was cancelled.
   */
  overrideRun(project: string, id: string, override: NewOverride): Promise<StoredRun | null>;
  /**
   * Ends the window of a live run now: its last look comes when what is late has arrived.
   *
   * @returns the run after the attempt; null when there is none. A terminal run stays as it is.
   */
  finishRun(project: string, id: string, settleSeconds: number): Promise<StoredRun | null>;
  /** How many runs are due and in nobody's hands; counted up to `limit` only. */
  countWaiting(limit: number): Promise<number>;
  /** Which of these runs have ended; one question for all who wait. */
  endedAmong(ids: readonly string[]): Promise<string[]>;
}

export interface NewRun {
  readonly project: string;
  readonly requestDigest: string;
  readonly idempotency: Idempotency | null;
  /** The one of the run that `build` makes. */
  readonly rollout: Rollout | null;
  /** True: a run that has ended is not found again, however short ago that was: the caller has been told of its end. */
  readonly anew?: boolean;
  /** Called before a new run is stored, not for one that is there already: throws where no more are taken, and then nothing is stored. */
  readonly admit: () => void;
  /** Who asks for it: runs of older revisions end by this. */
  readonly actor: string;
  /** Under which span the looks of the run belong; null or left out where nobody traces. No part of what is judged. */
  readonly traceParent?: TraceParent | null;
  /** @param earlier  what runs of the same rollout, analysis, baseline and candidate came before; null where the run belongs to no rollout. */
  readonly build: (now: Instant, earlier: EarlierRuns | null) => { run: Run; dueAt: Instant };
}

/** A key that makes a repeated request the same request. */
export interface Idempotency {
  readonly route: string;
  readonly key: string;
  readonly bodyDigest: string;
}

/** Fractions of the error budgets of an analysis. */
export interface Spent {
  readonly rollback: number;
  readonly promote: number;
}

/** Of one rollout, analysis, baseline and candidate. A live run counts with all that it may use, a run that its evidence ended early with all that it might have. */
export interface EarlierRuns {
  /** What the attempts at the same stage have used up. */
  readonly stage: Spent;
  /** Of the rollback budget what all have used up; of the promote budget what attempts at the same stage have, and others that did not promote. */
  readonly rollout: Spent;
  /** The newest first, as far as they are stored. */
  readonly runs: readonly EarlierRun[];
}

export interface EarlierRun {
  readonly stage: string | null;
  readonly verdict: Verdict | null;
  /** Where its window starts. */
  readonly start: Instant | null;
  readonly analysisDigest: string;
}

export interface StartedRun {
  readonly run: StoredRun;
  /** `repeated`: the idempotency key was used before. `same`: this rollout has the run already. */
  readonly outcome: "created" | "repeated" | "same";
  /** Ids of runs of older revisions that this one ended. */
  readonly superseded: readonly string[];
}

export interface StoredRun {
  readonly run: Run;
  readonly project: string;
  readonly status: RunStatus;
  readonly createdAt: Instant;
  readonly dueAt: Instant | null;
  readonly attempt: number | null;
  readonly verdict: Verdict | null;
  readonly decidedAt: Instant | null;
  readonly looks: number;
  /** Grows with every look, end and override. */
  readonly version: number;
  /** The newest. */
  readonly override: Override | null;
  readonly summary: string | null;
  readonly score: number | null;
  /** The report of the last look, the very bytes; null in lists, where nobody needs it. */
  readonly report: string | null;
  readonly error: { readonly code: string; readonly detail: string } | null;
  readonly traceParent: TraceParent | null;
  /** What the controller of its rollout has told; null where none has. */
  readonly told: ToldByController | null;
  /** Of the analysis's error budgets, as fractions; while it lives all that it may use. */
  readonly used: Spent;
}

/** The runs of one rollout under one analysis, of one baseline and candidate. */
export interface StoredRollout {
  /** At least one, the newest first; without their reports. */
  readonly runs: readonly StoredRun[];
  /** What runs that retention has deleted used up, by stage. */
  readonly deleted: readonly { readonly stage: string | null; readonly attempts: number; readonly used: Spent }[];
}

export interface RolloutFilter {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly revision?: string | undefined;
  readonly analysis?: string | undefined;
}

export interface RunFilter {
  readonly analysis?: string | undefined;
  readonly namespace?: string | undefined;
  readonly rollout?: string | undefined;
  readonly status?: RunStatus | undefined;
  readonly verdict?: Verdict | undefined;
  /** Label of either arm. */
  readonly version?: string | undefined;
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
}

export interface StoredLook {
  readonly n: number;
  readonly at: Instant;
  readonly decision: Decision;
  readonly report: string;
}

/** A look as verification needs it: what was judged and what came of it. */
export interface StoredEvidence {
  readonly n: number;
  readonly at: Instant;
  /** The very bytes of its report. */
  readonly report: string;
  /** The engine that judged; null when nothing was kept. */
  readonly engine: string | null;
  /** Of the evidence, kept or not; null for looks from before evidence was kept. */
  readonly bytes: number | null;
  /** The stored state before this look, where the evidence of the looks before is not there to give it. */
  readonly state: string | null;
  readonly body: Uint8Array | null;
}

export interface NewOverride {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly actor: string;
  readonly expectedVersion: number;
  readonly idempotency: Idempotency | null;
}
