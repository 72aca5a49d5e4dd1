import { setTimeout as pause } from "node:timers/promises";
import { seeded, type Random } from "../../src/stats/random.ts";

/** Every random choice of the campaign comes from this seed; TOUCHSTONE_CAMPAIGN_SEED repeats one. The kernel still decides what happens between two choices. */
export const SEED = Number(process.env["TOUCHSTONE_CAMPAIGN_SEED"] ?? Date.now() % 1_000_000);

/** A stream of its own for each actor, so that a slow one does not change what another chooses. */
export const chance = (stream: number): Random => seeded(SEED, stream);

export function pick<T>(random: Random, choices: readonly T[]): T | undefined {
  return choices[Math.floor(random() * choices.length)];
}

/** Waits a random time in milliseconds: what campaigns do between two faults. */
export const pauseBetween = (random: Random, least: number, most: number): Promise<void> =>
  pause(least + random() * (most - least));
