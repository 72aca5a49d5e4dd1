import { stdout } from "node:process";
import { createPostgresSql } from "../../src/store/postgres.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import type { Store } from "../../src/store/store.ts";
import { until } from "../../test/campaign/until.ts";
import { medianOf } from "../service/median.ts";
import { explaining, type Plan } from "./explaining.ts";
import { loadRequest, postRun } from "../service/api-client.ts";
import type { Stack } from "./stack.ts";

/** A run whose looks come once a minute for hours, so that it stays live. */
const LIVE = { mode: "scheduled", duration: "10h", every: "1m", settle: "0s", step: "60s", warmup: "0s" };
const TIMES = 5;

/** What the record does with so many live runs, each due once a minute: the plan and time of every statement that is asked again and again. */
export async function measureRecord(stack: Stack, live: number): Promise<void> {
  await fillWithLiveRuns(stack, live);
  const sql = createPostgresSql({ connectionString: stack.database.url, poolSize: 4, onError: () => undefined });
  const due = await stack.database.query(
    "select count(*)::int as n from touchstone.runs where status in ('queued', 'running') and due_at <= now()",
  );
  const { rows } = await stack.database.query(
    "select pg_table_size('touchstone.runs')::float8 as rows, pg_indexes_size('touchstone.runs')::float8 as indexes, pg_total_relation_size('touchstone.looks')::float8 as looks",
  );
  const perRun = Object.entries(rows[0] as Record<string, number>).map(
    ([what, bytes]) => `${what} ${(bytes / live / 1000).toFixed(1)} kB`,
  );
  stdout.write(`\nthe record holds of each live run: ${perRun.join(", ")} of each look\n`);
  stdout.write(`\n${live} live runs, ${due.rows[0].n} of them due; each statement ${TIMES} times, the median\n`);
  for (const [what, ask] of questions()) {
    const plans: Plan[] = [];
    const store = createSqlStore(explaining(sql, (plan) => plans.push(plan)));
    for (let n = 0; n < TIMES; n += 1) await ask(store);
    stdout.write(`  ${what.padEnd(34)} ${summaryOf(plans)}\n`);
  }
  await sql.close();
}

/** Live runs in the middle of their life: copies of one that had its first look, due evenly over the next minute. */
async function fillWithLiveRuns(stack: Stack, live: number): Promise<void> {
  const { database } = stack;
  const api = await stack.start("API", "api");
  const worker = await stack.start("worker", "worker");
  const id = await postRun(api.url, loadRequest(LIVE));
  await database.query("update touchstone.runs set due_at = now() where id = $1", [id]);
  await until("the first look", async () => {
    const { rows } = await database.query("select looks from touchstone.runs where id = $1", [id]);
    return Number(rows[0].looks) > 0;
  });
  await Promise.all([worker.stop(), api.stop()]);
  await database.query(
    `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, status, due_at, epoch, looks, state, summary, report, created_at)
     select 'run_' || md5(i::text), project, replace(snapshot, id, 'run_' || md5(i::text)), request_digest, analysis_name, baseline_label, candidate_label, 'running', now() + (i % 60000) * interval '1 millisecond', 1, 1, state, summary, report, created_at
     from touchstone.runs, generate_series(1, $2::int) i where id = $1`,
    [id, live],
  );
  await database.query(
    "insert into touchstone.looks (run_id, n, epoch, at, decision, report) select id, 1, 1, now(), 'continue', report from touchstone.runs where looks = 1 on conflict do nothing",
  );
  await database.query("vacuum analyze");
}

/** What workers and callers ask by the second, and what the hourly round asks. */
function questions(): readonly (readonly [string, (store: Store) => Promise<unknown>])[] {
  const some = `run_${"0".repeat(32)}`;
  return [
    ["claim the next due run", (store) => store.claimRun("bench", 6)],
    ["claim one by the bell", (store) => store.claimRun("bench", 6, some)],
    ["crash loops, with every sweep", (store) => store.endCrashLoops()],
    ["backlog, every 5 s by each process", (store) => store.backlog()],
    ["waiting, with posts", (store) => store.countWaiting(50_000)],
    ["due schedules, every second", (store) => store.dueSchedules(20)],
    ["deliveries, every second", (store) => store.claimDeliveries(40, 1, [])],
    ["newest version, slots that name it", (store) => store.newestVersion("default", "load")],
    ["known-good, slots that name it", (store) => store.lastPromoted("default", "load")],
    ["run of a caller", (store) => store.readRun("default", some)],
    ["runs that retention deletes, hourly", (store) => store.deleteEndedRuns(86_400, 50)],
    ["size of the record, hourly", (store) => store.measure()],
  ];
}

function summaryOf(plans: readonly Plan[]): string {
  const [first] = plans;
  if (first === undefined) return "was not asked";
  const perTime = plans.length / TIMES;
  const ms = medianOf(
    Array.from({ length: TIMES }, (_, n) =>
      plans.slice(n * perTime, (n + 1) * perTime).reduce((sum, plan) => sum + plan.ms, 0),
    ),
  );
  const own = plans.slice(0, perTime);
  const blocks = own.reduce((sum, plan) => sum + plan.blocks, 0);
  return `${ms.toFixed(2)} ms, ${blocks} blocks: ${[...new Set(own.flatMap(({ nodes }) => nodes))].join(", ")}`;
}
