import { badCase } from "./bad-evidence.ts";
import { judgeCase } from "./judge-case.ts";

/** Cases in all; each process takes every second one. `npm run test:faults` judges a million. */
const CASES = Number(process.env["TOUCHSTONE_FAULT_CASES"] ?? 20_000);
/** The first of them; to look where nobody has looked yet. */
const FROM = Number(process.env["TOUCHSTONE_FAULT_FROM"] ?? 0);

/** Violations that are shown; all are counted. */
const SHOWN = 20;

/**
 * Judges every second case, prints what came of them, and returns the violations as people read them: empty when every promise was kept.
 *
 * @param remainder  0 for the even numbers, 1 for the odd ones.
 */
export async function sweep(remainder: 0 | 1): Promise<string[]> {
  const shown: string[] = [];
  const tally = new Map<string, number>();
  const count = (what: string, by = 1) => void tally.set(what, (tally.get(what) ?? 0) + by);
  for (let number = FROM + ((FROM + remainder) % 2); number < FROM + CASES; number += 2) {
    const one = badCase(number);
    const { decision, looks, violations } = await judgeCase(one);
    count("cases");
    count("looks", looks);
    count(decision);
    if (violations.length > 0) count("violated");
    for (const violation of violations) {
      if (shown.length >= SHOWN) break;
      const metrics = one.metrics.map(
        ({ name, kind, shape, law, faults }) => `${name} ${kind} ${shape} ${[law, ...faults].join(", ")}`,
      );
      shown.push(`case ${number} (${one.analysis.plan.mode}; ${metrics.join("; ")}): ${violation}`);
    }
  }
  process.stdout.write(`faults | ${[...tally].map(([what, times]) => `${what} ${times}`).join(" | ")}\n`);
  return shown;
}
