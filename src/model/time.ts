import { z } from "zod";

const LATEST = Date.UTC(3000, 0, 1);

/** A point in time as ISO 8601 in UTC, for example `2026-11-20T08:00:00.000Z`. */
export const Instant = z.iso
  .datetime({
    offset: true,
    error: "must be a point in time as ISO 8601 with its zone, for example 2026-11-20T08:00:00Z",
  })
  .refine((text) => !(Date.parse(text) >= LATEST), "must lie before the year 3000")
  .describe("A point in time, ISO 8601 with its zone.")
  .meta({ id: "Instant" });
export type Instant = z.infer<typeof Instant>;

/** Seconds since 1970-01-01T00:00:00Z, with fractions. */
export function epochSeconds(instant: Instant): number {
  return Date.parse(instant) / 1000;
}

/** The instant that lies so many seconds after the epoch. */
export function toInstant(seconds: number): Instant {
  return new Date(Math.round(seconds * 1000)).toISOString();
}

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 } as const;

/** Ten years: nothing that is judged takes longer, and every time that follows can still be written down. */
const LONGEST_SECONDS = 3650 * 86_400;

export function isDuration(text: string): boolean {
  return DURATION.test(text);
}

/** A length of time as people write it: `90s`, `30m`, `1h30m`, `500ms`. */
export const Duration = z
  .string()
  .regex(DURATION, "must be a duration, for example 90s, 30m or 1h30m")
  .refine((text) => !isDuration(text) || durationSeconds(text) <= LONGEST_SECONDS, "must be at most 3650d")
  .describe("A length of time: a number and ms, s, m, h or d, for example 90s, 30m, 1h30m.")
  .meta({ id: "Duration" });
export type Duration = z.infer<typeof Duration>;

/** @throws RangeError when the text is not a duration. */
export function durationSeconds(duration: string): number {
  if (!DURATION.test(duration)) throw new RangeError(`${duration} is not a duration`);
  let seconds = 0;
  for (const [, number, unit] of duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    seconds += Number(number) * SECONDS[unit as keyof typeof SECONDS];
  }
  return seconds;
}

/** The shortest way to write a length of time: 90 → `90s`, 1800 → `30m`. */
export function toDuration(seconds: number): Duration {
  for (const unit of ["d", "h", "m"] as const) {
    if (seconds >= SECONDS[unit] && seconds % SECONDS[unit] === 0) return `${seconds / SECONDS[unit]}${unit}`;
  }
  return `${seconds}s`;
}
