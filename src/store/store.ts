import type { AnalysisDocument } from "../model/analysis.ts";
import type { Decision, Verdict } from "../model/finding.ts";
import type { LookState } from "../model/look-state.ts";
import type { Run, RunStatus } from "../model/run.ts";
import type { Instant } from "../model/time.ts";

/**
 * The port of the record. Whatever is here survives any process; whatever is not may be lost at any moment.
 *
 * Every time is the database's. Every method may throw TouchstoneError `store_unavailable`.
 */
export interface Store extends RunStore, WorkStore, AnalysisStore {
  /** Resolves when the record answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

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
  listLooks(project: string, id: string, page: Page): Promise<Listed<StoredLook>>;
  /** @returns the run after the attempt; null when there is none. A terminal run stays as it is. */
  cancelRun(project: string, id: string, detail: string): Promise<StoredRun | null>;
  /**
   * Ends the window of a live run now: its last look comes when what is late has arrived.
   *
   * @returns the run after the attempt; null when there is none. A terminal run stays as it is.
   */
  finishRun(project: string, id: string, settleSeconds: number): Promise<StoredRun | null>;
  /** Which of these runs have ended; one question for all who wait. */
  endedAmong(ids: readonly string[]): Promise<string[]>;
}

/** What workers do with runs. */
export interface WorkStore {
  /** The next due run, or this one if it is due: leased to `worker` under a new epoch. Null when nothing is due. */
  claimRun(worker: string, leaseSeconds: number, id?: string): Promise<Claim | null>;
  /** @returns false when the run is no longer mine: cancelled, ended or claimed by another. */
  renewLease(claim: Claim, leaseSeconds: number): Promise<boolean>;
  /** Gives the run back unharmed, for a worker that shuts down. */
  handBack(claim: Claim): Promise<void>;
  /** Look, state and verdict in one transaction. @returns false when the run was no longer mine; then nothing is stored. */
  storeLook(claim: Claim, look: NewLook): Promise<boolean>;
  /** @returns false when the run was no longer mine. */
  failRun(claim: Claim, code: string, detail: string): Promise<boolean>;
  /** Ends runs that three workers took up without progress. @returns their ids. */
  endCrashLoops(): Promise<string[]>;
}

/** Definitions of analyses. */
export interface AnalysisStore {
  putAnalysis(project: string, analysis: StoredAnalysis, idempotency: Idempotency | null): Promise<void>;
  readAnalysis(project: string, name: string): Promise<StoredAnalysis | null>;
  listAnalyses(project: string, page: Page): Promise<Listed<StoredAnalysis>>;
  /** @returns false when there is none. @throws TouchstoneError `conflict` when it comes from a file. */
  deleteAnalysis(project: string, name: string): Promise<boolean>;
  /** The analyses that come from files become exactly these. */
  replaceFileAnalyses(project: string, analyses: readonly StoredAnalysis[]): Promise<void>;
}

/** A key that makes a repeated request the same request. */
export interface Idempotency {
  readonly route: string;
  readonly key: string;
  readonly bodyDigest: string;
}

export interface NewRun {
  readonly project: string;
  readonly requestDigest: string;
  readonly idempotency: Idempotency | null;
  /**
   * @param earlier  what the attempts before this one have used up of their error budgets, as fractions; null where the run belongs to no rollout.
   */
  readonly build: (now: Instant, earlier: EarlierAttempts | null) => { run: Run; dueAt: Instant };
}

export interface EarlierAttempts {
  readonly spentRollback: number;
  readonly spentPromote: number;
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
  readonly summary: string | null;
  readonly score: number | null;
  /** The report of the last look, the very bytes; null in lists, where nobody needs it. */
  readonly report: string | null;
  readonly error: { readonly code: string; readonly detail: string } | null;
}

export interface StoredLook {
  readonly n: number;
  readonly at: Instant;
  readonly decision: Decision;
  readonly report: string;
}

/** A run in the hands of one worker, under one epoch. */
export interface Claim {
  readonly run: Run;
  readonly epoch: number;
  readonly worker: string;
  readonly looks: number;
  readonly state: LookState | null;
  /** The database's time of the claim: the `now` of the look. */
  readonly now: Instant;
}

export interface NewLook {
  readonly at: Instant;
  readonly decision: Decision;
  readonly summary: string;
  readonly score: number | null;
  readonly report: string;
  readonly state: LookState;
  /** When the run is due again; null when this look decided, which ends the run. */
  readonly nextAt: Instant | null;
}

export interface StoredAnalysis {
  readonly name: string;
  readonly origin: "file" | "api";
  readonly document: AnalysisDocument;
  readonly digest: string;
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

export interface Page {
  readonly limit: number;
  readonly cursor: string | null;
}

export interface Listed<T> {
  readonly items: readonly T[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}
