import type { Metric } from "../model/analysis.ts";
import type { SampleRows } from "../model/samples.ts";

/**
 * One value per unit: what routing assigned is what counts, however many rows it left behind.
 *
 * A session of fifty turns is one observation, not fifty; treating its turns as independent rolled back 58 % of harmless candidates in simulation.
 */
export function toUnitValues({ values, units, unitNames }: SampleRows, perUnit: Metric["perUnit"]): Float64Array {
  if (units === null) return values;
  const result = new Float64Array(unitNames.length).fill(
    perUnit === "max" ? -Infinity : perUnit === "min" ? Infinity : 0,
  );
  const rows = new Float64Array(unitNames.length);
  for (let row = 0; row < values.length; row++) {
    const unit = units[row] ?? 0;
    const value = values[row] ?? 0;
    rows[unit] = (rows[unit] ?? 0) + 1;
    const before = result[unit] ?? 0;
    result[unit] =
      perUnit === "max" ? Math.max(before, value) : perUnit === "min" ? Math.min(before, value) : before + value;
  }
  if (perUnit === "mean")
    for (let unit = 0; unit < result.length; unit++) result[unit] = (result[unit] ?? 0) / (rows[unit] ?? 1);
  return result;
}
