import { setTimeout as sleep } from "node:timers/promises";
import { ERRORS, isTouchstoneError, TouchstoneError } from "../errors.ts";
import type { Admit } from "./admission.ts";

/** Asks a question, again where that can help. */
export type Persist = <T>(attempt: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => Promise<T>;

export interface RetryOptions {
  readonly source: string;
  /** Attempts after the first. */
  readonly retries: number;
  /** For all attempts and the pauses between them; waiting for a turn does not count, for that the source cannot help. */
  readonly timeoutMs: number;
  readonly admit: Admit;
  /** Milliseconds since the epoch, never going back. */
  readonly now: () => number;
  /** Uniform on [0, 1). */
  readonly random: () => number;
}

/** The pause before the n-th retry is uniform between nothing and FIRST_PAUSE_MS · 2ⁿ⁻¹, at most LONGEST_PAUSE_MS. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Attempts until one succeeds, the error is one that another attempt cannot mend (`retry` in ERRORS), or attempts or time are used up.
 *
 * Pauses have full jitter (Brooker, "Exponential Backoff And Jitter", 2015), so that many looks do not come back at once. A source that says when it wants to be asked
 * again is not asked before; where that is too late for this question, its error says so.
 */
export function createPersist({ source, retries, timeoutMs, admit, now, random }: RetryOptions): Persist {
  const jitter = (retry: number) => random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (retry - 1));

  return async (attempt, signal) => {
    let leftMs = timeoutMs;
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      const started = now();
      try {
        return await work();
      } finally {
        leftMs -= now() - started;
      }
    };
    const pause = (milliseconds: number) =>
      timed(() => sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted()));

    for (let attempts = 1; ;) {
      let release;
      try {
        release = await admit(source, signal);
      } catch (error) {
        if (!isTouchstoneError(error) || error.retryAt === null) throw error;
        // Somebody else was told to come back later.
        const waitMs = Math.max(0, error.retryAt - now()) + jitter(1);
        if (waitMs >= leftMs) throw error;
        await pause(waitMs);
        continue;
      }
      const deadline = AbortSignal.timeout(Math.max(1, Math.ceil(leftMs)));
      try {
        const answer = await timed(() => attempt(AbortSignal.any([signal, deadline])));
        release({ kind: "ok" });
        return answer;
      } catch (thrown) {
        const error = deadline.aborted && !isTouchstoneError(thrown) ? outOfTime(source, timeoutMs, thrown) : thrown;
        if (signal.aborted || !isTouchstoneError(error)) {
          release({ kind: "cancelled" });
          signal.throwIfAborted();
          throw error;
        }
        const { code, message: detail, retryAt } = error;
        const waitMs = (retryAt === null ? 0 : Math.max(0, retryAt - now())) + jitter(attempts);
        const retried = ERRORS[code].retry && attempts <= retries && waitMs < leftMs;
        release({ kind: "error", code, detail, retryAt, retried });
        if (!retried) throw attempts === 1 ? error : afterAttempts(error, attempts);
        await pause(waitMs);
        attempts += 1;
      }
    }
  };
}

function outOfTime(source: string, timeoutMs: number, cause: unknown): TouchstoneError {
  return new TouchstoneError("source_timeout", `${source} had not answered in full after ${timeoutMs / 1000} s`, {
    cause,
  });
}

function afterAttempts(error: TouchstoneError, attempts: number): TouchstoneError {
  const { code, message, retryAt } = error;
  return new TouchstoneError(code, `${message} (attempt ${attempts})`, { cause: error, retryAt });
}
