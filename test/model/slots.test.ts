import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cronFault, dueSlots, isTimeZone, MOST_SLOTS, nextSlot, type Timing } from "../../src/model/slots.ts";
import type { Instant } from "../../src/model/time.ts";

const cron = (line: string, timeZone = "UTC"): Timing => ({ kind: "cron", cron: line, timeZone });
const every = (length: string, anchorAt: Instant): Timing => ({ kind: "every", every: length, anchorAt });

/** The next few slots, without the part that is the same in all of them. */
function slotsAfter(timing: Timing, after: Instant, count: number): string[] {
  const slots: string[] = [];
  for (let slot = nextSlot(timing, after); slot !== null && slots.length < count; slot = nextSlot(timing, slot))
    slots.push(slot.replace(":00.000Z", "Z"));
  return slots;
}

describe("a fixed time on the clock of its zone", () => {
  // Berlin springs from 02:00 to 03:00 on 29 March 2026 and falls back from 03:00 to 02:00 on 25 October;
  // New York from 02:00 to 03:00 on 8 March, and back from 02:00 to 01:00 on 1 November (IANA time zone database).
  test.each<[string, string, string, string, string[]]>([
    [
      "that Berlin skips in spring comes where the clock jumps to",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T00:00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "that New York skips in spring comes where the clock jumps to",
      "30 2 * * *",
      "America/New_York",
      "2026-03-07T00:00:00Z",
      ["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"],
    ],
    [
      "that Berlin passes twice in autumn comes the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T00:00:00Z",
      ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"],
    ],
    [
      "that New York passes twice in autumn comes the first time",
      "30 1 * * *",
      "America/New_York",
      "2026-10-31T00:00:00Z",
      ["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"],
    ],
    [
      "is not repeated either where it is one of a list",
      "15,45 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00:00Z",
      ["2026-10-25T00:15Z", "2026-10-25T00:45Z", "2026-10-26T01:15Z"],
    ],
    [
      "keeps its local time the rest of the year",
      "0 9 * * mon-fri",
      "Europe/Berlin",
      "2026-10-23T00:00:00Z",
      ["2026-10-23T07:00Z", "2026-10-26T08:00Z"],
    ],
  ])("%s", (_, line, zone, after, slots) => {
    expect(slotsAfter(cron(line, zone), after, slots.length)).toEqual(slots);
  });
});

describe("a wildcard follows the time that passes", () => {
  test("every half hour in Berlin's spring and autumn", () => {
    expect(slotsAfter(cron("*/30 * * * *", "Europe/Berlin"), "2026-03-29T00:15:00Z", 3)).toEqual([
      "2026-03-29T00:30Z",
      "2026-03-29T01:00Z",
      "2026-03-29T01:30Z",
    ]);
    expect(slotsAfter(cron("*/30 * * * *", "Europe/Berlin"), "2026-10-24T23:45:00Z", 5)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z",
      "2026-10-25T01:30Z",
      "2026-10-25T02:00Z",
    ]);
  });

  test("every hour in New York's spring and autumn", () => {
    expect(slotsAfter(cron("0 * * * *", "America/New_York"), "2026-03-08T05:30:00Z", 3)).toEqual([
      "2026-03-08T06:00Z",
      "2026-03-08T07:00Z",
      "2026-03-08T08:00Z",
    ]);
    expect(slotsAfter(cron("0 * * * *", "America/New_York"), "2026-11-01T04:30:00Z", 4)).toEqual([
      "2026-11-01T05:00Z",
      "2026-11-01T06:00Z",
      "2026-11-01T07:00Z",
      "2026-11-01T08:00Z",
    ]);
  });
});

test("the slots are the same from wherever one asks", () => {
  const lines = [
    "30 2 * * *",
    "15,45 2 * * *",
    "0 1-3 * * *",
    "*/20 2 * * *",
    "0 */2 * * *",
    "*/7 * * * *",
    "0 0 * * 1",
  ];
  const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"];
  // Where one of these zones changes its clock, and an ordinary week.
  const weeks = [
    "2026-03-08",
    "2026-03-29",
    "2026-04-05",
    "2026-10-04",
    "2026-10-25",
    "2026-11-01",
    "2026-02-15",
    "2026-06-17",
  ];
  const minutes = fc.integer({ min: -2880, max: 2880 });
  fc.assert(
    fc.property(
      fc.constantFrom(...lines),
      fc.constantFrom(...zones),
      fc.constantFrom(...weeks),
      minutes,
      (line, zone, day, minute) => {
        const timing = cron(line, zone);
        const at = (offset: number) => new Date(Date.parse(day) + offset * 60_000 + 30_000).toISOString();
        let slot = nextSlot(timing, at(minute - 720));
        while (slot !== null && slot <= at(minute)) slot = nextSlot(timing, slot);
        expect(nextSlot(timing, at(minute))).toBe(slot);
      },
    ),
  );
});

test("every counts from its anchor, whenever one asks, and the anchor is no slot", () => {
  const timing = every("90m", "2026-11-20T08:07:03.250Z");
  expect(nextSlot(timing, "2026-11-20T08:07:03.250Z")).toBe("2026-11-20T09:37:03.250Z");
  expect(nextSlot(timing, "2026-11-20T09:37:03.249Z")).toBe("2026-11-20T09:37:03.250Z");
  expect(nextSlot(timing, "2026-11-20T09:37:03.250Z")).toBe("2026-11-20T11:07:03.250Z");
  expect(nextSlot(timing, "2026-11-20T07:00:00.000Z")).toBe("2026-11-20T09:37:03.250Z");
  expect(nextSlot(every("1m", "2006-11-20T08:00:00.000Z"), "2026-11-20T08:00:00.000Z")).toBe(
    "2026-11-20T08:01:00.000Z",
  );
});

test("due slots are the last one and those before it", () => {
  const daily = cron("0 2 * * *", "Europe/Berlin");
  expect(dueSlots(daily, "2026-11-20T01:00:00.000Z", "2026-11-20T01:00:00.000Z")).toEqual({
    last: "2026-11-20T01:00:00.000Z",
    earlier: null,
  });
  expect(dueSlots(daily, "2026-11-20T01:00:00.000Z", "2026-11-23T00:59:59.999Z")).toEqual({
    last: "2026-11-22T01:00:00.000Z",
    earlier: { first: "2026-11-20T01:00:00.000Z", last: "2026-11-21T01:00:00.000Z", count: 2 },
  });
  expect(() => dueSlots(daily, "2026-11-20T01:00:00.000Z", "2026-11-20T00:59:59.999Z")).toThrow(/is not due/);
});

test("a year of missed minutes is counted up to a thousand, and its end is found all the same", () => {
  const due = dueSlots(cron("* * * * *"), "2025-11-20T08:00:00.000Z", "2026-11-20T08:00:30.000Z");
  expect(due).toEqual({
    last: "2026-11-20T08:00:00.000Z",
    earlier: { first: "2025-11-20T08:00:00.000Z", last: "2026-11-20T07:59:00.000Z", count: MOST_SLOTS },
  });
  // Rare bursts: the last two lie a year back, among the minutes of one hour.
  expect(dueSlots(cron("* 9 1 1 *"), "2001-01-01T09:00:00.000Z", "2026-12-31T00:00:00.000Z")).toEqual({
    last: "2026-01-01T09:59:00.000Z",
    earlier: { first: "2001-01-01T09:00:00.000Z", last: "2026-01-01T09:58:00.000Z", count: MOST_SLOTS },
  });
});

test.each<[string, RegExp]>([
  ["0 2 * *", /^must be five fields/],
  ["0 0 2 * * *", /^must be five fields/],
  ["", /^must be five fields/],
  [" 0 2 * * *", /^must be five fields/],
  ["? 2 * * *", /^must be five fields/],
  ["2026-11-20T08:00:00", /^must be five fields/],
  ["@reboot", /^must be five fields/],
  ["61 2 * * *", /^is not a cron line: Invalid value for minute: 61/],
  ["0 24 * * *", /^is not a cron line: Invalid value for hour: 24/],
  ["0 2 * * someday", /^is not a cron line/],
  ["5-1 * * * *", /^is not a cron line/],
  ["*/0 * * * *", /^is not a cron line/],
  ["0 0 30 2 *", /^never comes/],
  ["0 0 31 4,6,9,11 *", /^never comes/],
])("the cron line %j is refused", (line, fault) => {
  expect(cronFault(line)).toMatch(fault);
});

test.each([
  "0 2 * * *",
  "*/5 9-17 * * mon-fri",
  "0 0 29 2 *",
  "0 0 L * *",
  "0 6 * * MON#1",
  "@hourly",
  "@daily",
  "@yearly",
])("the cron line %j is followed", (line) => {
  expect(cronFault(line)).toBeNull();
});

test("time zones are those of the IANA database", () => {
  expect(
    ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"].filter((name) => !isTimeZone(name)),
  ).toEqual([]);
  expect(["", "+02:00", "UTC+2", "Mars/Phobos", "local", "Europe/Berlin "].filter(isTimeZone)).toEqual([]);
});
