import { Redis } from "ioredis";
import type { Probed } from "../service/probed-process.ts";
import type { Query } from "./ledger.ts";
import type { Tolerance } from "./trend.ts";

/** What is measured, with what it may rise by in an hour. */
export interface Figure {
  readonly name: string;
  readonly tolerance: Tolerance;
  /** Kept on purpose: grows with what happened, and says so. */
  readonly keptForEver?: true;
}

/** The values of all figures at one time, by their names, and of what they are sums of. */
export type Sample = Readonly<Record<string, number>>;

const MB = 1e6;
/** The specification's bound on heaps. */
const HEAP: Tolerance = { absolute: 1, share: 0 };
/** Resident memory has free pages of the allocator in it. */
const RESIDENT: Tolerance = { absolute: 5, share: 0.05 };
/** Sockets come and go by ones. */
const COUNTED: Tolerance = { absolute: 2, share: 0.02 };
const KEYS: Tolerance = { absolute: 5, share: 0.05 };
const ROWS: Tolerance = { absolute: 20, share: 0.05 };
const STORED: Tolerance = { absolute: 0.5, share: 0.05 };

const BELL = "{touchstone}:ring-v1";
/** BullMQ's lists and sets; the events are a stream. */
const QUEUES = { wait: "llen", active: "llen", completed: "zcard", failed: "zcard", delayed: "zcard" } as const;

/** Tables that nothing is ever deleted from: the chain of the audit log, and what attempts of rollouts have spent. */
const KEPT_FOR_EVER = new Set(["audit", "deleted_attempts"]);

export interface Measuring {
  readonly processes: readonly Probed[];
  readonly query: Query;
  readonly redisUrl: string;
}

/** Asks everybody what they hold. */
export async function createFigures({ processes, query, redisUrl }: Measuring): Promise<{
  readonly figures: readonly Figure[];
  sample(): Promise<Sample>;
  close(): void;
}> {
  const redis = new Redis(redisUrl);
  const tables = (
    (
      await query(
        "select relname as name from pg_class where relnamespace = 'touchstone'::regnamespace and relkind = 'r' order by 1",
      )
    ).rows as { name: string }[]
  ).map(({ name }) => name);
  const perTable = (name: string, tolerance: Tolerance): Figure => ({
    name: `${tolerance === ROWS ? "rows" : "MB"} of ${name}`,
    tolerance,
    ...(KEPT_FOR_EVER.has(name) ? { keptForEver: true } : {}),
  });
  const figures: Figure[] = [
    ...processes.flatMap(({ name }) => [
      { name: `${name}: heap MB`, tolerance: HEAP },
      { name: `${name}: heap of threads MB`, tolerance: HEAP },
      { name: `${name}: RSS MB`, tolerance: RESIDENT },
      { name: `${name}: descriptors`, tolerance: COUNTED },
      { name: `${name}: handles`, tolerance: COUNTED },
    ]),
    { name: "Redis: keys", tolerance: KEYS },
    { name: "Redis: MB", tolerance: { absolute: 0.1, share: 0.05 } },
    { name: "Redis: clients", tolerance: COUNTED },
    ...[...Object.keys(QUEUES), "events"].map((name) => ({ name: `bell: ${name}`, tolerance: KEYS })),
    { name: "Postgres: connections", tolerance: COUNTED },
    { name: "live runs", tolerance: ROWS },
    ...tables.map((name) => perTable(name, ROWS)),
    ...tables.map((name) => perTable(name, STORED)),
  ];

  const ofProcess = async (process: Probed): Promise<Record<string, number>> => {
    const held = await process.held();
    const { rssBytes, descriptors } = await process.system();
    const { name } = process;
    return {
      [`${name}: heap MB`]: held.heapBytes / MB,
      [`${name}: heap of threads MB`]: held.threadHeapBytes / MB,
      [`${name}: RSS MB`]: rssBytes / MB,
      [`${name}: descriptors`]: descriptors,
      [`${name}: handles`]: Object.values(held.handles).reduce((sum, count) => sum + count, 0),
      ...Object.fromEntries(
        Object.entries(held.handles).map(([type, count]) => [`${name}: handles of ${type}`, count]),
      ),
    };
  };

  const ofRedis = async (): Promise<Record<string, number>> => {
    const [keys, memory, clients, events] = await Promise.all([
      redis.dbsize(),
      redis.info("memory"),
      redis.info("clients"),
      redis.xlen(`${BELL}:events`),
    ]);
    const lengths = await Promise.all(
      Object.entries(QUEUES).map(async ([name, command]) => [`bell: ${name}`, await redis[command](`${BELL}:${name}`)]),
    );
    return {
      "Redis: keys": keys,
      "Redis: MB": Number(/^used_memory:(\d+)/m.exec(memory)?.[1]) / MB,
      "Redis: clients": Number(/^connected_clients:(\d+)/m.exec(clients)?.[1]),
      ...(Object.fromEntries(lengths) as Record<string, number>),
      "bell: events": events,
    };
  };

  const ofRecord = async (): Promise<Record<string, number>> => {
    const counts = tables.map((name) => `(select count(*) from touchstone.${name})::float8 as "rows of ${name}"`);
    const sizes = tables.map(
      (name) => `pg_total_relation_size('touchstone.${name}')::float8 / ${MB} as "MB of ${name}"`,
    );
    const connections = `(select count(*) from pg_stat_activity where application_name = 'touchstone')::float8 as "Postgres: connections"`;
    const live = `(select count(*) from touchstone.runs where status in ('queued', 'running'))::float8 as "live runs"`;
    const { rows } = await query(`select ${[live, connections, ...counts, ...sizes].join(", ")}`);
    return rows[0] as Record<string, number>;
  };

  return {
    figures,
    async sample() {
      const parts = await Promise.all([...processes.map(ofProcess), ofRedis(), ofRecord()]);
      return Object.assign({}, ...parts) as Sample;
    },
    close: () => redis.disconnect(),
  };
}
