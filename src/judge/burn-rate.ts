import type { Burn } from "../model/analysis.ts";
import type { ArmState } from "../model/look-state.ts";
import type { Proportion } from "../stats/counts.ts";
import { proportionThreshold } from "../stats/threshold.ts";
import { inWindow, type Cells, type WindowEnd } from "./tallies.ts";

/** How fast one arm uses up its error budget, in multiples of the rate that would use it up exactly: 1 is sustainable. */
export interface BurnTest {
  /** Over the long window. */
  readonly value: number;
  /** Over the short window; null where it holds no events. */
  readonly recent: number | null;
  /** Of the long window: small when the rate of bad events is proven above what the limit allows. */
  readonly pBreached: number;
  /** Small when it is proven below. */
  readonly pHolds: number;
}

/**
 * The long window is tested by the exact binomial law. Bad events may come at any rates within it: where these average to no more than the limit allows, so many or
 * more bad events are less likely than the law says (Hoeffding 1956, Ann. Math. Stat. 27, 713–721).
 *
 * @param rate  the limit, in multiples of the sustainable rate.
 * @returns null where the long window holds no events, or the source gave them without times.
 */
export function testBurn(
  { tallies }: ArmState,
  { objective, longSeconds, shortSeconds }: Burn,
  rate: number,
  cells: Cells,
  end: WindowEnd,
): BurnTest | null {
  if (tallies === undefined) return null;
  const window = (seconds: number) => inWindow(tallies, end, Math.round(seconds / cells.seconds));
  const long = window(longSeconds);
  if (long === null) return null;
  const short = window(shortSeconds);
  const budget = withoutNoise(1 - objective);
  const paceOf = ({ events, trials }: Proportion) => withoutNoise(events / trials / budget);
  const { pBreached, pHolds } = proportionThreshold(long, withoutNoise(rate * budget));
  return {
    value: paceOf(long),
    recent: short === null ? null : paceOf(short),
    pBreached,
    pHolds,
  };
}

/** 1 − 0.99 is not quite 0.01: a pace exactly at the limit would lie beyond it. */
function withoutNoise(value: number): number {
  return Number(value.toPrecision(12));
}
