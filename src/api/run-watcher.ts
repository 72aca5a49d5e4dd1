import type { Logger } from "../log.ts";
import type { Store } from "../store/store.ts";

/** How often the record is asked, once for all who wait, while anybody waits. */
const ASK_MS = 200;

/** Holds callers until their run has ended, at one question to the record for all of them. */
export interface RunWatcher {
  /** Resolves when the run has ended or the time is up, whichever comes first; at once when `signal` aborts. */
  waitForEnd(id: string, milliseconds: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createRunWatcher(store: Store, log: Logger): RunWatcher {
  const waiting = new Map<string, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;

  const ask = async (): Promise<void> => {
    try {
      for (const id of await store.endedAmong([...waiting.keys()])) for (const wake of waiting.get(id) ?? []) wake();
    } catch (error) {
      log.warn({ err: error }, "waiting callers could not be looked after");
    }
    timer = waiting.size === 0 ? undefined : setTimeout(() => void ask(), ASK_MS);
  };

  return {
    waitForEnd: (id, milliseconds, signal) =>
      new Promise((resolve) => {
        const wakers = waiting.get(id) ?? new Set();
        waiting.set(id, wakers);
        const wake = () => {
          clearTimeout(late);
          signal.removeEventListener("abort", wake);
          wakers.delete(wake);
          if (wakers.size === 0) waiting.delete(id);
          resolve();
        };
        const late = setTimeout(wake, milliseconds);
        wakers.add(wake);
        if (signal.aborted) return wake();
        signal.addEventListener("abort", wake, { once: true });
        timer ??= setTimeout(() => void ask(), 0);
      }),
    close() {
      clearTimeout(timer);
      for (const wakers of waiting.values()) for (const wake of wakers) wake();
    },
  };
}
