import type { ErrorCode } from "../errors.ts";

/** How one attempt at a query ended. */
export type AttemptOutcome =
  | { readonly kind: "ok" }
  /** Given up by whoever asked, which says nothing about the source. */
  | { readonly kind: "cancelled" }
  | {
      readonly kind: "error";
      readonly code: ErrorCode;
      readonly detail: string;
      /** When the source wants to be asked again, in milliseconds since the epoch; null when it did not say. */
      readonly retryAt: number | null;
      /** Another attempt at the same query follows. */
      readonly retried: boolean;
    };

/** Ends an admitted attempt. To be called once. */
export type Release = (outcome: AttemptOutcome) => void;

/**
 * The port: a turn for one attempt at a query, within the limits that all looks of a process share.
 *
 * @throws TouchstoneError `source_unavailable` while the breaker of the source is open; `source_throttled` while the source asks to be left alone (with `retryAt`), or
 * when no turn came; or the reason of `signal`.
 */
export type Admit = (source: string, signal: AbortSignal) => Promise<Release>;
