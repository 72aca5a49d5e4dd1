import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints `N passed, N failed` as the very last line, over all suites.
 *
 * Where `CI=true` a skipped test counts as failed, since nobody is there to read why it was skipped.
 */
export function countingReporter(): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[], unhandledErrors) {
      let passed = 0;
      let failed = unhandledErrors.length;
      const skipped: string[] = [];
      for (const module of modules) {
        if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0) failed += 1;
        for (const test of module.children.allTests()) {
          const { state } = test.result();
          if (state === "passed") passed += 1;
          else if (state === "failed") failed += 1;
          else skipped.push(`${module.moduleId}: ${test.fullName}`);
        }
      }
      const skipsFail = process.env["CI"] === "true";
      if (skipped.length > 0) {
        process.stdout.write(`\nSkipped${skipsFail ? " (a failure, because CI=true)" : ""}:\n`);
        for (const name of skipped) process.stdout.write(`  ${name}\n`);
        if (skipsFail) {
          failed += skipped.length;
          process.exitCode = 1;
        }
      }
      process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
    },
  };
}
