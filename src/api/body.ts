import type { Request, RequestHandler } from "express";
import express from "express";
import type { z } from "zod";
import { TouchstoneError, type ErrorCode } from "../errors.ts";
import { toIssues } from "../model/issues.ts";

const MAX_BODY_BYTES = 256 * 1024;

/** Deeper than any request of ours: 100,000 nested arrays are an attack on whoever walks them. */
const MAX_DEPTH = 32;

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

/** @throws TouchstoneError `malformed_body` when the bytes are not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed("the body is not UTF-8", cause);
  }
}

export function parseJson(text: string): unknown {
  return parse(text, (key, value) => {
    if (key === "__proto__") throw malformed("the body holds a key __proto__");
    return value;
  });
}

/** The same without a look at every value, for millions of numbers whose keys nobody copies. */
export function parseLongJson(text: string): unknown {
  return parse(text);
}

function parse(text: string, reviver?: (key: string, value: unknown) => unknown): unknown {
  const depth = depthOf(text);
  if (depth > MAX_DEPTH) throw malformed(`the body nests ${depth} levels deep, more than the ${MAX_DEPTH} allowed`);
  try {
    return JSON.parse(text, reviver);
  } catch (cause) {
    if (cause instanceof TouchstoneError) throw cause;
    throw malformed(`the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
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

/** How deep brackets nest outside strings, without building anything. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i += 1;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) deepest = Math.max(deepest, (depth += 1));
    else if (char === 0x5d || char === 0x7d) depth -= 1;
  }
  return deepest;
}

function malformed(detail: string, cause?: unknown): TouchstoneError {
  return new TouchstoneError("malformed_body", detail, { cause, issues: [{ pointer: "", detail }] });
}
