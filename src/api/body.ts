import type { Request, RequestHandler } from "express";
import express from "express";
import type { z } from "zod";
import { TouchstoneError, type ErrorCode } from "../errors.ts";
import { toIssues } from "../model/issues.ts";
import { decodeText, malformed, parseJson } from "./parse-json.ts";

const MAX_BODY_BYTES = 256 * 1024;

/** Reads the bytes of every body, whatever its type, up to the limit after decompression. */
export const readBytes: RequestHandler = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: true });

/** The same for what rollout controllers send, which is small. */
export const readSmallBytes: RequestHandler = express.raw({ type: () => true, limit: 64 * 1024, inflate: true });

/**
 * The body as JSON.
 *
 * @throws TouchstoneError `unsupported_media_type`, `malformed_body` (not JSON, too deep, no body).
 */
export function readJson(request: Request): unknown {
  const type = request.get("content-type") ?? "";
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new TouchstoneError(
      "unsupported_media_type",
      `the content type is ${type === "" ? "missing" : type}; send application/json`,
    );
  }
  return parseJson(readText(request));
}

/** True for a body that is sent as YAML. */
export function isYaml(request: Request): boolean {
  return /^(?:application|text)\/(?:x-)?yaml\s*(?:;|$)/i.test(request.get("content-type") ?? "");
}

/** The body as text. @throws TouchstoneError `malformed_body` when there is none or it is not UTF-8. */
export function readText(request: Request): string {
  const bytes: unknown = request.body;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) throw malformed("there is no body");
  return decodeText(bytes);
}

/** The value in our words. @throws TouchstoneError with every fault and its pointer. */
export function parseAs<T>(schema: z.ZodType<T>, value: unknown, code: ErrorCode = "invalid_request"): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = toIssues(parsed.error);
  throw new TouchstoneError(
    code,
    issues.map(({ pointer, detail }) => `${pointer === "" ? "the body" : pointer} ${detail}`).join("; "),
    { issues },
  );
}
