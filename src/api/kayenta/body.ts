import type { Request } from "express";
import type { z } from "zod";
import { withoutNulls } from "../../model/canary.ts";
import { parseAs, readJson } from "../body.ts";

/** The body of a client of Kayenta's: keys that are null are absent. @throws TouchstoneError as `readJson` and `parseAs`. */
export function readCanaryBody<T>(schema: z.ZodType<T>, request: Request): T {
  return parseAs(schema, withoutNulls(readJson(request)));
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
