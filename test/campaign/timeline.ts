import type { Entry } from "./record.ts";
import type { Kill } from "./processes.ts";

/** From one moment to another, in milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  /** Infinity while it lasts. */
  to: number;
}

/** A time that a worker took a run up. */
export interface TakenUp {
  readonly run: string;
  readonly epoch: number;
  readonly at: number;
  readonly pid: number;
  /** How many claims in a row had ended without a look by then, this one included. */
  readonly claims: number;
  /** What happened to the run next: a look, an end, or another claim. Null while nothing has. */
  readonly next: Entry | null;
}

/** The entries of each run, in their order. */
export function byRun(history: readonly Entry[]): Map<string, Entry[]> {
  const runs = new Map<string, Entry[]>();
  for (const entry of history) runs.set(entry.run, [...(runs.get(entry.run) ?? []), entry]);
  return runs;
}

const hasEnded = ({ status }: Entry): boolean => status !== "queued" && status !== "running";

/** Every claim of every run. */
export function claimsIn(history: readonly Entry[]): TakenUp[] {
  return [...byRun(history).values()].flatMap((entries) =>
    entries.flatMap((entry, index): TakenUp[] => {
      const before = entries[index - 1];
      const isClaim = entry.status === "running" && entry.claims === (before?.claims ?? 0) + 1;
      if (!isClaim || entry.worker === null) return [];
      const { run, epoch, at, claims, worker } = entry;
      return [{ run, epoch, at, claims, pid: Number(worker.split("-")[0]), next: entries[index + 1] ?? null }];
    }),
  );
}

/** Whether nothing but what the campaign did explains that this claim came to nothing: its worker was killed meanwhile, or the record was away. */
export function isExplained(claim: TakenUp, kills: readonly Kill[], outages: readonly Span[]): boolean {
  const until = claim.next?.at ?? Infinity;
  return (
    // Also a kill just before: the statement that claims may reach the record when its sender is dead.
    kills.some(({ pid, at }) => pid === claim.pid && at <= until) ||
    outages.some(({ from, to }) => from <= until && to >= claim.at)
  );
}

/**
 * From the kill of each owner to the next claim of its run, in milliseconds, ascending. Left out are runs that ended otherwise meanwhile, and those whose wait an outage of the record made longer.
 */
export function resumeTimes(history: readonly Entry[], kills: readonly Kill[], outages: readonly Span[]): number[] {
  return claimsIn(history)
    .flatMap((claim) => {
      const { next } = claim;
      if (next === null || hasEnded(next) || next.epoch !== claim.epoch + 1) return [];
      const kill = kills.find(({ pid, at }) => pid === claim.pid && at >= claim.at && at <= next.at);
      if (kill === undefined || outages.some(({ from, to }) => from <= next.at && to >= kill.at)) return [];
      return [next.at - kill.at];
    })
    .sort((a, b) => a - b);
}

/** @param ascending  sorted. @returns NaN of nothing. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.ceil(share * ascending.length) - 1)] ?? NaN;
}
