import { TouchstoneError, type ErrorCode } from "../errors.ts";
import type { Admit, AttemptOutcome, Release } from "./admission.ts";

/** What a source may be asked at most. */
export interface SourceLimits {
  /** Queries at once. */
  readonly concurrency: number;
  /** Attempts begun per second, evenly spaced; null without a limit. */
  readonly rate: number | null;
  /** So many queries in a row without an answer open the breaker. */
  readonly breakAfter: number;
  readonly breakForMs: number;
}

export type BreakerState = "closed" | "half_open" | "open";

/** Told of what the limits do. */
export interface ObserveLimits {
  waited(source: string, seconds: number): void;
  inProgress(source: string, queries: number): void;
  retried(source: string, code: ErrorCode): void;
  throttled(source: string): void;
  breaker(source: string, state: BreakerState): void;
}

/** Longer than this nobody waits for a turn: a look has five minutes. */
const MAX_WAIT_MS = 120_000;

/** A source that asks for a longer pause is tried again after this. */
const MAX_PAUSE_MS = 10 * 60_000;

/**
 * The limits of all sources of one process: turns in the order of asking, no more at once and no faster than allowed, none while a source asks to be left alone, and
 * a breaker that spares a dead source.
 *
 * @param now  milliseconds since the epoch, never going back.
 */
export function createAdmission(
  limits: ReadonlyMap<string, SourceLimits>,
  observe: ObserveLimits,
  now: () => number,
): Admit {
  const limiters = new Map([...limits].map(([name, own]) => [name, createLimiter(name, own, observe, now)]));
  return async (source, signal) => {
    const limiter = limiters.get(source);
    if (limiter === undefined) throw new RangeError(`no limits are known for the source ${source}`);
    return limiter(signal);
  };
}

interface Waiter {
  readonly since: number;
  admit(release: Release): void;
  refuse(error: TouchstoneError): void;
}

function createLimiter(
  name: string,
  { concurrency, rate, breakAfter, breakForMs }: SourceLimits,
  observe: ObserveLimits,
  now: () => number,
): (signal: AbortSignal) => Promise<Release> {
  /** In the order of asking. */
  const waiting = new Set<Waiter>();
  let running = 0;
  let nextStart = 0;
  let pausedUntil = 0;
  let failures = 0;
  let broken: { readonly since: number; readonly until: number; readonly why: string } | null = null;
  let probing = false;
  let timer: NodeJS.Timeout | undefined;
  observe.breaker(name, "closed");

  const refusal = (): TouchstoneError | null => {
    const at = now();
    if (broken !== null && at < broken.until)
      return new TouchstoneError(
        "source_unavailable",
        `${name} is not asked since ${toIso(broken.since)}, after ${failures} queries in a row without an answer; it is tried again at ${toIso(broken.until)}; the last one: ${broken.why}`,
      );
    if (at < pausedUntil)
      return new TouchstoneError(
        "source_throttled",
        `${name} asks not to be asked again before ${toIso(pausedUntil)}`,
        {
          retryAt: pausedUntil,
        },
      );
    return null;
  };

  /** Lets in or sends away whoever waits, as far as that can be said now. */
  const settle = (): void => {
    clearTimeout(timer);
    const error = refusal();
    if (error !== null) {
      for (const waiter of waiting) waiter.refuse(error);
      return;
    }
    for (const waiter of waiting) {
      // While it is not known whether the source lives again, one query finds out and the others wait for it.
      if (broken === null ? running >= concurrency : probing) return;
      if (now() < nextStart) {
        timer = setTimeout(settle, Math.ceil(nextStart - now()));
        return;
      }
      start(waiter);
    }
  };

  const start = (waiter: Waiter): void => {
    const isProbe = broken !== null;
    if (isProbe) {
      probing = true;
      observe.breaker(name, "half_open");
    }
    running += 1;
    observe.inProgress(name, running);
    observe.waited(name, (now() - waiter.since) / 1000);
    if (rate !== null) nextStart = Math.max(nextStart, now()) + 1000 / rate;
    waiter.admit((outcome) => {
      running -= 1;
      observe.inProgress(name, running);
      if (isProbe) probing = false;
      learn(outcome, isProbe);
      settle();
    });
  };

  const learn = (outcome: AttemptOutcome, isProbe: boolean): void => {
    if (outcome.kind === "cancelled") return;
    if (outcome.kind === "error") {
      const { code, retryAt, retried } = outcome;
      if (retried) observe.retried(name, code);
      if (code === "source_throttled") observe.throttled(name);
      if (retryAt !== null) pausedUntil = Math.max(pausedUntil, Math.min(retryAt, now() + MAX_PAUSE_MS));
      if (code === "source_unavailable" || code === "source_timeout") {
        if (!retried) failures += 1;
        if (isProbe || failures >= breakAfter) {
          broken = { since: broken?.since ?? now(), until: now() + breakForMs, why: outcome.detail };
          observe.breaker(name, "open");
        }
        return;
      }
    }
    // Any answer, also one that refuses, shows that the source lives.
    failures = 0;
    if (broken !== null) observe.breaker(name, "closed");
    broken = null;
  };

  return (signal) =>
    new Promise<Release>((resolve, reject) => {
      if (signal.aborted) return reject(reasonOf(signal));
      const end = (): void => {
        waiting.delete(waiter);
        clearTimeout(late);
        signal.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        since: now(),
        admit(release) {
          end();
          resolve(release);
        },
        refuse(error) {
          end();
          reject(error);
        },
      };
      const abort = (): void => {
        end();
        reject(reasonOf(signal));
      };
      const late = setTimeout(
        () =>
          waiter.refuse(
            new TouchstoneError(
              "source_throttled",
              `${name} had no turn for the query within ${MAX_WAIT_MS / 1000} s; raise its concurrency or rate, or ask less`,
            ),
          ),
        MAX_WAIT_MS,
      );
      signal.addEventListener("abort", abort, { once: true });
      waiting.add(waiter);
      settle();
    });
}

const toIso = (milliseconds: number): string => new Date(milliseconds).toISOString();

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
