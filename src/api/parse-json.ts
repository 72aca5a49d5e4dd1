import { TouchstoneError } from "../errors.ts";

/** Deeper than any request of ours: 100,000 nested arrays are an attack on whoever walks them. */
const MAX_DEPTH = 32;

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

/** A body that cannot be read. */
export function malformed(detail: string, cause?: unknown): TouchstoneError {
  return new TouchstoneError("malformed_body", detail, { cause, issues: [{ pointer: "", detail }] });
}
