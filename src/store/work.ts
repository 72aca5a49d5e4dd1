import type { Decision } from "../model/finding.ts";
import type { LookState } from "../model/look-state.ts";
import type { Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { TraceParent } from "../model/trace-parent.ts";

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
  /** Runs that have not ended, those of them that are due and nobody has taken, and for how long the oldest of these is due. */
  backlog(): Promise<{ readonly live: number; readonly due: number; readonly oldestSeconds: number }>;
  /** Ends runs that were taken up `MOST_CLAIMS` times without progress. @returns their ids. */
  endCrashLoops(): Promise<string[]>;
}

/** From so many claims without a stored look on a run may be what ends its workers. Whether it is shows in a process of its own. */
export const SUSPECT_CLAIMS = 3;

/** After so many claims without a stored look each further one keeps the run twice as long as the one before. */
export const PATIENT_CLAIMS = 4;

/** So many claims without a stored look end a run unproven: something takes whole machines down with it. */
export const MOST_CLAIMS = 10;

/** A run in the hands of one worker, under one epoch. */
export interface Claim {
  readonly run: Run;
  readonly epoch: number;
  /** Since the last look that was stored, this one among them. */
  readonly claims: number;
  readonly worker: string;
  readonly looks: number;
  readonly state: LookState | null;
  /** The database's time of the claim: the `now` of the look. */
  readonly now: Instant;
  readonly createdAt: Instant;
  /** When the look was due; `now` is later by how long nobody took it. */
  readonly dueAt: Instant;
  readonly traceParent: TraceParent | null;
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
  /** Absent where nobody recorded it; then the run cannot be judged again. */
  readonly evidence?: NewEvidence;
}

/** What a look was given, packed. */
export interface NewEvidence {
  readonly engine: string;
  /** Of the packed evidence, kept or not. */
  readonly bytes: number;
  /** What is kept of one run; beyond it older looks give way, with the state put in their place. */
  readonly limitBytes: number;
  /** Null when it alone is more than the limit. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}
