import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import { TouchstoneError, type Issue } from "../errors.ts";
import { AnalysisDocument, type Analysis } from "./analysis.ts";
import { toIssues } from "./issues.ts";
import { resolveAnalysis } from "./resolve-analysis.ts";

/** An analysis as it was written and as it is in force. */
export interface ReadAnalysis {
  readonly document: AnalysisDocument;
  readonly analysis: Analysis;
}

/**
 * An analysis from YAML or JSON text.
 *
 * @param text    the file as it stands; aliases are refused, they serve bombs better than people.
 * @param origin  named in the message, for example the path of the file.
 * @throws TouchstoneError `invalid_analysis` with every fault, its JSON pointer and, in the detail, its line.
 */
export function readAnalysis(text: string, origin: string): ReadAnalysis {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, version: "1.2" });
  const [fault] = yaml.errors;
  if (fault !== undefined) {
    throw new TouchstoneError("invalid_analysis", `${origin} is not YAML: ${fault.message}`, {
      issues: [{ pointer: "", detail: fault.message }],
    });
  }
  let value: unknown;
  try {
    value = yaml.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new TouchstoneError("invalid_analysis", `${origin} uses YAML aliases, which are refused`, {
      cause,
      issues: [{ pointer: "", detail: "uses an alias (*name)" }],
    });
  }
  const read = checkAnalysis(value);
  if ("issues" in read) {
    const placed = read.issues.map((issue) => ({
      ...issue,
      detail: `${issue.detail}${lineOf(yaml, lines, issue.pointer)}`,
    }));
    throw invalidAnalysis(origin, placed);
  }
  return read;
}

/** The same for a value that is parsed already, for example an inline analysis of a request. */
export function checkAnalysis(value: unknown): ReadAnalysis | { issues: Issue[] } {
  const parsed = AnalysisDocument.safeParse(value);
  if (!parsed.success) return { issues: toIssues(parsed.error) };
  const resolved = resolveAnalysis(parsed.data);
  return "issues" in resolved ? resolved : { document: parsed.data, analysis: resolved.analysis };
}

export function invalidAnalysis(origin: string, issues: readonly Issue[]): TouchstoneError {
  const list = issues.map(({ pointer, detail }) => `  ${toPath(pointer)} ${detail}`).join("\n");
  return new TouchstoneError("invalid_analysis", `${origin} is not a valid analysis:\n${list}`, { issues });
}

/** `/spec/metrics/0/margin` as people write it: `spec.metrics[0].margin`. */
export function toPath(pointer: string): string {
  if (pointer === "") return "(the whole)";
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === "" ? part : `${path}.${part}`), "");
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
