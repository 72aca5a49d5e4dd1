import type { Doorbell } from "../doorbell/doorbell.ts";
import type { Logger } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Telemetry } from "../telemetry.ts";

export interface BacklogDependencies {
  readonly store: Pick<Store, "backlog">;
  readonly doorbell: Pick<Doorbell, "health" | "backlog">;
  readonly telemetry: Telemetry;
  readonly log: Logger;
}

/** Between two questions passes so many times what the last one took: counting a hundred thousand live runs takes the record a fifth of a second, of every process. */
const REST_FACTOR = 50;
/** An answer that came late once is no reason to know nothing for long. */
const LONGEST_REST_MS = 60_000;

/**
 * Keeps the gauges of what waits. Every process does, the API too: what waits is seen even when every worker is gone.
 *
 * Asked by the clock and not by whoever scrapes, so that scrapes cost the record nothing. What does not answer keeps its last value.
 */
export function measureBacklog(
  { store, doorbell, telemetry, log }: BacklogDependencies,
  everyMs: number,
): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const measureRuns = async (): Promise<void> => {
    try {
      const { live, due, oldestSeconds } = await store.backlog();
      telemetry.runsLive.set(live);
      telemetry.runsDue.set(due);
      telemetry.oldestDueSeconds.set(oldestSeconds);
    } catch (error) {
      log.debug({ err: error }, "the record did not say what waits");
    }
  };

  const measureDoorbell = async (): Promise<void> => {
    telemetry.doorbellUp.set(doorbell.health().ok ? 1 : 0);
    try {
      const { depth, oldestSeconds } = await doorbell.backlog();
      telemetry.doorbellDepth.set(depth);
      telemetry.doorbellOldestSeconds.set(oldestSeconds);
    } catch (error) {
      log.debug({ err: error }, "the bell did not say what waits");
    }
  };

  const loop = async (): Promise<void> => {
    const began = performance.now();
    await Promise.all([measureRuns(), measureDoorbell()]);
    if (stopped) return;
    const restMs = Math.min(LONGEST_REST_MS, REST_FACTOR * (performance.now() - began));
    timer = setTimeout(
      () => {
        looping = loop();
      },
      Math.max(everyMs, restMs),
    );
  };
  let looping = loop();

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looping;
    },
  };
}
