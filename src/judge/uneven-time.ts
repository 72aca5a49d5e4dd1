import { mixShift } from "../stats/mix-shift.ts";

/** Stretches of a run within which what both arms meet is taken as constant, where a ramp shares traffic unevenly over time. */
export const TIME_BLOCKS = 12;

/** Adjusting where nothing was uneven costs little; not adjusting the first looks of a ramp costs false alarms. */
const UNEVEN_ALPHA = 0.05;
/** A share of the traffic that would have to come at another time; less moves nothing. */
const UNEVEN_SHARE = 0.02;

/** Do the arms differ in when their traffic came? Of both, units or requests per stretch of time; each arm has some. */
export function isUnevenInTime(candidate: readonly number[], baseline: readonly number[]): boolean {
  const { p, totalVariation } = mixShift(candidate, baseline);
  return p < UNEVEN_ALPHA && totalVariation >= UNEVEN_SHARE;
}
