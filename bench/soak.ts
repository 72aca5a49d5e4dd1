import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { stdout } from "node:process";
import { parseArgs } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { readConfig } from "../src/config.ts";
import { seeded } from "../src/stats/random.ts";
import { migrateRecord } from "../src/wire.ts";
import { startCallbackReceiver, TARGET_ENV, targetsYaml } from "../test/campaign/callbacks.ts";
import { createCallers, type Callers } from "../test/campaign/callers.ts";
import { startMetricsSource } from "../test/campaign/metrics-source.ts";
import { until } from "../test/campaign/until.ts";
import { createDatabase } from "../test/services/database.ts";
import { startPostgres, startRedis } from "../test/services/servers.ts";
import { bundleProbed, startProbed, type Probed } from "./service/probed-process.ts";
import { createFigures, type Figure, type Sample } from "./soak/figures.ts";
import { keepLedger, reckon, type Query } from "./soak/ledger.ts";
import { ANALYSES, EVERY_SECONDS, expectedOf, pauseSchedules, postRuns, putSchedules } from "./soak/load.ts";
import { isGrowing, trendOf } from "./soak/trend.ts";

/** A day in an hour: a schedule that is due every minute stands for one that is due every 24. */
const COMPRESSION = 24;
/** Of the whole: the hourly round of retention comes 24 times, in an hour every two and a half minutes. */
const ROUND_SHARE = 1 / 24;
/** Of the whole: two and a half hours of the day, so that rows come and go within the warm-up. */
const KEEP_SHARE = 0.1;
/** Of the runs; the others are posted. */
const SCHEDULED_SHARE = 0.6;
const SAMPLES = 120;
/** A sample collects garbage, which takes the processes a quarter of a second each. */
const LEAST_SAMPLE_SECONDS = 5;
/** Until a service has reached its size: caches, pools, the retention's first rounds. */
const WARM_UP = 0.15;
const SOURCE_DELAY_MS = 20;

/**
 * A day of schedules in an hour, and what grows meanwhile: an API and two workers as processes of their own with a Postgres, a Redis, a source and a receiver, on free ports.
 *
 *   npm run bench soak -- [--minutes 60] [--runs 50000] [--samples FILE]
 *
 * What is compressed are the schedules (`every`), the rounds of retention and the age of what they delete; leases, sweeps, beats, the bell and the autovacuum of Postgres keep their time.
 * A soak of some minutes shows whether everything works and adds up; what grows is seen in an hour. Every sample collects the garbage of each process and thread first. With a file, every sample is added to it as a line of JSON.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "60" },
      runs: { type: "string", default: "50000" },
      samples: { type: "string" },
    },
  });
  const [minutes, runs] = [Number(values.minutes), Number(values.runs)];
  const schedules = Math.round((runs * SCHEDULED_SHARE) / minutes);
  const posts = runs - schedules * minutes;
  const [keepSeconds, roundSeconds] = [KEEP_SHARE, ROUND_SHARE].map((share) => share * minutes * 60);
  stdout.write(
    `${schedules} schedules, each due every minute for ${minutes} minutes (every ${COMPRESSION} minutes for ${((minutes * COMPRESSION) / 60).toFixed(1)} hours), and ${posts} posts: ${runs} runs, ${(runs / minutes / 60).toFixed(1)}/s\n` +
      `retention after ${keepSeconds} s, in rounds of ${roundSeconds} s; load average before: ${loadavg()[0]?.toFixed(1)}\n`,
  );
  bundleProbed();
  const folder = await mkdtemp(join(tmpdir(), "touchstone-soak-"));
  const ends: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true })];
  try {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    ends.push(() => Promise.all([postgres.stop(), redis.stop()]));
    const database = await createDatabase(postgres.url);
    ends.push(() => database.drop());
    const source = await startMetricsSource({ random: seeded(5, 2) });
    source.setDelay(SOURCE_DELAY_MS);
    ends.push(() => source.close());
    const receiver = await startCallbackReceiver(() => false);
    ends.push(() => receiver.close());
    await writeFile(
      join(folder, "sources.yaml"),
      `sources: [{ name: metrics, type: prometheus, url: "${source.url}" }]\n`,
    );
    await writeFile(join(folder, "targets.yaml"), targetsYaml(receiver.url));
    const analyses = await mkdtemp(join(folder, "analyses-"));
    for (const [n, analysis] of ANALYSES.entries())
      await writeFile(join(analyses, `${n}.yaml`), JSON.stringify(analysis));
    await migrateRecord(readConfig({ DATABASE_URL: database.url, LOG_LEVEL: "silent" }));
    await keepLedger(database.query);
    const env = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      TOUCHSTONE_SOURCES: join(folder, "sources.yaml"),
      TOUCHSTONE_TARGETS: join(folder, "targets.yaml"),
      TOUCHSTONE_ANALYSES: analyses,
      ...TARGET_ENV,
    };
    const keeping = ["--keep-seconds", String(keepSeconds), "--round-seconds", String(roundSeconds)];
    const processes: Probed[] = [];
    ends.push(() => Promise.all(processes.map((one) => one.stop())));
    const start = async (name: string, role: "api" | "worker", more: readonly string[] = []) => {
      const started = await startProbed(name, role, env, more);
      processes.push(started);
      return started;
    };
    const api = await start("API", "api");
    await start("worker 1", "worker", keeping);
    await start("worker 2", "worker", keeping);

    const callers = createCallers(() => [api.url], seeded(5, 3), "soak");
    const measured = await createFigures({ processes, query: database.query, redisUrl: redis.url });
    ends.push(() => Promise.resolve(measured.close()));
    // Their first slots come a minute later, one after the other as they were stored.
    await putSchedules(callers, schedules);

    const began = performance.now();
    const over = new AbortController();
    const samples: Timed[] = [];
    const sampling = sampleUntil(
      over.signal,
      began,
      Math.max(LEAST_SAMPLE_SECONDS, (minutes * 60) / SAMPLES),
      async (at) => {
        const sample = await measured.sample();
        samples.push({ hours: at / 3600, sample });
        if (values.samples !== undefined)
          await appendFile(
            values.samples,
            `${JSON.stringify({ seconds: Math.round(at), load: loadavg()[0], ...sample })}\n`,
          );
      },
    );
    let posted: Awaited<ReturnType<typeof postRuns>>;
    try {
      const live = () => liveRuns(database.query);
      [posted] = await Promise.all([postRuns(callers, posts, minutes * 60, live), pause(minutes * 60_000)]);
    } finally {
      over.abort();
      await sampling;
    }
    const took = (performance.now() - began) / 60_000;
    stdout.write(
      `\n${posted.done} of ${posts} posted, ${posted.failed.length} of them without an answer, in ${took.toFixed(1)} minutes; load average now: ${loadavg()[0]?.toFixed(1)}\n`,
    );
    printFigures(measured.figures, samples);
    const draining = performance.now();
    await pauseSchedules(callers, schedules);
    await drained(database.query);
    stdout.write(`\ndrained ${((performance.now() - draining) / 1000).toFixed(1)} s after the last\n`);
    await printReckoning(database.query, callers, { schedules, minutes });
    printComplaints(processes);
    for (const failure of posted.failed.slice(0, 20)) stdout.write(`no answer: ${failure}\n`);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

interface Timed {
  readonly hours: number;
  readonly sample: Sample;
}

/** At even times, until the signal; one that takes too long delays the next. @param one  is told the seconds since the beginning. */
async function sampleUntil(
  over: AbortSignal,
  began: number,
  everySeconds: number,
  one: (at: number) => Promise<void>,
): Promise<void> {
  for (let n = 0; !over.aborted; n += 1) {
    const wait = began + n * everySeconds * 1000 - performance.now();
    if (wait > 0) await pause(wait, undefined, { signal: over }).catch(() => undefined);
    if (!over.aborted) await one((performance.now() - began) / 1000);
  }
}

const liveRuns = async (query: Query): Promise<number> =>
  Number(
    (await query("select count(*)::int as n from touchstone.runs where status in ('queued', 'running')")).rows[0].n,
  );

/** A slow machine may take long. */
const DRAIN_SECONDS = 3600;

async function drained(query: Query): Promise<void> {
  await until("the backlog to drain", async () => (await liveRuns(query)) === 0, DRAIN_SECONDS);
  const untold = async () =>
    (await query("select count(*)::int as n from touchstone.outbox where delivered_at is null")).rows[0].n as number;
  await until("all events to be delivered", async () => (await untold()) === 0, DRAIN_SECONDS);
}

/** Each figure that ever was other than nothing, with its straight line after the warm-up. */
function printFigures(figures: readonly Figure[], samples: readonly Timed[]): void {
  const last = samples.at(-1)?.hours ?? 0;
  const warm = samples.filter(({ hours }) => hours >= WARM_UP * last);
  stdout.write(
    `\n${warm.length} samples after a warm-up of ${(WARM_UP * last * 60).toFixed(1)} minutes; "may" is the rise an hour that is still called flat\n\n`,
  );
  const line = (...cells: readonly string[]) =>
    stdout.write(
      `${(cells[0] ?? "").padEnd(34)}${cells
        .slice(1)
        .map((cell) => cell.padStart(12))
        .join("")}\n`,
    );
  line("", "first", "mean", "last", "per hour", "± 2 errors", "may", "verdict");
  for (const { name, tolerance, keptForEver } of figures) {
    const points = warm.map(({ hours, sample }) => ({ hours, value: sample[name] ?? NaN }));
    if (points.every(({ value }) => value === 0)) continue;
    const trend = trendOf(points);
    const may = Math.max(tolerance.absolute, tolerance.share * trend.mean);
    const verdict = isGrowing(trend, tolerance) ? (keptForEver === true ? "kept" : "GROWING") : "flat";
    const show = (value: number) => value.toFixed(Math.abs(value) < 1000 ? 2 : 0);
    line(
      name,
      show(points[0]?.value ?? NaN),
      show(trend.mean),
      show(points.at(-1)?.value ?? NaN),
      show(trend.perHour),
      show(2 * trend.standardError),
      keptForEver === true ? "–" : show(may),
      verdict,
    );
  }
}

async function printReckoning(
  query: Query,
  callers: Callers,
  { schedules, minutes }: { readonly schedules: number; readonly minutes: number },
): Promise<void> {
  const posted = new Map(
    [...callers.accepted].map(([id, { request }]) => [
      id,
      { expected: request.expected, mayBeSuperseded: "rollout" in request.body },
    ]),
  );
  const { counts, faults } = await reckon(query, {
    posted,
    schedules,
    slotSeconds: EVERY_SECONDS,
    slotsEach: Math.floor(minutes),
    expectedOf,
  });
  const all = [...faults, ...callers.faults];
  stdout.write(
    `\n${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")}; posts tried again ${callers.counts.retries}, refused ${callers.counts.refused}\n` +
      `${all.length} faults${all
        .slice(0, 20)
        .map((fault) => `\n  ${fault}`)
        .join("")}\n`,
  );
}

function printComplaints(processes: readonly Probed[]): void {
  for (const { name, complaints } of processes)
    for (const [text, count] of complaints) stdout.write(`${name} logged ${count} times: ${text}\n`);
}
