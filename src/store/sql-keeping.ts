import { ROLLOUT_KEY, USED_PROMOTE, USED_ROLLBACK } from "./earlier-runs.ts";
import type { Ask, Sql } from "./sql.ts";
import type { DeletedRuns, KeepingStore } from "./keeping.ts";

/** Any fixed number: one process at a time deletes. */
const KEEPING_LOCK = 7_265_002;

/** A run that never decided ended at the latest when its next look was due. The expression of the index. */
const ENDED_AT = "coalesce(decided_at, greatest(created_at, due_at))";

/** What keeps the record from growing for ever. */
export const createKeepingStore = (sql: Sql): KeepingStore => ({
  deleteEndedRuns: (endedBeforeSeconds, limit) =>
    sql.transaction(async (tx) => ((await isAlone(tx)) ? deleteEndedRuns(tx, endedBeforeSeconds, limit) : null)),

  deleteOldKeys: (olderThanSeconds, limit) =>
    sql.transaction(async (tx) => {
      if (!(await isAlone(tx))) return null;
      const rows = await tx.query(
        `delete from touchstone.idempotency_keys where (project, route, key) in (
           select project, route, key from touchstone.idempotency_keys k
           where created_at < now() - make_interval(secs => $1) and not exists (select from touchstone.runs where id = k.outcome)
           order by created_at limit $2)
         returning key`,
        [olderThanSeconds, limit],
      );
      // The fence of a slot is needed only while a clock might be set back that far.
      const slots = await tx.query(
        `delete from touchstone.schedule_slots where (project, schedule, slot) in (
           select project, schedule, slot from touchstone.schedule_slots where recorded_at < now() - make_interval(secs => $1) limit $2)
         returning slot`,
        [olderThanSeconds, limit],
      );
      return Math.max(rows.length, slots.length);
    }),

  async measure() {
    const shares = await sampledShares(sql);
    const sizes = SIZED.map(
      ({ table, bytes }) =>
        `(select coalesce(sum(${bytes}), 0) * 100 / ${shares[table]} from touchstone.${table} ${table.charAt(0)} tablesample system (${shares[table]}))`,
    );
    const [content] = await sql.query<{ bytes: number }>(`select (${sizes.join(" + ")})::float8 as bytes`);
    const [disk] = await sql.query<{ bytes: number }>(
      `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'touchstone' and c.relkind = 'r'`,
    );
    return { contentBytes: content?.bytes ?? 0, diskBytes: disk?.bytes ?? 0 };
  },
});

/** Sizes as stored, compressed where they are; nothing is read for them but the rows that point there. */
const sizeOf = (...columns: string[]): string =>
  columns.map((column) => `coalesce(pg_column_size(${column}), 0)`).join(" + ");
const RUN_BYTES = sizeOf("r.snapshot", "r.report", "r.state");
const LOOK_BYTES = sizeOf("l.report");
const EVIDENCE_BYTES = sizeOf("e.body", "e.state");

/** The tables whose content retention can free, each with the bytes of a row under its first letter. */
const SIZED = [
  { table: "runs", bytes: RUN_BYTES },
  { table: "looks", bytes: LOOK_BYTES },
  { table: "evidence", bytes: EVIDENCE_BYTES },
] as const;

/** Of more rows than these a part is measured: a record of millions could not be in the time that a statement has. */
const MEASURED_ROWS = 200_000;

/** How much of each table is read, in percent of its pages; all of it up to `MEASURED_ROWS`, as the database last counted them. */
async function sampledShares(sql: Ask): Promise<Record<(typeof SIZED)[number]["table"], number>> {
  const rows = await sql.query<{ name: string; rows: number }>(
    "select relname as name, reltuples::float8 as rows from pg_class where relnamespace = 'touchstone'::regnamespace and relkind = 'r'",
  );
  const shareOf = (table: string): number => {
    const known = rows.find(({ name }) => name === table)?.rows ?? 0;
    return known <= MEASURED_ROWS ? 100 : (100 * MEASURED_ROWS) / known;
  };
  return { runs: shareOf("runs"), looks: shareOf("looks"), evidence: shareOf("evidence") };
}

/** Until the end of the transaction. */
async function isAlone(tx: Ask): Promise<boolean> {
  const [row] = await tx.query<{ alone: boolean }>("select pg_try_advisory_xact_lock($1) as alone", [KEEPING_LOCK]);
  return row?.alone ?? false;
}

async function deleteEndedRuns(tx: Ask, endedBeforeSeconds: number, limit: number): Promise<DeletedRuns> {
  const old = await tx.query<{ id: string; bytes: number }>(
    `select id, (${RUN_BYTES}
         + (select coalesce(sum(${LOOK_BYTES}), 0) from touchstone.looks l where l.run_id = r.id)
         + (select coalesce(sum(${EVIDENCE_BYTES}), 0) from touchstone.evidence e where e.run_id = r.id))::float8 as bytes
     from touchstone.runs r
     where status in ('done', 'failed', 'cancelled') and ${ENDED_AT} < now() - make_interval(secs => $1)
       and not exists (select from touchstone.outbox o where o.run_id = r.id and o.delivered_at is null and o.given_up_at is null)
     order by ${ENDED_AT} limit $2`,
    [endedBeforeSeconds, limit],
  );
  const ids = old.map(({ id }) => id);
  if (ids.length === 0) return { runs: 0, contentBytes: 0 };
  // A budget that was spent stays spent, also when nobody can look up any more what for.
  await tx.query(
    `insert into touchstone.deleted_attempts as d (project, identity, rollout_key, stage, attempts, spent_rollback, spent_promote, spent_unpromoted)
     select project, identity, max(${ROLLOUT_KEY}), max(stage), max(attempt), sum(${USED_ROLLBACK}), sum(${USED_PROMOTE}),
       sum(case when verdict = 'promote' then 0 else ${USED_PROMOTE} end) from touchstone.runs
     where id = any($1) and identity is not null group by project, identity
     on conflict (project, identity) do update set attempts = greatest(d.attempts, excluded.attempts),
       spent_unpromoted = coalesce(d.spent_unpromoted, d.spent_promote) + excluded.spent_unpromoted,
       spent_rollback = d.spent_rollback + excluded.spent_rollback, spent_promote = d.spent_promote + excluded.spent_promote`,
    [ids],
  );
  await tx.query("delete from touchstone.idempotency_keys where outcome = any($1)", [ids]);
  await tx.query("delete from touchstone.outbox where run_id = any($1)", [ids]);
  await tx.query("delete from touchstone.runs where id = any($1)", [ids]);
  return { runs: ids.length, contentBytes: old.reduce((sum, { bytes }) => sum + bytes, 0) };
}
