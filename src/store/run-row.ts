import { z } from "zod";
import { Decision, Verdict } from "../model/finding.ts";
import { Override, parseRun, RunStatus, ToldByController, type Run } from "../model/run.ts";
import { Instant } from "../model/time.ts";
import { USED_PROMOTE, USED_ROLLBACK } from "./earlier-runs.ts";
import type { Ask } from "./sql.ts";
import type { StoredRun } from "./runs.ts";

/** Of a run, as text. */
export const NEWEST_OVERRIDE = `
  (select json_build_object('verdict', o.verdict, 'reason', o.reason, 'by', o.actor, 'at', touchstone.iso(o.at))::text
     from touchstone.overrides o where o.run_id = runs.id order by o.n desc limit 1)`;

/** What of a run may change, for whoever has its snapshot. */
export const CHANGING_COLUMNS = `
  id, seq::text as seq, project, status, attempt, verdict, looks, summary, score, error_code, error_detail, trace_parent,
  ${USED_ROLLBACK} as used_rollback, ${USED_PROMOTE} as used_promote,
  touchstone.iso(created_at) as created_at, touchstone.iso(due_at) as due_at, touchstone.iso(decided_at) as decided_at,
  (select count(*)::int from touchstone.overrides o where o.run_id = runs.id) as overrides, ${NEWEST_OVERRIDE} as override`;
/** Of a run without its report, for lists. */
export const LIST_COLUMNS = `${CHANGING_COLUMNS}, snapshot`;
export const RUN_COLUMNS = `${LIST_COLUMNS}, report,
  (select json_build_object('outcome', case when c.outcome is not null then json_build_object('outcome', c.outcome, 'at', touchstone.iso(c.outcome_at)) end,
     'weights', (select coalesce(json_agg(json_build_object('weight', w.weight, 'at', touchstone.iso(w.at)) order by w.n), '[]') from touchstone.weights w where w.run_id = runs.id))::text
   from touchstone.controlled_runs c where c.run_id = runs.id) as told`;

const ChangingRow = z.object({
  id: z.string(),
  seq: z.string(),
  project: z.string(),
  status: RunStatus,
  attempt: z.int().nullable(),
  verdict: Verdict.nullable(),
  looks: z.int(),
  summary: z.string().nullable(),
  score: z.number().nullable(),
  report: z.string().nullish(),
  error_code: z.string().nullable(),
  error_detail: z.string().nullable(),
  trace_parent: z.string().nullable(),
  used_rollback: z.number(),
  used_promote: z.number(),
  created_at: Instant,
  due_at: Instant,
  decided_at: Instant.nullable(),
  overrides: z.int(),
  override: z.string().nullable(),
  told: z.string().nullish(),
});
export const RunRow = ChangingRow.extend({ snapshot: z.string() });
export type RunRow = z.infer<typeof RunRow>;

export const LookRow = z.object({ n: z.int(), at: Instant, decision: Decision, report: z.string() });

/** Of a live run: its time has come, and no worker holds it. */
export const DUE = "due_at <= now() and (lease_until is null or lease_until <= now())";

/** The run that must be there. */
export async function readForSure(tx: Ask, id: string): Promise<StoredRun> {
  const [row] = await tx.query(`select ${RUN_COLUMNS} from touchstone.runs where id = $1`, [id]);
  return toStoredRun(RunRow.parse(row));
}

export function toStoredRun(row: RunRow): StoredRun {
  return storedRun(row, parseRun(row.snapshot));
}

/** A run that was just stored, which need not be sent back and read again. */
export function toStartedRun(row: unknown, run: Run): StoredRun {
  return storedRun(ChangingRow.parse(row), run);
}

function storedRun(row: z.infer<typeof ChangingRow>, run: Run): StoredRun {
  const live = row.status === "queued" || row.status === "running";
  return {
    run,
    project: row.project,
    status: row.status,
    createdAt: row.created_at,
    dueAt: live ? row.due_at : null,
    attempt: row.attempt,
    verdict: row.verdict,
    decidedAt: row.decided_at,
    looks: row.looks,
    version: row.looks + row.overrides + (live ? 0 : 1),
    override: row.override === null ? null : Override.parse(JSON.parse(row.override)),
    summary: row.summary,
    score: row.score,
    report: row.report ?? null,
    error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail ?? "" },
    traceParent: row.trace_parent,
    told: row.told == null ? null : ToldByController.parse(JSON.parse(row.told)),
    used: { rollback: row.used_rollback, promote: row.used_promote },
  };
}
