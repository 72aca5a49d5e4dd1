import { requireSameLength } from "./check-input.ts";
import { requireUnitInterval } from "./e-value-bounded.ts";

/** Values of the arm in surplus that wait for the other, oldest first; plain numbers, some four times the ratio of the arms. */
export interface PairingState {
  readonly waiting: readonly number[];
  /** Whose values wait; null when none do. */
  readonly arm: "candidate" | "baseline" | null;
}

/** A value of the scarcer arm meets the mean of this share of those that wait: few enough to keep some for the next. */
const TAKEN = 1 / 4;

/** Nothing waits. */
export function startPairing(): PairingState {
  return { waiting: [], arm: null };
}

/**
 * Turns two arms in order of arrival into differences candidate - baseline.
 *
 * @param state      from `startPairing` or the last call. Not modified.
 * @param values     of both arms, in [0, 1], in order of arrival.
 * @param candidate  for each value whether it is the candidate's: 1 or 0.
 * @returns `differences` in [-1, 1], to be bet on as (d + 1) / 2, whose conditional mean is the difference of the means.
 * @throws RangeError when lengths differ, a value is outside [0, 1], or an arm mark is neither 0 nor 1.
 *
 * A value waits while the other arm has none waiting, else it is set against the mean of the oldest quarter of those that wait, at
 * least one. So at equal traffic values are paired nearly one to one, at 5 : 95 each candidate value meets the mean of some
 * nineteen baseline values, and after a ramp the pairing follows. The order of the arms may not depend on the values.
 * @example pairArrivals(startPairing(), [0.2, 0.9, 0.4], [0, 1, 0]).differences // [0.7]
 */
export function pairArrivals(
  state: PairingState,
  values: ArrayLike<number>,
  candidate: ArrayLike<number>,
): { readonly differences: Float64Array; readonly state: PairingState } {
  requireSameLength("values", values, "candidate", candidate);
  requireUnitInterval(values);
  const differences: number[] = [];
  const queue = [...state.waiting];
  let head = 0;
  let { arm } = state;
  for (let i = 0; i < values.length; i++) {
    const mark = candidate[i];
    if (mark !== 0 && mark !== 1) throw new RangeError(`candidate[${i}] is ${mark}, neither 0 nor 1`);
    const own = mark === 1 ? "candidate" : "baseline";
    if (head === queue.length || arm === own) {
      arm = own;
      queue.push(values[i]);
      continue;
    }
    const end = head + Math.max(1, Math.floor((queue.length - head) * TAKEN));
    let sum = 0;
    for (let j = head; j < end; j++) sum += queue[j];
    const other = sum / (end - head);
    head = end;
    differences.push(own === "candidate" ? values[i] - other : other - values[i]);
  }
  const waiting = queue.slice(head);
  return { differences: Float64Array.from(differences), state: { waiting, arm: waiting.length === 0 ? null : arm } };
}
