import { readdir, readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import type { Probed } from "../service/probed-process.ts";
import type { Stack } from "./stack.ts";

/** What has been done since the beginning, by everybody. Times in milliseconds of CPU. */
export interface Counters {
  readonly statements: number;
  readonly transactions: number;
  readonly rowsWritten: number;
  readonly walBytes: number;
  readonly recordCpuMs: number;
  readonly redisCommands: number;
  readonly redisCpuMs: number;
  readonly workerCpuMs: number;
  readonly wallMs: number;
}

/** The bench's own questions how many are left are no statements of Touchstone's. */
export async function readCounters(
  { database, postgres, redis }: Stack,
  workers: readonly Probed[],
): Promise<Counters> {
  const { rows } = await database.query(
    `select (select coalesce(sum(calls), 0) from pg_stat_statements where dbid = d.datid and query ~ 'touchstone' and query !~ 'select count.* as n from')::float8 as statements,
       xact_commit::float8 as transactions, (tup_inserted + tup_updated + tup_deleted)::float8 as written,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal
     from pg_stat_database d where datname = current_database()`,
  );
  const [row] = rows as { statements: number; transactions: number; written: number; wal: number }[];
  const client = new Redis(redis.url);
  const stats = await client.info("stats");
  client.disconnect();
  const cpu = async (pids: readonly number[]) => (await Promise.all(pids.map(cpuMs))).reduce((a, b) => a + b, 0);
  return {
    statements: row?.statements ?? NaN,
    transactions: row?.transactions ?? NaN,
    rowsWritten: row?.written ?? NaN,
    walBytes: row?.wal ?? NaN,
    recordCpuMs: await cpu(await family(postgres.process.pid ?? 0)),
    redisCommands: Number(/^total_commands_processed:(\d+)/m.exec(stats)?.[1]),
    redisCpuMs: await cpu([redis.process.pid ?? 0]),
    workerCpuMs: await cpu(workers.map(({ pid }) => pid)),
    wallMs: performance.now(),
  };
}

export function difference(after: Counters, before: Counters): Counters {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Counters]]),
  ) as unknown as Counters;
}

/** Per one of so many. */
export function perOne(all: Counters, count: number): Counters {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, value / count])) as unknown as Counters;
}

export function toText(one: Counters): string {
  return [
    `${one.statements.toFixed(1)} statements in ${one.transactions.toFixed(1)} transactions`,
    `${one.rowsWritten.toFixed(1)} rows written`,
    `${(one.walBytes / 1000).toFixed(1)} kB of WAL`,
    `${one.recordCpuMs.toFixed(1)} ms of Postgres' CPU`,
    `${one.redisCommands.toFixed(1)} Redis commands, ${one.redisCpuMs.toFixed(2)} ms`,
    `${one.workerCpuMs.toFixed(1)} ms of workers' CPU`,
  ].join(", ");
}

/** A process with its children. */
async function family(parent: number): Promise<number[]> {
  const pids = (await readdir("/proc")).map(Number).filter(Number.isInteger);
  const parents = await Promise.all(pids.map(async (pid) => [pid, await statOf(pid, 1)] as const));
  return [parent, ...parents.flatMap(([pid, own]) => (own === parent ? [pid] : []))];
}

/** With that of children which ended; clock ticks are hundredths of a second on Linux. */
async function cpuMs(pid: number): Promise<number> {
  const ticks = await Promise.all([11, 12, 13, 14].map((field) => statOf(pid, field)));
  return 10 * ticks.reduce((sum, value) => sum + value, 0);
}

/** A field behind the name of a process; 0 of one that is gone. */
async function statOf(pid: number, field: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[field] ?? 0);
}
