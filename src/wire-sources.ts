import { readFile } from "node:fs/promises";
import { TouchstoneError } from "./errors.ts";
import { createFetchText } from "./http.ts";
import type { SourceConfig } from "./model/source.ts";
import { durationSeconds, type Duration } from "./model/time.ts";
import { createFileSource, fileInFolder } from "./sources/file.ts";
import { createPostgresSource } from "./sources/postgres.ts";
import { createPrometheusSource } from "./sources/prometheus.ts";
import { createReplaySource, type Recording } from "./sources/replay.ts";
import { readTable } from "./sources/table.ts";
import type { MetricSource, Sources } from "./sources/source.ts";

const DEFAULT_TIMEOUT: Duration = "20s";
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

/** What a thread needs to build the same sources again. */
export interface SourcesSpec {
  readonly configs: readonly SourceConfig[];
  /** What `env:NAME` stands for. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The configured sources, each by its adapter. */
export function wireSources({ configs, environment }: SourcesSpec): Sources {
  const fetchText = createFetchText();
  const secret = (ref: string): Promise<string> => readSecret(ref, environment);

  const wireSource = (config: SourceConfig): MetricSource => {
    const timeoutMs = durationSeconds(config.timeout ?? DEFAULT_TIMEOUT) * 1000;
    const maxBytes = config.maxBytes ?? DEFAULT_MAX_BYTES;
    switch (config.type) {
      case "prometheus": {
        const { name, url, bearerToken, basicAuth, maxSeries = 500 } = config;
        const authorization = async (): Promise<string | null> => {
          if (bearerToken !== undefined) return `Bearer ${await secret(bearerToken)}`;
          if (basicAuth === undefined) return null;
          return `Basic ${Buffer.from(`${basicAuth.username}:${await secret(basicAuth.password)}`).toString("base64")}`;
        };
        return createPrometheusSource({ name, baseUrl: url, authorization, timeoutMs, maxBytes, maxSeries, fetchText });
      }
      case "postgres":
        return createPostgresSource({
          name: config.name,
          connectionString: () => secret(config.url),
          timeoutMs,
          maxBytes,
          maxRows: config.maxRows ?? 1_000_000,
        });
      case "file":
        return createFileSource({
          name: config.name,
          fileOf: fileInFolder(config.root, config.file ?? "{{ version }}.csv", maxBytes),
        });
    }
  };
  return new Map(configs.map((config) => [config.name, wireSource(config)]));
}

export { readRecordings } from "./sources/replay-records.ts";

/** Sources that play back one recording, whatever the analysis calls them. */
export function replaySources(names: Iterable<string>, recording: Recording): Sources {
  const source = createReplaySource(recording);
  return new Map([...names].map((name) => [name, source]));
}

/** Files that whoever calls may read anyway are read up to what one string can hold. */
const MAX_CALLER_BYTES = 500 * 1024 * 1024;

/**
 * Sources for the command line: every name that the analysis uses stands for the two files of the caller.
 *
 * @throws TouchstoneError `input_unavailable` or `invalid_input` when a file cannot be used: before the look, since a person is there to mend it.
 */
export async function wireFiles(
  names: readonly string[],
  files: { readonly baseline: ArmPath; readonly candidate: ArmPath },
): Promise<Sources> {
  const [baseline, candidate] = await Promise.all(
    [files.baseline, files.candidate].map(({ path }) => readTable(path, MAX_CALLER_BYTES)),
  );
  const fileOf: Parameters<typeof createFileSource>[0]["fileOf"] = ({ version }) => {
    const [{ path }, table] =
      version.label === files.baseline.label ? [files.baseline, baseline] : [files.candidate, candidate];
    if (table === undefined) throw new RangeError(`no file was read for ${version.label}`);
    return { path, table: () => Promise.resolve(table) };
  };
  return new Map(names.map((name) => [name, createFileSource({ name, fileOf })]));
}

/** A file of the caller and the label of the version whose samples it holds. */
export interface ArmPath {
  readonly label: string;
  readonly path: string;
}

async function readSecret(ref: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const [kind, ...rest] = ref.split(":");
  const name = rest.join(":");
  if (kind === "env") {
    const value = environment[name];
    if (value === undefined)
      throw new TouchstoneError("invalid_config", `the environment has no ${name}, to which a source refers`);
    return value;
  }
  try {
    return (await readFile(name, "utf8")).trim();
  } catch (cause) {
    throw new TouchstoneError("source_unavailable", `the secret ${ref} cannot be read`, { cause });
  }
}
