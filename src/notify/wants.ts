import { Severity, severityOf, type RunEvent } from "../model/event.ts";
import type { EventTarget, PostMortemTarget } from "../model/target.ts";
import { durationSeconds } from "../model/time.ts";

/** Whether a target is to be told of an event: its `events` choose the type, its `verdicts` choose among `run.done`, its `minSeverity` among all. */
export function wantsEvent(
  { events, verdicts, minSeverity }: Pick<EventTarget, "events" | "verdicts" | "minSeverity">,
  event: RunEvent,
): boolean {
  if (minSeverity !== undefined && rank(severityOf(event.data)) < rank(minSeverity)) return false;
  if (events !== undefined && !events.includes(event.type)) return false;
  if (event.type !== "run.done" || verdicts === undefined) return true;
  return event.data.verdict !== null && verdicts.includes(event.data.verdict);
}

/** Whether a rollback came too late: the candidate had more units, or was in use for longer, than the target allows. What was not counted exceeds nothing. */
export function wantsPostMortem({ exposure: bound }: Pick<PostMortemTarget, "exposure">, event: RunEvent): boolean {
  const { exposure, effectiveVerdict } = event.data;
  if (event.type !== "run.done" || effectiveVerdict !== "rollback" || exposure === undefined) return false;
  const units = bound.units !== undefined && exposure.units !== null && exposure.units > bound.units;
  return units || (bound.duration !== undefined && exposure.seconds > durationSeconds(bound.duration));
}

function rank(severity: Severity): number {
  return Severity.options.indexOf(severity);
}
