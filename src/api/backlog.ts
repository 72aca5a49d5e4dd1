import { TouchstoneError } from "../errors.ts";
import type { Store } from "../store/store.ts";

/** How old the last count may be: a burst within it goes over the bound by what one API takes in this time. */
const RECOUNT_MS = 1_000;

/** Says no to new runs while too many wait for a worker. */
export interface Backlog {
  /** Brings the count up to date. Called before `admit`, which must not wait. */
  refresh(): Promise<void>;
  /** @throws TouchstoneError `overloaded` */
  admit(): void;
}

/** @param most  runs that may wait. */
export function createBacklog(store: Pick<Store, "countWaiting">, most: number): Backlog {
  let waiting = 0;
  let countedAt = -Infinity;
  let counting: Promise<void> | null = null;
  return {
    refresh() {
      if (performance.now() - countedAt < RECOUNT_MS) return Promise.resolve();
      counting ??= store
        .countWaiting(most)
        .then((count) => {
          waiting = count;
          countedAt = performance.now();
        })
        .finally(() => {
          counting = null;
        });
      return counting;
    },
    admit() {
      if (waiting >= most)
        throw new TouchstoneError(
          "overloaded",
          `${most} runs wait for a worker already; start more workers, or ask again later`,
        );
    },
  };
}
