import { defineConfig } from "vitest/config";
import { countingReporter } from "./test/reporter.ts";

/** `unit` runs in seconds without a server; `services` starts its own; `calibration` simulates. See README, "Tests". */
export default defineConfig({
  test: {
    reporters: ["default", countingReporter()],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/services/**", "test/calibration/**"],
          isolate: false,
          setupFiles: "test/seed-properties.ts",
        },
      },
      {
        test: {
          name: "services",
          include: ["test/services/**/*.test.ts"],
          globalSetup: "test/services/global-setup.ts",
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "calibration",
          include: ["test/calibration/**/*.test.ts"],
          isolate: false,
          setupFiles: "test/seed-properties.ts",
          testTimeout: 300_000,
        },
      },
    ],
  },
});
