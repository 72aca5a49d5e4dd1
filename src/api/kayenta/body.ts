import type { Request } from "express";
import { z } from "zod";
import { TouchstoneError } from "../../errors.ts";
import { CanaryConfig, withoutNulls } from "../../model/canary.ts";
import { parseAs, readJson } from "../body.ts";

/** The body of a client of Kayenta's: keys that are null are absent. @throws TouchstoneError as `readJson` and `parseAs`. */
export function readCanaryBody<T>(schema: z.ZodType<T>, request: Request): T {
  return parseAs(schema, withoutNulls(readJson(request)));
}

/** What starts without a stored config: the config, and the request. @throws TouchstoneError as `readCanaryBody`, and `invalid_request` where one of them is missing. */
export function readAdHoc<T>(schema: z.ZodType<T>, request: Request): { config: CanaryConfig; request: T } {
  const body = z.looseObject({ canaryConfig: CanaryConfig.optional(), executionRequest: schema.optional() });
  const { canaryConfig, executionRequest } = readCanaryBody(body, request);
  if (canaryConfig === undefined) throw refused("canaryConfig must be provided for ad-hoc requests");
  if (executionRequest === undefined) throw refused("executionRequest must be provided for ad-hoc requests");
  return { config: canaryConfig, request: executionRequest };
}

/** A fault of a request, in the words of Kayenta's clients. */
export function refused(detail: string): TouchstoneError {
  return new TouchstoneError("invalid_request", detail);
}

/** A parameter of the query, the first where it is repeated; undefined where it is empty. Others are let be, as Kayenta does. */
export function parameterOf(request: Request, name: string): string | undefined {
  return parametersOf(request, name)[0];
}

/** A parameter that may be repeated. */
export function parametersOf(request: Request, name: string): string[] {
  const given: unknown = request.query[name];
  const values: unknown[] = Array.isArray(given) ? given : [given];
  return values.filter((value) => typeof value === "string" && value !== "") as string[];
}
