import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { TouchstoneError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Doorbell } from "./doorbell.ts";

export interface BullmqDoorbellOptions {
  readonly url: string;
  readonly concurrency: number;
  readonly log: Logger;
}

/** The hash tag keeps all keys in one slot of a cluster. The name of the queue carries the version of its payload: an upgrade leaves the old queue behind. */
const PREFIX = "{touchstone}";
const QUEUE = "ring-v1";

const RING_DEADLINE_MS = 500;
const CLOSE_DEADLINE_MS = 5_000;
const retryStrategy = (attempt: number) => Math.min(attempt * 100, 2_000);

/**
 * The bell over Redis. Each option stands for an outage that somebody had; the table of them is in docs/decisions/0002-doorbell.md.
 */
export function createBullmqDoorbell({ url, concurrency, log }: BullmqDoorbellOptions): Doorbell {
  const producer = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: RING_DEADLINE_MS,
    retryStrategy,
    lazyConnect: false,
  });
  producer.on("error", (error) => log.debug({ err: error }, "redis: producer"));
  // Without skipVersionCheck, skipWaitingForReady would cache a failed INFO and reject every ring for ever.
  const queue = new Queue<{ id: string; v: 1 }>(QUEUE, {
    connection: producer,
    prefix: PREFIX,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    streams: { events: { maxLen: 1000 } },
    defaultJobOptions: { attempts: 1, keepLogs: 0, removeOnComplete: { count: 100 }, removeOnFail: { count: 100 } },
  });
  queue.on("error", (error) => log.debug({ err: error }, "bullmq: queue"));

  let listener: { worker: Worker; connection: Redis } | null = null;
  let lastFailure: string | null = null;

  return {
    ring(id) {
      withDeadline(queue.add("ring", { id, v: 1 }), RING_DEADLINE_MS).then(
        () => {
          lastFailure = null;
        },
        (error: unknown) => {
          lastFailure = error instanceof Error ? error.message : String(error);
          log.warn({ run: id, reason: lastFailure }, "the bell did not ring; a worker finds the run on its next sweep");
        },
      );
    },

    onRing(handler) {
      // A command timeout here would break the blocking read.
      const connection = new Redis(url, { maxRetriesPerRequest: null, retryStrategy });
      connection.on("error", (error) => log.debug({ err: error }, "redis: worker"));
      const worker = new Worker<{ id: string; v: number }>(
        QUEUE,
        async (job) => (job.data.v === 1 ? handler(job.data.id) : undefined),
        {
          connection,
          prefix: PREFIX,
          concurrency,
          skipVersionCheck: true,
          lockDuration: 10_000,
          stalledInterval: 5_000,
          maxStalledCount: 1_000_000,
        },
      );
      worker.on("error", (error) => log.debug({ err: error }, "bullmq: worker"));
      worker.on("ready", () => void refuseEviction(connection, log));
      listener = { worker, connection };
    },

    health() {
      if (producer.status !== "ready") return { ok: false, detail: `redis is ${producer.status}` };
      return lastFailure === null
        ? { ok: true, detail: "redis" }
        : { ok: false, detail: `the last ring failed: ${lastFailure}` };
    },

    async close() {
      // `close` waits for ever on a frozen Redis.
      const closing = (async () => {
        await listener?.worker.close();
        await queue.close();
      })();
      await withDeadline(closing, CLOSE_DEADLINE_MS).catch((error: unknown) =>
        log.debug({ err: error }, "the bell was not closed in time"),
      );
      listener?.connection.disconnect();
      producer.disconnect();
    },
  };
}

/**
 * Refuses a Redis that may throw keys away: an evicted lock or job is a ring lost without an error.
 *
 * @throws TouchstoneError `invalid_config` when Redis answers and its policy is not `noeviction`. A Redis that is away is not refused.
 */
export async function checkRedis(url: string, log: Logger): Promise<void> {
  const connection = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
    retryStrategy: () => null,
  });
  connection.on("error", (error) => log.debug({ err: error }, "redis: check"));
  let policy: string | null;
  try {
    await connection.connect();
    policy = await readPolicy(connection);
  } catch (error) {
    log.warn({ err: error }, "redis is away; runs are found by sweeps until it is back");
    return;
  } finally {
    connection.disconnect();
  }
  if (policy !== null && policy !== "noeviction") {
    throw new TouchstoneError(
      "invalid_config",
      `REDIS_URL: maxmemory-policy is ${policy}, which may throw rings away; set it to noeviction`,
    );
  }
}

/** A Redis that came back after the start may be another one. */
async function refuseEviction(connection: Redis, log: Logger): Promise<void> {
  const policy = await readPolicy(connection).catch(() => null);
  if (policy !== null && policy !== "noeviction")
    log.error({ policy }, "redis: maxmemory-policy is not noeviction; rings may be thrown away");
}

async function readPolicy(connection: Redis): Promise<string | null> {
  const memory = await connection.info("memory");
  return /^maxmemory_policy:(\S+)/m.exec(memory)?.[1] ?? null;
}

async function withDeadline<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
