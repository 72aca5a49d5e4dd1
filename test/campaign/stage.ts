import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres, startRedis, findProgram, type Server } from "../services/servers.ts";
import { startCallbackReceiver, TARGET_ENV, targetsYaml, type CallbackReceiver } from "./callbacks.ts";
import { createCallers, type Callers } from "./callers.ts";
import { chance } from "./chance.ts";
import { startMetricsSource, type MetricsSource } from "./metrics-source.ts";
import { deploy, type Deployment } from "./processes.ts";
import { createRecord, type CampaignRecord } from "./record.ts";
import type { Span } from "./timeline.ts";
import { until } from "./until.ts";

/** The programs that the campaign starts itself; without them it is skipped. */
export const CAN_RUN = ["redis-server", "initdb", "postgres", "pg_isready"].every((name) => findProgram(name) !== null);

/** Everything that a scenario does harm to: real processes, their own Redis without persistence, their own Postgres. */
export interface Stage {
  readonly deployment: Deployment;
  readonly record: CampaignRecord;
  readonly callers: Callers;
  readonly source: MetricsSource;
  readonly receiver: CallbackReceiver;
  readonly env: Readonly<Record<string, string>>;
  readonly redis: () => Server;
  /** Ends Redis as a crash does, and has it come back empty at the same place. */
  readonly redisAway: () => Promise<{ back(): Promise<void> }>;
  /** Ends Postgres at once (what `pg_ctl stop -m immediate` does), and has it recover. */
  readonly postgresAway: () => Promise<{ back(): Promise<void> }>;
  readonly postgres: () => Server;
  /** When the record was away. */
  readonly outages: Span[];
  /** I9: nothing is live any more. */
  drained(seconds?: number): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly apis?: number;
  readonly workers?: number;
  /** More of the environment of every process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onPoison?: (label: string, port: number, stage: Stage) => Promise<void>;
  /** Where processes find the database and Redis, in place of their real ports: that of a proxy. */
  readonly databasePort?: (real: number) => Promise<number>;
  readonly redisPort?: (real: number) => Promise<number>;
  readonly postgresFolder?: string;
  readonly postgresSettings?: readonly string[];
}

const portOf = (url: string): number => Number(new URL(url).port);
const atPort = (url: string, port: number): string => url.replace(/:\d+/, `:${port}`);

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-campaign-"));
  const closing: (() => Promise<void>)[] = [() => Promise.resolve(rmSync(folder, { recursive: true, force: true }))];
  const close = async (): Promise<void> => {
    for (const end of closing.splice(0).toReversed()) await end();
  };
  try {
    return await build(options, folder, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  options: StageOptions,
  folder: string,
  closing: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Stage> {
  const outages: Span[] = [];
  let redis = await startRedis();
  closing.push(() => redis.stop("SIGKILL"));
  // What the campaign asks of the record is small; what Postgres costs at rest should be as well.
  const settings = options.postgresSettings ?? ["shared_buffers=16MB"];
  const where = options.postgresFolder === undefined ? {} : { folder: options.postgresFolder };
  let postgres = await startPostgres({ settings, ...where });
  closing.push(() => postgres.stop("SIGQUIT"));
  const redisPort = portOf(redis.url);
  const postgresPort = portOf(postgres.url);
  const record = await createRecord(postgres.url, "campaign");
  closing.push(() => record.close());

  const source = await startMetricsSource({
    random: chance(1),
    onPoison: async (label, port) => {
      await options.onPoison?.(label, port, stage);
    },
  });
  closing.push(() => source.close());
  const refuse = chance(2);
  const receiver = await startCallbackReceiver(() => refuse() < 0.1);
  closing.push(() => receiver.close());

  const sources = join(folder, "sources.yaml");
  writeFileSync(sources, `sources:\n- { name: metrics, type: prometheus, url: "${source.url}", timeout: 20s }\n`);
  const targets = join(folder, "targets.yaml");
  writeFileSync(targets, targetsYaml(receiver.url));
  const env = {
    DATABASE_URL: atPort(record.url, (await options.databasePort?.(postgresPort)) ?? postgresPort),
    REDIS_URL: atPort(redis.url, (await options.redisPort?.(redisPort)) ?? redisPort),
    TOUCHSTONE_SOURCES: sources,
    TOUCHSTONE_TARGETS: targets,
    ...TARGET_ENV,
    ...options.env,
  };
  const deployment = await deploy(env, { apis: options.apis ?? 1, workers: options.workers ?? 2 });
  closing.push(() => deployment.close());
  const urls = () => deployment.programs("api").map(({ url }) => url);

  const stage: Stage = {
    deployment,
    record,
    callers: createCallers(urls, chance(3), "campaign"),
    source,
    receiver,
    env,
    redis: () => redis,
    async redisAway() {
      await redis.halt("SIGKILL");
      return {
        async back() {
          await redis.stop();
          redis = await startRedis([], redisPort);
        },
      };
    },
    postgres: () => postgres,
    async postgresAway() {
      const span = { from: Date.now(), to: Infinity };
      outages.push(span);
      deployment.setExcused(true);
      await postgres.halt("SIGQUIT");
      return {
        async back() {
          const { folder: data } = postgres;
          postgres = await startPostgres({ settings, folder: data, port: postgresPort });
          // Who found the record away a moment ago may still be on its way out.
          span.to = Date.now() + 1_000;
          await until("every process to be up again", async () => {
            const ready = await Promise.all(urls().map(isReady));
            return ready.every(Boolean);
          });
          deployment.setExcused(false);
        },
      };
    },
    outages,
    async drained(seconds = 120) {
      await until("the backlog to drain", async () => (await record.live().catch(() => 1)) === 0, seconds);
      // A delivery whose worker was killed belongs to it until its lease lapses.
      await until("all events to be delivered", async () => (await record.untold().catch(() => 1)) === 0, seconds);
    },
    close,
  };
  await until("an API to be ready", async () => {
    const ready = await Promise.all(urls().map(isReady));
    return ready.every(Boolean);
  });
  return stage;
}

export const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).then(
    (response) => response.ok,
    () => false,
  );
