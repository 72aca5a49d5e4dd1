/**
 * Simulations per line of a calibration table. More runs narrow what passes: nominal rate + 3 standard errors at this
 * number.
 */
export const runs = Number(process.env["TOUCHSTONE_CALIBRATION_RUNS"] ?? 2000);
