import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freeze, startRedis } from "../services/servers.ts";
import { checkInvariants } from "./check-invariants.ts";
import { startProgram } from "./processes.ts";
import { CANDIDATE_KINDS, oddLook, oneLook } from "./requests.ts";
import { CAN_RUN, setStage, type Stage } from "./stage.ts";
import { print } from "./summary.ts";
import { quantile } from "./timeline.ts";
import { until } from "./until.ts";

/** Longer than BullMQ waits for one ring; its versions that fell silent for ever did so after that. In the long form a minute. */
const OUTAGE_SECONDS = Number(process.env["TOUCHSTONE_CAMPAIGN_KILLS"] ?? 100) >= 1000 ? 60 : 8;

/** Whatever Redis does, a run is accepted, found by a sweep and judged. */
describe.skipIf(!CAN_RUN)("Redis", () => {
  const POSTS = 40;
  let stage: Stage;
  let client: Redis;
  const figures: Record<string, string | number> = {};
  /** A ring waits half a second for its Redis; no answer may wait for the ring. The median tells, also on a slow machine. */
  const UNHINDERED_MS = 500;

  beforeAll(async () => {
    stage = await setStage();
    client = new Redis(stage.redis().url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
    client.on("error", () => undefined);
  });
  afterAll(async () => {
    client.disconnect();
    await stage.close();
    print("Redis", figures);
  });

  /** Posts one after another, notes how long the answers took, and waits for all verdicts. @returns the median of the answers, in milliseconds. */
  async function judgeAll(what: string): Promise<number> {
    const times: number[] = [];
    for (let n = 0; n < POSTS; n += 1) {
      const started = performance.now();
      const kind = CANDIDATE_KINDS[n % CANDIDATE_KINDS.length] ?? "good";
      expect(await stage.callers.start(oneLook(kind, `${what}-${n}`))).not.toBeNull();
      times.push(performance.now() - started);
    }
    const accepted = performance.now();
    await stage.drained();
    times.sort((a, b) => a - b);
    figures[`${what}: POST p50, p99 of ${POSTS}`] =
      `${quantile(times, 0.5).toFixed(0)} ms, ${quantile(times, 0.99).toFixed(0)} ms`;
    figures[`${what}: all verdicts after the last POST`] = `${((performance.now() - accepted) / 1000).toFixed(1)} s`;
    expect(stage.deployment.faults).toEqual([]);
    return quantile(times, 0.5);
  }
  const health = async (): Promise<{ degraded: boolean }> => {
    const { text } = await stage.callers.ask("GET", "/readyz");
    return JSON.parse(text) as { degraded: boolean };
  };

  test("answering as it should", async () => {
    await until("the bell to be heard", async () => !(await health()).degraded);
    expect(await judgeAll("well")).toBeLessThan(UNHINDERED_MS);
  });

  test("frozen: POST does not wait for it, and /readyz says that the bell is degraded", async () => {
    await freeze(stage.redis());
    onTestFinished(() => void stage.redis().process.kill("SIGCONT"));
    expect(await judgeAll("frozen")).toBeLessThan(UNHINDERED_MS);
    await until("the bell to be degraded", async () => (await health()).degraded);
  });

  test("flushed, its connections cut", async () => {
    const judged = judgeAll("flushed");
    for (let n = 0; n < 5; n += 1) {
      await client.flushall();
      await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    }
    expect(await judged).toBeLessThan(UNHINDERED_MS);
  });

  test("out of memory", async () => {
    await client.config("SET", "maxmemory", "1");
    expect(await judgeAll("oom")).toBeLessThan(UNHINDERED_MS);
    await client.config("SET", "maxmemory", "0");
  });

  test("down; and when it is back, empty, the bell is heard again within seconds", async () => {
    const away = await stage.redisAway();
    const gone = performance.now();
    expect(await judgeAll("down")).toBeLessThan(UNHINDERED_MS);
    await until("the outage to last", () => performance.now() - gone > OUTAGE_SECONDS * 1000);
    await away.back();
    const back = performance.now();
    let n = 0;
    await until("a ring to be heard", async () => {
      n += 1;
      await stage.callers.start(oneLook("good", `back-${n}`));
      // BullMQ keeps what a worker has taken from the queue and finished.
      return (await client.zcard("{touchstone}:ring-v1:completed")) > 0;
    });
    const seconds = (performance.now() - back) / 1000;
    figures[`heard again after Redis returned from ${OUTAGE_SECONDS} s`] = `${seconds.toFixed(1)} s`;
    // The target is 5 s.
    expect(seconds).toBeLessThan(20);
    await stage.drained();
  });

  test("evicting: a process refuses to start and says why", async () => {
    const evicting = await startRedis(["--maxmemory-policy", "allkeys-lru"]);
    onTestFinished(() => evicting.stop("SIGKILL"));
    const program = await startProgram({
      name: "refused",
      role: "worker",
      env: { ...stage.env, REDIS_URL: evicting.url },
    });
    expect(await program.exit).toEqual({ code: 64, signal: null });
    expect(program.log()).toContain("maxmemory-policy is allkeys-lru");
  });

  test("frozen while a worker is told to end: it ends within 20 s and hands its run back", async () => {
    const run = await stage.callers.start(oddLook("hang-handed-back"));
    const owner = async () => {
      const [row] = await stage.record.query<{ leased_by: string | null; claims: number }>(
        "select leased_by, claims from touchstone.runs where id = $1",
        [run?.id],
      );
      return row;
    };
    await until("a worker to look", async () => (await owner())?.leased_by !== null);
    const pid = Number((await owner())?.leased_by?.split("-")[0]);
    const program = stage.deployment.programs("worker").find((one) => one.pid === pid);
    if (program === undefined) throw new Error(`no worker has the process id ${pid}`);
    await freeze(stage.redis());
    onTestFinished(() => void stage.redis().process.kill("SIGCONT"));
    const started = performance.now();
    expect(await stage.deployment.retire(program, "SIGTERM")).toEqual({ code: 0, signal: null });
    const seconds = (performance.now() - started) / 1000;
    figures["ended by SIGTERM with Redis frozen and a look that hangs"] = `${seconds.toFixed(1)} s`;
    expect(seconds).toBeLessThan(20);
    await until(
      "another worker to take the run up",
      async () => ![null, `${pid}`].includes((await owner())?.leased_by?.split("-")[0] ?? null),
    );
    // A run that was handed back counts as never taken up.
    expect((await owner())?.claims).toBe(1);
    stage.callers.cancelled.add(run?.id ?? "");
    await stage.callers.ask("POST", `/v1/runs/${run?.id}/cancel`);
  });

  test("after all of it every invariant holds", async () => {
    await stage.drained();
    const { violations, counts } = await checkInvariants(stage);
    Object.assign(figures, counts);
    expect(violations).toEqual([]);
    expect(stage.deployment.faults).toEqual([]);
  });
});
