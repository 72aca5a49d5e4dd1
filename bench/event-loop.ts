import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { stdout } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readConfig } from "../src/config.ts";
import { RunView } from "../src/model/run.ts";
import { migrateRecord } from "../src/wire.ts";
import { createDatabase } from "../test/services/database.ts";
import { startPostgres } from "../test/services/servers.ts";
import { postRun } from "./service/api-client.ts";
import { bundleProbed, startProbed } from "./service/probed-process.ts";
import type { Delay } from "./service/probed.ts";

const GOAL_MS = 50;
const IDLE_MS = 5_000;
/** Long enough for every look: the samples lie in the hour before. */
const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T09:00:00Z" };

/**
 * How long the main loop of a worker makes others wait while a look in one of its threads holds many samples per arm: parsing, sorting, judging and packing are the thread's,
 * leases and bells the loop's. Beside it the same process idle, since the machine is in both.
 *
 *   npm run bench event-loop -- [--samples 1000000] [--looks 3]
 *
 * The first run has one look back, the second so many looks, each with a share of the samples and the state of the look before.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { samples: { type: "string", default: "1000000" }, looks: { type: "string", default: "3" } },
  });
  const [samples, looks] = [Number(values.samples), Number(values.looks)];
  bundleProbed();
  const folder = await mkdtemp(join(tmpdir(), "touchstone-event-loop-"));
  const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true })];
  try {
    const postgres = await startPostgres();
    ends.push(() => postgres.stop());
    const database = await createDatabase(postgres.url);
    ends.push(() => database.drop());
    await migrateRecord(readConfig({ DATABASE_URL: database.url, LOG_LEVEL: "silent" }));
    await database.query(
      `create table samples as
         select v as version, 'u' || v || i as unit, exp(sin(i * 12.9898) + 0.3 * cos(i * 78.233 * length(v))) as value, i::float8 / $1 as share
         from generate_series(1, $1) i, unnest(array['v1', 'v22']) v`,
      [samples],
    );
    await database.query("create index on samples (version, share)");
    const sources = join(folder, "sources.yaml");
    await writeFile(
      sources,
      `sources: [{ name: samples, type: postgres, url: "env:SAMPLES_URL", timeout: 4m, maxBytes: 1000000000 }]\n`,
    );
    const env = { DATABASE_URL: database.url, SAMPLES_URL: database.url, TOUCHSTONE_SOURCES: sources };
    const api = await startProbed("API", "api", env);
    ends.push(() => api.stop());
    const worker = await startProbed("worker", "worker", env);
    ends.push(() => worker.stop());

    stdout.write(`main loop of a worker, ${samples} samples per arm; load average ${loadavg()[0]?.toFixed(1)}\n`);
    await worker.delay();
    await pause(IDLE_MS);
    print("idle", await worker.delay());
    const once = { mode: "once", duration: "1h", settle: "0s" };
    const end = Date.now();
    for (const [name, plan, window, at] of [
      ["one look", once, WINDOW, `timestamptz '${WINDOW.start}' + share * interval '59 minutes'`],
      // Its window begins with the post; samples come evenly through it.
      [
        `${looks} looks`,
        { mode: "scheduled", duration: `${looks * 60}s`, every: "60s", settle: "0s" },
        undefined,
        `to_timestamp(${end / 1000 + 5}) + share * interval '${looks * 60 - 10} seconds'`,
      ],
    ] as const) {
      const began = performance.now();
      const posted = await postRun(api.url, requestOf(plan, at, window));
      const run = await ended(api.url, posted);
      print(`${name}, ${((performance.now() - began) / 1000).toFixed(0)} s, ${run.verdict}`, await worker.delay());
      const { rssBytes } = await worker.system();
      stdout.write(`  ${run.summary}\n  RSS ${(rssBytes / 1e6).toFixed(0)} MB\n`);
    }
    for (const [text, count] of worker.complaints) stdout.write(`worker logged ${count} times: ${text}\n`);
  } finally {
    for (const close of ends.toReversed()) await close();
  }
}

function requestOf(plan: object, at: string, window: object | undefined): object {
  return {
    analysis: {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: "large" },
      spec: {
        unit: "session",
        plan,
        metrics: [
          {
            name: "latency",
            kind: "latency",
            source: "samples",
            query: {
              sql: `select value, unit, at from (select value, unit, ${at} as at from samples where version = :version) s where at >= :start and at < :end`,
            },
          },
        ],
      },
    },
    baseline: { label: "v1" },
    candidate: { label: "v22" },
    ...(window === undefined ? {} : { window }),
  };
}

async function ended(url: string, id: string): Promise<RunView> {
  for (;;) {
    const view = RunView.parse(await (await fetch(`${url}/v1/runs/${id}?wait=30s`)).json());
    if (view.dueAt === null) return view;
  }
}

function print(name: string, { p50, p99, max, samples }: Delay): void {
  const verdict = p99 < GOAL_MS ? "met" : "MISSED";
  stdout.write(
    `${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (goal < ${GOAL_MS} ms: ${verdict}), max ${max.toFixed(0)} ms of ${samples} ticks\n`,
  );
}
