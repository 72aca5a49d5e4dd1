import type { ErrorRequestHandler } from "express";
import { z } from "zod";
import { ERRORS, type TouchstoneError } from "../../errors.ts";
import { RETRY_AFTER_SECONDS, toTouchstoneError } from "../problem.ts";

/** An error as Kayenta's clients read it: a message, and beside it where the faults are. */
export const KayentaErrorView = z
  .object({ message: z.string(), issues: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional() })
  .meta({ id: "KayentaError" });
export type KayentaErrorView = z.infer<typeof KayentaErrorView>;

/** Kayenta knows one status for everything that is wrong with a request. */
const BAD_REQUEST = 400;
const AS_BAD_REQUEST = new Set([409, 415, 422]);

export function toKayentaError({ code, message, issues }: TouchstoneError): { status: number; view: KayentaErrorView } {
  const { status } = ERRORS[code];
  return {
    status: AS_BAD_REQUEST.has(status) ? BAD_REQUEST : status,
    view: { message, ...(issues.length === 0 ? {} : { issues: [...issues] }) },
  };
}

/** Ends the errors of the routes that Kayenta's clients call. */
export const handleKayentaError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) return next(error);
  const known = toTouchstoneError(error);
  if (known === null) return next(error);
  if (ERRORS[known.code].retry) response.setHeader("retry-after", String(RETRY_AFTER_SECONDS));
  const { status, view } = toKayentaError(known);
  response.status(status).json(view);
};
