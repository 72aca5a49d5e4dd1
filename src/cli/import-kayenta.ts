import { writeFile } from "node:fs/promises";
import { Option, type Command } from "commander";
import { stringify } from "yaml";
import { TouchstoneError } from "../errors.ts";
import { analysisOfConfig, type CarriedConfig } from "../kayenta/analysis-of-config.ts";
import { toName } from "../kayenta/metric-names.ts";
import { CanaryConfig, CanaryThresholds, withoutNulls } from "../model/canary.ts";
import { toIssues } from "../model/issues.ts";
import { toPath } from "../model/read-analysis.ts";
import { readText } from "./judge-files.ts";

export interface ImportDependencies {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

interface ImportOptions {
  readonly output?: string;
  readonly source: string;
  readonly judge?: "touchstone" | "kayenta";
}

/** `touchstone import kayenta`: a canary config as the analysis that asks and judges the same. */
export function addImportCommand(program: Command, { stdout, stderr }: ImportDependencies): void {
  program
    .command("import")
    .description("turn definitions of other judges into analyses")
    .command("kayenta")
    .description("turn a canary config of Kayenta's into an analysis; what is lost is told on stderr")
    .argument("<config.json>", "the canary config")
    .option("-o, --output <analysis.yaml>", "the file to write; default: stdout")
    .option("--source <name>", "the Prometheus source that the metrics ask", "prometheus")
    .addOption(
      new Option("--judge <judge>", "who judges; default: whom the config names").choices(["touchstone", "kayenta"]),
    )
    .action(async (path: string, options: ImportOptions) => {
      const { document, lost } = carry(await readText(path), path, options);
      const yaml = `# yaml-language-server: $schema=../docs/schema/analysis.json\n${stringify(document, { lineWidth: 160 })}`;
      if (options.output === undefined) stdout(yaml);
      else await write(options.output, yaml);
      for (const sentence of lost) stderr(`not carried: ${sentence}\n`);
    });
}

/** @throws TouchstoneError `invalid_input` with everything that cannot be carried. */
function carry(text: string, path: string, { source, judge }: ImportOptions): CarriedConfig {
  const config = readConfig(text, path);
  const thresholds = CanaryThresholds.safeParse(config.classifier?.["scoreThresholds"]);
  const carried = analysisOfConfig(config, {
    name: toName(config.name ?? path),
    source,
    words: { scope: "{{ version }}", labels: NO_LABELS },
    plan: { mode: "once", duration: "30m", step: "60s" },
    ...(judge === undefined ? {} : { judge }),
    ...(thresholds.success ? { thresholds: thresholds.data } : {}),
  });
  if ("issues" in carried) throw invalid(path, carried.issues);
  return carried;
}

/** Offline nobody says what differs between the versions beside their labels: the rest are arguments. */
const NO_LABELS: ReadonlySet<string> = new Set();

function readConfig(text: string, path: string): CanaryConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TouchstoneError("invalid_input", `${path} is not JSON: ${String(cause)}`, { cause });
  }
  const parsed = CanaryConfig.safeParse(withoutNulls(value));
  if (!parsed.success) throw invalid(path, toIssues(parsed.error));
  return parsed.data;
}

function invalid(
  path: string,
  issues: readonly { readonly pointer: string; readonly detail: string }[],
): TouchstoneError {
  const list = issues.map(({ pointer, detail }) => `  ${toPath(pointer)} ${detail}`).join("\n");
  return new TouchstoneError("invalid_input", `${path} cannot be carried over:\n${list}`, { issues });
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TouchstoneError("input_unavailable", `${path} cannot be written: ${why}`, { cause });
  }
}
