import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Redis } from "ioredis";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { checkRedis, createBullmqDoorbell } from "../../src/doorbell/bullmq.ts";
import { createLogger } from "../../src/log.ts";
import { doorbellContract } from "../contract/doorbell-contract.ts";
import { freeze, startRedis } from "./servers.ts";

const redisUrl = inject("redisUrl");
const log = createLogger("silent");
const open = (url: string) => createBullmqDoorbell({ url, concurrency: 4, log });

describe.skipIf(redisUrl === null)("BullMQ on Redis", () => {
  doorbellContract("BullMQ", () => open(redisUrl ?? ""));

  test("a ring in one process is heard in another", async () => {
    const [ringer, hearer] = [open(redisUrl ?? ""), open(redisUrl ?? "")];
    await expect.poll(() => ringer.health().ok).toBe(true);
    onTestFinished(async () => {
      await Promise.all([ringer.close(), hearer.close()]);
    });
    const heard: string[] = [];
    hearer.onRing((id) => Promise.resolve(void heard.push(id)));
    ringer.ring("run_over_there");
    await expect.poll(() => heard).toContain("run_over_there");
  });

  test("ringing returns at once while Redis is away, and rings arrive again when it is back", async () => {
    const redis = await startRedis();
    const port = Number(new URL(redis.url).port);
    const bell = open(redis.url);
    onTestFinished(() => bell.close());
    const heard = new Set<string>();
    bell.onRing((id) => Promise.resolve(void heard.add(id)));
    await expect.poll(() => bell.health().ok).toBe(true);
    await redis.stop("SIGKILL");
    const started = performance.now();
    for (let i = 0; i < 100; i++) bell.ring(`run_lost_${i}`);
    expect(performance.now() - started).toBeLessThan(200);
    await expect.poll(() => bell.health().ok).toBe(false);
    const again = await startRedis([], port);
    onTestFinished(() => again.stop());
    await expect
      .poll(
        () => {
          bell.ring("run_after");
          return heard.has("run_after");
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBe(true);
  }, 40_000);

  test("rings that nobody hears are counted, with the age of the oldest, and a bell without Redis says nothing of them", async () => {
    const redis = await startRedis();
    const bell = open(redis.url);
    onTestFinished(() => bell.close());
    await expect.poll(() => bell.health().ok).toBe(true);
    bell.ring("run_first");
    await expect.poll(() => bell.backlog()).toMatchObject({ depth: 1 });
    await expect.poll(async () => (await bell.backlog()).oldestSeconds).toBeGreaterThan(0.7);
    const rang = performance.now();
    for (const id of ["run_second", "run_third"]) bell.ring(id);
    await expect.poll(() => bell.backlog()).toMatchObject({ depth: 3 });
    // Still the first one's.
    expect((await bell.backlog()).oldestSeconds).toBeGreaterThan(0.7 + (performance.now() - rang - 5) / 1000);
    await freeze(redis);
    const started = performance.now();
    await expect(bell.backlog()).rejects.toThrow(/no answer within 500 ms|timed out/);
    expect(performance.now() - started).toBeLessThan(1_500);
    redis.process.kill("SIGCONT");
    await redis.stop("SIGKILL");
  }, 30_000);

  test("the stream of events that every job writes is bounded, also in a Redis that came back empty", async () => {
    const redis = await startRedis();
    const port = Number(new URL(redis.url).port);
    const bell = open(redis.url);
    onTestFinished(() => bell.close());
    await expect.poll(() => boundOfEvents(redis.url)).toBe("1000");
    await redis.stop("SIGKILL");
    const again = await startRedis([], port);
    onTestFinished(() => again.stop("SIGKILL"));
    await expect.poll(() => boundOfEvents(again.url), { timeout: 10_000 }).toBe("1000");
  }, 30_000);

  test("a frozen Redis neither holds up a ring nor the closing", async () => {
    const redis = await startRedis();
    const bell = open(redis.url);
    bell.onRing(() => Promise.resolve());
    await expect.poll(() => bell.health().ok).toBe(true);
    await freeze(redis);
    bell.ring("run_frozen");
    await expect.poll(() => bell.health().ok, { timeout: 5000 }).toBe(false);
    const started = performance.now();
    await bell.close();
    expect(performance.now() - started).toBeLessThan(8000);
    redis.process.kill("SIGCONT");
    await redis.stop("SIGKILL");
  }, 30_000);

  test("a listener whose connection has silently died is replaced, and hears again", async () => {
    const proxy = await startSilencer(Number(new URL(redisUrl ?? "").port));
    let restarts = 0;
    const bell = createBullmqDoorbell({
      url: `redis://127.0.0.1:${proxy.port}`,
      concurrency: 4,
      log,
      beatMs: 100,
      onDeaf: () => (restarts += 1),
    });
    onTestFinished(async () => {
      await bell.close();
      await proxy.close();
    });
    const heard = new Set<string>();
    bell.onRing((id) => Promise.resolve(void heard.add(id)));
    const ringUntilHeard = async (id: string) => {
      await expect
        .poll(
          () => {
            bell.ring(id);
            return heard.has(id);
          },
          { timeout: 20_000, interval: 100 },
        )
        .toBe(true);
    };
    await ringUntilHeard("run_before");
    // Beats alone keep a healthy listener as it is.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(restarts).toBe(0);
    expect(proxy.silenceReaders()).toBeGreaterThan(0);
    await expect.poll(() => restarts, { timeout: 10_000 }).toBe(1);
    await ringUntilHeard("run_after");
    expect(bell.health().ok).toBe(true);
  }, 60_000);

  test("listeners that were opened together take no beat from each other for so long that one seems deaf", async () => {
    let restarts = 0;
    const bells = Array.from({ length: 3 }, () =>
      createBullmqDoorbell({ url: redisUrl ?? "", concurrency: 2, log, beatMs: 50, onDeaf: () => (restarts += 1) }),
    );
    onTestFinished(async () => void (await Promise.all(bells.map((bell) => bell.close()))));
    for (const bell of bells) bell.onRing(() => Promise.resolve());
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(restarts).toBe(0);
  }, 30_000);

  test("a Redis that evicts keys is refused, one that is away is not", async () => {
    const redis = await startRedis(["--maxmemory-policy", "allkeys-lru"]);
    await expect(checkRedis(redis.url, log)).rejects.toThrow(
      /maxmemory-policy is allkeys-lru, .* set it to noeviction/,
    );
    await redis.stop();
    await checkRedis(redis.url, log);
    await checkRedis(redisUrl ?? "", log);
  });
});

/** A way to Redis on which connections that wait for jobs can be made to lie dead: open, and nothing comes through any more. */
async function startSilencer(target: number) {
  const silent = new Set<Socket>();
  const readers = new Set<Socket>();
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        open.delete(socket);
        if (!silent.has(client)) for (const other of [client, upstream]) other.destroy();
      });
    }
    client.on("data", (bytes) => {
      if (bytes.toString("latin1").toLowerCase().includes("bzpopmin")) readers.add(client);
      if (!silent.has(client)) upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!silent.has(client)) client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    silenceReaders(): number {
      for (const reader of readers) silent.add(reader);
      return readers.size;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function boundOfEvents(url: string): Promise<string | null> {
  const redis = new Redis(url);
  try {
    return await redis.hget("{touchstone}:ring-v1:meta", "opts.maxLenEvents");
  } finally {
    redis.disconnect();
  }
}
