import { TouchstoneError } from "../errors.ts";
import { canonicalJson, digestOf } from "../model/canonical.ts";
import type { Rollout, Run } from "../model/run.ts";
import { Instant } from "../model/time.ts";
import { readEarlierRuns } from "./earlier-runs.ts";
import { endLive } from "./end-runs.ts";
import { listEvidence } from "./evidence.ts";
import { listRollouts } from "./list-rollouts.ts";
import { keepOutcome, takeKey } from "./idempotency-keys.ts";
import { readCursor, toPage } from "./page.ts";
import {
  CHANGING_COLUMNS,
  DUE,
  LIST_COLUMNS,
  LookRow,
  readForSure,
  RUN_COLUMNS,
  RunRow,
  toStartedRun,
  toStoredRun,
} from "./run-row.ts";
import { payloadVersionOf } from "./payload-version.ts";
import type { Ask, Sql, SqlValue } from "./sql.ts";
import { tellOfOverride } from "./tell-of-runs.ts";
import type { NewOverride, NewRun, RunFilter, RunStore, StartedRun, StoredLook, StoredRun } from "./runs.ts";
import type { Page } from "./listed.ts";

/** A post that repeats a decided run within this time gets that run; later it opens a new attempt. */
const SAME_ATTEMPT_SECONDS = 60;

/** Runs as callers see them: started, read, listed, cancelled, finished. */
export const createRunStore = (sql: Sql): RunStore => ({
  // What is one statement needs no transaction around it: two round trips less for each post.
  startRun: (start) =>
    start.idempotency === null && start.rollout === null
      ? startRun(sql, start)
      : sql.transaction((tx) => startRun(tx, start)),

  readRun: (project, id) => readRun(sql, project, id),

  async listRuns(project, filter, page) {
    const { where, values } = toWhere(project, filter, page);
    const rows = await sql.query(
      `select ${LIST_COLUMNS} from touchstone.runs where ${where} order by runs.seq desc limit ${page.limit + 1}`,
      values,
    );
    const parsed = rows.map((row) => RunRow.parse(row));
    return toPage(parsed, page, (row) => row.seq, toStoredRun);
  },

  listRollouts: (project, filter, page) => listRollouts(sql, project, filter, page),

  async listLooks(project, id, page) {
    const rows = await sql.query(
      `select l.n, touchstone.iso(l.at) as at, l.decision, l.report from touchstone.looks l join touchstone.runs r on r.id = l.run_id
       where r.project = $1 and r.id = $2 and l.n > $3 order by l.n limit ${page.limit + 1}`,
      [project, id, readCursor(page.cursor, 0)],
    );
    const looks = rows.map((row): StoredLook => LookRow.parse(row));
    return toPage(
      looks,
      page,
      (look) => String(look.n),
      (look) => look,
    );
  },

  listEvidence: (project, id, page) => listEvidence(sql, project, id, page),

  cancelRun: (project, id, detail, actor) =>
    sql.transaction(async (tx) => {
      const ending = { status: "cancelled", code: "cancelled", detail, actor } as const;
      await endLive(tx, ending, "project = $3 and id = $4", [project, id]);
      return readRun(tx, project, id);
    }),

  overrideRun: (project, id, override) => sql.transaction((tx) => overrideRun(tx, project, id, override)),

  finishRun: (project, id, settleSeconds) =>
    sql.transaction(async (tx) => {
      await finishLive(tx, project, id, settleSeconds);
      return readRun(tx, project, id);
    }),

  async countWaiting(limit) {
    const [row] = await sql.query<{ waiting: number }>(
      `select count(*)::int as waiting from (
         select 1 from touchstone.runs
         where status in ('queued', 'running') and ${DUE} limit $1) w`,
      [limit],
    );
    return row?.waiting ?? 0;
  },

  async endedAmong(ids) {
    const rows = await sql.query<{ id: string }>(
      "select id from touchstone.runs where id = any($1) and status in ('done', 'failed', 'cancelled')",
      [ids],
    );
    return rows.map(({ id }) => id);
  },
});

async function readRun(tx: Ask, project: string, id: string): Promise<StoredRun | null> {
  const text = `select ${RUN_COLUMNS} from touchstone.runs where project = $1 and id = $2`;
  const [row] = await tx.query(text, [project, id], "touchstone_read_run");
  return row === undefined ? null : toStoredRun(RunRow.parse(row));
}

/** Ends the window of a live run now, within a transaction of the caller's. See `RunStore.finishRun`. */
export async function finishLive(tx: Ask, project: string, id: string, settleSeconds: number): Promise<void> {
  await tx.query(
    `update touchstone.runs set finish_at = coalesce(finish_at, now()), due_at = least(due_at, coalesce(finish_at, now()) + make_interval(secs => $3))
     where project = $1 and id = $2 and status in ('queued', 'running')`,
    [project, id, settleSeconds],
  );
}

/** Stores a run within a transaction of the caller's, which one without key and rollout can do without. See `RunStore.startRun`. */
export async function startRun(
  tx: Ask,
  { project, requestDigest, idempotency, rollout, anew = false, actor, admit, traceParent, build }: NewRun,
): Promise<StartedRun> {
  if (idempotency !== null) {
    const id = await takeKey(tx, project, idempotency);
    if (id !== null) return { run: await readForSure(tx, id), outcome: "repeated", superseded: [] };
  }
  const [clock] = await tx.query<{ now: Instant }>("select touchstone.iso(now()) as now", [], "touchstone_now");
  const now = Instant.parse(clock?.now);
  const first = build(now, null);
  let { run, dueAt } = first;
  let identity: string | null = null;
  let rolloutKey: string | null = null;
  let attempt: number | null = null;
  let superseded: string[] = [];
  if (rollout !== null) {
    const { attempt: given, stage: _, ...place } = rollout;
    const [analysis, baseline, candidate] = [run.analysis.name, run.baseline.label, candidateLabels(run)];
    identity = runIdentity(rollout, analysis, baseline, candidate);
    rolloutKey = runIdentity(place, analysis, baseline, candidate);
    // Posts for one rollout take turns, so that two of them cannot both find nothing.
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
      `${project}/${rollout.namespace}/${rollout.name}`,
    ]);
    const found = await findSame(tx, project, identity, { attempt: given ?? null, requestDigest, anew });
    if (found !== null) {
      if (idempotency !== null) await keepOutcome(tx, project, idempotency, found.run.id);
      return { run: found, outcome: "same", superseded: [] };
    }
    superseded = await supersede(tx, project, rollout, actor);
    attempt = given ?? (await nextAttempt(tx, project, identity));
    // All stages and attempts of a rollout share one error budget, the first one too.
    const again = build(now, await readEarlierRuns(tx, project, rolloutKey, identity));
    run = { ...again.run, id: first.run.id };
    dueAt = again.dueAt;
  }
  admit();
  const [row] = await tx.query(
    `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, namespace, rollout_name, revision, identity, attempt, due_at, trace_parent,
       rollout_key, stage, share_rollback, share_promote, v)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) returning ${CHANGING_COLUMNS}`,
    [
      run.id,
      project,
      canonicalJson(run),
      requestDigest,
      run.analysis.name,
      run.baseline.label,
      candidateLabels(run),
      rollout?.namespace ?? null,
      rollout?.name ?? null,
      rollout?.revision ?? null,
      identity,
      attempt,
      dueAt,
      traceParent ?? null,
      rolloutKey,
      rollout?.stage ?? null,
      run.budgetShares?.rollback ?? 1,
      run.budgetShares?.promote ?? 1,
      payloadVersionOf(run),
    ],
    "touchstone_start_run",
  );
  if (idempotency !== null) await keepOutcome(tx, project, idempotency, run.id);
  return { run: toStartedRun(row, run), outcome: "created", superseded };
}

async function overrideRun(
  tx: Ask,
  project: string,
  id: string,
  { verdict, reason, actor, expectedVersion, idempotency }: NewOverride,
): Promise<StoredRun | null> {
  const repeated = idempotency === null ? null : await takeKey(tx, project, idempotency);
  // Overrides of one run take turns, and take turns with the look that ends it.
  const [locked] = await tx.query("select id from touchstone.runs where project = $1 and id = $2 for update", [
    project,
    id,
  ]);
  if (locked === undefined) return null;
  const before = await readForSure(tx, id);
  if (repeated !== null) return before;
  if (before.status === "cancelled")
    throw new TouchstoneError("conflict", `run ${id} was cancelled; there is nothing to override`);
  if (before.version !== expectedVersion)
    throw new TouchstoneError(
      "conflict",
      `run ${id} is at version ${before.version}, not ${expectedVersion}: it changed since you read it; read it again`,
      { issues: [{ pointer: "/expectedVersion", detail: `is ${expectedVersion}, the run is at ${before.version}` }] },
    );
  const [row] = await tx.query<{ n: number }>(
    `insert into touchstone.overrides (run_id, n, verdict, reason, actor, at)
     select $1, count(*) + 1, $2, $3, $4, now() from touchstone.overrides where run_id = $1 returning n`,
    [id, verdict, reason, actor],
  );
  const after = await readForSure(tx, id);
  await tellOfOverride(tx, after, row?.n ?? 1, actor);
  return after;
}

/** One live run per identity; its attempts share one error budget. */
export function runIdentity(rollout: Rollout, analysis: string, baseline: string, candidate: string): string {
  const { attempt: _, ...place } = rollout;
  return digestOf({ ...place, analysis, baseline, candidate });
}

/** The labels of all candidates, sorted: in whatever order they are named, it is the same run. */
function candidateLabels({ candidate, candidates }: Run): string {
  return (candidates ?? [candidate])
    .map(({ label }) => label)
    .sort()
    .join(",");
}

/** The run that this identity has already: live, just decided, or of the very attempt that was asked for. */
async function findSame(
  tx: Ask,
  project: string,
  identity: string,
  { attempt, requestDigest, anew }: { attempt: number | null; requestDigest: string; anew: boolean },
): Promise<StoredRun | null> {
  const rows = await tx.query<{ id: string; request_digest: string; live: boolean }>(
    `select id, request_digest, status in ('queued', 'running') as live from touchstone.runs
     where project = $1 and identity = $2 and ($3::int is null or attempt = $3)
       and (status in ('queued', 'running') or $3::int is not null or (not $4 and decided_at > now() - make_interval(secs => ${SAME_ATTEMPT_SECONDS})))
     order by seq desc limit 1`,
    [project, identity, attempt, anew],
  );
  const [row] = rows;
  if (row === undefined) return null;
  if (row.request_digest !== requestDigest && row.live) {
    throw new TouchstoneError(
      "conflict",
      `run ${row.id} is live for this rollout, analysis, baseline and candidate with another request (${row.request_digest}, this one is ${requestDigest})`,
    );
  }
  return row.request_digest === requestDigest ? readForSure(tx, row.id) : null;
}

/** Ends the live runs of older revisions of the same rollout. Numbers compare as numbers; of other revisions the later post is the newer one. */
async function supersede(
  tx: Ask,
  project: string,
  rollout: NonNullable<Run["rollout"]>,
  actor: string,
): Promise<string[]> {
  const live = await tx.query<{ id: string; revision: string }>(
    `select id, revision from touchstone.runs
     where project = $1 and namespace = $2 and rollout_name = $3 and revision <> $4 and status in ('queued', 'running')`,
    [project, rollout.namespace, rollout.name, rollout.revision],
  );
  const isNumber = (revision: string) => /^\d{1,15}$/.test(revision);
  const newer = live.find(
    ({ revision }) => isNumber(revision) && isNumber(rollout.revision) && Number(revision) > Number(rollout.revision),
  );
  if (newer !== undefined) {
    throw new TouchstoneError(
      "conflict",
      `revision ${rollout.revision} is older than revision ${newer.revision}, which run ${newer.id} judges now`,
    );
  }
  const ids = live.map(({ id }) => id);
  const detail = `a run for revision ${rollout.revision} of ${rollout.namespace}/${rollout.name} took its place`;
  if (ids.length > 0)
    await endLive(tx, { status: "cancelled", code: "superseded", detail, actor }, "id = any($3)", [ids]);
  return ids;
}

async function nextAttempt(tx: Ask, project: string, identity: string): Promise<number> {
  const [row] = await tx.query<{ attempt: number }>(
    `select coalesce(max(attempt), 0) + 1 as attempt from (
       select attempt from touchstone.runs where project = $1 and identity = $2
       union all select attempts from touchstone.deleted_attempts where project = $1 and identity = $2) attempts`,
    [project, identity],
  );
  return row?.attempt ?? 1;
}

function toWhere(project: string, filter: RunFilter, page: Page): { where: string; values: SqlValue[] } {
  const values: SqlValue[] = [project];
  const parts = ["project = $1"];
  const add = (sql: (position: string) => string, value: string | undefined) => {
    if (value === undefined) return;
    values.push(value);
    parts.push(sql(`$${values.length}`));
  };
  add((p) => `seq < ${p}::bigint`, page.cursor === null ? undefined : String(readCursor(page.cursor, 0)));
  add((p) => `analysis_name = ${p}`, filter.analysis);
  add((p) => `namespace = ${p}`, filter.namespace);
  add((p) => `rollout_name = ${p}`, filter.rollout);
  add((p) => `status = ${p}`, filter.status);
  add((p) => `verdict = ${p}`, filter.verdict);
  add((p) => `(${p} = any(string_to_array(candidate_label, ',')) or baseline_label = ${p})`, filter.version);
  add((p) => `created_at >= ${p}::timestamptz`, filter.since);
  add((p) => `created_at < ${p}::timestamptz`, filter.until);
  return { where: parts.join(" and "), values };
}
