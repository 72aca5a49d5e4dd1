import { z } from "zod";
import { readStoredState, toStoredState } from "../model/look-state.ts";
import { parseRun, type Run } from "../model/run.ts";
import { Instant } from "../model/time.ts";
import { endLive } from "./end-runs.ts";
import { keepEvidence } from "./evidence.ts";
import { PAYLOAD_VERSION } from "./payload-version.ts";
import { DUE } from "./run-row.ts";
import type { Sql } from "./sql.ts";
import { tellOfEnd } from "./tell-of-runs.ts";
import { MOST_CLAIMS, PATIENT_CLAIMS, type Claim, type WorkStore } from "./work.ts";

/** What workers do with runs: take them up, hold them, put down what they found. */
export const createWorkStore = (sql: Sql): WorkStore => ({
  async claimRun(worker, leaseSeconds, id) {
    const [row] = await sql.query(
      `update touchstone.runs set status = 'running', epoch = epoch + 1, claims = claims + 1, leased_by = $1, lease_until = ${leaseEnd("$2", "claims + 1")}
       where id = (
         select id from touchstone.runs
         where status in ('queued', 'running') and ${DUE} and claims < ${MOST_CLAIMS} and v <= ${PAYLOAD_VERSION}
           and ($3::text is null or id = $3)
         order by due_at limit 1 for update skip locked)
       returning ${CLAIM_COLUMNS}`,
      [worker, leaseSeconds, id ?? null],
    );
    return row === undefined ? null : toClaim(ClaimRow.parse(row), worker);
  },

  async renewLease(claim, leaseSeconds) {
    const rows = await sql.query(
      `update touchstone.runs set lease_until = ${leaseEnd("$3", "claims")} where ${MINE} returning id`,
      [claim.run.id, claim.epoch, leaseSeconds],
    );
    return rows.length === 1;
  },

  async handBack(claim) {
    await sql.query(
      `update touchstone.runs set lease_until = null, leased_by = null, claims = claims - 1 where ${MINE}`,
      [claim.run.id, claim.epoch],
    );
  },

  storeLook: (claim, look) =>
    sql.transaction(async (tx) => {
      // Between two looks a run is running and nobody's, with the time of its next look.
      const rows = await tx.query<{ looks: number }>(
        `update touchstone.runs set status = case when $8::timestamptz is null then 'done' else 'running' end,
           verdict = $3, decided_at = case when $8::timestamptz is null then now() end, due_at = coalesce($8::timestamptz, due_at),
           report = $4, state = $5, summary = $6, score = $7, looks = looks + 1, claims = 0, lease_until = null, leased_by = null,
           spent_rollback = $9, spent_promote = $10
         where ${MINE} returning looks`,
        [
          claim.run.id,
          claim.epoch,
          look.nextAt === null ? look.decision : null,
          look.report,
          toStoredState(look.state),
          look.summary,
          look.score,
          look.nextAt,
          look.state.spent?.rollback ?? 0,
          look.state.spent?.promote ?? 0,
        ],
      );
      const [row] = rows;
      if (row === undefined) return false;
      await tx.query(
        "insert into touchstone.looks (run_id, n, epoch, at, decision, report) values ($1, $2, $3, $4, $5, $6)",
        [claim.run.id, row.looks, claim.epoch, look.at, look.decision, look.report],
      );
      await keepEvidence(tx, claim, row.looks, look);
      if (look.nextAt === null) await tellOfEnd(tx, [claim.run.id], `worker ${claim.worker}`);
      return true;
    }),

  failRun: (claim, code, detail) =>
    sql.transaction(async (tx) => {
      const ending = { status: "failed", code, detail, actor: `worker ${claim.worker}` } as const;
      const ended = await endLive(tx, ending, "id = $3 and epoch = $4", [claim.run.id, claim.epoch]);
      return ended.length === 1;
    }),

  async backlog() {
    const [row] = await sql.query<{ live: number; due: number; oldest: number }>(
      `select count(*)::int as live, count(*) filter (where ${DUE})::int as due,
         greatest(0, coalesce(extract(epoch from now() - min(due_at) filter (where ${DUE})), 0))::float8 as oldest
       from touchstone.runs where status in ('queued', 'running')`,
    );
    return { live: row?.live ?? 0, due: row?.due ?? 0, oldestSeconds: row?.oldest ?? 0 };
  },

  async endCrashLoops() {
    // The index knows those with three claims, which are few.
    const condition = `suspect and claims >= ${MOST_CLAIMS} and lease_until <= now() and v <= ${PAYLOAD_VERSION}`;
    const detail = `${MOST_CLAIMS} times a worker took up the run, and none of them stored a look`;
    const ending = { status: "failed", code: "crash_loop", detail, actor: "sweeper" } as const;
    const due = await sql.query<{ id: string }>(
      `select id from touchstone.runs where status in ('queued', 'running') and ${condition}`,
    );
    const ended: string[] = [];
    const faults: unknown[] = [];
    // Each on its own: a run that cannot even be ended must not keep the others.
    for (const { id } of due) {
      try {
        ended.push(...(await sql.transaction((tx) => endLive(tx, ending, `id = $3 and ${condition}`, [id]))));
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw new AggregateError(faults, `${faults.length} crash loops could not be ended`);
    return ended;
  },
});

/**
 * When a run is due again whose worker is gone: after the seconds of a lease, and after twice as long each time once `PATIENT_CLAIMS` have come to nothing. A storm of kills passes, and what takes whole machines down does it less and less often.
 */
const leaseEnd = (seconds: string, claims: string): string =>
  `now() + make_interval(secs => ${seconds} * power(2, greatest(0, ${claims} - ${PATIENT_CLAIMS})))`;

/** A worker may write only under the epoch of its own claim. */
const MINE = "id = $1 and epoch = $2 and status = 'running'";

/** What a look needs of a run, and no more: callers of the API never need the state, and a look no report. */
const CLAIM_COLUMNS = `snapshot, epoch, claims, looks, state, trace_parent,
  touchstone.iso(created_at) as created_at, touchstone.iso(due_at) as due_at, touchstone.iso(finish_at) as finish_at, touchstone.iso(now()) as now`;

const ClaimRow = z.object({
  snapshot: z.string(),
  epoch: z.int(),
  claims: z.int(),
  looks: z.int(),
  state: z.string().nullable(),
  trace_parent: z.string().nullable(),
  created_at: Instant,
  due_at: Instant,
  finish_at: Instant.nullable(),
  now: Instant,
});

function toClaim(row: z.infer<typeof ClaimRow>, worker: string): Claim {
  return {
    run: finishedEarly(parseRun(row.snapshot), row.finish_at),
    epoch: row.epoch,
    claims: row.claims,
    worker,
    looks: row.looks,
    state: row.state === null ? null : readStoredState(row.state),
    now: row.now,
    createdAt: row.created_at,
    dueAt: row.due_at,
    traceParent: row.trace_parent,
  };
}

/** A run that was told to finish has a window that ends then. */
function finishedEarly(run: Run, finishAt: Instant | null): Run {
  const { window } = run;
  if (finishAt === null || window === null || Date.parse(finishAt) >= Date.parse(window.end)) return run;
  return { ...run, window: { start: window.start, end: finishAt } };
}
