/**
 * Checks that the distributions add to those of `check-input.ts`: arguments of a distribution function may be infinite,
 * and probabilities may be 0 or 1.
 */

/** @throws RangeError when the value is NaN. Infinities pass. */
export function requireNumber(name: string, value: number): void {
  if (Number.isNaN(value)) throw new RangeError(`${name} is NaN`);
}

/** @throws RangeError unless 0 <= value <= 1. */
export function requireProbability(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is ${value}, not in [0, 1]`);
}
