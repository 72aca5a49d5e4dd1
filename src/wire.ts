import { randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getHeapStatistics } from "node:v8";
import { Worker as Thread } from "node:worker_threads";
import { createApp, createWorkerApp } from "./api/app.ts";
import { createBacklog } from "./api/backlog.ts";
import { readEvidencePack } from "./api/evidence-pack.ts";
import { PROJECT } from "./api/list.ts";
import { createJudgeThreads, type JudgeMetricSets } from "./api/judge-threads.ts";
import { createRunWatcher } from "./api/run-watcher.ts";
import type { Config } from "./config.ts";
import { checkRedis, createBullmqDoorbell } from "./doorbell/bullmq.ts";
import type { Doorbell } from "./doorbell/doorbell.ts";
import { createLocalDoorbell } from "./doorbell/local.ts";
import { TouchstoneError } from "./errors.ts";
import { createLogger, type Logger } from "./log.ts";
import type { ProcessData } from "./look-process.ts";
import type { ThreadData } from "./look-thread.ts";
import { analysisDigest } from "./model/analysis.ts";
import { readAnalysis } from "./model/read-analysis.ts";
import type { Targets } from "./notify/target.ts";
import { createPost } from "./post.ts";
import { takeDueSlots } from "./schedule.ts";
import type { Admit } from "./sources/admission.ts";
import type { Sources } from "./sources/source.ts";
import type { ObserveLimits } from "./sources/source-limits.ts";
import { announceEvents } from "./store/announce-events.ts";
import { backupSchema, readBackup, writeBackup, type BackupSummary } from "./store/backup.ts";
import { checkSchema, migrate, SCHEMA_DIGEST, SCHEMA_VERSION } from "./store/migrations.ts";
import { observedSql } from "./store/observed.ts";
import { createPgliteSql, hasRecord, packTemplate, replaceRecord, type Template } from "./store/pglite.ts";
import { createPostgresSql } from "./store/postgres.ts";
import type { Sql } from "./store/sql.ts";
import { createSqlStore } from "./store/sql-store.ts";
import { vacuum } from "./store/vacuum.ts";
import type { StoredAnalysis } from "./store/analyses.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";
import { noTracing } from "./tracing/none.ts";
import type { Tracing } from "./tracing/tracing.ts";
import { wireAdmission, wireSources, type SourcesSpec } from "./wire-sources.ts";
import { checkTargetSecrets, wireTargets, type TargetsSpec } from "./wire-targets.ts";
import { startDeliverer, type RunningDeliverer } from "./worker/deliverer.ts";
import { startKeeper, type KeeperOptions } from "./worker/keeper.ts";
import { createLookApart } from "./worker/look-apart.ts";
import { forkLooker } from "./worker/fork-looker.ts";
import { createLookThreads, type RunLook } from "./worker/look-threads.ts";
import { measureBacklog } from "./worker/measure-backlog.ts";
import { startWorker } from "./worker/worker.ts";

export type Role = "all" | "api" | "worker";

/** What a test hands in instead of the real thing. */
export interface WireOverrides {
  readonly sources?: Sources;
  readonly targets?: Targets;
  readonly runLook?: RunLook;
  readonly judgeMetricSets?: JudgeMetricSets;
  readonly log?: Logger;
  readonly keeping?: Pick<KeeperOptions, "firstMs" | "everyMs">;
}

/** A running Touchstone. */
export interface Touchstone {
  /** Where the API listens; null for a worker alone. */
  readonly url: string | null;
  readonly log: Logger;
  /** Stops in order: no new requests, no new claims, looks handed back, bell, record. Bounded in time. */
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Kayenta waits 90 s for a remote judge. */
const JUDGE_THREADS = { size: Math.min(4, availableParallelism()), mostWaiting: 16, timeoutMs: 80_000 };
const LEASE_SECONDS = 6;
const SWEEP_MS = 1_000;
const BACKLOG_MS = 5_000;
const SERVER_LIMITS = { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 5_000 };
const LOOK_TIMEOUT_MS = 5 * 60_000;
/** Not while everything else starts too, but early enough for processes that do not live an hour. */
const FIRST_KEEPING_MS = 5 * 60_000;
const KEEPING_MS = 60 * 60_000;
/** Above the longest timeout that a target can have. */
const DELIVERY_LEASE_SECONDS = 40;
const DELIVERIES_AT_ONCE = 4;
const DELIVERY_MAX_AGE_SECONDS = 3 * 86_400;
/** With the bell's deadline below the 20 s after which platforms kill. */
const STOP_GRACE_MS = 10_000;
const DELIVERY_GRACE_MS = 2_000;

/** Puts everything together and starts it. The only place that knows which adapter stands behind which port. */
export async function startTouchstone(config: Config, role: Role, overrides: WireOverrides = {}): Promise<Touchstone> {
  const log = overrides.log ?? createLogger(config.logLevel);
  if (config.dataDir !== null && role !== "all") {
    throw new TouchstoneError(
      "invalid_config",
      `--role ${role} needs DATABASE_URL: an embedded record belongs to one process`,
    );
  }
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).toReversed()) await end();
  };
  try {
    return await start(config, role, overrides, log, ends, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: Config,
  role: Role,
  overrides: WireOverrides,
  log: Logger,
  ends: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Touchstone> {
  const spec: SourcesSpec = { configs: config.sources, environment: config.secrets.environment };
  const targetsSpec: TargetsSpec = { configs: config.targets, environment: config.secrets.environment };
  const post = createPost();
  ends.push(() => post.close());
  const telemetry = createTelemetry();
  const admit = wireAdmission(config.sources, observeLimits(telemetry));
  const sources = overrides.sources ?? wireSources(spec, admit);
  const tracing = await wireTracing(config, log);
  ends.push(() => tracing.close());
  const openapi = await readFile(join(ROOT, "openapi.yaml"), "utf8");

  const sql = observedSql(await openRecord(config, log), (outcome, seconds) =>
    telemetry.storeSeconds.observe({ outcome }, seconds),
  );
  // A process without a deliverer has nobody to wake.
  let deliverer: RunningDeliverer | null = null;
  const store = announceEvents(createSqlStore(sql), () => deliverer?.wake());
  ends.push(() => store.close());
  const targets = overrides.targets ?? wireTargets(targetsSpec, post, (run) => readEvidencePack(store, PROJECT, run));
  await store.replaceFileAnalyses(PROJECT, await readAnalyses(config.analysesDir ?? join(ROOT, "analyses")));

  const doorbell = await wireDoorbell(config, log, () => telemetry.doorbellRestarts.inc());
  ends.push(() => doorbell.close());

  const gauges = measureBacklog({ store, doorbell, telemetry, log }, BACKLOG_MS);
  ends.push(() => gauges.stop());

  // The doors close side by side: a slow caller does not take the time in which looks may end.
  const doors: (() => Promise<void>)[] = [];
  const backlog = createBacklog(store, config.maxWaiting);
  const newId = () => `run_${randomBytes(16).toString("hex")}`;
  if (role !== "api") {
    await checkTargetSecrets(targetsSpec);
    const deliveries = startDeliverer(
      { store, targets, telemetry, log, random: Math.random, now: () => performance.now() },
      {
        leaseSeconds: DELIVERY_LEASE_SECONDS,
        sweepMs: SWEEP_MS,
        concurrency: DELIVERIES_AT_ONCE,
        maxAgeSeconds: DELIVERY_MAX_AGE_SECONDS,
      },
    );
    deliverer = deliveries;
    // Begun before the worker and so ended after it: what the last looks decided is told as well.
    ends.push(() => deliveries.stop(DELIVERY_GRACE_MS));
    const looks = wireLooks(
      { sources: spec, evidenceLimitBytes: config.evidenceLimitBytes },
      config.concurrency,
      overrides,
      admit,
    );
    ends.push(() => looks.close());
    await looks.warmUp();
    const id = `${process.pid}-${randomBytes(4).toString("hex")}`;
    const worker = startWorker(
      {
        store,
        doorbell,
        runLook: looks.runLook,
        runLookApart: looks.runLookApart,
        takeDueSlots: (onTaken) =>
          takeDueSlots({ store, doorbell, sources, targets, backlog, tracing, newId }, onTaken),
        telemetry,
        tracing,
        log,
      },
      {
        id,
        concurrency: config.concurrency,
        leaseSeconds: LEASE_SECONDS,
        sweepMs: SWEEP_MS,
        lookTimeoutMs: LOOK_TIMEOUT_MS,
      },
    );
    doors.push(() => worker.stop(STOP_GRACE_MS));
    const keeper = startKeeper(
      // A Postgres server vacuums by itself.
      { store, vacuum: config.dataDir === null ? null : (signal) => vacuum(sql, signal), telemetry, log },
      { ...config.retention, firstMs: FIRST_KEEPING_MS, everyMs: KEEPING_MS, ...overrides.keeping },
    );
    ends.push(() => keeper.stop());
  }
  ends.push(async () => {
    await Promise.all(doors.map((close) => close()));
  });
  let stopping = false;
  const newRequestId = () => randomBytes(8).toString("hex");
  const isStopping = () => stopping;
  const { token } = config.secrets;
  if (role === "worker") {
    if (config.metricsPort !== null) {
      const app = createWorkerApp({ store, doorbell, telemetry, log, token, newRequestId, isStopping });
      const server = createServer(SERVER_LIMITS, app);
      await listen(server, { host: config.host, port: config.metricsPort, name: "TOUCHSTONE_METRICS_PORT" });
      doors.push(() => closeServer(server));
    }
    return { url: null, log, stop };
  }

  const watcher = createRunWatcher(store, log);
  const judging = createJudgeThreads(() => new Thread(new URL("./judge-thread.js", import.meta.url)), JUDGE_THREADS);
  ends.push(() => judging.close());
  const app = createApp({
    store,
    doorbell,
    sources,
    targets,
    backlog,
    watcher,
    telemetry,
    tracing,
    log,
    openapi,
    judgeMetricSets: overrides.judgeMetricSets ?? judging.judge,
    token,
    newId,
    newRequestId,
    newConfigId: randomUUID,
    isStopping,
  });
  const server = createServer(SERVER_LIMITS, app);
  await listen(server, { host: config.host, port: config.port, name: "PORT" });
  doors.push(async () => {
    stopping = true;
    watcher.close();
    await closeServer(server);
  });
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return { url: `http://${host}:${port}`, log, stop };
}

/** Brings the record of this configuration to the newest schema. @returns what was done. */
export async function migrateRecord(config: Config): Promise<string[]> {
  const sql = await connect(config, createLogger(config.logLevel));
  try {
    return await migrate(sql);
  } finally {
    await sql.close();
  }
}

/**
 * Writes the embedded record of this configuration to a file.
 *
 * @throws TouchstoneError `invalid_config` with DATABASE_URL, `input_unavailable` where there is no record, `store_unavailable` while a server has it open.
 */
export async function backUpRecord(config: Config, path: string): Promise<BackupSummary> {
  const dataDir = embeddedFolder(config, "backup", "pg_dump --schema=touchstone");
  if (!(await hasRecord(dataDir)))
    throw new TouchstoneError("input_unavailable", `there is no record in ${dataDir}; set TOUCHSTONE_DATA_DIR`);
  const sql = await connect(config, createLogger(config.logLevel));
  try {
    return await writeBackup(sql, path);
  } finally {
    await sql.close();
  }
}

/**
 * Makes the embedded record of this configuration from a file, checks it and puts it in place.
 *
 * @throws TouchstoneError as `backUpRecord`; `conflict` when there is a record and `overwrite` is false; `invalid_input` when the file is no whole backup.
 */
export async function restoreRecord(
  config: Config,
  path: string,
  { overwrite }: { readonly overwrite: boolean },
): Promise<BackupSummary> {
  const dataDir = embeddedFolder(config, "restore", "pg_restore");
  let summary: BackupSummary | undefined;
  // The packed record has the newest schema: what is older begins from nothing and is migrated.
  const isCurrent = (await backupSchema(path)) === SCHEMA_VERSION;
  const template = isCurrent ? packedRecord(createLogger(config.logLevel)) : null;
  await replaceRecord(dataDir, { overwrite, template }, async (sql) => {
    summary = await readBackup(sql, path);
  });
  if (summary === undefined) throw new RangeError("a restored record says what it holds");
  return summary;
}

/** The packed record that first starts begin from, as the build writes it. */
export const packRecord = (): Promise<Uint8Array> => packTemplate(async (sql) => void (await migrate(sql)));

/** Beside the program. Its name holds the digest of the schema: one that does not fit is not found. */
export const TEMPLATE_PATH = join(ROOT, "dist", `record-template-${SCHEMA_DIGEST.slice(7, 19)}.tar.gz`);

function embeddedFolder({ dataDir }: Config, command: string, instead: string): string {
  if (dataDir === null)
    throw new TouchstoneError(
      "invalid_config",
      `${command} is for the embedded record; for the database at DATABASE_URL use ${instead}`,
    );
  return dataDir;
}

async function openRecord(config: Config, log: Logger): Promise<Sql> {
  const sql = await connect(config, log);
  try {
    // An embedded record has nobody else to look after it; a shared one is migrated once, by hand or by a job.
    if (config.dataDir === null) await checkSchema(sql);
    else await migrate(sql);
    return sql;
  } catch (error) {
    await sql.close();
    throw error;
  }
}

function connect({ secrets, dataDir, concurrency }: Config, log: Logger): Promise<Sql> {
  if (secrets.databaseUrl !== null) {
    return Promise.resolve(
      createPostgresSql({
        connectionString: secrets.databaseUrl,
        poolSize: 8 + concurrency,
        onError: (error) => log.warn({ err: error }, "a connection to the record broke"),
      }),
    );
  }
  const onLockLost = () => {
    log.fatal(
      "another process has taken the embedded record over while this one was frozen; stopping before anything is written twice",
    );
    process.exit(70);
  };
  return createPgliteSql(dataDir, onLockLost, packedRecord(log));
}

function packedRecord(log: Logger): Template {
  return {
    path: TEMPLATE_PATH,
    onUnusable: (error) =>
      log.warn({ err: error }, "the packed record cannot be used; making one, which takes seconds"),
  };
}

async function wireDoorbell({ secrets, concurrency }: Config, log: Logger, onDeaf: () => void): Promise<Doorbell> {
  if (secrets.redisUrl === null) return createLocalDoorbell();
  await checkRedis(secrets.redisUrl, log);
  return createBullmqDoorbell({ url: secrets.redisUrl, concurrency, log, onDeaf });
}

/** The vendor is loaded only when there is somewhere to send traces to. */
async function wireTracing({ tracing }: Config, log: Logger): Promise<Tracing> {
  if (!tracing) return noTracing;
  const { createOtlpTracing } = await import("./tracing/otlp.ts");
  return createOtlpTracing({ log });
}

/** A heap that may have 2 GiB or more V8 lets quadruple before it is collected, a smaller one double: threads that could have more keep twice the garbage. A look of a million samples per arm needs a third. */
const LOOK_HEAP_MB = 2_000;

function wireLooks(workerData: ThreadData, size: number, { runLook }: WireOverrides, admit: Admit) {
  if (runLook !== undefined)
    return { runLook, runLookApart: runLook, warmUp: () => Promise.resolve(), close: () => Promise.resolve() };
  const thread = new URL("./look-thread.js", import.meta.url);
  const resourceLimits = {
    maxOldGenerationSizeMb: Math.min(LOOK_HEAP_MB, getHeapStatistics().heap_size_limit / 2 ** 20),
  };
  const threads = createLookThreads(() => new Thread(thread, { workerData, resourceLimits }), size, admit);
  const born: ProcessData = { workerData, resourceLimits };
  const program = new URL("./look-process.js", import.meta.url);
  const apart = createLookApart(() => forkLooker(program, born), admit, threads.runLook);
  return {
    runLook: threads.runLook,
    runLookApart: apart.runLook,
    warmUp: () => threads.warmUp(),
    close: async () => void (await Promise.all([threads.close(), apart.close()])),
  };
}

const BREAKER_STATES = { closed: 0, half_open: 1, open: 2 } as const;

function observeLimits(telemetry: Telemetry): ObserveLimits {
  return {
    waited: (source, seconds) => telemetry.sourceWaitSeconds.observe({ source }, seconds),
    inProgress: (source, queries) => telemetry.sourceQueriesInProgress.set({ source }, queries),
    retried: (source, code) => telemetry.sourceRetries.inc({ source, code }),
    throttled: (source) => telemetry.sourceThrottled.inc({ source }),
    breaker: (source, state) => telemetry.sourceBreaker.set({ source }, BREAKER_STATES[state]),
  };
}

async function readAnalyses(folder: string): Promise<StoredAnalysis[]> {
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
  const analyses = await Promise.all(
    names.map(async (name): Promise<StoredAnalysis> => {
      const path = join(folder, name);
      const { document, analysis } = readAnalysis(await readFile(path, "utf8"), path);
      return { name: analysis.name, origin: "file", document, digest: analysisDigest(analysis) };
    }),
  );
  for (const [index, { name }] of analyses.entries()) {
    const other = analyses.findIndex((analysis) => analysis.name === name);
    if (other < index)
      throw new TouchstoneError(
        "invalid_config",
        `${names[other]} and ${names[index]} in ${folder} both define the analysis ${name}`,
      );
  }
  return analyses;
}

/** @param address  `name` is the variable that gave the port. */
function listen(server: Server, { host, port, name }: { host: string; port: number; name: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE"
          ? `is in use by another program; set ${name}`
          : `cannot be listened on: ${cause.message}`;
      reject(new TouchstoneError("invalid_config", `${host}:${port} ${why}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), 5_000);
  await closed;
  clearTimeout(late);
}
