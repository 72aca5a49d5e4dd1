import type { Tolerance } from "../model/amount.ts";

/** The candidate's values as they would be without the accepted worsening: divided by it, or less it. The order stays. */
export function forgive(candidate: Float64Array, direction: 1 | -1, margin: Tolerance): Float64Array {
  if (margin.relative !== null) {
    const factor = 1 + direction * margin.relative;
    return candidate.map((value) => value / factor);
  }
  const shift = direction * (margin.absolute ?? 0);
  return shift === 0 ? candidate : candidate.map((value) => value - shift);
}
