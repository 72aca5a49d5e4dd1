import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createDatabase } from "../test/services/database.ts";
import { startPostgres, startRedis } from "../test/services/servers.ts";
import { loadRequest, postRun, serve } from "./service/api-client.ts";
import { openLoad, type Loaded, type OpenLoad } from "./service/open-load.ts";
import { startSource } from "./service/source.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const PEER = fileURLToPath(new URL("service/bare-peer.ts", import.meta.url));

/**
 * The whole stack under load, on this machine: posts and reads at a fixed rate beside a bare Express with one insert, and a backlog drained by two workers.
 *
 *   npm run bench service -- [--seconds 15] [--runs 2000] [--metrics 10]
 *
 * Latencies are those of an open system: a request that waits for its turn counts from when it was due. Each load begins with seconds that are not counted, in which the peer's code and ours is compiled. Of the bundle, so build first.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: "string", default: "15" },
      runs: { type: "string", default: "2000" },
      metrics: { type: "string", default: "10" },
    },
  });
  const [seconds, runs, metrics] = [Number(values.seconds), Number(values.runs), Number(values.metrics)];
  const [postgres, redis, source] = await Promise.all([startPostgres(), startRedis(), startSource(5)]);
  const database = await createDatabase(postgres.url);
  const folder = await mkdtemp(join(tmpdir(), "touchstone-service-"));
  const started: ChildProcess[] = [];
  try {
    const sources = join(folder, "sources.yaml");
    await writeFile(sources, `sources: [{ name: load, type: prometheus, url: "${source.url}", concurrency: 64 }]\n`);
    const env = {
      PATH: process.env["PATH"] ?? "",
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      TOUCHSTONE_SOURCES: sources,
      TOUCHSTONE_MAX_WAITING: "1000000",
      LOG_LEVEL: "error",
    };
    await ended(spawn(execPath, [MAIN, "migrate"], { env, stdio: "ignore" }));
    stdout.write(`load average before: ${loadavg()[0]?.toFixed(1)}\n\n`);

    const bare = await serve(started, [...process.execArgv, PEER], env);
    const api = await serve(started, [MAIN, "serve", "--role", "api"], env);
    const request = loadRequest({ mode: "once", duration: "1h", settle: "0s" }, metrics);
    const body = JSON.stringify(request);
    const posted = {
      bare: await load({ url: `${bare}/v1/runs`, method: "POST", body, rate: 500, seconds }),
      ours: await load({ url: `${api}/v1/runs`, method: "POST", body, rate: 500, seconds }),
    };
    const ids = await Promise.all([bare, api].map((url) => postRun(url, request)));
    const read = {
      bare: await load({ url: `${bare}/v1/runs/${ids[0]}`, method: "GET", rate: 1000, seconds }),
      ours: await load({ url: `${api}/v1/runs/${ids[1]}`, method: "GET", rate: 1000, seconds }),
    };
    const polled = {
      bare: read.bare,
      ours: await load({
        url: `${api}/v1/argo/verdict`,
        method: "POST",
        body: await watched(api),
        rate: 1000,
        seconds,
      }),
    };
    print("POST /v1/runs at 500/s", posted, 100);
    print("GET /v1/runs/{id} at 1,000/s", read, 50);
    print("POST /v1/argo/verdict of a run that is watched at 1,000/s, beside that GET of the peer", polled, 50);

    await database.query("delete from touchstone.runs");
    for (let i = 0; i < runs; i += 50) await Promise.all(Array.from({ length: 50 }, () => postRun(api, request)));
    const began = performance.now();
    const workers = [1, 2].map(() => {
      const worker = spawn(execPath, [MAIN, "serve", "--role", "worker"], {
        env,
        stdio: ["ignore", "ignore", "inherit"],
      });
      started.push(worker);
      return worker;
    });
    const left = async () =>
      Number((await database.query("select count(*) as n from touchstone.runs where status <> 'done'")).rows[0].n);
    while ((await left()) > 0) await new Promise((resolve) => setTimeout(resolve, 500));
    const drained = (performance.now() - began) / 1000;
    const peaks = await Promise.all(workers.map(peakMb));
    stdout.write(
      `${runs} waiting runs of ${metrics} metrics, two workers: ${(runs / drained).toFixed(1)} runs/s (goal ≥ 25), RSS at most ${Math.max(...peaks).toFixed(0)} MB (goal ≤ 512)\n`,
    );
    stdout.write(`pickup by the bell: ${await pickup(api, request, database)}\n`);
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await Promise.all(started.map(ended));
    source.server.close();
    await database.drop();
    await Promise.all([postgres.stop(), redis.stop()]);
    await rm(folder, { recursive: true });
  }
}

/** Stores an analysis that is looked at for a while. @returns the question of a rollout controller that it judges. */
async function watched(api: string): Promise<string> {
  const { analysis } = loadRequest({ mode: "continuous", every: "1m" });
  const answer = await fetch(`${api}/v1/analyses/load`, {
    method: "PUT",
    body: JSON.stringify(analysis),
    headers: { "content-type": "application/json" },
  });
  if (!answer.ok) throw new Error(`the analysis was answered ${answer.status}: ${await answer.text()}`);
  const place = { analysis: "load", namespace: "shop", service: "agent" };
  return JSON.stringify({ mode: "background", ...place, baseline: "v1", candidate: "v2" });
}

const WARM_UP_SECONDS = 3;

async function load(one: OpenLoad): Promise<Loaded> {
  await openLoad({ ...one, seconds: WARM_UP_SECONDS });
  return openLoad(one);
}

function print(name: string, { bare, ours }: { bare: Loaded; ours: Loaded }, goalMs: number): void {
  const line = ({ p50, p99, max, perSecond }: Loaded) =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(0)} ms, ${perSecond.toFixed(0)}/s`;
  stdout.write(
    `${name}: ${line(ours)} (goal p99 ≤ ${goalMs} ms); bare Express and pg: ${line(bare)}; ratio of p99 ${(ours.p99 / bare.p99).toFixed(1)}\n`,
  );
}

/** From the post of a run to its first claim, workers idle. */
async function pickup(
  url: string,
  request: object,
  database: Awaited<ReturnType<typeof createDatabase>>,
): Promise<string> {
  const waits: number[] = [];
  for (let i = 0; i < 50; i++) {
    const id = await postRun(url, request);
    const sinceCreated =
      "select extract(epoch from l.at - r.created_at) * 1000 as ms from touchstone.runs r join touchstone.looks l on l.run_id = r.id where r.id = $1";
    for (;;) {
      const [row] = (await database.query(sinceCreated, [id])).rows as { ms: string }[];
      if (row !== undefined) {
        waits.push(Number(row.ms));
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  waits.sort((a, b) => a - b);
  return `p50 ${waits[25]?.toFixed(1)} ms, p90 ${waits[45]?.toFixed(1)} ms (goal p50 ≤ 10 ms)`;
}

async function peakMb({ pid }: ChildProcess): Promise<number> {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
