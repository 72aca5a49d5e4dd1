import { expect, test } from "vitest";
import { wantsEvent } from "../../src/notify/wants.ts";
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
] as const)("%j chooses among promote, rollback, pause, failed and overridden", (filter, wanted) => {
  const copy = {
    ...("events" in filter ? { events: [...filter.events] } : {}),
    ...("verdicts" in filter ? { verdicts: [...filter.verdicts] } : {}),
  };
  const events = [done("promote"), done("rollback"), done("pause"), failed, overridden];
  expect(events.map((event) => wantsEvent(copy, event))).toEqual(wanted);
});
