import type { Watch } from "../judge/watch.ts";

/** A part of a judgement and when it was done. */
export interface TimedPart {
  readonly part: Parameters<Watch>[0];
  readonly name: string;
  /** Index of the part that this one was done in; null at the top. */
  readonly within: number | null;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
}

/** A watch with a clock. `parts` holds what has been done, in the order in which it began. */
export function timeParts(): { readonly watch: Watch; readonly parts: readonly TimedPart[] } {
  const parts: TimedPart[] = [];
  // Fractions of a millisecond, and no step of the wall clock between two parts.
  const toEpoch = Date.now() - performance.now();
  const now = () => toEpoch + performance.now();
  let within: number | null = null;
  return {
    parts,
    watch(part, name, work) {
      const outer = within;
      const startMs = now();
      const index = parts.push({ part, name, within: outer, startMs, endMs: startMs }) - 1;
      within = index;
      try {
        return work();
      } finally {
        within = outer;
        parts[index] = { part, name, within: outer, startMs, endMs: now() };
      }
    },
  };
}
