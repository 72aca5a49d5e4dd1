import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { migrateRecord } from "../../src/wire.ts";
import { createDatabase } from "../../test/services/database.ts";
import { startPostgres, startRedis, type Server } from "../../test/services/servers.ts";
import { startProbed, type Probed } from "../service/probed-process.ts";
import { startSource } from "../service/source.ts";

/** A Postgres that counts its statements, a Redis and a source, on free ports, with an empty record. */
export interface Stack {
  readonly postgres: Server;
  readonly redis: Server;
  readonly database: Awaited<ReturnType<typeof createDatabase>>;
  start(name: string, role: "api" | "worker", env?: Readonly<Record<string, string>>): Promise<Probed>;
  /** The path of a file of sources that names the database itself as one, `turns`. */
  postgresSource(): Promise<string>;
  close(): Promise<void>;
}

const SOURCE_DELAY_MS = 5;
const SETTINGS = ["shared_preload_libraries=pg_stat_statements", "shared_buffers=256MB", "max_wal_size=4GB"];

export async function startStack(): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), "touchstone-scaling-"));
  const [postgres, redis, source] = await Promise.all([
    startPostgres({ settings: SETTINGS }),
    startRedis(),
    startSource(SOURCE_DELAY_MS),
  ]);
  const database = await createDatabase(postgres.url);
  await database.query("create extension pg_stat_statements");
  await migrateRecord(readConfig({ DATABASE_URL: database.url, LOG_LEVEL: "silent" }));
  const sources = join(folder, "sources.yaml");
  await writeFile(sources, `sources: [{ name: load, type: prometheus, url: "${source.url}", concurrency: 64 }]\n`);
  const processes: Probed[] = [];
  return {
    postgres,
    redis,
    database,
    async start(name, role, env = {}) {
      const started = await startProbed(name, role, {
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        TOUCHSTONE_SOURCES: sources,
        SOURCE_URL: database.url,
        TOUCHSTONE_MAX_WAITING: "1000000",
        LOG_LEVEL: "warn",
        ...env,
      });
      processes.push(started);
      return started;
    },
    async postgresSource() {
      const path = join(folder, "postgres.yaml");
      await writeFile(
        path,
        `sources: [{ name: turns, type: postgres, url: "env:SOURCE_URL", timeout: 4m, maxBytes: 1000000000 }]\n`,
      );
      return path;
    },
    async close() {
      await Promise.all(processes.map((one) => one.stop()));
      source.server.close();
      await database.drop();
      await Promise.all([postgres.stop(), redis.stop()]);
      await rm(folder, { recursive: true });
    },
  };
}
