/**
 * The closed table of what can go wrong. It alone knows the HTTP status, whether trying again can help, and the exit code.
 *
 * Outcomes are not errors: no data, too few units or a dead source are findings of a look.
 */

interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** True when the same request may succeed later without a change. */
  readonly retry: boolean;
  /** Exit code of the command line: 64 usage or bad input, 69 unavailable, 70 a bug, 75 waiting timed out. */
  readonly exit: number;
}

export const ERRORS = {
  malformed_body: { status: 400, title: "The body cannot be read", retry: false, exit: 64 },
  invalid_parameter: { status: 400, title: "A parameter is not valid", retry: false, exit: 64 },
  unauthorized: { status: 401, title: "A token is needed", retry: false, exit: 64 },
  forbidden: { status: 403, title: "Not allowed", retry: false, exit: 64 },
  not_found: { status: 404, title: "Not found", retry: false, exit: 64 },
  method_not_allowed: { status: 405, title: "Method not allowed", retry: false, exit: 64 },
  not_acceptable: { status: 406, title: "No such representation", retry: false, exit: 64 },
  conflict: { status: 409, title: "In conflict with what is stored", retry: false, exit: 64 },
  no_verdict_yet: { status: 425, title: "No verdict yet", retry: true, exit: 75 },
  body_too_large: { status: 413, title: "The body is too large", retry: false, exit: 64 },
  unsupported_media_type: { status: 415, title: "Unsupported media type", retry: false, exit: 64 },
  invalid_request: { status: 422, title: "The request is not valid", retry: false, exit: 64 },
  invalid_analysis: { status: 422, title: "The analysis is not valid", retry: false, exit: 64 },
  not_runnable: { status: 422, title: "The analysis cannot run here", retry: false, exit: 64 },
  arms_identical: { status: 422, title: "Both arms ask the same question", retry: false, exit: 64 },
  idempotency_mismatch: {
    status: 422,
    title: "The idempotency key belongs to another request",
    retry: false,
    exit: 64,
  },
  invalid_config: { status: 500, title: "The configuration is not valid", retry: false, exit: 64 },
  invalid_input: { status: 422, title: "The input is not valid", retry: false, exit: 64 },
  input_unavailable: { status: 503, title: "An input file cannot be read", retry: false, exit: 69 },
  store_unavailable: { status: 503, title: "The record is unavailable", retry: true, exit: 69 },
  overloaded: { status: 503, title: "Too much is waiting already", retry: true, exit: 69 },
  server_unavailable: { status: 503, title: "The server is unavailable", retry: true, exit: 69 },
  wait_timed_out: { status: 504, title: "No verdict in time", retry: true, exit: 75 },
  internal: { status: 500, title: "A fault in Touchstone", retry: false, exit: 70 },
  crash_loop: {
    status: 500,
    title: "Worker after worker took up the run and none made progress",
    retry: false,
    exit: 70,
  },

  // What `gather` turns into findings; over HTTP they appear only inside a report.
  source_unavailable: { status: 502, title: "The source is unavailable", retry: true, exit: 69 },
  source_failed: { status: 502, title: "The source failed at the query", retry: true, exit: 69 },
  source_timeout: { status: 504, title: "The source took too long", retry: true, exit: 69 },
  source_throttled: { status: 503, title: "The source is asked too often", retry: true, exit: 69 },
  source_refused: { status: 502, title: "The source refused the query", retry: false, exit: 64 },
  source_malformed: { status: 502, title: "The answer of the source cannot be read", retry: false, exit: 69 },
  source_partial: { status: 502, title: "The source answered in part", retry: true, exit: 69 },
  source_too_large: { status: 502, title: "The answer of the source is too large", retry: false, exit: 64 },
  invalid_query: { status: 422, title: "The query cannot be rendered", retry: false, exit: 64 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** One fault in an input: where (a JSON pointer, "" for the whole) and what. */
export interface Issue {
  readonly pointer: string;
  readonly detail: string;
}

/** An operating error: something that the caller, the operator or the surroundings can mend. Bugs are RangeErrors and asserts. */
export class TouchstoneError extends Error {
  readonly code: ErrorCode;
  readonly issues: readonly Issue[];
  /** When it is worth trying again, in milliseconds since the epoch; null when nobody said. */
  readonly retryAt: number | null;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { cause?: unknown; issues?: readonly Issue[]; retryAt?: number | null } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TouchstoneError";
    this.code = code;
    this.issues = options.issues ?? [];
    this.retryAt = options.retryAt ?? null;
  }
}

/** True for the errors of the table, false for bugs. */
export function isTouchstoneError(error: unknown): error is TouchstoneError {
  return error instanceof TouchstoneError;
}
