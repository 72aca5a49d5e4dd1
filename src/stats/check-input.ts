/**
 * What the arguments of statistical functions may be. Every fault is a RangeError that names the argument and the
 * fault.
 */

/** "greater" means that the candidate tends to be larger than the baseline. */
export type Alternative = "two-sided" | "greater" | "less";

/** At least `min` finite numbers. */
export function requireNumbers(name: string, values: ArrayLike<number>, min = 1): void {
  if (values.length < min) {
    throw new RangeError(
      values.length === 0 ? `${name} is empty` : `${name} has ${values.length} values, fewer than the ${min} needed`,
    );
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) throw new RangeError(`${name}[${i}] is ${String(value)}`);
  }
}

export function requireSameLength(
  name: string,
  values: ArrayLike<unknown>,
  otherName: string,
  other: ArrayLike<unknown>,
) {
  if (values.length !== other.length) {
    throw new RangeError(`${name} has ${values.length} values and ${otherName} has ${other.length}`);
  }
}

/** Infinities pass: an argument of a distribution may be infinite. */
export function requireNumber(name: string, value: number): void {
  if (Number.isNaN(value)) throw new RangeError(`${name} is NaN`);
}

export function requireFinite(name: string, value: number): void {
  if (!Number.isFinite(value)) throw new RangeError(`${name} is ${value}, not a finite number`);
}

export function requirePositive(name: string, value: number): void {
  if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${name} is ${value}, not a positive number`);
}

export function requireNonNegative(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) throw new RangeError(`${name} is ${value}, not zero or more`);
}

/** A whole number of at least `min`. */
export function requireCount(name: string, value: number, min = 0): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(`${name} is ${value}, not a whole number of at least ${min}`);
  }
}

/** Whole numbers of at least 0. */
export function requireCounts(name: string, values: ArrayLike<number>, minLength = 1): void {
  requireNumbers(name, values, minLength);
  for (let i = 0; i < values.length; i++) requireCount(`${name}[${i}]`, values[i]);
}

/** Finite numbers of at least 0. */
export function requireNonNegatives(name: string, values: ArrayLike<number>): void {
  requireNumbers(name, values);
  for (let i = 0; i < values.length; i++) {
    if (values[i] < 0) throw new RangeError(`${name}[${i}] is ${values[i]}, less than 0`);
  }
}

/** A number in [0, 1]; a probability may be 0 or 1. */
export function requireProbability(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is ${value}, not in [0, 1]`);
}

/** A number strictly between 0 and 1: a confidence, a significance level, the order of a quantile. */
export function requireFraction(name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} is ${value}, not strictly between 0 and 1`);
}
