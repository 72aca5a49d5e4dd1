import type { RunEvent } from "../model/event.ts";
import type { TargetConfig } from "../model/target.ts";

/** Whether a target is to be told of an event: its `events` choose the type, its `verdicts` choose among `run.done`. */
export function wantsEvent({ events, verdicts }: Pick<TargetConfig, "events" | "verdicts">, event: RunEvent): boolean {
  if (events !== undefined && !events.includes(event.type)) return false;
  if (event.type !== "run.done" || verdicts === undefined) return true;
  return event.data.verdict !== null && verdicts.includes(event.data.verdict);
}
