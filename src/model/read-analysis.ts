import { TouchstoneError, type Issue } from "../errors.ts";
import { AnalysisDocument, type Analysis } from "./analysis.ts";
import { toIssues } from "./issues.ts";
import { readYaml } from "./read-yaml.ts";
import { resolveWithStages } from "./resolve-stages.ts";

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
  const { value, lineOf } = readYaml(text, origin, "invalid_analysis");
  const read = checkAnalysis(value);
  if ("issues" in read) {
    const placed = read.issues.map((issue) => ({
      ...issue,
      detail: `${issue.detail}${lineOf(issue.pointer)}`,
    }));
    throw invalidAnalysis(origin, placed);
  }
  return read;
}

/** The same for a value that is parsed already, for example an inline analysis of a request. */
export function checkAnalysis(value: unknown): ReadAnalysis | { issues: Issue[] } {
  const parsed = AnalysisDocument.safeParse(value);
  if (!parsed.success) return { issues: toIssues(parsed.error) };
  const resolved = resolveWithStages(parsed.data);
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
