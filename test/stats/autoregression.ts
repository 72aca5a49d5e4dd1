import { goldenSample } from "./golden.ts";

/** The series of a golden case: stored, or x_t = rho x_(t-1) + u_t from a recipe, as in fixtures/golden/series.py. */
export function autoregression(input: Readonly<Record<string, unknown>>): Float64Array {
  if (input["values"] !== undefined) return goldenSample(input["values"]);
  const rho = input["rho"] as number;
  let last = 0;
  return goldenSample(input["innovations"]).map((u) => {
    last = rho * last + u;
    return last;
  });
}
