import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { TouchstoneError, type Issue } from "./errors.ts";
import { toIssues } from "./model/issues.ts";
import { SourcesDocument, type SourceConfig } from "./model/source.ts";
import { TargetsDocument, type TargetConfig } from "./model/target.ts";
import { durationSeconds, isDuration } from "./model/time.ts";

/**
 * The environment, read once. Nobody else reads it; everybody else is handed the two or three values that they need.
 *
 * Every variable may be given as `NAME_FILE` too: the path of a file that holds the value.
 */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Where a worker alone serves its health and metrics; null: nowhere. */
  readonly metricsPort: number | null;
  readonly logLevel: string;
  readonly concurrency: number;
  /** Runs that are due and wait for a worker; beyond that no more are taken. */
  readonly maxWaiting: number;
  /** Null means a Postgres server is the record. */
  readonly dataDir: string | null;
  /** Null means the analyses that ship with Touchstone. */
  readonly analysesDir: string | null;
  readonly sources: readonly SourceConfig[];
  readonly targets: readonly TargetConfig[];
  /** Of what the looks of one run were given, kept for judging them again. */
  readonly evidenceLimitBytes: number;
  readonly retention: {
    /** Null keeps runs for ever. */
    readonly ageSeconds: number | null;
    /** Of reports, states and evidence; null sets no bound. */
    readonly contentBytes: number | null;
  };
  /** Whether traces are sent. Where to, and all else of it, the vendor reads from the standard `OTEL_*` variables itself. */
  readonly tracing: boolean;
  /** Where `run`, `wait`, `get` and `list` find the server. */
  readonly url: string;
  /** Never logged, never stored, never part of an answer. */
  readonly secrets: {
    readonly databaseUrl: string | null;
    readonly redisUrl: string | null;
    readonly token: string | null;
    /** What `env:NAME` in the sources and targets stands for. */
    readonly environment: Readonly<Record<string, string>>;
  };
}

const text = z.string().min(1);
const BYTES = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;
const byteSize = z
  .string()
  .regex(/^\d{1,6}(?:\.\d{1,3})?(?:kB|MB|GB)$/, "must be a size, for example 500kB, 4MB or 2GB")
  .transform((size) => Number(size.slice(0, -2)) * BYTES[size.slice(-2) as keyof typeof BYTES]);

/** One request holds it, and one piece of text. */
const MOST_EVIDENCE_BYTES = 256e6;

/** Idempotency keys are kept for a day at least. */
const SHORTEST_RETENTION_SECONDS = 86_400;

/** An embedded record stands on somebody's own disk; a Postgres server has an operator. */
const EMBEDDED_CONTENT_BYTES = 1e9;

const port = z.string().regex(/^\d+$/, "must be a port number").transform(Number).pipe(z.int().min(0).max(65535));
const Environment = z.object({
  HOST: text.default("127.0.0.1"),
  PORT: port.default(8080),
  TOUCHSTONE_METRICS_PORT: port.optional(),
  LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, "must begin with postgres:// or postgresql://")
    .optional(),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, "must begin with redis:// or rediss://")
    .optional(),
  TOUCHSTONE_TOKEN: z.string().min(16, "must have at least 16 characters").optional(),
  TOUCHSTONE_DATA_DIR: text.default(".touchstone"),
  TOUCHSTONE_SOURCES: text.optional(),
  TOUCHSTONE_TARGETS: text.optional(),
  TOUCHSTONE_ANALYSES: text.optional(),
  TOUCHSTONE_CONCURRENCY: z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(64))
    .default(2),
  TOUCHSTONE_MAX_WAITING: z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(10_000_000))
    .default(50_000),
  TOUCHSTONE_EVIDENCE_LIMIT: byteSize.pipe(z.number().max(MOST_EVIDENCE_BYTES, "must be at most 256MB")).default(4e6),
  TOUCHSTONE_RETENTION: z
    .string()
    .refine((text) => text === "forever" || isDuration(text), "must be a duration, for example 90d, or forever")
    .refine(
      (text) => !isDuration(text) || durationSeconds(text) >= SHORTEST_RETENTION_SECONDS,
      "must be at least 1d, or forever",
    )
    .default("90d"),
  TOUCHSTONE_RETENTION_SIZE: byteSize.optional(),
  TOUCHSTONE_URL: z
    .url({ protocol: /^https?$/, error: "must be an http or https URL" })
    .default("http://127.0.0.1:8080"),
});

/** The configuration of this process. @throws TouchstoneError as `readConfig`. */
export function readProcessConfig(): Config {
  return readConfig(process.env);
}

/** Hosts that only this machine reaches. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/**
 * @throws TouchstoneError `invalid_config` with every bad variable at once.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const issues: Issue[] = [];
  const given: Record<string, string> = {};
  for (const name of Object.keys(Environment.shape)) {
    const value = env[name];
    const file = env[`${name}_FILE`];
    if (value !== undefined && value !== "" && file !== undefined && file !== "")
      issues.push({ pointer: name, detail: `is set beside ${name}_FILE; give one of them` });
    else if (value !== undefined && value !== "") given[name] = value;
    else if (file !== undefined && file !== "") {
      const read = readText(file);
      if (read instanceof Error) issues.push({ pointer: `${name}_FILE`, detail: read.message });
      else given[name] = read.trim();
    }
  }
  const parsed = Environment.safeParse(given);
  if (!parsed.success)
    issues.push(...toIssues(parsed.error).map(({ pointer, detail }) => ({ pointer: pointer.slice(1), detail })));
  const values = parsed.data;
  if (values !== undefined) {
    if (values.REDIS_URL !== undefined && values.DATABASE_URL === undefined) {
      issues.push({
        pointer: "REDIS_URL",
        detail:
          "is set without DATABASE_URL; Redis is only the doorbell, so set DATABASE_URL to the Postgres that keeps the record",
      });
    }
    if (!LOOPBACK.test(values.HOST) && values.TOUCHSTONE_TOKEN === undefined) {
      issues.push({
        pointer: "TOUCHSTONE_TOKEN",
        detail: `is not set, but HOST is ${values.HOST}, which other machines reach; set a token of at least 16 characters, or HOST=127.0.0.1`,
      });
    }
  }
  const sources = values?.TOUCHSTONE_SOURCES === undefined ? [] : readSources(values.TOUCHSTONE_SOURCES, issues);
  const targets = values?.TOUCHSTONE_TARGETS === undefined ? [] : readTargets(values.TOUCHSTONE_TARGETS, issues);
  const secretsOf = { TOUCHSTONE_SOURCES: sourceSecrets(sources), TOUCHSTONE_TARGETS: targetSecrets(targets) };
  for (const [variable, names] of Object.entries(secretsOf)) {
    for (const name of names) {
      if (env[name] === undefined || env[name] === "")
        issues.push({ pointer: `${variable}: ${given[variable]}`, detail: `refers to env:${name}, which is not set` });
    }
  }
  const tracing = readTracing(env, issues);
  if (values === undefined || issues.length > 0) {
    throw new TouchstoneError(
      "invalid_config",
      `the environment is not valid:\n${issues.map(({ pointer, detail }) => `  ${pointer} ${detail}`).join("\n")}`,
      { issues },
    );
  }
  return {
    host: values.HOST,
    port: values.PORT,
    metricsPort: values.TOUCHSTONE_METRICS_PORT ?? null,
    logLevel: values.LOG_LEVEL,
    concurrency: values.TOUCHSTONE_CONCURRENCY,
    maxWaiting: values.TOUCHSTONE_MAX_WAITING,
    dataDir: values.DATABASE_URL === undefined ? resolve(values.TOUCHSTONE_DATA_DIR) : null,
    analysesDir: values.TOUCHSTONE_ANALYSES === undefined ? null : resolve(values.TOUCHSTONE_ANALYSES),
    sources,
    targets,
    evidenceLimitBytes: values.TOUCHSTONE_EVIDENCE_LIMIT,
    retention: {
      ageSeconds: values.TOUCHSTONE_RETENTION === "forever" ? null : durationSeconds(values.TOUCHSTONE_RETENTION),
      contentBytes:
        values.TOUCHSTONE_RETENTION_SIZE ?? (values.DATABASE_URL === undefined ? EMBEDDED_CONTENT_BYTES : null),
    },
    tracing,
    url: values.TOUCHSTONE_URL,
    secrets: {
      databaseUrl: values.DATABASE_URL ?? null,
      redisUrl: values.REDIS_URL ?? null,
      token: values.TOUCHSTONE_TOKEN ?? null,
      environment: Object.fromEntries(
        Object.values(secretsOf)
          .flat()
          .flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
      ),
    },
  };
}

/** As the standard has it: an endpoint turns traces on, and `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none` turns them off again. */
function readTracing(env: Readonly<Record<string, string | undefined>>, issues: Issue[]): boolean {
  const names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
  const isSet = (name: string) => env[name] !== undefined && env[name] !== "";
  const off = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || env["OTEL_TRACES_EXPORTER"] === "none";
  if (off || !names.some(isSet)) return false;
  for (const name of names)
    if (isSet(name) && !/^https?:\/\/[^\s/]/.test(env[name] ?? ""))
      issues.push({ pointer: name, detail: "must be an http or https URL" });
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"])
    if (isSet(name) && env[name] !== "http/protobuf")
      issues.push({ pointer: name, detail: `is ${env[name]}; traces are sent as http/protobuf only` });
  return true;
}

function readSources(path: string, issues: Issue[]): SourceConfig[] {
  // A relative folder is relative to the file that names it.
  return (readDocument("TOUCHSTONE_SOURCES", path, SourcesDocument, issues)?.sources ?? []).map((source) =>
    source.type === "file" ? { ...source, root: resolve(path, "..", source.root) } : source,
  );
}

function readTargets(path: string, issues: Issue[]): TargetConfig[] {
  return readDocument("TOUCHSTONE_TARGETS", path, TargetsDocument, issues)?.targets ?? [];
}

/** The YAML file that a variable names; null, and the faults in `issues`, when it cannot be used. */
function readDocument<T>(variable: string, path: string, schema: z.ZodType<T>, issues: Issue[]): T | null {
  const content = readText(path);
  if (content instanceof Error) {
    issues.push({ pointer: variable, detail: content.message });
    return null;
  }
  let document: unknown;
  try {
    document = parseYaml(content, { maxAliasCount: 0 });
  } catch (error) {
    issues.push({
      pointer: variable,
      detail: `${path} is not YAML: ${error instanceof Error ? error.message : String(error)}`,
    });
    return null;
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  issues.push(
    ...toIssues(parsed.error).map(({ pointer, detail }) => ({ pointer: `${variable}: ${path}${pointer}`, detail })),
  );
  return null;
}

function sourceSecrets(sources: readonly SourceConfig[]): string[] {
  return environmentNames(
    sources.flatMap((source) => {
      switch (source.type) {
        case "prometheus":
          return [source.bearerToken, source.basicAuth?.password];
        case "postgres":
          return [source.url];
        case "file":
          return [];
      }
    }),
  );
}

function targetSecrets(targets: readonly TargetConfig[]): string[] {
  return environmentNames(
    targets.flatMap((target) => {
      switch (target.type) {
        case "webhook":
        case "postmortem":
          return [...target.secrets, ...Object.values(target.headers ?? {})];
        case "cloudevents":
        case "alertmanager":
          return Object.values(target.headers ?? {});
        case "slack":
          return [target.url];
        case "grafana":
          return [target.token];
      }
    }),
  );
}

function environmentNames(refs: readonly (string | undefined)[]): string[] {
  return refs.flatMap((ref) => (ref?.startsWith("env:") ? [ref.slice(4)] : []));
}

function readText(path: string): string | Error {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
