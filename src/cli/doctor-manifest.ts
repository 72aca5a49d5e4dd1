import { TouchstoneError } from "../errors.ts";
import { toIssues } from "../model/issues.ts";
import { toPath } from "../model/read-analysis.ts";
import { readYaml } from "../model/read-yaml.ts";
import { z } from "zod";

/** One object of a manifest, with what names it to people. */
export interface Manifest {
  readonly file: string;
  readonly kind: string;
  readonly name: string;
  readonly value: unknown;
  /** ` (line 7)` for a JSON pointer into the object. */
  readonly lineOf: (pointer: string) => string;
}

/** The closed list; docs/controllers/doctor.md says of each what goes wrong. */
export const TRAPS = [
  "no-success-condition",
  "no-failure-condition",
  "inconclusive-limit",
  "failure-limit",
  "consecutive-success-limit",
  "endless-step",
  "error-limit",
  "guard-ends",
  "guard-looks-once",
  "guard-needs-continue",
  "guard-without-gate",
  "guard-as-gate",
  "gate-as-guard",
  "summary-compared",
  "whole-body",
  "path-without-braces",
  "unknown-placeholder",
  "not-post",
  "no-json-body",
  "body-incomplete",
  "argument-in-url",
  "timeout",
  "ignored-authentication",
  "token-in-plain-text",
  "lookback-without-delay",
  "no-window",
  "no-threshold",
  "threshold-order",
  "misplaced",
  "kayenta-path",
  "unescaped",
  "argument-missing",
  "arms-swapped",
  "rollout-hash-in-experiment",
  "experiment-never-ends",
  "rollback-inverted",
  "wrong-path",
  "shared-path",
  "rollout-hook",
  "role-missing",
  "alert-every-tick",
  "retries",
  "no-analysis",
  "analyses-differ",
  "timeouts",
  "provider-type",
  "provider-address",
  "query-incomplete",
  "variable-missing",
  "threshold-range",
  "low-threshold",
  "unauthorized",
  "redirect",
  "empty",
  "not-json",
  "not-an-object",
  "no-route",
  "refused",
  "server-error",
  "no-summary",
  "answers-unknown",
  "unknown-analysis",
  "not-runnable",
  "kayenta-status",
  "not-a-list",
  "yes-to-unknown",
  "not-online",
] as const;
export type TrapCode = (typeof TRAPS)[number];

/** Notes a trap of the object that is looked at. */
export type AddTrap = (code: TrapCode, pointer: string, text: string) => void;

/** Something known to go wrong, seen in a manifest or in the answers of a server. */
export interface Trap {
  readonly code: TrapCode;
  /** `AnalysisTemplate touchstone-step`, or the URL that was asked. */
  readonly where: string;
  /** A JSON pointer into the object; "" for the whole. */
  readonly pointer: string;
  readonly text: string;
}

const Head = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });

/**
 * The objects of a manifest, in their order; several are told apart by `---`.
 *
 * @throws TouchstoneError `invalid_input` for what is no YAML, or no Kubernetes object.
 */
export function readManifests(text: string, file: string): Manifest[] {
  let line = 0;
  return text.split(/^---[ \t]*(?:#.*)?$/m).flatMap((part) => {
    // Blank lines in the place of what stands before keep the numbers of lines those of the file.
    const { value, lineOf } = readYaml("\n".repeat(line) + part, file, "invalid_input");
    line += part.split("\n").length - 1;
    if (value === null) return [];
    const head = readPart(Head, value, file);
    return [{ file, kind: head.kind, name: head.metadata.name, value, lineOf }];
  });
}

/** @throws TouchstoneError `invalid_input` with the place and the fault, when an object is not of its kind. */
export function readPart<T>(schema: z.ZodType<T>, value: unknown, origin: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = toIssues(parsed.error);
  throw new TouchstoneError(
    "invalid_input",
    `${origin} is no manifest that the controller would take:\n${issues.map(({ pointer, detail }) => `  ${toPath(pointer)} ${detail}`).join("\n")}`,
    { issues },
  );
}

/** Makes the traps of one object. */
export function trapsIn({ kind, name }: Pick<Manifest, "kind" | "name">): {
  readonly found: Trap[];
  readonly add: AddTrap;
} {
  const found: Trap[] = [];
  const where = `${kind} ${name}`;
  return { found, add: (code, pointer, text) => void found.push({ code, where, pointer, text }) };
}
