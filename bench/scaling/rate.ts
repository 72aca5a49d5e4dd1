import { loadavg } from "node:os";
import { stdout } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../../test/campaign/until.ts";
import { difference, perOne, readCounters, toText } from "./counters.ts";
import { loadRequest, postRun } from "../service/api-client.ts";
import type { Stack } from "./stack.ts";

const ONCE = { mode: "once", duration: "30m", settle: "0s", step: "60s" };
/** A look every two seconds for as long as it takes to count them: neither arm is ever proven safe or worse before the end. */
const LOOKING = {
  mode: "scheduled",
  duration: "10m",
  every: "2s",
  settle: "0s",
  step: "1s",
  warmup: "0s",
  minDuration: "10m",
};
const IDLE_MS = 10_000;
const POSTED_RUNS = 100;
const POST_MS = 50;
const LOOKING_RUNS = 20;
const LOOKING_MS = 40_000;

/** Runs a second by the number of workers, each of two looks at once, and what one run costs. */
export async function measureRate(stack: Stack, runs: number): Promise<void> {
  const { database } = stack;
  const api = await stack.start("API", "api");
  const count = async (what: string) =>
    Number((await database.query(`select count(*)::int as n from ${what}`)).rows[0].n);
  let alone = NaN;
  for (const size of [1, 2, 3, 4]) {
    for (let n = 0; n < runs; n += 50)
      await Promise.all(Array.from({ length: Math.min(50, runs - n) }, () => postRun(api.url, loadRequest(ONCE))));
    const workers = [];
    for (let n = 1; n <= size; n += 1) workers.push(await stack.start(`worker ${n}`, "worker"));
    // Their start costs more than some looks; what is counted begins with a tenth of the runs done.
    const live = () => count("touchstone.runs where status in ('queued', 'running')");
    await until("the first tenth", async () => (await live()) <= 0.9 * runs, 600);
    const [before, left] = [await readCounters(stack, workers), await live()];
    await until("the rest", async () => (await live()) === 0, 600);
    const spent = difference(await readCounters(stack, workers), before);
    const rate = (1000 * left) / spent.wallMs;
    if (size === 1) alone = rate;
    const busy = (spent.workerCpuMs + spent.recordCpuMs + spent.redisCpuMs) / spent.wallMs;
    stdout.write(
      `${size} workers: ${rate.toFixed(1)} runs/s, ${(rate / alone).toFixed(2)} of one worker's, ${busy.toFixed(2)} cores busy with it; load average ${loadavg()[0]?.toFixed(1)}\n  a run: ${toText(perOne(spent, left))}\n`,
    );
    if (size === 2) {
      const idle = await readCounters(stack, workers);
      await pause(IDLE_MS);
      const rest = difference(await readCounters(stack, workers), idle);
      stdout.write(`  idle, a second of each of two workers: ${toText(perOne(rest, (2 * rest.wallMs) / 1000))}\n`);
      for (const metrics of [1, 10]) {
        const start = await readCounters(stack, workers);
        for (let n = 0; n < POSTED_RUNS; n += 1) {
          await postRun(api.url, loadRequest(ONCE, metrics));
          await pause(POST_MS);
        }
        await until("the posted runs", async () => (await live()) === 0, 600);
        const posted = difference(await readCounters(stack, workers), start);
        stdout.write(
          `  a run of ${metrics} metrics that is posted, rung for and judged, ${(1000 / (posted.wallMs / POSTED_RUNS)).toFixed(0)} a second, with its share of what idle workers cost: ${toText(perOne(posted, POSTED_RUNS))}\n`,
        );
      }
      for (let n = 0; n < LOOKING_RUNS; n += 1) await postRun(api.url, loadRequest(LOOKING));
      const looks = () => count("touchstone.looks where decision = 'continue'");
      await pause(5_000);
      const [began, done] = [await readCounters(stack, workers), await looks()];
      await pause(LOOKING_MS);
      const many = (await looks()) - done;
      const looked = difference(await readCounters(stack, workers), began);
      stdout.write(`  a look of many (${many}): ${toText(perOne(looked, many))}\n`);
      const { rows } = await database.query(
        `select avg(pg_column_size(r.state))::int as state, avg(pg_column_size(r.report))::int as report, avg(pg_column_size(r.snapshot))::int as snapshot,
           (select avg(octet_length(body))::int from touchstone.evidence e join touchstone.looks l using (run_id, n) where l.decision = 'continue') as evidence
         from touchstone.runs r where status = 'running'`,
      );
      stdout.write(`  stored bytes of a live run: ${JSON.stringify(rows[0])}\n`);
      for (const { run } of (
        await database.query("select id as run from touchstone.runs where status in ('queued', 'running')")
      ).rows as { run: string }[])
        await fetch(`${api.url}/v1/runs/${run}/cancel`, { method: "POST" });
    }
    await Promise.all(workers.map((worker) => worker.stop()));
    await database.query("delete from touchstone.runs");
  }
}
