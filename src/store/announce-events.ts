import type { Store } from "./store.ts";

/**
 * The same record, and a call after each transaction that may have put an event into the outbox: whoever delivers need not wait for its next sweep.
 *
 * Only latency depends on it, as on a doorbell.
 */
export const announceEvents = (store: Store, onEvent: () => void): Store => {
  const after = async <T>(work: Promise<T>, happened: (result: T) => boolean): Promise<T> => {
    const result = await work;
    if (happened(result)) onEvent();
    return result;
  };
  return {
    ...store,
    startRun: (start) => after(store.startRun(start), ({ superseded }) => superseded.length > 0),
    cancelRun: (...of) => after(store.cancelRun(...of), (run) => run !== null),
    overrideRun: (...of) => after(store.overrideRun(...of), (run) => run !== null),
    storeLook: (claim, look) => after(store.storeLook(claim, look), (stored) => stored && look.nextAt === null),
    failRun: (...of) => after(store.failRun(...of), (stored) => stored),
    endCrashLoops: () => after(store.endCrashLoops(), (ids) => ids.length > 0),
  };
};
