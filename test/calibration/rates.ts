import { runs } from "./runs.ts";

/** The share of runs in which something happens; `times` defaults to the common number of runs. */
export function shareOf(happens: (run: number) => boolean, times = runs): number {
  let count = 0;
  for (let run = 0; run < times; run++) if (happens(run)) count++;
  return count / times;
}

/** The highest measured rate that a true rate of `nominal` explains: three standard errors above. */
export function ceilingOf(nominal: number, times = runs): number {
  return nominal + 3 * Math.sqrt((nominal * (1 - nominal)) / times);
}

/** The lowest measured coverage that a true coverage of `nominal` explains. */
export function floorOf(nominal: number, times = runs): number {
  return nominal - 3 * Math.sqrt((nominal * (1 - nominal)) / times);
}

/** A rate in per cent with one digit. */
export function percent(rate: number): string {
  return (100 * rate).toFixed(1);
}
