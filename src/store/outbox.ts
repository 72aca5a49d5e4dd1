import type { DeliveryView, EventType } from "../model/event.ts";

/** Events on their way to notification targets. They are put here by the transaction that made them happen. */
export interface Outbox {
  /** Due deliveries, oldest first, each leased to one attempt; none of the targets in `except`. */
  claimDeliveries(leaseSeconds: number, limit: number, except: readonly string[]): Promise<Delivery[]>;
  /** @returns false when the lease lapsed and another attempt has it. */
  settleDelivery(delivery: Delivery, outcome: DeliveryOutcome): Promise<boolean>;
  /** Gives up what has waited for these targets too long and is in no attempt. @returns the target of each. */
  giveUpOldDeliveries(targets: readonly string[], olderThanSeconds: number): Promise<string[]>;
  /** What waits, and for how long the oldest of it. */
  outboxLag(): Promise<{ readonly waiting: number; readonly oldestSeconds: number }>;
  /** Every delivery of the events of one run. */
  listDeliveries(project: string, run: string): Promise<DeliveryView[]>;
}

/** One event for one target. */
export interface Delivery {
  readonly eventId: string;
  readonly target: string;
  readonly run: string;
  readonly type: EventType;
  /** The very bytes, the same at every attempt. */
  readonly body: string;
  /** This attempt's number, from 1. */
  readonly attempts: number;
  /** Since the event happened. */
  readonly ageSeconds: number;
}

export type DeliveryOutcome =
  | { readonly kind: "delivered" }
  | { readonly kind: "later"; readonly seconds: number; readonly reason: string }
  | { readonly kind: "given_up"; readonly reason: string };
