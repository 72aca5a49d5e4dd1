import { pino, stdSerializers, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import type { Run } from "./model/run.ts";
import { partsOfTraceParent, type TraceParent } from "./model/trace-parent.ts";

export type { Logger };

/** What callers and sources wrote may be in a line: no text of it is longer. */
const MAX_TEXT = 4_000;

/**
 * JSON lines on stderr: stdout is for what a command was asked for. Nothing of the secrets branch of Config is ever handed in.
 *
 * One line is one event, whatever is in it: control characters, those of a terminal too, are escaped.
 */
export function createLogger(level: string, destination: DestinationStream = process.stderr): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: cutTexts },
      serializers: { err: toLoggedError },
      hooks: { streamWrite: escapeInvisible },
      redact: {
        paths: ["req.headers.authorization", "req.headers.cookie", 'req.headers["idempotency-key"]'],
        censor: "[redacted]",
      },
    },
    destination,
  );
}

/** What every line about a run carries: its id, its rollout where it has one, and its trace where there is one. */
export function logFieldsOf({ id, rollout }: Run, traceParent: TraceParent | null): Record<string, string> {
  return {
    run: id,
    ...(rollout === null ? {} : { rollout: `${rollout.namespace}/${rollout.name}@${rollout.revision}` }),
    ...(traceParent === null ? {} : { trace_id: partsOfTraceParent(traceParent).traceId }),
  };
}

/** Clients hang what they like on their errors: a command with its password, the address with it. Only what says what went wrong is told. */
function toLoggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === "string" ? cutText(error) : undefined;
  const { type, message, stack } = stdSerializers.err(error);
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return { type, ...code, message: cutText(message), stack: cutText(stack) };
}

function cutTexts(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? cutText(value) : value]),
  );
}

function cutText(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`;
}

/** JSON escapes the control characters below 32 itself. The others stand inside its strings only, so that escaping them changes no value. */
function escapeInvisible(line: string): string {
  return line.replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
