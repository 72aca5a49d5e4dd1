import { z } from "zod";
import { Name } from "./name.ts";
import { RunArguments } from "./run.ts";
import { cronFault, isTimeZone, type Timing } from "./slots.ts";
import { Duration, durationSeconds, Instant, isDuration } from "./time.ts";
import { Version } from "./version.ts";

/** A version that is looked up when a slot is due. */
export const ArmWord = z.enum(["known-good", "newest"]);
export type ArmWord = z.infer<typeof ArmWord>;

export const ScheduledArm = z
  .union([ArmWord, Version], { error: "must be a version, or one of the words known-good and newest" })
  .describe(
    "A version; or `known-good`: the candidate that a run of the analysis promoted last and none rolled back since; or `newest`: the version that runs of the analysis named last for the first time.",
  )
  .meta({ id: "ScheduledArm" });
export type ScheduledArm = z.infer<typeof ScheduledArm>;

const SHORTEST_SECONDS = 60;

/** Body of `PUT /v1/schedules/{name}`: runs that start by the clock. */
export const Schedule = z
  .strictObject({
    name: Name,
    analysis: Name.describe("The name of a stored analysis, taken as it stands when a slot is due."),
    baseline: ScheduledArm,
    candidate: ScheduledArm,
    args: RunArguments.optional(),
    notify: z.array(Name).max(20).optional().describe("Notification targets that are told when a run ends."),
    cron: z
      .string()
      .optional()
      .describe(
        "Five fields, minute hour day month weekday, or @hourly, @daily, @weekly, @monthly, @yearly. Give this or every.",
      ),
    timeZone: z
      .string()
      .refine(isTimeZone, "must be a time zone of the IANA database, for example Europe/Berlin")
      .optional()
      .describe("Whose clock the cron line is read on. Default UTC."),
    every: Duration.optional().describe(
      "From one slot to the next, whole seconds, at least 1m; counted from when the schedule was stored.",
    ),
    missed: z
      .enum(["run-once", "skip"])
      .default("run-once")
      .describe(
        "What becomes of slots that no worker was there for: the newest is run late, or none. The rest is recorded as skipped.",
      ),
    paused: z.boolean().default(false).describe("A paused schedule has no slots."),
  })
  .superRefine(({ baseline, candidate, cron, timeZone, every }, context) => {
    const fault = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (cron === undefined && every === undefined) fault(["cron"], "is missing; give cron, or every");
    if (cron !== undefined && every !== undefined) fault(["every"], "stands beside cron; give one of them");
    const wrong = cron === undefined ? null : cronFault(cron);
    if (wrong !== null) fault(["cron"], wrong);
    if (cron === undefined && timeZone !== undefined)
      fault(["timeZone"], "stands without cron, which alone has a zone");
    if (every !== undefined && isDuration(every)) {
      const seconds = durationSeconds(every);
      if (seconds < SHORTEST_SECONDS) fault(["every"], `is ${every}; the shortest is 1m`);
      else if (!Number.isInteger(seconds)) fault(["every"], `is ${every}; give whole seconds`);
    }
    if (typeof baseline === "string" && baseline === candidate)
      fault(["candidate"], `is ${baseline}, and so is the baseline; a version is not compared with itself`);
    if (typeof baseline !== "string" && typeof candidate !== "string" && baseline.label === candidate.label)
      fault(["candidate", "label"], `is the baseline's label, ${baseline.label}`);
  })
  .meta({ id: "Schedule" });
export type Schedule = z.infer<typeof Schedule>;

/** When a schedule is due. @param anchorAt  where `every` counts from. */
export function timingOf({ cron, timeZone, every }: Schedule, anchorAt: Instant): Timing {
  if (cron !== undefined) return { kind: "cron", cron, timeZone: timeZone ?? "UTC" };
  if (every !== undefined) return { kind: "every", every, anchorAt };
  throw new RangeError("a schedule without cron and every passed its schema");
}

export const SlotOutcome = z.enum(["started", "skipped", "failed"]).meta({ id: "SlotOutcome" });
export type SlotOutcome = z.infer<typeof SlotOutcome>;

/** What became of a slot, or of several in a row that shared their fate. */
export const ScheduleSlot = z
  .object({
    slot: Instant.describe("When it was due; of several the last."),
    firstSlot: Instant.describe("The first of several; else the same."),
    slots: z.int().describe("How many slots this stands for; 1000 means that many or more."),
    outcome: SlotOutcome,
    run: z.string().nullable().describe("The run that was started."),
    code: z
      .string()
      .nullable()
      .describe(
        "Why no run was started. Skipped: overlap, missed, nothing_new, changed. Failed: the code of the error, as a post of the run would have answered.",
      ),
    detail: z.string().nullable(),
    recordedAt: Instant,
  })
  .meta({ id: "ScheduleSlot" });
export type ScheduleSlot = z.infer<typeof ScheduleSlot>;

/** A line of `GET /v1/schedules`. */
export const ScheduleListItem = z
  .object({
    name: Name,
    schedule: Schedule,
    createdAt: Instant,
    updatedAt: Instant,
    nextSlot: Instant.nullable().describe("Null while paused."),
    lastSlot: ScheduleSlot.nullable(),
    links: z.object({ self: z.string(), slots: z.string() }),
  })
  .meta({ id: "ScheduleListItem" });
export type ScheduleListItem = z.infer<typeof ScheduleListItem>;

/** A schedule as read back. */
export const ScheduleView = ScheduleListItem.extend({
  nextSlots: z.array(Instant).describe("The next five slots."),
  lastSlots: z.array(ScheduleSlot).describe("What became of the last ten, the newest first."),
}).meta({ id: "ScheduleView" });
export type ScheduleView = z.infer<typeof ScheduleView>;
