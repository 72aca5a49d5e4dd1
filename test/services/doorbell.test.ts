import { describe, expect, inject, onTestFinished, test } from "vitest";
import { checkRedis, createBullmqDoorbell } from "../../src/doorbell/bullmq.ts";
import { createLogger } from "../../src/log.ts";
import { doorbellContract } from "../contract/doorbell-contract.ts";
import { startRedis } from "./servers.ts";

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

  test("a frozen Redis neither holds up a ring nor the closing", async () => {
    const redis = await startRedis();
    const bell = open(redis.url);
    bell.onRing(() => Promise.resolve());
    await expect.poll(() => bell.health().ok).toBe(true);
    redis.process.kill("SIGSTOP");
    bell.ring("run_frozen");
    await expect.poll(() => bell.health().ok, { timeout: 5000 }).toBe(false);
    const started = performance.now();
    await bell.close();
    expect(performance.now() - started).toBeLessThan(8000);
    redis.process.kill("SIGCONT");
    await redis.stop("SIGKILL");
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
