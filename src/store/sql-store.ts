import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import { AnalysisDocument } from "../model/analysis.ts";
import { canonicalJson, digestOf } from "../model/canonical.ts";
import { Decision, Verdict } from "../model/finding.ts";
import { readStoredState, toStoredState } from "../model/look-state.ts";
import { Run, RunStatus } from "../model/run.ts";
import { Instant } from "../model/time.ts";
import type { Sql, SqlValue } from "./sql.ts";
import type {
  Claim,
  EarlierAttempts,
  Idempotency,
  Listed,
  NewRun,
  Page,
  RunFilter,
  StartedRun,
  Store,
  StoredAnalysis,
  StoredLook,
  StoredRun,
} from "./store.ts";

type Ask = Pick<Sql, "query">;

/** Three claims that ended without a stored look: the run kills its workers. */
const MAX_CLAIMS = 3;

/** A post that repeats a decided run within this time gets that run; later it opens a new attempt. */
const SAME_ATTEMPT_SECONDS = 60;

const LIST_COLUMNS = `
  id, seq::text as seq, project, snapshot, status, attempt, verdict, looks, summary, score, error_code, error_detail, epoch, state, leased_by,
  touchstone.iso(created_at) as created_at, touchstone.iso(due_at) as due_at, touchstone.iso(decided_at) as decided_at, touchstone.iso(finish_at) as finish_at, touchstone.iso(now()) as now`;
const RUN_COLUMNS = `${LIST_COLUMNS}, report`;

const RunRow = z.object({
  id: z.string(),
  seq: z.string(),
  project: z.string(),
  snapshot: z.string(),
  status: RunStatus,
  attempt: z.int().nullable(),
  verdict: Verdict.nullable(),
  looks: z.int(),
  summary: z.string().nullable(),
  score: z.number().nullable(),
  report: z.string().nullish(),
  error_code: z.string().nullable(),
  error_detail: z.string().nullable(),
  epoch: z.int(),
  state: z.string().nullable(),
  leased_by: z.string().nullable(),
  created_at: Instant,
  due_at: Instant,
  decided_at: Instant.nullable(),
  finish_at: Instant.nullable(),
  now: Instant,
});
type RunRow = z.infer<typeof RunRow>;

const LookRow = z.object({ n: z.int(), at: Instant, decision: Decision, report: z.string() });
const AnalysisRow = z.object({
  name: z.string(),
  origin: z.enum(["file", "api"]),
  document: z.string(),
  digest: z.string(),
});

/** The record on either database. */
export const createSqlStore = (sql: Sql): Store => ({
  startRun: (start) => sql.transaction((tx) => startRun(tx, start)),

  async readRun(project, id) {
    const [row] = await sql.query(`select ${RUN_COLUMNS} from touchstone.runs where project = $1 and id = $2`, [
      project,
      id,
    ]);
    return row === undefined ? null : toStoredRun(RunRow.parse(row));
  },

  async listRuns(project, filter, page) {
    const { where, values } = toWhere(project, filter, page);
    const rows = await sql.query(
      `select ${LIST_COLUMNS} from touchstone.runs where ${where} order by runs.seq desc limit ${page.limit + 1}`,
      values,
    );
    const parsed = rows.map((row) => RunRow.parse(row));
    return toPage(parsed, page, (row) => row.seq, toStoredRun);
  },

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

  cancelRun: (project, id, detail) =>
    sql.transaction(async (tx) => {
      await endLive(tx, "cancelled", "project = $3 and id = $4", "cancelled", detail, [project, id]);
      const [row] = await tx.query(`select ${RUN_COLUMNS} from touchstone.runs where project = $1 and id = $2`, [
        project,
        id,
      ]);
      return row === undefined ? null : toStoredRun(RunRow.parse(row));
    }),

  finishRun: (project, id, settleSeconds) =>
    sql.transaction(async (tx) => {
      await tx.query(
        `update touchstone.runs set finish_at = coalesce(finish_at, now()), due_at = least(due_at, coalesce(finish_at, now()) + make_interval(secs => $3))
         where project = $1 and id = $2 and status in ('queued', 'running')`,
        [project, id, settleSeconds],
      );
      const [row] = await tx.query(`select ${RUN_COLUMNS} from touchstone.runs where project = $1 and id = $2`, [
        project,
        id,
      ]);
      return row === undefined ? null : toStoredRun(RunRow.parse(row));
    }),

  async endedAmong(ids) {
    const rows = await sql.query<{ id: string }>(
      "select id from touchstone.runs where id = any($1) and status in ('done', 'failed', 'cancelled')",
      [ids],
    );
    return rows.map(({ id }) => id);
  },

  async claimRun(worker, leaseSeconds, id) {
    const [row] = await sql.query(
      `update touchstone.runs set status = 'running', epoch = epoch + 1, claims = claims + 1, leased_by = $1, lease_until = now() + make_interval(secs => $2)
       where id = (
         select id from touchstone.runs
         where status in ('queued', 'running') and due_at <= now() and (lease_until is null or lease_until <= now()) and claims < ${MAX_CLAIMS}
           and ($3::text is null or id = $3)
         order by due_at limit 1 for update skip locked)
       returning ${RUN_COLUMNS}`,
      [worker, leaseSeconds, id ?? null],
    );
    return row === undefined ? null : toClaim(RunRow.parse(row), worker);
  },

  async renewLease(claim, leaseSeconds) {
    const rows = await sql.query(
      `update touchstone.runs set lease_until = now() + make_interval(secs => $3) where ${MINE} returning id`,
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
      return true;
    }),

  async failRun(claim, code, detail) {
    const ended = await endLive(sql, "failed", "id = $3 and epoch = $4", code, detail, [claim.run.id, claim.epoch]);
    return ended.length === 1;
  },

  endCrashLoops: () =>
    endLive(
      sql,
      "failed",
      `claims >= ${MAX_CLAIMS} and lease_until <= now()`,
      "crash_loop",
      `${MAX_CLAIMS} workers took up the run and none of them stored a look`,
      [],
    ),

  putAnalysis: (project, analysis, idempotency) =>
    sql.transaction(async (tx) => {
      const repeated = idempotency === null ? null : await takeKey(tx, project, idempotency);
      if (repeated !== null) return;
      const [stored] = await tx.query<{ origin: string }>(
        "select origin from touchstone.analyses where project = $1 and name = $2 for update",
        [project, analysis.name],
      );
      if (stored?.origin === "file") throw comesFromFile(analysis.name);
      await upsertAnalysis(tx, project, analysis);
    }),

  async readAnalysis(project, name) {
    const [row] = await sql.query(
      "select name, origin, document, digest from touchstone.analyses where project = $1 and name = $2",
      [project, name],
    );
    return row === undefined ? null : toStoredAnalysis(row);
  },

  async listAnalyses(project, page) {
    const rows = await sql.query(
      `select name, origin, document, digest from touchstone.analyses where project = $1 and name > $2 order by name limit ${page.limit + 1}`,
      [project, page.cursor ?? ""],
    );
    return toPage(
      rows.map(toStoredAnalysis),
      page,
      ({ name }) => name,
      (analysis) => analysis,
    );
  },

  deleteAnalysis: (project, name) =>
    sql.transaction(async (tx) => {
      const [stored] = await tx.query<{ origin: string }>(
        "select origin from touchstone.analyses where project = $1 and name = $2 for update",
        [project, name],
      );
      if (stored?.origin === "file") throw comesFromFile(name);
      await tx.query("delete from touchstone.analyses where project = $1 and name = $2", [project, name]);
      return stored !== undefined;
    }),

  replaceFileAnalyses: (project, analyses) =>
    sql.transaction(async (tx) => {
      const names = analyses.map(({ name }) => name);
      await tx.query(
        "delete from touchstone.analyses where project = $1 and origin = 'file' and not (name = any($2))",
        [project, names],
      );
      for (const analysis of analyses) await upsertAnalysis(tx, project, analysis);
    }),

  async ping() {
    await sql.query("select 1");
  },

  close: () => sql.close(),
});

/** A worker may write only under the epoch of its own claim. */
const MINE = "id = $1 and epoch = $2 and status = 'running'";

async function startRun(tx: Ask, { project, requestDigest, idempotency, build }: NewRun): Promise<StartedRun> {
  if (idempotency !== null) {
    const id = await takeKey(tx, project, idempotency);
    if (id !== null) return { run: await readForSure(tx, id), outcome: "repeated", superseded: [] };
  }
  const [clock] = await tx.query<{ now: Instant }>("select touchstone.iso(now()) as now");
  const now = Instant.parse(clock?.now);
  const first = build(now, null);
  const { rollout } = first.run;
  let { run, dueAt } = first;
  let identity: string | null = null;
  let attempt: number | null = null;
  let superseded: string[] = [];
  if (rollout !== null) {
    const { attempt: given, ...place } = rollout;
    identity = digestOf({
      ...place,
      analysis: run.analysis.name,
      baseline: run.baseline.label,
      candidate: candidateLabels(run),
    });
    // Posts for one rollout take turns, so that two of them cannot both find nothing.
    await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
      `${project}/${rollout.namespace}/${rollout.name}`,
    ]);
    const found = await findSame(tx, project, identity, given ?? null, requestDigest);
    if (found !== null) {
      if (idempotency !== null) await keepOutcome(tx, project, idempotency, found.run.id);
      return { run: found, outcome: "same", superseded: [] };
    }
    superseded = await supersede(tx, project, rollout);
    attempt = given ?? (await nextAttempt(tx, project, identity));
    // Every attempt of a rollout shares one error budget, the first one too.
    const again = build(now, await spentByAttempts(tx, project, identity));
    run = { ...again.run, id: first.run.id };
    dueAt = again.dueAt;
  }
  const [row] = await tx.query(
    `insert into touchstone.runs (id, project, snapshot, request_digest, analysis_name, baseline_label, candidate_label, namespace, rollout_name, revision, identity, attempt, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning ${RUN_COLUMNS}`,
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
    ],
  );
  if (idempotency !== null) await keepOutcome(tx, project, idempotency, run.id);
  return { run: toStoredRun(RunRow.parse(row)), outcome: "created", superseded };
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
  attempt: number | null,
  requestDigest: string,
): Promise<StoredRun | null> {
  const rows = await tx.query<{ id: string; request_digest: string; live: boolean }>(
    `select id, request_digest, status in ('queued', 'running') as live from touchstone.runs
     where project = $1 and identity = $2 and ($3::int is null or attempt = $3)
       and (status in ('queued', 'running') or $3::int is not null or decided_at > now() - make_interval(secs => ${SAME_ATTEMPT_SECONDS}))
     order by seq desc limit 1`,
    [project, identity, attempt],
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
async function supersede(tx: Ask, project: string, rollout: NonNullable<Run["rollout"]>): Promise<string[]> {
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
  if (ids.length > 0)
    await endLive(
      tx,
      "cancelled",
      "id = any($3)",
      "superseded",
      `a run for revision ${rollout.revision} of ${rollout.namespace}/${rollout.name} took its place`,
      [ids],
    );
  return ids;
}

async function spentByAttempts(tx: Ask, project: string, identity: string): Promise<EarlierAttempts> {
  const [row] = await tx.query<{ rollback: number; promote: number }>(
    `select coalesce(sum(spent_rollback), 0)::float8 as rollback, coalesce(sum(spent_promote), 0)::float8 as promote
     from touchstone.runs where project = $1 and identity = $2`,
    [project, identity],
  );
  return { spentRollback: row?.rollback ?? 0, spentPromote: row?.promote ?? 0 };
}

async function nextAttempt(tx: Ask, project: string, identity: string): Promise<number> {
  const [row] = await tx.query<{ attempt: number }>(
    "select coalesce(max(attempt), 0) + 1 as attempt from touchstone.runs where project = $1 and identity = $2",
    [project, identity],
  );
  return row?.attempt ?? 1;
}

/** `condition` counts its parameters from $3. */
async function endLive(
  tx: Ask,
  status: "failed" | "cancelled",
  condition: string,
  code: string,
  detail: string,
  values: readonly SqlValue[],
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `update touchstone.runs set status = '${status}', error_code = $1, error_detail = $2, epoch = epoch + 1, lease_until = null
     where status in ('queued', 'running') and ${condition} returning id`,
    [code, detail.slice(0, 2000), ...values],
  );
  return rows.map(({ id }) => id);
}

/**
 * Takes the key, waiting for another request that holds it at this moment.
 *
 * @returns what the first request with this key and body stored, or null when this is the first.
 */
async function takeKey(tx: Ask, project: string, { route, key, bodyDigest }: Idempotency): Promise<string | null> {
  const inserted = await tx.query(
    "insert into touchstone.idempotency_keys (project, route, key, body_digest) values ($1, $2, $3, $4) on conflict do nothing returning key",
    [project, route, key, bodyDigest],
  );
  if (inserted.length === 1) return null;
  const [stored] = await tx.query<{ body_digest: string; outcome: string | null }>(
    "select body_digest, outcome from touchstone.idempotency_keys where project = $1 and route = $2 and key = $3",
    [project, route, key],
  );
  if (stored?.body_digest !== bodyDigest)
    throw new TouchstoneError(
      "idempotency_mismatch",
      `the Idempotency-Key ${JSON.stringify(key)} was used for another request`,
    );
  return stored.outcome ?? "";
}

async function keepOutcome(tx: Ask, project: string, { route, key }: Idempotency, outcome: string): Promise<void> {
  await tx.query("update touchstone.idempotency_keys set outcome = $4 where project = $1 and route = $2 and key = $3", [
    project,
    route,
    key,
    outcome,
  ]);
}

async function readForSure(tx: Ask, id: string): Promise<StoredRun> {
  const [row] = await tx.query(`select ${RUN_COLUMNS} from touchstone.runs where id = $1`, [id]);
  return toStoredRun(RunRow.parse(row));
}

function toStoredRun(row: RunRow): StoredRun {
  const live = row.status === "queued" || row.status === "running";
  return {
    run: Run.parse(JSON.parse(row.snapshot)),
    project: row.project,
    status: row.status,
    createdAt: row.created_at,
    dueAt: live ? row.due_at : null,
    attempt: row.attempt,
    verdict: row.verdict,
    decidedAt: row.decided_at,
    looks: row.looks,
    summary: row.summary,
    score: row.score,
    report: row.report ?? null,
    error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail ?? "" },
  };
}

function toClaim(row: RunRow, worker: string): Claim {
  return {
    run: finishedEarly(Run.parse(JSON.parse(row.snapshot)), row.finish_at),
    epoch: row.epoch,
    worker,
    looks: row.looks,
    state: row.state === null ? null : readStoredState(row.state),
    now: row.now,
  };
}

/** A run that was told to finish has a window that ends then. */
function finishedEarly(run: Run, finishAt: Instant | null): Run {
  const { window } = run;
  if (finishAt === null || window === null || Date.parse(finishAt) >= Date.parse(window.end)) return run;
  return { ...run, window: { start: window.start, end: finishAt } };
}

function toStoredAnalysis(row: object): StoredAnalysis {
  const { name, origin, document, digest } = AnalysisRow.parse(row);
  return { name, origin, digest, document: AnalysisDocument.parse(JSON.parse(document)) };
}

async function upsertAnalysis(
  tx: Ask,
  project: string,
  { name, origin, document, digest }: StoredAnalysis,
): Promise<void> {
  await tx.query(
    `insert into touchstone.analyses (project, name, origin, document, digest) values ($1, $2, $3, $4, $5)
     on conflict (project, name) do update set origin = excluded.origin, document = excluded.document, digest = excluded.digest, updated_at = now()`,
    [project, name, origin, canonicalJson(document), digest],
  );
}

function comesFromFile(name: string): TouchstoneError {
  return new TouchstoneError("conflict", `the analysis ${name} comes from a file of the operator; change the file`);
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

function toPage<Row, T>(
  rows: readonly Row[],
  { limit }: Page,
  cursorOf: (row: Row) => string,
  convert: (row: Row) => T,
): Listed<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(convert), nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

function readCursor(cursor: string | null, fallback: number): number {
  if (cursor === null) return fallback;
  if (!/^\d{1,15}$/.test(cursor))
    throw new TouchstoneError("invalid_parameter", "cursor is not one that a list gave", {
      issues: [{ pointer: "/cursor", detail: "is not one that a list gave" }],
    });
  return Number(cursor);
}
