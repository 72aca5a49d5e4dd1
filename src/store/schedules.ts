import type { Schedule, ScheduleSlot } from "../model/schedule.ts";
import type { Instant } from "../model/time.ts";
import type { Version } from "../model/version.ts";
import type { Listed, Page } from "./listed.ts";
import type { Idempotency, NewRun } from "./runs.ts";

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
