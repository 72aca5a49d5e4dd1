import { requireCount, requirePositive } from "./check-input.ts";

/** Events among independent trials, for example failed requests among requests. */
export interface Proportion {
  readonly events: number;
  readonly trials: number;
}

/** Events over an exposure, for example timeouts over 3600 seconds or over a million tokens. */
export interface Rate {
  readonly events: number;
  readonly exposure: number;
}

/** What two versions did with the same items, as counts of items on which a yes-or-no outcome was yes. */
export interface PairedCounts {
  readonly both: number;
  readonly candidateOnly: number;
  readonly baselineOnly: number;
  readonly neither: number;
}

/** @throws RangeError unless events and trials are whole numbers, 0 <= events <= trials and trials >= 1. */
export function requireProportion(name: string, { events, trials }: Proportion): void {
  requireCount(`${name}.events`, events);
  requireCount(`${name}.trials`, trials, 1);
  if (events > trials) throw new RangeError(`${name}.events is ${events}, more than its ${trials} trials`);
}

/** @throws RangeError unless events is a whole number of at least 0 and exposure is positive and finite. */
export function requireRate(name: string, { events, exposure }: Rate): void {
  requireCount(`${name}.events`, events);
  requirePositive(`${name}.exposure`, exposure);
}

/** @throws RangeError unless all four are whole numbers of at least 0 and one of them is positive. */
export function requirePairedCounts(name: string, counts: PairedCounts): void {
  requireCount(`${name}.both`, counts.both);
  requireCount(`${name}.candidateOnly`, counts.candidateOnly);
  requireCount(`${name}.baselineOnly`, counts.baselineOnly);
  requireCount(`${name}.neither`, counts.neither);
  if (counts.both + counts.candidateOnly + counts.baselineOnly + counts.neither === 0) {
    throw new RangeError(`${name} holds no items`);
  }
}
