import { Cron } from "croner";
import { durationSeconds, epochSeconds, toInstant, type Duration, type Instant } from "./time.ts";

/** When a schedule is due: a cron line in a time zone, or one slot after another from an anchor. Times due are called slots. */
export type Timing =
  | { readonly kind: "cron"; readonly cron: string; readonly timeZone: string }
  | { readonly kind: "every"; readonly every: Duration; readonly anchorAt: Instant };

/** More slots than this are no longer counted one by one: reading a cron line takes about 40 µs a slot, and nobody asks whether it was 1,200 or 1,300. */
export const MOST_SLOTS = 1000;

/**
 * The first slot after an instant; null when there is none any more.
 *
 * `every` counts from its anchor, which is no slot itself. A cron line is read on the clock of its zone, as the Open Cron Pattern Specification has it: a fixed
 * time that a clock skips in spring is due where the clock jumps to, and one that it passes twice in autumn is due the first time; steps and wildcards follow
 * the time that passes.
 *
 * @throws RangeError when the cron line or the zone is not valid; `cronFault` says so before.
 */
export function nextSlot(timing: Timing, after: Instant): Instant | null {
  if (timing.kind === "cron") return toCron(timing).nextRun(new Date(after))?.toISOString() ?? null;
  const everyMs = durationSeconds(timing.every) * 1000;
  const anchorMs = Date.parse(timing.anchorAt);
  const passed = Math.floor((Date.parse(after) - anchorMs) / everyMs);
  return new Date(anchorMs + (Math.max(0, passed) + 1) * everyMs).toISOString();
}

/** Several slots in a row. */
export interface SlotRange {
  readonly first: Instant;
  readonly last: Instant;
  /** At most `MOST_SLOTS`, which stands for that many or more. */
  readonly count: number;
}

/**
 * The slots from the first due one up to now: the last of them, and those before it.
 *
 * @param first  a slot, not after `now`.
 * @throws RangeError when `first` lies after `now`.
 */
export function dueSlots(timing: Timing, first: Instant, now: Instant): { last: Instant; earlier: SlotRange | null } {
  if (Date.parse(first) > Date.parse(now)) throw new RangeError(`the slot ${first} is not due at ${now}`);
  let [beforeLast, last]: [Instant | null, Instant] = [null, first];
  let count = 0;
  for (let next = nextSlot(timing, first); isDue(next, now) && count < MOST_SLOTS; next = nextSlot(timing, next)) {
    [beforeLast, last] = [last, next];
    count += 1;
  }
  if (count === MOST_SLOTS) [beforeLast, last] = lastTwo(timing, now);
  return { last, earlier: beforeLast === null ? null : { first, last: beforeLast, count } };
}

/** The last two slots up to now, found from ever further back. */
function lastTwo(timing: Timing, now: Instant): [Instant, Instant] {
  for (let back = 120; ; back *= 2) {
    const start = toInstant(epochSeconds(now) - back);
    const found: Instant[] = [];
    for (let next = nextSlot(timing, start); isDue(next, now); next = nextSlot(timing, next)) found.push(next);
    const [last, beforeLast] = found.toReversed();
    if (last !== undefined && beforeLast !== undefined) return [beforeLast, last];
  }
}

function isDue(slot: Instant | null, now: Instant): slot is Instant {
  return slot !== null && Date.parse(slot) <= Date.parse(now);
}

const NICKNAMES = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"];

/** Why a cron line cannot be followed; null when it can. */
export function cronFault(cron: string): string | null {
  // The parser would take a date, too, and put the time of reading in the place of a question mark.
  if (!NICKNAMES.includes(cron) && (!/^\S+(?: \S+){4}$/.test(cron) || cron.includes("?")))
    return `must be five fields, minute hour day month weekday, or one of ${NICKNAMES.join(", ")}`;
  try {
    // Any start will do: whatever can come comes within the 28 years after which weekdays and leap years repeat.
    return toCron({ cron, timeZone: "UTC" }).nextRun(new Date(0)) === null ? "never comes: there is no such day" : null;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    return `is not a cron line: ${error.message.replace(/^CronPattern: /, "")}`;
  }
}

/** True for the names of the IANA time zone database, as this Node knows it. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Only reads the line: without a function to call, nothing is scheduled. */
function toCron({ cron, timeZone }: { readonly cron: string; readonly timeZone: string }): Cron {
  return new Cron(cron, { mode: "5-part", timezone: timeZone, fixedTimeRule: "no-wildcard" });
}
