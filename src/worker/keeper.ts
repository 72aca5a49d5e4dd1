import type { Logger } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Telemetry } from "../telemetry.ts";

export interface KeeperDependencies {
  readonly store: Pick<Store, "deleteEndedRuns" | "deleteOldKeys" | "measure">;
  /** Null where the database looks after itself. */
  readonly vacuum: ((signal: AbortSignal) => Promise<void>) | null;
  readonly telemetry: Telemetry;
  readonly log: Logger;
}

export interface KeeperOptions {
  /** Runs that ended longer ago are deleted; null keeps them for ever. */
  readonly ageSeconds: number | null;
  /** Beyond it the runs that ended longest ago are deleted; null sets no bound. */
  readonly contentBytes: number | null;
  readonly firstMs: number;
  readonly everyMs: number;
}

/** No bound on size deletes a younger run: whoever repeats a request within a day finds what it came to. */
const YOUNGEST_SECONDS = 86_400;

/** Small, so that no transaction holds up the looks. */
const RUNS_AT_ONCE = 50;
const KEYS_AT_ONCE = 1_000;

/** Keeps the record in bounds, every hour: deletes what is older or more than it should be, then tidies up. */
export function startKeeper(dependencies: KeeperDependencies, options: KeeperOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();
  const again = (afterMs: number) => {
    timer = setTimeout(() => {
      round = keep(dependencies, options, stopping.signal).then(() => {
        if (!stopping.signal.aborted) again(options.everyMs);
      });
    }, afterMs);
    timer.unref();
  };
  again(options.firstMs);
  return {
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await round;
    },
  };
}

/** One round. What fails is logged and tried again in the next. */
export async function keep(
  { store, vacuum, telemetry, log }: KeeperDependencies,
  { ageSeconds, contentBytes }: Pick<KeeperOptions, "ageSeconds" | "contentBytes">,
  signal: AbortSignal,
): Promise<void> {
  const deleteRuns = async (olderThanSeconds: number) => {
    const deleted = signal.aborted ? null : await store.deleteEndedRuns(olderThanSeconds, RUNS_AT_ONCE);
    telemetry.runsDeleted.inc(deleted?.runs ?? 0);
    return deleted;
  };
  try {
    let runs = 0;
    if (ageSeconds !== null) {
      let deleted = await deleteRuns(ageSeconds);
      for (; deleted !== null; deleted = await deleteRuns(ageSeconds)) {
        runs += deleted.runs;
        if (deleted.runs < RUNS_AT_ONCE) break;
      }
      // Where another process is at it the round is that one's, to its end: two that took turns would each take the other's turn for a reason to stop.
      if (deleted !== null)
        while (!signal.aborted && (await store.deleteOldKeys(ageSeconds, KEYS_AT_ONCE)) === KEYS_AT_ONCE);
    }
    let size = await store.measure();
    if (contentBytes !== null && size.contentBytes > contentBytes) {
      let excess = size.contentBytes - contentBytes;
      while (excess > 0) {
        const deleted = await deleteRuns(YOUNGEST_SECONDS);
        if (deleted === null || deleted.runs === 0) break;
        runs += deleted.runs;
        excess -= deleted.contentBytes;
      }
      if (excess > 0 && !signal.aborted)
        log.warn(
          { excess },
          "the record holds more than TOUCHSTONE_RETENTION_SIZE; runs of the last day are not deleted",
        );
    }
    if (vacuum !== null) await vacuum(signal);
    size = await store.measure();
    telemetry.recordBytes.set({ of: "content" }, size.contentBytes);
    telemetry.recordBytes.set({ of: "disk" }, size.diskBytes);
    log.info({ runs, ...size }, "kept the record in bounds");
  } catch (error) {
    telemetry.sweepErrors.inc();
    log.error({ err: error }, "the record could not be kept in bounds; the next round tries again");
  }
}
