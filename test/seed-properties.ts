import fc from "fast-check";

/**
 * Property tests draw the same cases every time, so that a red run is the change's fault. `TOUCHSTONE_PROPERTY_SEED`
 * draws others and `TOUCHSTONE_PROPERTY_RUNS` more of them, to look for what the fixed seed misses.
 */
fc.configureGlobal({
  seed: Number(process.env["TOUCHSTONE_PROPERTY_SEED"] ?? 20_261_101),
  ...(process.env["TOUCHSTONE_PROPERTY_RUNS"] === undefined
    ? {}
    : { numRuns: Number(process.env["TOUCHSTONE_PROPERTY_RUNS"]) }),
});
