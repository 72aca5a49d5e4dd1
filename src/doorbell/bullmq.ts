import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { TouchstoneError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Doorbell } from "./doorbell.ts";

export interface BullmqDoorbellOptions {
  readonly url: string;
  readonly concurrency: number;
  readonly log: Logger;
  /** Told whenever a listener that had gone deaf is replaced. */
  readonly onDeaf?: () => void;
  /** Between two beats of a listener, at most. */
  readonly beatMs?: number;
}

/** The hash tag keeps all keys in one slot of a cluster. The name of the queue carries the version of its payload: an upgrade leaves the old queue behind. */
const PREFIX = "{touchstone}";
const QUEUE = "ring-v1";

/** Of the stream of events that BullMQ writes with every job and nobody here reads. */
const MOST_EVENTS = 1_000;

const RING_DEADLINE_MS = 500;
const BEAT_MS = 2_000;
/**
 * A listener that hears none of so many beats is deaf. Listeners wait in one line for what is rung, so that each hears as often as it beats itself, whoever else
 * listens: not evenly, so that it takes many beats to be sure.
 */
const DEAF_AFTER_BEATS = 12;
/** Of the time between two beats: processes that were started together must not beat together, since whoever is fastest would hear both beats every time. */
const BEAT_JITTER = 0.4;
const CLOSE_DEADLINE_MS = 5_000;
const retryStrategy = (attempt: number) => Math.min(attempt * 100, 2_000);

/**
 * The bell over Redis. Each option stands for an outage that somebody had; the table of them is in docs/decisions/0002-doorbell.md.
 */
export function createBullmqDoorbell({
  url,
  concurrency,
  log,
  onDeaf = () => undefined,
  beatMs = BEAT_MS,
}: BullmqDoorbellOptions): Doorbell {
  const producer = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: RING_DEADLINE_MS,
    retryStrategy,
    lazyConnect: false,
  });
  producer.on("error", (error) => log.debug({ err: error }, "redis: producer"));
  // Without skipVersionCheck, skipWaitingForReady would cache a failed INFO and reject every ring for ever.
  const queue = new Queue<Ring>(QUEUE, {
    connection: producer,
    prefix: PREFIX,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    skipMetasUpdate: true,
    defaultJobOptions: { attempts: 1, keepLogs: 0, removeOnComplete: { count: 100 }, removeOnFail: { count: 100 } },
  });
  queue.on("error", (error) => log.debug({ err: error }, "bullmq: queue"));
  // The queue says its own bounds once, before the connection is there; and a Redis that comes back empty has forgotten them.
  producer.on("ready", () => {
    producer
      .hset(queue.toKey("meta"), "opts.maxLenEvents", MOST_EVENTS)
      .catch((error: unknown) => log.debug({ err: error }, "redis: the bound of the events"));
  });

  let listener: Listener | null = null;
  let beating: NodeJS.Timeout | undefined;
  let lastFailure: string | null = null;

  /** A beat goes the way of every ring; only those that Redis has taken count, so that a Redis that is away makes nobody deaf. */
  const beat = async (listening: Listener, reopen: () => void): Promise<void> => {
    if (listening.unheard >= DEAF_AFTER_BEATS) {
      log.error({ beats: listening.unheard }, "the bell was rung and this process did not hear it; listening anew");
      onDeaf();
      reopen();
      return;
    }
    try {
      await withDeadline(queue.add("beat", { v: 1 }), RING_DEADLINE_MS);
      listening.unheard += 1;
    } catch (error) {
      log.debug({ err: error }, "redis: the beat");
    }
  };

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
      const reopen = () => {
        if (listener !== null) void closeListener(listener, log);
        listener = openListener(url, concurrency, handler, log);
      };
      reopen();
      const beatLater = () => {
        beating = setTimeout(
          () => {
            if (listener !== null) void beat(listener, reopen);
            beatLater();
          },
          beatMs * (1 - BEAT_JITTER * Math.random()),
        );
      };
      beatLater();
    },

    health() {
      if (producer.status !== "ready") return { ok: false, detail: `redis is ${producer.status}` };
      return lastFailure === null
        ? { ok: true, detail: "redis" }
        : { ok: false, detail: `the last ring failed: ${lastFailure}` };
    },

    backlog: () => withDeadline(backlogOf(queue), RING_DEADLINE_MS),

    async close() {
      clearTimeout(beating);
      const closing = Promise.all([listener === null ? undefined : closeListener(listener, log), queue.close()]);
      await withDeadline(closing, CLOSE_DEADLINE_MS).catch((error: unknown) =>
        log.debug({ err: error }, "the bell was not closed in time"),
      );
      producer.disconnect();
    },
  };
}

/** A ring for a run, or without an id the beat of a listener. */
interface Ring {
  readonly id?: string;
  readonly v: number;
}

interface Listener {
  readonly worker: Worker;
  readonly connection: Redis;
  /** Beats since the last ring or beat that was heard. */
  unheard: number;
}

function openListener(url: string, concurrency: number, handler: (id: string) => Promise<void>, log: Logger): Listener {
  // A command timeout here would break the blocking read.
  const connection = new Redis(url, { maxRetriesPerRequest: null, retryStrategy });
  connection.on("error", (error) => log.debug({ err: error }, "redis: worker"));
  const worker = new Worker<Ring>(
    QUEUE,
    async ({ data: { id, v } }) => {
      listener.unheard = 0;
      if (v === 1 && id !== undefined) await handler(id);
    },
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
  const listener: Listener = { worker, connection, unheard: 0 };
  return listener;
}

/** `close` waits for ever on a frozen Redis. */
async function closeListener({ worker, connection }: Listener, log: Logger): Promise<void> {
  await withDeadline(worker.close(), CLOSE_DEADLINE_MS).catch((error: unknown) =>
    log.debug({ err: error }, "the listener was not closed in time"),
  );
  connection.disconnect();
}

async function backlogOf(queue: Queue): Promise<{ depth: number; oldestSeconds: number }> {
  const [depth, [oldest]] = await Promise.all([queue.getWaitingCount(), queue.getWaiting(0, 0)]);
  // By the clock of whoever rang; a job that ended in between is null.
  return { depth, oldestSeconds: oldest ? Math.max(0, (Date.now() - oldest.timestamp) / 1000) : 0 };
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
