import { lookAndRecord, type RecordedLook } from "../recorded-look.ts";
import type { LookState } from "../model/look-state.ts";
import type { Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import { observed } from "../sources/observed.ts";
import type { Sources } from "../sources/source.ts";
import type { LookObserver } from "./look-threads.ts";
import { timeParts } from "./timed-parts.ts";

/** A look that tells what happens in it, and keeps what it was given. */
export async function observedLook(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  evidenceLimitBytes: number,
  observer: LookObserver,
): Promise<RecordedLook> {
  const { watch, parts } = timeParts();
  const told = observed(sources, observer.query);
  const judged = await lookAndRecord(told, run, previous, now, signal, evidenceLimitBytes, watch);
  observer.parts(parts);
  return judged;
}
