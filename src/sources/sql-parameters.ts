import { TouchstoneError } from "../errors.ts";
import { readPlaceholder, type Placeholder } from "./placeholder.ts";

/** What a `:name` in an operator's SQL may be. */
export type SqlParameter = Placeholder | { readonly kind: "start" } | { readonly kind: "end" };

/** A statement for the driver: `:version` has become `$1`, and `parameters[0]` says what to send. */
export interface BoundSql {
  readonly text: string;
  readonly parameters: readonly SqlParameter[];
}

/**
 * Turns `:version :start :end :labels.x :args.x` into bind parameters. Values never enter the text, so there is nothing to escape.
 *
 * Quoted strings, quoted names, dollar quotes, comments and casts (`::`) are left alone.
 *
 * @throws TouchstoneError `invalid_query` for an unknown `:name`, a positional `$1` or an unclosed quote.
 */
export function bindSql(sql: string): BoundSql {
  const parameters: SqlParameter[] = [];
  const positions = new Map<string, number>();
  let text = "";
  let i = 0;
  while (i < sql.length) {
    const skipped = skipQuoted(sql, i);
    if (skipped > i) {
      text += sql.slice(i, skipped);
      i = skipped;
      continue;
    }
    if (sql.startsWith("::", i)) {
      text += "::";
      i += 2;
      continue;
    }
    if (/^\$\d/.test(sql.slice(i, i + 2)))
      throw new TouchstoneError("invalid_query", "the SQL uses $1; name its parameters, as in :version");
    // An array slice such as tags[1:2] and a := have no letter after the colon.
    const match = /^:([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)/.exec(sql.slice(i, i + 140));
    if (match === null) {
      text += sql.charAt(i);
      i += 1;
      continue;
    }
    const name = match[1] ?? "";
    let position = positions.get(name);
    if (position === undefined) {
      position = parameters.push(toParameter(name));
      positions.set(name, position);
    }
    text += `$${position}`;
    i += match[0].length;
  }
  return { text, parameters };
}

function toParameter(name: string): SqlParameter {
  if (name === "start" || name === "end") return { kind: name };
  const placeholder = readPlaceholder(name);
  if (placeholder === null || placeholder.kind === "step") {
    throw new TouchstoneError(
      "invalid_query",
      `the SQL asks for :${name}, which is not known; there are :version, :start, :end, :labels.name and :args.name`,
    );
  }
  return placeholder;
}

/** The position behind a string, quoted name, dollar quote or comment that starts at `i`; `i` when none does. */
function skipQuoted(sql: string, i: number): number {
  const char = sql.charAt(i);
  if (sql.startsWith("--", i)) {
    const end = sql.indexOf("\n", i);
    return end < 0 ? sql.length : end;
  }
  if (sql.startsWith("/*", i)) {
    let depth = 1;
    let at = i + 2;
    while (depth > 0) {
      if (at >= sql.length) throw new TouchstoneError("invalid_query", "the SQL has a comment that is never closed");
      if (sql.startsWith("*/", at)) {
        depth -= 1;
        at += 2;
      } else if (sql.startsWith("/*", at)) {
        depth += 1;
        at += 2;
      } else at += 1;
    }
    return at;
  }
  if (char === "'" || char === '"') {
    const escapes = char === "'" && /(?:^|[^A-Za-z0-9_])[eE]$/.test(sql.slice(Math.max(0, i - 2), i));
    for (let at = i + 1; at < sql.length; at++) {
      if (escapes && sql.charAt(at) === "\\") at += 1;
      else if (sql.charAt(at) === char) {
        if (sql.charAt(at + 1) !== char) return at + 1;
        at += 1;
      }
    }
    throw new TouchstoneError("invalid_query", `the SQL has a quote (${char}) that is never closed`);
  }
  const dollar = /^\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/.exec(sql.slice(i, i + 70))?.[0];
  if (dollar !== undefined) {
    const end = sql.indexOf(dollar, i + dollar.length);
    if (end < 0) throw new TouchstoneError("invalid_query", `the SQL has a quote (${dollar}) that is never closed`);
    return end + dollar.length;
  }
  return i;
}
