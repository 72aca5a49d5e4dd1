import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import { TouchstoneError, type ErrorCode } from "../errors.ts";

/**
 * A value from YAML or JSON text; aliases are refused, they serve bombs better than people.
 *
 * @param origin  named in the message, for example the path of the file.
 * @param code    of the error when the text cannot be read.
 * @returns the value, and ` (line 7)` for a JSON pointer into it, or the empty text where there is no line.
 * @throws TouchstoneError with that code.
 */
export function readYaml(
  text: string,
  origin: string,
  code: ErrorCode,
): { value: unknown; lineOf: (pointer: string) => string } {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, version: "1.2" });
  const [fault] = yaml.errors;
  if (fault !== undefined) {
    throw new TouchstoneError(code, `${origin} is not YAML: ${fault.message}`, {
      issues: [{ pointer: "", detail: fault.message }],
    });
  }
  try {
    return { value: yaml.toJS({ maxAliasCount: 0 }), lineOf: (pointer) => lineOf(yaml, lines, pointer) };
  } catch (cause) {
    throw new TouchstoneError(code, `${origin} uses YAML aliases, which are refused`, {
      cause,
      issues: [{ pointer: "", detail: "uses an alias (*name)" }],
    });
  }
}

function lineOf(yaml: Document, lines: LineCounter, pointer: string): string {
  let node: Node | null = yaml.contents;
  let range = node?.range;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      if (pair === undefined) break;
      range = (pair.key as Node).range ?? range;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = (node.items[Number(key)] as Node | undefined) ?? null;
      range = node?.range ?? range;
    } else break;
  }
  return range === undefined || range === null ? "" : ` (line ${lines.linePos(range[0]).line})`;
}
