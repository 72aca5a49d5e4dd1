import type { AnalysisDocument } from "../model/analysis.ts";
import type { CanaryConfig } from "../model/canary.ts";
import type { AuditHead, AuditRecord } from "../model/audit.ts";
import type { DeliveryView, EventType } from "../model/event.ts";
import type { Decision, Verdict } from "../model/finding.ts";
import type { LookState } from "../model/look-state.ts";
import type { Override, Rollout, RolloutOutcome, Run, RunStatus, ToldByController } from "../model/run.ts";
import type { Schedule, ScheduleSlot } from "../model/schedule.ts";
import type { Instant } from "../model/time.ts";
import type { TraceParent } from "../model/trace-parent.ts";
import type { Version } from "../model/version.ts";

/**
 * The port of the record. Whatever is here survives any process; whatever is not may be lost at any moment.
 *
 * Every time is the database's. Every method may throw TouchstoneError `store_unavailable`.
 */
export interface Store
  extends
    RunStore,
    WorkStore,
    AnalysisStore,
    ScheduleStore,
    AuditStore,
    Outbox,
    KeepingStore,
    ControllerStore,
    CanaryConfigStore {
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

/** Definitions of analyses. */
export interface AnalysisStore {
  putAnalysis(project: string, analysis: StoredAnalysis, idempotency: Idempotency | null, actor: string): Promise<void>;
  readAnalysis(project: string, name: string): Promise<StoredAnalysis | null>;
  listAnalyses(project: string, page: Page): Promise<Listed<StoredAnalysis>>;
  /** @returns false when there is none. @throws TouchstoneError `conflict` when it comes from a file. */
  deleteAnalysis(project: string, name: string, actor: string): Promise<boolean>;
  /** The analyses that come from files become exactly these. */
  replaceFileAnalyses(project: string, analyses: readonly StoredAnalysis[]): Promise<void>;
}

/** Canary configs that Kayenta's clients keep here. */
export interface CanaryConfigStore {
  /**
   * Stores a new config, or one in the place of what `id` names.
   *
   * @param id     of the config that is replaced; null for a new one.
   * @param build  makes the document, with its id, name and applications, from the time of the transaction.
   * @throws TouchstoneError `conflict` when a new id is taken, an old one is not there, or another config of one of its applications has the name.
   */
  putCanaryConfig(
    project: string,
    id: string | null,
    build: (now: Instant) => StoredCanaryConfig,
    actor: string,
  ): Promise<StoredCanaryConfig>;
  readCanaryConfig(project: string, id: string): Promise<StoredCanaryConfig | null>;
  /** All of them, the oldest first; of any of these applications, or of every one where none is named. */
  listCanaryConfigs(project: string, applications: readonly string[]): Promise<StoredCanaryConfig[]>;
  /** @returns false when there is none. */
  deleteCanaryConfig(project: string, id: string, actor: string): Promise<boolean>;
}

export type StoredCanaryConfig = CanaryConfig & { readonly id: string; readonly name: string };

/** Who decided what: a chain of hashes that nobody can change unseen. */
export interface AuditStore {
  /** The records in their order; of one subject alone they do not make a chain. */
  listAudit(project: string, subject: string | null, page: Page): Promise<Listed<AuditRecord>>;
  readAuditHead(project: string): Promise<AuditHead>;
}

/** Events on their way to notification targets. They are put here by the transaction that made them happen. */
export interface Outbox {
  /** Due deliveries, oldest first, each leased to one attempt; none of the targets in `except`. */
  claimDeliveries(leaseSeconds: number, limit: number, except: readonly string[]): Promise<Delivery[]>;
  /** @returns false when the lease lapsed and another attempt has it. */
  settleDelivery(delivery: Delivery, outcome: DeliveryOutcome): Promise<boolean>;
  /** Gives up what has waited for these targets too long and is in no attempt. @returns the target of each. */
  giveUpOldDeliveries(targets: readonly string[], olderThanSeconds: number): Promise<string[]>;
  /** What waits, and for how long the oldest of it. */
  outboxLag(): Promise<{ readonly waiting: number; readonly oldestSeconds: number }>;
  /** Every delivery of the events of one run. */
  listDeliveries(project: string, run: string): Promise<DeliveryView[]>;
}

/** One event for one target. */
export interface Delivery {
  readonly eventId: string;
  readonly target: string;
  readonly run: string;
  readonly type: EventType;
  /** The very bytes, the same at every attempt. */
  readonly body: string;
  /** This attempt's number, from 1. */
  readonly attempts: number;
  /** Since the event happened. */
  readonly ageSeconds: number;
}

export type DeliveryOutcome =
  | { readonly kind: "delivered" }
  | { readonly kind: "later"; readonly seconds: number; readonly reason: string }
  | { readonly kind: "given_up"; readonly reason: string };

export interface NewOverride {
  readonly verdict: Verdict;
  readonly reason: string;
  readonly actor: string;
  readonly expectedVersion: number;
  readonly idempotency: Idempotency | null;
}

/** Schedules, and what became of their slots. */
export interface ScheduleStore {
  /**
   * Stores a schedule in the place of the one with its name.
   *
   * @param timetable  says, from the time of the transaction and from what is stored, when it is due next.
   * @throws TouchstoneError `idempotency_mismatch`.
   */
  putSchedule(
    project: string,
    schedule: Schedule,
    timetable: (now: Instant, before: StoredSchedule | null) => Timetable,
    idempotency: Idempotency | null,
    actor: string,
  ): Promise<void>;
  readSchedule(project: string, name: string): Promise<StoredSchedule | null>;
  listSchedules(project: string, page: Page): Promise<Listed<StoredSchedule>>;
  /** The slots go with it, the runs stay. @returns false when there is none. */
  deleteSchedule(project: string, name: string, actor: string): Promise<boolean>;
  /** What became of the slots, the newest first. */
  listSlots(project: string, name: string, page: Page): Promise<Listed<ScheduleSlot>>;
  /** Schedules whose slot has come by the clock of the database, the longest due first. */
  dueSchedules(limit: number): Promise<DueSchedule[]>;
  /**
   * Takes the due slots of a schedule: what became of them, the run that they start, and when the next is due, in one transaction. Whoever dies before its end has taken
   * nothing, and of many who take the same slots one does. A slot whose schedule has a live run from before is recorded as skipped.
   *
   * @returns null when the slots were no longer to be had: taken by another, or the schedule was changed or deleted.
   * @throws whatever `start.run.build` throws; then nothing is taken.
   */
  takeSlots(due: DueSchedule, taking: SlotTaking): Promise<TakenSlots | null>;
  /** How long the longest due slot has waited, in seconds; 0 when none is due. */
  slotLagSeconds(): Promise<number>;
  /** The candidate of the last run of this analysis that was promoted, unless one was rolled back since; of several candidates the best. */
  lastPromoted(project: string, analysis: string): Promise<Version | null>;
  /** The version whose first appearance in a run of this analysis, in either arm, is the latest. */
  newestVersion(project: string, analysis: string): Promise<Version | null>;
}

/** What keeps the record from growing for ever. */
export interface KeepingStore {
  /**
   * Deletes the runs that ended longest ago and have nothing left to be told, with their looks, evidence and idempotency keys; what their attempts spent of their error budgets stays. Live runs never.
   *
   * @param endedBeforeSeconds  how long ago a run must have ended.
   * @param limit  of runs in one transaction.
   * @returns null when another process is at it.
   */
  deleteEndedRuns(endedBeforeSeconds: number, limit: number): Promise<DeletedRuns | null>;
  /**
   * Deletes idempotency keys of this age that belong to no stored run, and what became of slots of schedules that long ago.
   *
   * @param limit  of keys, and of slots, in one transaction.
   * @returns how many keys or slots, whichever were more: below the limit nothing is left. Null when another process is at it.
   */
  deleteOldKeys(olderThanSeconds: number, limit: number): Promise<number | null>;
  measure(): Promise<RecordSize>;
}

export interface DeletedRuns {
  readonly runs: number;
  /** Of their content, as `RecordSize` counts it. */
  readonly contentBytes: number;
}

export interface RecordSize {
  /** Reports, states and evidence as they are stored: what retention can free. Estimated from a part of the rows where there are very many. */
  readonly contentBytes: number;
  /** Tables and indexes with their free space, which does not shrink but is used again. */
  readonly diskBytes: number;
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

export interface StoredLook {
  readonly n: number;
  readonly at: Instant;
  readonly decision: Decision;
  readonly report: string;
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

export interface StoredAnalysis {
  readonly name: string;
  readonly origin: "file" | "api";
  readonly document: AnalysisDocument;
  readonly digest: string;
}

export interface StoredSchedule {
  readonly schedule: Schedule;
  readonly project: string;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** Where `every` counts from. */
  readonly anchorAt: Instant;
  /** The next slot; null while paused. */
  readonly nextAt: Instant | null;
  readonly lastSlot: ScheduleSlot | null;
}

/** When a schedule is due from now on. */
export interface Timetable {
  readonly anchorAt: Instant;
  readonly nextAt: Instant | null;
  /** Slots that were due under what was stored before and that nobody will take any more. */
  readonly lapsed: NewSlot | null;
}

export interface DueSchedule extends StoredSchedule {
  /** The slot that is due. */
  readonly nextAt: Instant;
  /** Changes with every change of the schedule. */
  readonly revision: number;
  /** The database's time. */
  readonly now: Instant;
}

/** Slots that start no run. */
export interface NewSlot {
  readonly slot: Instant;
  readonly firstSlot: Instant;
  readonly slots: number;
  readonly outcome: "skipped" | "failed";
  readonly code: string;
  readonly detail: string;
}

export interface SlotTaking {
  readonly records: readonly NewSlot[];
  readonly start: { readonly slot: Instant; readonly run: NewRun } | null;
  readonly nextAt: Instant | null;
}

export interface TakenSlots {
  readonly slots: readonly ScheduleSlot[];
  /** The id of the run that was started. */
  readonly started: string | null;
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
