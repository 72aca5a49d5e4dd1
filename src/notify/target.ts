import type { RunEvent } from "../model/event.ts";

/** The port: where the end of a run is told. One adapter per kind of receiver; operators define and name them. */
export interface NotificationTarget {
  /** What it is for people: webhook, slack. */
  readonly type: string;
  /** Told of every run, whether the run names it or not. */
  readonly always: boolean;
  wants(event: RunEvent): boolean;
  readonly send: Send;
}

/**
 * What each kind of receiver has of its own. Resolves when the receiver has taken the event.
 *
 * @param body  the event as it is stored: the same bytes at every attempt.
 * @throws NotDelivered, or the reason of `signal`.
 */
export type Send = (event: RunEvent, body: string, signal: AbortSignal) => Promise<void>;

/** The defined targets by name. */
export type Targets = ReadonlyMap<string, NotificationTarget>;

/** The receiver has not taken the event. */
export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
  /** When the receiver wants to be asked again; null when it did not say. */
  readonly retryAfterSeconds: number | null;
  /** No attempt can ever succeed: the receiver is gone, or refuses the event for what it is. */
  readonly final: boolean;

  constructor(
    message: string,
    {
      retryAfterSeconds = null,
      final = false,
      cause,
    }: { retryAfterSeconds?: number | null; final?: boolean; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.retryAfterSeconds = retryAfterSeconds;
    this.final = final;
  }
}
