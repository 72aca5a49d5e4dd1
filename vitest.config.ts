import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { countingReporter } from "./test/reporter.ts";

/** `unit` runs in seconds without a server; `services` starts its own; `controllers` runs the controllers' own Go code; `calibration` simulates; `faults` judges bad evidence; `campaign` kills real processes. See README, "Tests". */
export default defineConfig({
  test: {
    reporters: ["default", countingReporter()],
    // Half of what takes long waits for looks, servers and limits in real time: one process more than cores keeps the cores busy. The default is one fewer.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [
            "test/services/**",
            "test/calibration/**",
            "test/faults/**",
            "test/campaign/**",
            "test/controllers/go/**",
          ],
          isolate: false,
          setupFiles: "test/seed-properties.ts",
          // Far above what any takes: a busy machine is no fault.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "services",
          include: ["test/services/**/*.test.ts"],
          globalSetup: "test/services/global-setup.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "controllers",
          include: ["test/controllers/go/**/*.test.ts"],
          globalSetup: "test/controllers/go/global-setup.ts",
          testTimeout: 300_000,
          hookTimeout: 300_000,
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
      {
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          // A million cases take an hour on one core.
          testTimeout: 7_200_000,
        },
      },
      {
        test: {
          name: "campaign",
          include: ["test/campaign/**/*.test.ts"],
          // After the others: it measures how soon processes are back, and would measure them instead.
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          testTimeout: 7_200_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
