import { basename } from "node:path";
import { readFile } from "node:fs/promises";
import { TouchstoneError } from "../errors.ts";
import { look } from "../look.ts";
import { analysisDigest } from "../model/analysis.ts";
import { readAnalysis } from "../model/read-analysis.ts";
import type { Report, Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { Sources } from "../sources/source.ts";
import { argumentsOf, refuseEqualArms, runnableIssues } from "../start-run.ts";

export interface JudgeFilesRequest {
  readonly analysis: string;
  readonly baseline: string;
  readonly candidate: string;
  readonly baselineLabel?: string | undefined;
  readonly candidateLabel?: string | undefined;
  readonly args: Readonly<Record<string, string>>;
  readonly at: Instant;
}

/** Sources that read the two files, whatever the analysis calls them. */
export type WireFiles = (
  names: readonly string[],
  files: { baseline: { label: string; path: string }; candidate: { label: string; path: string } },
) => Promise<Sources>;

/**
 * Judges two files without a server. The same look as on a worker, inline.
 *
 * @throws TouchstoneError for a faulty analysis, a file that cannot be used, or arms that ask the same question.
 */
export async function judgeFiles(
  wireFiles: WireFiles,
  request: JudgeFilesRequest,
  signal: AbortSignal,
): Promise<Report> {
  const { analysis } = readAnalysis(await readText(request.analysis), request.analysis);
  const [baseline, candidate] = labelsOf(request);
  const names = [...new Set(analysis.metrics.map(({ source }) => source))];
  const sources = await wireFiles(names, {
    baseline: { label: baseline, path: request.baseline },
    candidate: { label: candidate, path: request.candidate },
  });
  const issues = runnableIssues(analysis, sources);
  if (issues.length > 0)
    throw new TouchstoneError(
      "not_runnable",
      `${request.analysis} cannot judge files:\n${issues.map(({ pointer, detail }) => `  ${pointer} ${detail}`).join("\n")}`,
      { issues },
    );
  const args = argumentsOf(analysis, request.args);
  const arms = { baseline: { label: baseline }, candidate: { label: candidate } };
  refuseEqualArms(analysis, arms, args, sources);
  const run: Run = {
    id: "run_files",
    analysis,
    analysisDigest: analysisDigest(analysis),
    ...arms,
    window: null,
    args,
    rollout: null,
  };
  const { report } = await look(sources, run, null, request.at, signal);
  return report;
}

/** Labels of the versions: as given, else the names of the files, made different where they are equal. */
function labelsOf({
  baseline,
  candidate,
  baselineLabel,
  candidateLabel,
}: JudgeFilesRequest): [baseline: string, candidate: string] {
  const [first, second] = [baselineLabel ?? toLabel(baseline), candidateLabel ?? toLabel(candidate)];
  if (first !== second) return [first, second];
  if (baselineLabel !== undefined && candidateLabel !== undefined) {
    throw new TouchstoneError(
      "invalid_request",
      `--baseline-label and --candidate-label are both ${first}; two versions need two labels`,
    );
  }
  return [baselineLabel ?? `${first}-baseline`, candidateLabel ?? `${second}-candidate`];
}

function toLabel(path: string): string {
  const name = basename(path)
    .replace(/\.(?:csv|ndjson|jsonl)$/i, "")
    .replaceAll(/[^A-Za-z0-9_.:/@+-]/g, "_")
    .slice(0, 100);
  return /^[A-Za-z0-9]/.test(name) ? name : `v${name}`;
}

/** @throws TouchstoneError `input_unavailable`. */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new TouchstoneError(
      "input_unavailable",
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
