import { expect, test } from "vitest";
import { wantsEvent, wantsPostMortem } from "../../src/notify/wants.ts";
import { eventOf } from "./event.ts";

const done = (verdict: "promote" | "rollback" | "pause") =>
  eventOf("run.done", { verdict, effectiveVerdict: verdict }).event;
const failed = eventOf("run.failed", { verdict: null, status: "failed" }).event;
const overridden = eventOf("run.overridden", { verdict: "promote" }).event;

test.each([
  [{}, [true, true, true, true, true]],
  [{ events: ["run.failed"] }, [false, false, false, true, false]],
  [{ verdicts: ["rollback", "pause"] }, [false, true, true, true, true]],
  [{ events: ["run.done"], verdicts: ["promote"] }, [true, false, false, false, false]],
  [{ events: ["run.overridden", "run.done"], verdicts: ["pause"] }, [false, false, true, false, true]],
  [{ minSeverity: "info" }, [true, true, true, true, true]],
  [{ minSeverity: "warning" }, [false, true, true, true, true]],
  [{ minSeverity: "critical" }, [false, true, false, true, true]],
] as const)("%j chooses among promote, rollback, pause, failed and overridden", (filter, wanted) => {
  const copy = {
    ...("events" in filter ? { events: [...filter.events] } : {}),
    ...("minSeverity" in filter ? { minSeverity: filter.minSeverity } : {}),
    ...("verdicts" in filter ? { verdicts: [...filter.verdicts] } : {}),
  };
  const events = [done("promote"), done("rollback"), done("pause"), failed, overridden];
  expect(events.map((event) => wantsEvent(copy, event))).toEqual(wanted);
});

const exposed = (units: number | null, seconds: number, effectiveVerdict: "rollback" | "promote" = "rollback") =>
  eventOf("run.done", { effectiveVerdict, exposure: { units, seconds } }).event;

test.each([
  [{ units: 100 }, exposed(101, 0), true],
  [{ units: 100 }, exposed(100, 9999), false],
  [{ units: 0 }, exposed(null, 9999), false],
  [{ duration: "10m" }, exposed(null, 601), true],
  [{ duration: "10m" }, exposed(9999, 600), false],
  [{ units: 100, duration: "10m" }, exposed(1, 601), true],
  [{ units: 100, duration: "10m" }, exposed(101, 1), true],
  [{ units: 100, duration: "10m" }, exposed(1, 1), false],
  [{ units: 100 }, exposed(9999, 9999, "promote"), false],
  [{ units: 0 }, eventOf("run.done").event, false],
  [{ units: 0 }, eventOf("run.overridden", { exposure: { units: 5, seconds: 5 } }).event, false],
])("a post-mortem above %j is wanted for %j: %s", (exposure, event, wanted) => {
  expect(wantsPostMortem({ exposure }, event)).toBe(wanted);
});
