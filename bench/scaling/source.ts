import { stdout } from "node:process";
import { until } from "../../test/campaign/until.ts";
import { difference, readCounters } from "./counters.ts";
import { postRun } from "../service/api-client.ts";
import type { Stack } from "./stack.ts";
import { RunView } from "../../src/model/run.ts";

const WINDOW = { start: "2026-11-19T08:00:00Z", end: "2026-11-19T09:00:00Z" };
const ROWS_SENT = 1_000_000;

/** A look over so many rows of both arms, counted into buckets by the database, beside one over a million rows that are sent. */
export async function measureSource(stack: Stack, rows: number): Promise<void> {
  const { database } = stack;
  await database.query(
    `create table turns as
       select case when i % 2 = 0 then 'v1' else 'v2' end as version, timestamptz '${WINDOW.start}' + (i::float8 / $1) * interval '1 hour' as at,
         exp(random() + random() + random() - 1.5) as latency from generate_series(0, $1 - 1) i`,
    [rows],
  );
  await database.query("create index on turns (version, at) include (latency)");
  await database.query("vacuum analyze turns");
  const sources = { TOUCHSTONE_SOURCES: await stack.postgresSource() };
  const api = await stack.start("API", "api", sources);
  const worker = await stack.start("worker", "worker", sources);
  const from = "from turns where version = :version and at >= :start and at < :end";
  const share = ROWS_SENT / rows;
  // A part of the hour that holds a million rows of both arms.
  const part = new Date(Date.parse(WINDOW.start) + share * 3_600_000).toISOString();
  const buckets = `select bucket, 4 as schema, count(*) as count, at from (select ceil(16 * ln(latency) / ln(2))::int as bucket, date_bin('1 minute', at, :end) as at ${from}) s group by bucket, at`;
  for (const [name, sql, unit, window] of [
    [`${rows} rows counted into buckets of 4 % per minute`, buckets, "step", WINDOW],
    [`${ROWS_SENT} rows sent`, `select latency as value, at ${from}`, "request", { ...WINDOW, end: part }],
  ] as const) {
    const before = await readCounters(stack, [worker]);
    const id = await postRun(api.url, requestOf(sql, unit, window));
    const view = async () => RunView.parse(await (await fetch(`${api.url}/v1/runs/${id}?wait=30s`)).json());
    let run = await view();
    await until("the look", async () => (run = await view()).dueAt === null, 300);
    const spent = difference(await readCounters(stack, [worker]), before);
    const { rows: kept } = await database.query("select bytes from touchstone.evidence where run_id = $1", [id]);
    const { rssBytes } = await worker.system();
    stdout.write(
      `${name}: ${(spent.wallMs / 1000).toFixed(1)} s, ${(spent.workerCpuMs / 1000).toFixed(1)} s of the worker's CPU, ${(spent.recordCpuMs / 1000).toFixed(1)} s of Postgres', ${(Number(kept[0]?.bytes ?? 0) / 1000).toFixed(0)} kB of evidence, RSS then ${(rssBytes / 1e6).toFixed(0)} MB\n  ${run.summary}\n`,
    );
  }
}

function requestOf(sql: string, unit: string, window: object): object {
  return {
    analysis: {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: "large" },
      spec: {
        unit,
        plan: { mode: "once", duration: "1h", settle: "0s", step: "60s" },
        metrics: [{ name: "latency", kind: "latency", source: "turns", query: { sql } }],
      },
    },
    baseline: { label: "v1" },
    candidate: { label: "v2" },
    window,
  };
}
