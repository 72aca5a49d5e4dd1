import { describe, expect, test } from "vitest";
import { TouchstoneError } from "../../src/errors.ts";
import { toIssues } from "../../src/model/issues.ts";
import { readSchedule } from "../../src/model/read-schedule.ts";
import { Schedule } from "../../src/model/schedule.ts";

const NIGHTLY = {
  name: "nightly",
  analysis: "support-agent",
  baseline: "known-good",
  candidate: "newest",
  cron: "0 2 * * *",
  timeZone: "Europe/Berlin",
};
const { cron: _, timeZone: __, ...UNTIMED } = NIGHTLY;

test("what is left out has a default", () => {
  expect(Schedule.parse(NIGHTLY)).toEqual({ ...NIGHTLY, missed: "run-once", paused: false });
  expect(Schedule.parse({ ...UNTIMED, every: "6h", baseline: { label: "v41" } })).toMatchObject({ every: "6h" });
});

describe("nonsense is refused with its place", () => {
  test.each<[string, object, string, RegExp]>([
    ["neither cron nor every", UNTIMED, "/cron", /^is missing; give cron, or every/],
    ["both", { ...NIGHTLY, every: "1h" }, "/every", /^stands beside cron/],
    ["a cron line that cannot be read", { ...NIGHTLY, cron: "0 25 * * *" }, "/cron", /^is not a cron line/],
    ["a cron line that never comes", { ...NIGHTLY, cron: "0 2 30 2 *" }, "/cron", /^never comes/],
    ["an unknown zone", { ...NIGHTLY, timeZone: "Berlin" }, "/timeZone", /^must be a time zone of the IANA database/],
    ["a zone without cron", { ...UNTIMED, every: "1h", timeZone: "UTC" }, "/timeZone", /^stands without cron/],
    ["less than a minute", { ...UNTIMED, every: "59s" }, "/every", /^is 59s; the shortest is 1m/],
    ["parts of a second", { ...UNTIMED, every: "90500ms" }, "/every", /^is 90500ms; give whole seconds/],
    ["no duration", { ...UNTIMED, every: "hourly" }, "/every", /^must be a duration/],
    [
      "a word for a version that there is not",
      { ...NIGHTLY, candidate: "latest" },
      "/candidate",
      /known-good and newest/,
    ],
    [
      "a label that would break a query",
      { ...NIGHTLY, candidate: { label: 'v"1' } },
      "/candidate/label",
      /^must be 1 to/,
    ],
    ["the same word twice", { ...NIGHTLY, candidate: "known-good" }, "/candidate", /^is known-good, and so is/],
    [
      "the same label twice",
      { ...NIGHTLY, baseline: { label: "v1" }, candidate: { label: "v1" } },
      "/candidate/label",
      /^is the baseline's label, v1/,
    ],
    ["an unknown policy", { ...NIGHTLY, missed: "all" }, "/missed", /run-once/],
    ["an inline analysis", { ...NIGHTLY, analysis: {} }, "/analysis", /string/],
    ["an unknown key", { ...NIGHTLY, timezone: "UTC" }, "/timezone", /^is not a key/],
    ["a name that is none", { ...NIGHTLY, name: "Nightly run" }, "/name", /^must be 1 to 63/],
  ])("%s", (__, schedule, pointer, detail) => {
    const parsed = Schedule.safeParse(schedule);
    expect(parsed.success).toBe(false);
    const issues = parsed.success ? [] : toIssues(parsed.error);
    expect(issues.map((issue) => issue.pointer)).toEqual([pointer]);
    expect(issues[0]?.detail).toMatch(detail);
  });
});

test("a file is read with the line of its fault", () => {
  const text = "name: nightly\nanalysis: a\nbaseline: known-good\ncandidate: newest\ncron: 0 2 30 2 *\n";
  expect(readSchedule(text.replace("30 2 *", "* * *"), "nightly.yaml")).toMatchObject({ cron: "0 2 * * *" });
  let caught: unknown;
  try {
    readSchedule(text, "nightly.yaml");
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(TouchstoneError);
  expect(caught).toMatchObject({
    code: "invalid_request",
    message: "nightly.yaml is not a valid schedule:\n  cron never comes: there is no such day (line 5)",
    issues: [{ pointer: "/cron", detail: "never comes: there is no such day (line 5)" }],
  });
  expect(() => readSchedule("a: &x 1\nb: *x\n", "bomb.yaml")).toThrow(/bomb\.yaml uses YAML aliases/);
});
