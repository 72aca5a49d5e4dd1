import { isTouchstoneError, TouchstoneError } from "./errors.ts";
import { timingOf, type Schedule, type ScheduledArm, type ScheduleSlot } from "./model/schedule.ts";
import { dueSlots, MOST_SLOTS, nextSlot, type SlotRange } from "./model/slots.ts";
import { epochSeconds, type Instant } from "./model/time.ts";
import type { Version } from "./model/version.ts";
import {
  findRunnable,
  prepareRun,
  startInSpan,
  targetsOf,
  type Caller,
  type StartRunDependencies,
} from "./start-run.ts";
import type { DueSchedule, NewSlot, SlotTaking, StoredSchedule, TakenSlots, Timetable } from "./store/schedules.ts";
import type { NewRun } from "./store/runs.ts";

/** Schedules that one tick looks at, some 30 ms each; the rest comes with the next, a second later, so that runs need not wait for all of them. */
const MOST_AT_ONCE = 20;

/** A slot that is taken later than this was missed: a sweep comes every second, so nobody was there. */
const ON_TIME_SECONDS = 60;

/**
 * The tick: every slot that has come starts its run, or is recorded with the reason why it did not.
 *
 * Which slots have come is the database's to say. Any number of processes may tick at once; each slot is taken by one of them, together with its run.
 *
 * @param onTaken  told of what became of slots that this process took.
 * @throws TouchstoneError `store_unavailable` or `overloaded`; the slots that were not taken yet stay due.
 */
export async function takeDueSlots(
  dependencies: StartRunDependencies,
  onTaken: (schedule: string, slot: ScheduleSlot) => void,
): Promise<void> {
  for (const due of await dependencies.store.dueSchedules(MOST_AT_ONCE)) {
    const taken = await takeSlotsOf(dependencies, due);
    if (taken === null) continue;
    if (taken.started !== null) dependencies.doorbell.ring(taken.started);
    for (const slot of taken.slots) onTaken(due.schedule.name, slot);
  }
}

async function takeSlotsOf(dependencies: StartRunDependencies, due: DueSchedule): Promise<TakenSlots | null> {
  const { store } = dependencies;
  const { schedule, anchorAt, now } = due;
  const timing = timingOf(schedule, anchorAt);
  const { last, earlier } = dueSlots(timing, due.nextAt, now);
  const take = (records: readonly (NewSlot | null)[], start: SlotTaking["start"] = null) =>
    store.takeSlots(due, { records: records.filter((one) => one !== null), start, nextAt: nextSlot(timing, now) });

  if (schedule.missed === "skip" && epochSeconds(now) - epochSeconds(last) > ON_TIME_SECONDS)
    return take([missed(including(earlier, last))]);
  const before = earlier === null ? null : missed(earlier);
  try {
    const run = await prepareSlot(dependencies, due, last);
    if ("outcome" in run) return await take([before, run]);
    return await startInSpan(
      dependencies.tracing,
      null,
      (traceParent) => take([before], { slot: last, run: { ...run, traceParent } }),
      (taken) => ({
        "touchstone.schedule": schedule.name,
        "touchstone.run": taken?.started ?? undefined,
        // Another process was there first.
        "touchstone.outcome": taken === null ? "taken_elsewhere" : taken.started === null ? "skipped" : "created",
      }),
    );
  } catch (error) {
    // Nobody waits for this answer but the reader of the slots; and one schedule's trouble must not hold up the others.
    if (isTouchstoneError(error) && (error.code === "store_unavailable" || error.code === "overloaded")) throw error;
    const code = isTouchstoneError(error) ? error.code : "internal";
    const detail = error instanceof Error ? error.message : String(error);
    return take([before, { slot: last, firstSlot: last, slots: 1, outcome: "failed", code, detail }]);
  }
}

/** The run of a slot; or the slot as skipped, where there is nothing to compare. @throws TouchstoneError as `startRun` does. */
async function prepareSlot(
  dependencies: StartRunDependencies,
  { project, schedule }: DueSchedule,
  slot: Instant,
): Promise<NewRun | NewSlot> {
  const [baseline, candidate] = await Promise.all(
    [schedule.baseline, schedule.candidate].map((arm) => versionOf(dependencies, project, schedule, arm)),
  );
  if (baseline === undefined || candidate === undefined) throw new RangeError("two arms are two versions");
  if (baseline.label === candidate.label) {
    const words = [schedule.baseline, schedule.candidate].filter((arm) => typeof arm === "string").join(" and ");
    const detail = `${baseline.label} is both the baseline and the candidate (${words})`;
    return { slot, firstSlot: slot, slots: 1, outcome: "skipped", code: "nothing_new", detail };
  }
  const { analysis, args, notify } = schedule;
  const request = {
    analysis,
    baseline,
    candidate,
    ...(args === undefined ? {} : { args }),
    ...(notify === undefined ? {} : { notify }),
  };
  const prepared = await prepareRun(dependencies, project, request, {
    actor: `schedule ${schedule.name}`,
    idempotency: null,
  });
  return {
    ...prepared,
    // The window is the slot's, however late it is taken: the windows of a schedule lie as regularly as its slots.
    build(_now, spent) {
      const { run, dueAt } = prepared.build(slot, spent);
      return { run: { ...run, schedule: { name: schedule.name, slot } }, dueAt };
    },
  };
}

async function versionOf(
  { store }: Pick<StartRunDependencies, "store">,
  project: string,
  { analysis }: Schedule,
  arm: ScheduledArm,
): Promise<Version> {
  if (typeof arm !== "string") return arm;
  switch (arm) {
    case "known-good": {
      const promoted = await store.lastPromoted(project, analysis);
      if (promoted !== null) return promoted;
      throw new TouchstoneError(
        "not_found",
        `there is no known-good version: no run of ${analysis} promoted one that none rolled back since`,
      );
    }
    case "newest": {
      const newest = await store.newestVersion(project, analysis);
      if (newest !== null) return newest;
      throw new TouchstoneError("not_found", `there is no newest version: ${analysis} has had no run yet`);
    }
  }
}

/**
 * Stores a schedule. What can be refused now is refused now: its analysis must be there and able to run. It holds from the next slot on.
 *
 * @throws TouchstoneError `not_found` (no such analysis), `invalid_analysis`, `not_runnable`, `arms_identical`, `invalid_request`, `idempotency_mismatch`, `store_unavailable`.
 */
export async function putSchedule(
  dependencies: Omit<StartRunDependencies, "doorbell" | "tracing">,
  project: string,
  schedule: Schedule,
  caller: Caller,
): Promise<void> {
  const { analysis, baseline, candidate, args = {}, notify = [] } = schedule;
  targetsOf({ notify }, dependencies.targets);
  if (typeof baseline === "string" || typeof candidate === "string")
    await findRunnable(dependencies, project, analysis, args);
  else await prepareRun(dependencies, project, { analysis, baseline, candidate, args }, caller);
  await dependencies.store.putSchedule(
    project,
    schedule,
    (now, before) => toTimetable(schedule, now, before),
    caller.idempotency,
    caller.actor,
  );
}

/** A schedule whose times do not change keeps its slots, also one that is due at this moment; else it goes on with the first slot after now. */
function toTimetable(schedule: Schedule, now: Instant, before: StoredSchedule | null): Timetable {
  const sameTimes = before !== null && timesOf(before.schedule) === timesOf(schedule);
  if (sameTimes && before.schedule.paused === schedule.paused)
    return { anchorAt: before.anchorAt, nextAt: before.nextAt, lapsed: null };
  const anchorAt = sameTimes ? before.anchorAt : now;
  return {
    anchorAt,
    nextAt: schedule.paused ? null : nextSlot(timingOf(schedule, anchorAt), now),
    lapsed: before === null ? null : toLapsed(before, now),
  };
}

function timesOf(schedule: Schedule): string {
  return JSON.stringify(timingOf(schedule, ""));
}

/** Slots that were due and not taken when the schedule was changed. */
function toLapsed({ schedule, anchorAt, nextAt }: StoredSchedule, now: Instant): NewSlot | null {
  if (nextAt === null || epochSeconds(nextAt) > epochSeconds(now)) return null;
  const { last, earlier } = dueSlots(timingOf(schedule, anchorAt), nextAt, now);
  return skipped(
    including(earlier, last),
    "changed",
    "the schedule was changed or paused before a worker took the slot",
  );
}

function missed(range: SlotRange): NewSlot {
  return skipped(range, "missed", "no worker was there when it was due");
}

function skipped({ first, last, count }: SlotRange, code: string, detail: string): NewSlot {
  return { slot: last, firstSlot: first, slots: count, outcome: "skipped", code, detail };
}

function including(earlier: SlotRange | null, last: Instant): SlotRange {
  if (earlier === null) return { first: last, last, count: 1 };
  return { first: earlier.first, last, count: Math.min(MOST_SLOTS, earlier.count + 1) };
}
