import { z } from "zod";
import { Verdict } from "../model/finding.ts";
import { Override, RunStatus } from "../model/run.ts";
import { Instant } from "../model/time.ts";
import { NEWEST_OVERRIDE, RUN_COLUMNS, RunRow, toStoredRun } from "./run-row.ts";
import { finishLive, runIdentity } from "./sql-runs.ts";
import type { Sql } from "./sql.ts";
import type { ControllerStore, PolledRun } from "./controllers.ts";

/** Runs as rollout controllers ask for them. */
export const createControllerStore = (sql: Sql): ControllerStore => ({
  async findPolled(project, { rollout, analysis, baseline, candidate }) {
    const [row] = await sql.query(
      `select id, status, request_digest, attempt, verdict, summary, score, error_code, error_detail, touchstone.iso(due_at) as due_at,
         greatest(0, extract(epoch from now() - due_at))::float8 as late_seconds,
         ${NEWEST_OVERRIDE} as override
       from touchstone.runs where project = $1 and identity = $2 order by seq desc limit 1`,
      [project, runIdentity(rollout, analysis, baseline.label, candidate.label)],
    );
    return row === undefined ? null : toPolledRun(PolledRow.parse(row));
  },

  async tellAnswer(id, answer) {
    const [row] = await sql.query<{ seconds: number }>(
      `insert into touchstone.controlled_runs as c (run_id, told, told_at) values ($1, $2, now())
       on conflict (run_id) do update set told = excluded.told, told_at = case when c.told = excluded.told then c.told_at else excluded.told_at end
       returning extract(epoch from now() - told_at)::float8 as seconds`,
      [id, answer],
    );
    return row?.seconds ?? 0;
  },

  async listWatches(project, { namespace, name, analysis }) {
    const rows = await sql.query(
      `select distinct on (analysis_name) ${RUN_COLUMNS}, touchstone.iso(now()) as now from touchstone.runs
       where project = $1 and namespace = $2 and rollout_name = $3 and ($4::text is null or analysis_name = $4)
       order by analysis_name, runs.seq desc`,
      [project, namespace, name, analysis ?? null],
    );
    return rows.map((row) => {
      const parsed = WatchRow.parse(row);
      return { stored: toStoredRun(parsed), now: parsed.now };
    });
  },

  async grantFreeAdvance(id) {
    await sql.query(
      `insert into touchstone.controlled_runs (run_id, free_advance) values ($1, true)
       on conflict (run_id) do update set free_advance = true`,
      [id],
    );
  },

  async takeFreeAdvance(id) {
    const rows = await sql.query(
      "update touchstone.controlled_runs set free_advance = false where run_id = $1 and free_advance returning run_id",
      [id],
    );
    return rows.length === 1;
  },

  addWeight: (id, weight) =>
    sql.transaction(async (tx) => {
      // Events of one run take turns: two of them must not both take the next number.
      await tx.query(
        "insert into touchstone.controlled_runs (run_id) values ($1) on conflict (run_id) do update set run_id = excluded.run_id",
        [id],
      );
      await tx.query(
        `insert into touchstone.weights (run_id, n, weight, at)
         select $1::text, coalesce(max(w.n), 0) + 1, $2::int, now() from touchstone.weights w where w.run_id = $1::text
         having coalesce((array_agg(w.weight order by w.n desc))[1], -1) <> $2::int`,
        [id, weight],
      );
    }),

  closeWatch: (project, id, outcome, settleSeconds) =>
    sql.transaction(async (tx) => {
      await finishLive(tx, project, id, settleSeconds);
      await tx.query(
        `insert into touchstone.controlled_runs as c (run_id, outcome, outcome_at) values ($1, $2, now())
         on conflict (run_id) do update set outcome = coalesce(c.outcome, excluded.outcome), outcome_at = coalesce(c.outcome_at, excluded.outcome_at)`,
        [id, outcome],
      );
    }),
});

/** With the time of the database, by which a look is fresh or not. */
const WatchRow = RunRow.extend({ now: Instant });

const PolledRow = z.object({
  id: z.string(),
  status: RunStatus,
  request_digest: z.string(),
  attempt: z.int().nullable(),
  verdict: Verdict.nullable(),
  summary: z.string().nullable(),
  score: z.number().nullable(),
  error_code: z.string().nullable(),
  error_detail: z.string().nullable(),
  due_at: Instant,
  late_seconds: z.number(),
  override: z.string().nullable(),
});

function toPolledRun(row: z.infer<typeof PolledRow>): PolledRun {
  const live = row.status === "queued" || row.status === "running";
  return {
    id: row.id,
    status: row.status,
    requestDigest: row.request_digest,
    dueAt: live ? row.due_at : null,
    lateSeconds: live ? row.late_seconds : 0,
    attempt: row.attempt,
    verdict: row.verdict,
    override: row.override === null ? null : Override.parse(JSON.parse(row.override)),
    summary: row.summary,
    score: row.score,
    error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail ?? "" },
  };
}
