import { readFile } from "node:fs/promises";
import { TouchstoneError } from "./errors.ts";
import { createFetchText } from "./http.ts";
import type { SourceConfig } from "./model/source.ts";
import { durationSeconds, type Duration } from "./model/time.ts";
import { createFileSource, fileInFolder } from "./sources/file.ts";
import { createPostgresSource } from "./sources/postgres.ts";
import { createPrometheusSource } from "./sources/prometheus.ts";
import type { Admit } from "./sources/admission.ts";
import { createPersist, type Persist } from "./sources/retries.ts";
import { createAdmission, type ObserveLimits } from "./sources/source-limits.ts";
import { createReplaySource, type Recording } from "./sources/replay.ts";
import { readTable } from "./sources/table.ts";
import type { MetricSource, Sources } from "./sources/source.ts";

const DEFAULT_TIMEOUT: Duration = "20s";
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

const DEFAULT_RETRIES = 3;
const DEFAULT_CONCURRENCY = 8;
const DEFAULT_BREAK_AFTER = 5;
const DEFAULT_BREAK_FOR: Duration = "10s";

/** Time that never goes back, whatever happens to the clock of the machine. */
const now = (): number => performance.timeOrigin + performance.now();

/** What a thread needs to build the same sources again. */
export interface SourcesSpec {
  readonly configs: readonly SourceConfig[];
  /** What `env:NAME` stands for. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The limits of the configured sources: one for a process, however many threads ask. */
export function wireAdmission(configs: readonly SourceConfig[], observe: ObserveLimits): Admit {
  const limits = configs.flatMap((config) => {
    if (config.type === "file") return [];
    return {
      name: config.name,
      concurrency: config.concurrency ?? DEFAULT_CONCURRENCY,
      rate: config.rate ?? null,
      breakAfter: config.breakAfter ?? DEFAULT_BREAK_AFTER,
      breakForMs: milliseconds(config.breakFor ?? DEFAULT_BREAK_FOR),
    };
  });
  return createAdmission(new Map(limits.map((own) => [own.name, own])), observe, now);
}

/**
 * The configured sources, each by its adapter.
 *
 * @param admit  gives each query its turn; without it the sources have limits of their own, which nobody else shares.
 */
export function wireSources(
  { configs, environment }: SourcesSpec,
  admit: Admit = wireAdmission(configs, UNOBSERVED),
): Sources {
  const fetchText = createFetchText();
  const secret = (ref: string): Promise<string> => readSecret(ref, environment);
  const persistent = ({ name, retries, timeout }: Exclude<SourceConfig, { type: "file" }>): Persist =>
    createPersist({
      source: name,
      retries: retries ?? DEFAULT_RETRIES,
      timeoutMs: milliseconds(timeout ?? DEFAULT_TIMEOUT),
      admit,
      now,
      random: Math.random,
    });

  const wireSource = (config: SourceConfig): MetricSource => {
    const maxBytes = config.maxBytes ?? DEFAULT_MAX_BYTES;
    switch (config.type) {
      case "prometheus": {
        const { name, url, bearerToken, basicAuth, maxSeries = 500 } = config;
        const authorization = async (): Promise<string | null> => {
          if (bearerToken !== undefined) return `Bearer ${await secret(bearerToken)}`;
          if (basicAuth === undefined) return null;
          return `Basic ${Buffer.from(`${basicAuth.username}:${await secret(basicAuth.password)}`).toString("base64")}`;
        };
        return createPrometheusSource({
          name,
          baseUrl: url,
          authorization,
          timeoutMs: attemptMs(config),
          maxBytes,
          maxSeries,
          fetchText,
          persist: persistent(config),
        });
      }
      case "postgres":
        return createPostgresSource({
          name: config.name,
          connectionString: () => secret(config.url),
          timeoutMs: attemptMs(config),
          poolSize: config.concurrency ?? DEFAULT_CONCURRENCY,
          maxBytes,
          maxRows: config.maxRows ?? 1_000_000,
          persist: persistent(config),
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

const UNOBSERVED: ObserveLimits = {
  waited: () => undefined,
  inProgress: () => undefined,
  retried: () => undefined,
  throttled: () => undefined,
  breaker: () => undefined,
};

const milliseconds = (duration: Duration): number => durationSeconds(duration) * 1000;

const attemptMs = ({ attemptTimeout, timeout }: Exclude<SourceConfig, { type: "file" }>): number =>
  milliseconds(attemptTimeout ?? timeout ?? DEFAULT_TIMEOUT);

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

/** What a reference stands for. @throws TouchstoneError `invalid_config` or `source_unavailable`, neither with the secret. */
export async function readSecret(ref: string, environment: Readonly<Record<string, string>>): Promise<string> {
  const [kind, ...rest] = ref.split(":");
  const name = rest.join(":");
  if (kind === "env") {
    const value = environment[name];
    if (value === undefined)
      throw new TouchstoneError("invalid_config", `the environment has no ${name}, to which the configuration refers`);
    return value;
  }
  try {
    return (await readFile(name, "utf8")).trim();
  } catch (cause) {
    throw new TouchstoneError("source_unavailable", `the secret ${ref} cannot be read`, { cause });
  }
}
