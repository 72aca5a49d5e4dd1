import { expect, onTestFinished, test } from "vitest";
import type { Random } from "../../src/stats/random.ts";
import { atWork } from "./at-work.ts";
import { chance, pauseBetween, pick, SEED } from "./chance.ts";
import { checkInvariants } from "./check-invariants.ts";
import { CANDIDATE_KINDS, manyLooks, oneLook } from "./requests.ts";
import { CAN_RUN, setStage, type Stage } from "./stage.ts";
import { print } from "./summary.ts";
import { claimsIn, quantile, resumeTimes } from "./timeline.ts";
import { TARGET } from "./callbacks.ts";
import { until } from "./until.ts";

/** How many processes are killed; `npm run test:faults` kills a thousand. */
const KILLS = Number(process.env["TOUCHSTONE_CAMPAIGN_KILLS"] ?? 100);
const REDIS_EVERY = 25;
/** Hard stops of Postgres come as often, half a period late so that a short campaign has one too. */
const POSTGRES_EVERY = 100;
const API_SHARE = 0.2;
/** Kills of workers that take any of them, also one that is still starting. */
const BLIND_SHARE = 0.2;
/** Before each of the others so many of the three workers have ended a run. */
const CREW = 2;
/** Between two posts, on average. */
const POST_MS = 200;
/** More than this are not wanted at once: the load is what a slow machine can work off. */
const MOST_LIVE = 60;
/** From a kill of the owner to the next claim of its run. The target is 10 s; the machine may be slow, and what was measured is printed. */
const RESUME_MS = 30_000;
/** Nine kills in a row keep a run for three minutes, and all ten for thirteen. */
const DRAIN_SECONDS = 900;

test.skipIf(!CAN_RUN)(
  `${KILLS} kills of workers and APIs, with Redis and Postgres killed among them: no run is lost and none ends twice`,
  async () => {
    const stage = await setStage({ apis: 2, workers: 3, env: { TOUCHSTONE_CONCURRENCY: "2" } });
    onTestFinished(() => stage.close());
    const { deployment, record, callers } = stage;
    const started = Date.now();

    const storm = new AbortController();
    const load = post(stage, storm.signal);
    const readers = readAtRandom(stage, storm.signal);
    await killAtRandom(stage).finally(() => storm.abort());
    await Promise.all([load, readers]);
    const lastKill = Date.now();
    await stage.drained(DRAIN_SECONDS);
    const drainedMs = Date.now() - lastKill;

    const { violations, counts } = await checkInvariants(stage);
    const history = await record.history();
    const resumed = resumeTimes(history, deployment.kills, stage.outages);
    const claims = claimsIn(history);
    print(`${KILLS} kills, seed ${SEED}`, {
      "workers killed": deployment.kills.filter(({ role }) => role === "worker").length,
      "APIs killed": deployment.kills.filter(({ role }) => role === "api").length,
      "Redis killed": Math.floor(KILLS / REDIS_EVERY),
      "Postgres stopped": stage.outages.length,
      ...counts,
      "posts, refused (409), tries again, of these 503, reads": Object.values(callers.counts).join(", "),
      "claims, highest epoch": `${claims.length}, ${Math.max(...claims.map(({ epoch }) => epoch))}`,
      "callbacks, sent again": callbacks(stage),
      "resumed after a kill": resumed.length,
      "resume p50, p99, max": [0.5, 0.99, 1].map((q) => `${(quantile(resumed, q) / 1000).toFixed(1)} s`).join(", "),
      "drained after the last kill": `${(drainedMs / 1000).toFixed(1)} s`,
      "wall time": `${((Date.now() - started) / 1000).toFixed(0)} s`,
      violations: violations.length,
    });
    expect(violations.slice(0, 20)).toEqual([]);
    expect(deployment.faults).toEqual([]);
    expect(counts["accepted"]).toBeGreaterThan(KILLS);
    expect(quantile(resumed, 0.99)).toBeLessThan(RESUME_MS);
  },
);

/** Posts until the storm is over: single looks, many looks, revisions of rollouts in any order and more than once, and some that are cancelled. */
async function post({ callers, record }: Stage, over: AbortSignal): Promise<void> {
  const random = chance(10);
  const open = new Set<Promise<void>>();
  for (let n = 1; !over.aborted; n += 1) {
    const kind = pick(random, CANDIDATE_KINDS) ?? "good";
    const draw = random();
    const rollout = { namespace: "shop", name: `agent-${Math.floor(random() * 4)}`, revision: String(n) };
    const told = { notify: [TARGET] };
    const one = async (): Promise<void> => {
      if (draw < 0.55) await callers.start(oneLook(kind, String(n), told));
      else if (draw < 0.7) await callers.start(manyLooks(kind, String(n), told));
      else if (draw < 0.9) {
        // The same revision twice, the one before it afterwards.
        const before = { ...rollout, revision: String(n - 1) };
        await Promise.all([
          callers.start(oneLook(kind, String(n), { rollout, ...told })),
          callers.start(oneLook(kind, String(n), { rollout, ...told })),
        ]);
        await callers.start(oneLook(kind, String(n - 1), { rollout: before, ...told }));
      } else {
        const run = await callers.start(
          random() < 0.5 ? manyLooks(kind, String(n), told) : oneLook(kind, String(n), told),
        );
        await pauseBetween(random, 0, 2_000);
        if (run === null) return;
        callers.cancelled.add(run.id);
        await callers.ask("POST", `/v1/runs/${run.id}/cancel`);
      }
    };
    const work = one().finally(() => open.delete(work));
    open.add(work);
    await pauseBetween(random, 0, 2 * POST_MS);
    // A record that is away does not tell; then the posts that wait for it are the brake.
    const isFull = async () => open.size + (await record.live().catch(() => 0)) > MOST_LIVE;
    while (!over.aborted && (await isFull())) await pauseBetween(random, 50, 100);
  }
  await Promise.all(open);
}

/** Reads runs while they happen: what was an end once must stay that end. */
async function readAtRandom({ callers }: Stage, over: AbortSignal): Promise<void> {
  const random = chance(11);
  while (!over.aborted) {
    const one = pick(random, [...callers.accepted.keys()]);
    if (one !== undefined) await callers.read(one);
    await pauseBetween(random, 50, 250);
  }
}

async function killAtRandom(stage: Stage): Promise<void> {
  const random = chance(12);
  const { deployment } = stage;
  const recoveries: Promise<void>[] = [];
  for (let n = 1; n <= KILLS; n += 1) {
    const role = random() < API_SHARE ? "api" : "worker";
    const isBlind = role === "api" || random() < BLIND_SHARE;
    const crew = async () => (isBlind ? deployment.programs(role) : atWork(stage));
    // However slow the machine, there are workers at work between two kills.
    await until("someone to kill", async () => (await crew()).length >= (isBlind ? 1 : CREW));
    await pauseBetween(random, 0, 800);
    await until("someone to kill", async () => {
      const victim = pick(random, await crew());
      if (victim !== undefined) deployment.kill(victim);
      return victim !== undefined;
    });
    if (n % REDIS_EVERY === 0) recoveries.push(redisOutage(stage, random));
    if (n % POSTGRES_EVERY === POSTGRES_EVERY / 2) {
      const away = await stage.postgresAway();
      await pauseBetween(random, 0, 2_000);
      await away.back();
    }
  }
  await Promise.all(recoveries);
}

async function redisOutage(stage: Stage, random: Random): Promise<void> {
  const away = await stage.redisAway();
  await pauseBetween(random, 500, 3_000);
  await away.back();
}

function callbacks({ receiver }: Stage): string {
  const bodies = [...receiver.received.values()];
  return `${bodies.length}, ${bodies.reduce((sum, { length }) => sum + length - 1, 0)}`;
}
