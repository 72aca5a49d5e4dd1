/** Stands in every report, so that a verdict can be judged again by the same code. A test keeps it equal to package.json. */
export const ENGINE = "touchstone 0.1.0";
