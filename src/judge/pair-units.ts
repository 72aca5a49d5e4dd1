import type { UnitsState } from "../model/look-state.ts";
import type { Pairs } from "./paired-evidence.ts";

/** Items that both arms hold, and how many only one of them does. */
export interface Paired {
  readonly pairs: Pairs;
  readonly onlyBaseline: number;
  readonly onlyCandidate: number;
}

/** Finds the same items by their names; null where the units have none. */
export function pairUnits({ named: baseline }: UnitsState, { named: candidate }: UnitsState): Paired | null {
  if (baseline === undefined || candidate === undefined) return null;
  const before = new Map(baseline.names.map((name, place) => [name, baseline.values[place] ?? 0]));
  const places = Array.from(candidate.names, (_, place) => place).filter((place) =>
    before.has(candidate.names[place] ?? ""),
  );
  const names = places.map((place) => candidate.names[place] ?? "");
  return {
    pairs: {
      names,
      baseline: Float64Array.from(names, (name) => before.get(name) ?? 0),
      candidate: Float64Array.from(places, (place) => candidate.values[place] ?? 0),
    },
    onlyBaseline: baseline.names.length - names.length,
    onlyCandidate: candidate.names.length - names.length,
  };
}

/** The pairs of two arms that have been cut to the items of both, in one order. @throws RangeError when they have not. */
export function pairsOf({ named: baseline }: UnitsState, { named: candidate }: UnitsState): Pairs {
  if (baseline === undefined || candidate === undefined || baseline.names.length !== candidate.names.length)
    throw new RangeError("the arms of a paired design hold different items");
  return { names: candidate.names, baseline: baseline.values, candidate: candidate.values };
}
