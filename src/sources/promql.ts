import { TouchstoneError } from "../errors.ts";
import { readPlaceholder, unknownPlaceholder, valueOf, type Placeholder } from "./placeholder.ts";
import type { SourceRequest } from "./source.ts";

/**
 * PromQL with placeholders. A value from a caller enters only inside a quoted label matcher, through the escaper, so that it can never end the
 * string it stands in; `{{ step }}` enters only outside quotes, as a duration.
 */

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "matcher"; readonly placeholder: Placeholder; readonly quote: '"' | "'"; readonly regex: boolean }
  | { readonly kind: "step" };

/** The query with every placeholder filled in. @throws TouchstoneError `invalid_query`. */
export function renderPromql(template: string, request: SourceRequest): string {
  return parsePromql(template)
    .map((part) => {
      switch (part.kind) {
        case "text":
          return part.text;
        case "step":
          return `${request.stepSeconds}s`;
        case "matcher": {
          const value = valueOf(part.placeholder, request);
          return escapeString(part.regex ? escapeRegex(value) : value, part.quote);
        }
      }
    })
    .join("");
}

/** Faults of the template, empty when there are none. */
export function checkPromql(template: string): string[] {
  try {
    parsePromql(template);
    return [];
  } catch (error) {
    if (error instanceof TouchstoneError) return [error.message];
    throw error;
  }
}

/**
 * Splits a template at its placeholders, following quotes, comments and braces as far as that needs.
 *
 * @throws TouchstoneError `invalid_query` for a placeholder that is unknown or stands where a value could change the query.
 */
function parsePromql(template: string): Part[] {
  const parts: Part[] = [];
  let text = "";
  let quote: '"' | "'" | "`" | null = null;
  let regex: boolean | null = null;
  let selectors = 0;

  const pushText = () => {
    if (text !== "") parts.push({ kind: "text", text });
    text = "";
  };

  for (let i = 0; i < template.length; i++) {
    const char = template.charAt(i);
    if (template.startsWith("{{", i)) {
      const end = template.indexOf("}}", i);
      const words = end < 0 ? "" : template.slice(i + 2, end);
      const placeholder = readPlaceholder(words);
      if (end < 0) throw new TouchstoneError("invalid_query", "{{ is never closed by }}");
      if (placeholder === null) throw new TouchstoneError("invalid_query", unknownPlaceholder(words));
      pushText();
      parts.push(toPart(placeholder, words, quote, regex));
      i = end + 1;
      continue;
    }
    text += char;
    if (quote !== null) {
      if (char === "\\" && quote !== "`") {
        text += template.charAt(i + 1);
        i += 1;
      } else if (char === quote) quote = null;
      continue;
    }
    if (char === "#") {
      const end = template.indexOf("\n", i);
      const comment = end < 0 ? template.slice(i + 1) : template.slice(i + 1, end);
      if (comment.includes("{{")) throw new TouchstoneError("invalid_query", "a placeholder stands in a comment");
      text += comment;
      i += comment.length;
    } else if (char === '"' || char === "'" || char === "`") {
      quote = char;
      const operator = /(=~|!~|!=|=)\s*$/.exec(template.slice(0, i))?.[1];
      regex = selectors > 0 && operator !== undefined ? operator.endsWith("~") : null;
    } else if (char === "{") selectors += 1;
    else if (char === "}") selectors -= 1;
  }
  if (quote !== null) throw new TouchstoneError("invalid_query", `a string opened with ${quote} is never closed`);
  pushText();
  return parts;
}

function toPart(placeholder: Placeholder, words: string, quote: '"' | "'" | "`" | null, regex: boolean | null): Part {
  if (placeholder.kind === "step") {
    if (quote !== null)
      throw new TouchstoneError("invalid_query", "{{ step }} stands in quotes; it is a duration, as in [{{ step }}]");
    return { kind: "step" };
  }
  if (quote === null || regex === null) {
    throw new TouchstoneError(
      "invalid_query",
      `{{ ${words.trim()} }} must stand inside a quoted label matcher, as in {version="{{ version }}"}`,
    );
  }
  if (quote === "`")
    throw new TouchstoneError(
      "invalid_query",
      `{{ ${words.trim()} }} stands in back quotes, where nothing can be escaped; use double quotes`,
    );
  return { kind: "matcher", placeholder, quote, regex };
}

/** A PromQL string follows the escapes of Go: this keeps any text inside its quotes. */
export function escapeString(value: string, quote: '"' | "'"): string {
  let escaped = "";
  for (const char of value) {
    const code = char.charCodeAt(0);
    if (char === "\\" || char === quote) escaped += `\\${char}`;
    else if (code < 0x20 || code === 0x7f) escaped += `\\x${code.toString(16).padStart(2, "0")}`;
    else escaped += char;
  }
  return escaped;
}

/** As RE2's QuoteMeta: the text matches itself and nothing else. */
export function escapeRegex(value: string): string {
  return value.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
