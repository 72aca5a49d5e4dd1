import type { ErrorRequestHandler, Request, RequestHandler, Response } from "express";
import { ERRORS, isTouchstoneError, TouchstoneError, type ErrorCode, type Issue } from "../errors.ts";

/** Seconds after which a caller may try again, where trying again can help. */
export const RETRY_AFTER_SECONDS = 2;

/** Answers with `application/problem+json` (RFC 9457). */
export function sendProblem(response: Response, code: ErrorCode, detail: string, issues: readonly Issue[] = []): void {
  const { status, title, retry } = ERRORS[code];
  if (retry) response.setHeader("retry-after", String(RETRY_AFTER_SECONDS));
  response
    .status(status)
    .type("application/problem+json")
    .send(
      JSON.stringify({
        type: `urn:touchstone:error:${code}`,
        title,
        status,
        detail,
        code,
        ...(issues.length === 0 ? {} : { issues }),
      }),
    );
}

/** Every error that reaches Express ends here; a bug shows nothing of itself but a status and the id of its log line. */
export const handleError: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) return next(error);
  const known = toTouchstoneError(error);
  if (known !== null) {
    sendProblem(response, known.code, known.message, known.issues);
    return;
  }
  request.log.error({ err: error }, "a bug");
  sendProblem(response, "internal", `an unexpected fault; the log has it under request ${JSON.stringify(request.id)}`);
};

export const handleUnknownRoute: RequestHandler = (request) => {
  throw new TouchstoneError("not_found", `there is no ${request.method} ${pathOf(request)}`);
};

/** For a path that exists: which methods it takes. */
export function onlyMethods(...methods: string[]): RequestHandler {
  return (request, response) => {
    response.setHeader("allow", methods.join(", "));
    sendProblem(
      response,
      "method_not_allowed",
      `${pathOf(request)} takes ${methods.join(", ")}, not ${request.method}`,
    );
  };
}

/** The error of the table that this is or stands for; null for a bug. */
export function toTouchstoneError(error: unknown): TouchstoneError | null {
  if (isTouchstoneError(error)) return error;
  if (!(error instanceof Error) || !("type" in error)) {
    // Express refuses a path such as /v1/runs/%zz with a URIError.
    if (error instanceof URIError)
      return new TouchstoneError("invalid_parameter", "the path is not valid percent encoding");
    return null;
  }
  // What the body reader of Express throws.
  switch (error.type) {
    case "entity.too.large":
      return new TouchstoneError("body_too_large", `the body has more than ${limitOf(error)}`);
    case "encoding.unsupported":
      return new TouchstoneError(
        "unsupported_media_type",
        "the content encoding is not supported; use gzip, deflate, br or none",
      );
    case "request.aborted":
    case "request.size.invalid":
    case "stream.encoding.set":
      return new TouchstoneError("malformed_body", "the body ended early or has another length than it says");
    default:
      return "status" in error && error.status === 400
        ? new TouchstoneError("malformed_body", "the body cannot be read")
        : null;
  }
}

/** As the reader of the body says it. */
function limitOf(error: Error): string {
  const bytes = "limit" in error && typeof error.limit === "number" ? error.limit : 0;
  return bytes < 1024 * 1024 ? `${bytes / 1024} kB` : `${bytes / 1024 / 1024} MB`;
}

function pathOf(request: Request): string {
  return request.originalUrl.split("?", 1)[0] ?? "";
}
