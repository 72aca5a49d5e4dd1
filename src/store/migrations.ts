import { TouchstoneError } from "../errors.ts";
import { digestOf } from "../model/canonical.ts";
import type { Ask, Sql } from "./sql.ts";

/** In order, never edited once released: a change is a new entry. Every name is qualified, since an embedded record has one session for all. */
const MIGRATIONS: readonly { readonly name: string; readonly script: string }[] = [
  {
    name: "runs, looks, analyses, idempotency keys",
    script: `
      create function touchstone.iso(at timestamptz) returns text language sql immutable as
        $$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

      create table touchstone.analyses (
        project    text not null,
        name       text not null,
        origin     text not null check (origin in ('file', 'api')),
        document   text not null,
        digest     text not null,
        updated_at timestamptz not null default now(),
        primary key (project, name)
      );

      create table touchstone.runs (
        id              text primary key,
        seq             bigint generated always as identity unique,
        project         text not null,
        created_at      timestamptz not null default now(),
        snapshot        text not null,
        request_digest  text not null,
        analysis_name   text not null,
        baseline_label  text not null,
        candidate_label text not null,
        namespace       text,
        rollout_name    text,
        revision        text,
        identity        text,
        attempt         int,
        status          text not null default 'queued' check (status in ('queued', 'running', 'done', 'failed', 'cancelled')),
        due_at          timestamptz not null,
        epoch           int not null default 0,
        lease_until     timestamptz,
        leased_by       text,
        claims          int not null default 0,
        looks           int not null default 0,
        state           text,
        verdict         text check (verdict in ('promote', 'rollback', 'pause')),
        decided_at      timestamptz,
        summary         text,
        score           double precision,
        report          text,
        error_code      text,
        error_detail    text,
        check ((verdict is not null) = (status = 'done')),
        check ((error_code is not null) = (status in ('failed', 'cancelled'))),
        check (verdict is null or report is not null)
      );
      create unique index runs_one_live on touchstone.runs (project, identity) where status in ('queued', 'running');
      create index runs_due on touchstone.runs (due_at) where status in ('queued', 'running');
      create index runs_newest on touchstone.runs (project, seq desc);
      create index runs_identity on touchstone.runs (project, identity, seq desc) where identity is not null;
      create index runs_rollout on touchstone.runs (project, namespace, rollout_name) where status in ('queued', 'running');

      create function touchstone.refuse_change_of_terminal_run() returns trigger language plpgsql as $$
        begin
          raise exception 'run % is % and never changes', old.id, old.status using errcode = 'integrity_constraint_violation';
        end $$;
      create trigger runs_terminal_is_final before update on touchstone.runs
        for each row when (old.status in ('done', 'failed', 'cancelled')) execute function touchstone.refuse_change_of_terminal_run();

      create table touchstone.looks (
        run_id          text not null references touchstone.runs (id) on delete cascade,
        n               int not null,
        epoch           int not null,
        at              timestamptz not null,
        decision        text not null check (decision in ('promote', 'rollback', 'pause', 'continue')),
        report          text not null,
        primary key (run_id, n)
      );

      create table touchstone.idempotency_keys (
        project     text not null,
        route       text not null,
        key         text not null,
        body_digest text not null,
        outcome     text,
        created_at  timestamptz not null default now(),
        primary key (project, route, key)
      );`,
  },
  {
    name: "error budgets of attempts, finish",
    script: `
      alter table touchstone.runs add column finish_at timestamptz;
      alter table touchstone.runs add column spent_rollback double precision not null default 0;
      alter table touchstone.runs add column spent_promote double precision not null default 0;`,
  },
  {
    name: "audit log, overrides, outbox",
    script: `
      create table touchstone.audit (
        project text not null,
        seq     bigint not null,
        at      timestamptz not null,
        actor   text not null,
        action  text not null,
        subject text not null,
        detail  text not null,
        prev    text not null,
        hash    text not null,
        primary key (project, seq)
      );
      create index audit_subject on touchstone.audit (project, subject);
      create table touchstone.audit_heads (
        project text primary key,
        seq     bigint not null,
        hash    text not null
      );
      create function touchstone.refuse_change_of_audit() returns trigger language plpgsql as $$
        begin
          raise exception 'the audit log is only ever added to' using errcode = 'integrity_constraint_violation';
        end $$;
      create trigger audit_is_append_only before update or delete on touchstone.audit
        for each row execute function touchstone.refuse_change_of_audit();
      create trigger audit_is_never_emptied before truncate on touchstone.audit
        for each statement execute function touchstone.refuse_change_of_audit();

      create table touchstone.overrides (
        run_id  text not null references touchstone.runs (id) on delete cascade,
        n       int not null,
        verdict text not null check (verdict in ('promote', 'rollback', 'pause')),
        reason  text not null,
        actor   text not null,
        at      timestamptz not null,
        primary key (run_id, n)
      );

      create table touchstone.outbox (
        event_id     text not null,
        target       text not null,
        project      text not null,
        run_id       text not null,
        type         text not null,
        body         text not null,
        created_at   timestamptz not null default now(),
        attempts     int not null default 0,
        next_at      timestamptz not null default now(),
        lease_until  timestamptz,
        delivered_at timestamptz,
        given_up_at  timestamptz,
        last_error   text,
        primary key (event_id, target)
      );
      create index outbox_due on touchstone.outbox (next_at) where delivered_at is null and given_up_at is null;
      create index outbox_run on touchstone.outbox (project, run_id);`,
  },
  {
    name: "schedules",
    script: `
      create table touchstone.schedules (
        project     text not null,
        name        text not null,
        document    text not null,
        revision    int not null default 1,
        anchor_at   timestamptz(3) not null,
        next_at     timestamptz(3),
        last_run_id text,
        created_at  timestamptz not null default now(),
        updated_at  timestamptz not null default now(),
        primary key (project, name)
      );
      create index schedules_due on touchstone.schedules (next_at) where next_at is not null;

      create table touchstone.schedule_slots (
        project     text not null,
        schedule    text not null,
        slot        timestamptz(3) not null,
        first_slot  timestamptz(3) not null,
        slots       int not null check (slots >= 1),
        outcome     text not null check (outcome in ('started', 'skipped', 'failed')),
        run_id      text,
        code        text,
        detail      text,
        recorded_at timestamptz not null default now(),
        primary key (project, schedule, slot),
        foreign key (project, schedule) references touchstone.schedules (project, name) on delete cascade,
        check (first_slot <= slot),
        check ((run_id is not null) = (outcome = 'started')),
        check ((code is null) = (outcome = 'started'))
      );

      create index runs_versions on touchstone.runs (project, analysis_name, seq) include (baseline_label, candidate_label);
      create index runs_decided on touchstone.runs (project, analysis_name, decided_at desc) where status = 'done';
      create function touchstone.effective(run text, computed text) returns text language sql stable as
        $$ select coalesce((select o.verdict from touchstone.overrides o where o.run_id = run order by o.n desc limit 1), computed) $$;`,
  },
  {
    name: "evidence of looks, attempts that retention has deleted",
    script: `
      create table touchstone.evidence (
        run_id text not null,
        n      int not null,
        engine text not null,
        bytes  int not null,
        state  text,
        body   bytea,
        primary key (run_id, n),
        foreign key (run_id, n) references touchstone.looks (run_id, n) on delete cascade
      );
      alter table touchstone.evidence alter column body set storage external;

      create table touchstone.deleted_attempts (
        project        text not null,
        identity       text not null,
        attempts       int not null,
        spent_rollback double precision not null,
        spent_promote  double precision not null,
        primary key (project, identity)
      );
      create index runs_ended on touchstone.runs ((coalesce(decided_at, greatest(created_at, due_at)))) where status in ('done', 'failed', 'cancelled');
      create index idempotency_keys_outcome on touchstone.idempotency_keys (outcome);
      create index idempotency_keys_oldest on touchstone.idempotency_keys (created_at);`,
  },
  {
    name: "the trace of a run",
    script: "alter table touchstone.runs add column trace_parent text;",
  },
  {
    name: "version of what a run holds",
    script: `
      alter table touchstone.runs add column v int not null default 1;`,
  },
  {
    name: "what rollout controllers were told, and what they told",
    script: `
      create table touchstone.controlled_runs (
        run_id       text primary key references touchstone.runs (id) on delete cascade,
        told         text,
        told_at      timestamptz,
        free_advance boolean not null default false,
        outcome      text check (outcome in ('succeeded', 'failed')),
        outcome_at   timestamptz,
        check ((told is null) = (told_at is null)),
        check ((outcome is null) = (outcome_at is null))
      );
      create table touchstone.weights (
        run_id text not null references touchstone.runs (id) on delete cascade,
        n      int not null,
        weight int not null check (weight >= 0),
        at     timestamptz not null,
        primary key (run_id, n)
      );
      create index runs_of_rollout on touchstone.runs (project, namespace, rollout_name, analysis_name, seq desc) where namespace is not null;`,
  },
  {
    // Its own column and not a condition on claims: an index that names claims would have every claim of every run write to all indexes. Room on each page lets a claim leave them all alone.
    name: "runs that three workers took up in vain",
    script: `
      alter table touchstone.runs set (fillfactor = 80);
      alter table touchstone.runs add column suspect boolean not null generated always as (claims >= 3) stored;
      create index runs_suspect on touchstone.runs (id) where suspect;`,
  },
  {
    name: "canary configs of Kayenta's clients",
    script: `
      create table touchstone.canary_configs (
        project    text not null,
        id         text not null,
        seq        bigint generated always as identity unique,
        name       text not null,
        document   text not null,
        updated_at timestamptz not null default now(),
        primary key (project, id)
      );
      create index canary_configs_name on touchstone.canary_configs (project, name);`,
  },
  {
    name: "stages of a rollout share its error budgets",
    // What was started before, or is started by an older process, may use up to 0.8 of the budgets; of a staged run from before the rollout was its stage.
    script: `
      alter table touchstone.runs add column rollout_key text;
      alter table touchstone.runs add column stage text;
      alter table touchstone.runs add column share_rollback double precision not null default 0.8;
      alter table touchstone.runs add column share_promote double precision not null default 0.8;
      create index runs_rollout_key on touchstone.runs (project, (coalesce(rollout_key, identity)), seq desc) where identity is not null;
      create index runs_rollout_name on touchstone.runs (project, namespace, rollout_name, seq desc) where identity is not null;
      alter table touchstone.deleted_attempts add column rollout_key text;
      alter table touchstone.deleted_attempts add column stage text;
      alter table touchstone.deleted_attempts add column spent_unpromoted double precision;
      create index deleted_attempts_rollout on touchstone.deleted_attempts (project, (coalesce(rollout_key, identity)));`,
  },
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Of every step to the newest schema, for what is made beforehand and must fit. */
export const SCHEMA_DIGEST = digestOf(MIGRATIONS);

/** Any fixed number: two processes that migrate at once take turns. */
const MIGRATION_LOCK = 7_265_001;

/**
 * Brings the record to the newest schema.
 *
 * @param upTo  an older version to stop at, for what was written under it.
 * @returns the names of the steps that were taken, none when it was current.
 */
export async function migrate(sql: Sql, upTo = SCHEMA_VERSION): Promise<string[]> {
  return sql.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await tx.query("create schema if not exists touchstone");
    await tx.query(
      "create table if not exists touchstone.migrations (version int primary key, name text not null, applied_at timestamptz not null default now())",
    );
    const current = await currentVersion(tx);
    const taken: string[] = [];
    for (const [index, { name, script }] of MIGRATIONS.entries()) {
      const version = index + 1;
      if (version <= current || version > upTo) continue;
      for (const statement of splitStatements(script)) await tx.query(statement);
      await tx.query("insert into touchstone.migrations (version, name) values ($1, $2)", [version, name]);
      taken.push(name);
    }
    return taken;
  });
}

/** A record ahead of this program is served: during an upgrade old processes go on beside new ones. @throws TouchstoneError `store_unavailable` that says to run `touchstone migrate` when the record is behind. */
export async function checkSchema(sql: Sql): Promise<void> {
  const [found] = await sql.query<{ found: boolean }>(
    "select to_regclass('touchstone.migrations') is not null as found",
  );
  const version = found?.found ? await currentVersion(sql) : 0;
  if (version < SCHEMA_VERSION) {
    throw new TouchstoneError(
      "store_unavailable",
      `the database has schema version ${version}, this program needs ${SCHEMA_VERSION}; run: touchstone migrate`,
    );
  }
}

/** 0 is not answered: it asks a table that the first migration makes. */
export async function currentVersion(sql: Ask): Promise<number> {
  const [row] = await sql.query<{ version: number | null }>(
    "select max(version) as version from touchstone.migrations",
  );
  return row?.version ?? 0;
}

/** Statements of a script, split at semicolons outside dollar quotes: drivers with bound parameters take one at a time. */
function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let statement = "";
  for (const [index, piece] of script.split("$$").entries()) {
    if (index % 2 === 1) {
      statement += `$$${piece}$$`;
      continue;
    }
    const [first = "", ...rest] = piece.split(";");
    statement += first;
    for (const next of rest) {
      statements.push(statement);
      statement = next;
    }
  }
  return [...statements, statement].filter((text) => text.trim() !== "");
}
