/** Spares a target that fails time after time: it is left alone for a while, then tried with one attempt. Times are milliseconds of any one clock. */
export interface Breaker {
  /** How many attempts may be under way: none while it rests, one while nobody knows whether it is back. */
  room(now: number): number;
  /** True from the failure that was one too many until the next success. */
  isOpen(): boolean;
  succeeded(): void;
  /** @returns true when the target rests from now on because of this failure. */
  failed(now: number): boolean;
  /** Leaves the target alone for so long at least, as it asked. */
  rest(until: number): void;
}

/** One failure may be chance; five in a row are an outage. */
const FAILURES = 5;
const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 5 * 60_000;

/** @param room  attempts at once while all is well. */
export function createBreaker(room: number): Breaker {
  let failures = 0;
  let rests = 0;
  let restsUntil = -Infinity;
  return {
    room(now) {
      if (now < restsUntil) return 0;
      return failures < FAILURES ? room : 1;
    },
    isOpen: () => failures >= FAILURES,
    succeeded() {
      failures = 0;
      rests = 0;
      restsUntil = -Infinity;
    },
    failed(now) {
      failures += 1;
      // Attempts that were under way when it opened tell nothing new.
      if (failures < FAILURES || now < restsUntil) return false;
      restsUntil = now + Math.min(FIRST_REST_MS * 2 ** rests, LONGEST_REST_MS);
      rests += 1;
      return true;
    },
    rest(until) {
      restsUntil = Math.max(restsUntil, until);
    },
  };
}
