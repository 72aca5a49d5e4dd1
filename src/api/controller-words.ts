import { isTouchstoneError, type ErrorCode, type TouchstoneError } from "../errors.ts";
import type { Verdict } from "../model/finding.ts";
import type { StoredRun } from "../store/runs.ts";

/** What rollout controllers are told, in the few words that they show. */

/** Controllers keep these lines in their objects and events. */
const MAX_LINE = 240;

/** One line that begins with the word, and not with another one. */
export function lineOf(word: string, text: string): string {
  return oneLine(`${word}: ${text.replace(/^(?:promote|rollback|pause|continue): /, "")}`);
}

/** The same text without breaks, and not too long. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line;
}

/** The verdict that counts: a person's before the computed one. Null while there is none. */
export function effectiveVerdict({ override, verdict }: Pick<StoredRun, "override" | "verdict">): Verdict | null {
  return override?.verdict ?? verdict;
}

/** Why there is this verdict, in a line that begins with it. */
export function verdictLine(verdict: Verdict, { override, summary }: Pick<StoredRun, "override" | "summary">): string {
  return lineOf(verdict, override === null ? (summary ?? "") : `${override.by} decided so: ${override.reason}`);
}

const TO_MEND: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "not_found",
  "invalid_request",
  "invalid_analysis",
  "not_runnable",
  "arms_identical",
  "conflict",
]);

/** True for what whoever wrote the controller's manifest must mend; asking again does not help. */
export function isToMend(error: unknown): error is TouchstoneError {
  return isTouchstoneError(error) && TO_MEND.has(error.code);
}
