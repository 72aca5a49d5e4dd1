import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import { canonicalJson, digestOf } from "../model/canonical.ts";
import { parseReport, parseRun } from "../model/run.ts";
import { Schedule, SlotOutcome, type ScheduleSlot } from "../model/schedule.ts";
import { Instant } from "../model/time.ts";
import { takeKey } from "./idempotency-keys.ts";
import { toPage } from "./page.ts";
import { startRun } from "./sql-runs.ts";
import { appendAudit } from "./sql-audit.ts";
import type { Ask, Sql } from "./sql.ts";
import type { DueSchedule, NewSlot, ScheduleStore, SlotTaking, StoredSchedule, TakenSlots } from "./schedules.ts";

const SLOT_COLUMNS = `
  touchstone.iso(slot) as slot, touchstone.iso(first_slot) as first_slot, slots, outcome, run_id, code, detail, touchstone.iso(recorded_at) as recorded_at`;

const SlotRow = z.object({
  slot: Instant,
  first_slot: Instant,
  slots: z.int(),
  outcome: SlotOutcome,
  run_id: z.string().nullable(),
  code: z.string().nullable(),
  detail: z.string().nullable(),
  recorded_at: Instant,
});

/** A schedule with what became of its last slot, as one JSON text. */
const SCHEDULES = `
  select project, name, document, revision, touchstone.iso(anchor_at) as anchor_at, touchstone.iso(next_at) as next_at,
    touchstone.iso(created_at) as created_at, touchstone.iso(updated_at) as updated_at, touchstone.iso(now()) as now,
    (select row_to_json(last)::text from (
       select ${SLOT_COLUMNS} from touchstone.schedule_slots where project = schedules.project and schedule = schedules.name
       order by schedule_slots.slot desc limit 1) as last) as last_slot
  from touchstone.schedules`;

const ScheduleRow = z.object({
  project: z.string(),
  name: z.string(),
  document: z.string(),
  revision: z.int(),
  anchor_at: Instant,
  next_at: Instant.nullable(),
  created_at: Instant,
  updated_at: Instant,
  now: Instant,
  last_slot: z.string().nullable(),
});
type ScheduleRow = z.infer<typeof ScheduleRow>;

/** Schedules, what became of their slots, and the versions that their words stand for. */
export const createScheduleStore = (sql: Sql): ScheduleStore => ({
  putSchedule: (project, schedule, timetable, idempotency, actor) =>
    sql.transaction(async (tx) => {
      const repeated = idempotency === null ? null : await takeKey(tx, project, idempotency);
      if (repeated !== null) return;
      const [row] = await tx.query(`${SCHEDULES} where project = $1 and name = $2 for update`, [
        project,
        schedule.name,
      ]);
      const before = row === undefined ? null : toStoredSchedule(ScheduleRow.parse(row));
      const [clock] = await tx.query<{ now: Instant }>("select touchstone.iso(now()) as now");
      const { anchorAt, nextAt, lapsed } = timetable(Instant.parse(clock?.now), before);
      await tx.query(
        `insert into touchstone.schedules (project, name, document, anchor_at, next_at) values ($1, $2, $3, $4, $5)
         on conflict (project, name) do update set document = excluded.document, anchor_at = excluded.anchor_at, next_at = excluded.next_at,
           revision = schedules.revision + 1, updated_at = now()`,
        [project, schedule.name, canonicalJson(schedule), anchorAt, nextAt],
      );
      if (lapsed !== null) await insertSlot(tx, project, schedule.name, lapsed, null);
      const detail = { digest: digestOf(schedule), paused: schedule.paused };
      await appendAudit(tx, project, { actor, action: "schedule.put", subject: schedule.name, detail });
    }),

  async readSchedule(project, name) {
    const [row] = await sql.query(`${SCHEDULES} where project = $1 and name = $2`, [project, name]);
    return row === undefined ? null : toStoredSchedule(ScheduleRow.parse(row));
  },

  async listSchedules(project, page) {
    const rows = await sql.query(
      `${SCHEDULES} where project = $1 and name > $2 order by name limit ${page.limit + 1}`,
      [project, page.cursor ?? ""],
    );
    const parsed = rows.map((row) => ScheduleRow.parse(row));
    return toPage(parsed, page, ({ name }) => name, toStoredSchedule);
  },

  deleteSchedule: (project, name, actor) =>
    sql.transaction(async (tx) => {
      const rows = await tx.query("delete from touchstone.schedules where project = $1 and name = $2 returning name", [
        project,
        name,
      ]);
      if (rows.length === 0) return false;
      await appendAudit(tx, project, { actor, action: "schedule.deleted", subject: name, detail: {} });
      return true;
    }),

  async listSlots(project, name, page) {
    const rows = await sql.query(
      `select ${SLOT_COLUMNS} from touchstone.schedule_slots
       where project = $1 and schedule = $2 and ($3::timestamptz is null or schedule_slots.slot < $3::timestamptz)
       order by schedule_slots.slot desc limit ${page.limit + 1}`,
      [project, name, readSlotCursor(page.cursor)],
    );
    return toPage(
      rows.map(toSlot),
      page,
      ({ slot }) => slot,
      (slot) => slot,
    );
  },

  async dueSchedules(limit) {
    const rows = await sql.query(`${SCHEDULES} where next_at <= now() order by next_at limit $1`, [limit]);
    return rows.map((row): DueSchedule => {
      const parsed = ScheduleRow.parse(row);
      const stored = toStoredSchedule(parsed);
      return { ...stored, nextAt: Instant.parse(stored.nextAt), revision: parsed.revision, now: parsed.now };
    });
  },

  takeSlots: (due, taking) => sql.transaction((tx) => takeSlots(tx, due, taking)),

  async slotLagSeconds() {
    const [row] = await sql.query<{ lag: number }>(
      "select greatest(0, coalesce(extract(epoch from now() - min(next_at)), 0))::float8 as lag from touchstone.schedules where next_at is not null",
    );
    return row?.lag ?? 0;
  },

  async lastPromoted(project, analysis) {
    const [row] = await sql.query(
      `select snapshot, report from touchstone.runs r
       where project = $1 and analysis_name = $2 and status = 'done' and touchstone.effective(id, verdict) = 'promote' and not exists (
         select 1 from touchstone.runs later
         where later.project = $1 and later.analysis_name = $2 and later.status = 'done'
           and touchstone.effective(later.id, later.verdict) = 'rollback' and later.decided_at > r.decided_at
           and string_to_array(later.candidate_label, ',') && string_to_array(r.candidate_label, ','))
       order by decided_at desc limit 1`,
      [project, analysis],
    );
    if (row === undefined) return null;
    const { snapshot, report } = z.object({ snapshot: z.string(), report: z.string() }).parse(row);
    const { candidate, candidates } = parseRun(snapshot);
    if (candidates === undefined) return candidate;
    const { best } = parseReport(report);
    return candidates.find(({ label }) => label === best) ?? null;
  },

  async newestVersion(project, analysis) {
    const [row] = await sql.query(
      `select label, (select snapshot from touchstone.runs where seq = first_seq) as snapshot from (
         select label, min(seq) as first_seq, bool_or(candidate) as candidate from (
           select seq, baseline_label as label, false as candidate from touchstone.runs where project = $1 and analysis_name = $2
           union all
           select seq, unnest(string_to_array(candidate_label, ',')), true from touchstone.runs where project = $1 and analysis_name = $2) as arms
         group by label) as versions
       order by first_seq desc, candidate desc, label desc limit 1`,
      [project, analysis],
    );
    if (row === undefined) return null;
    const { label, snapshot } = z.object({ label: z.string(), snapshot: z.string() }).parse(row);
    const { baseline, candidate, candidates } = parseRun(snapshot);
    return [baseline, ...(candidates ?? [candidate])].find((version) => version.label === label) ?? null;
  },
});

async function takeSlots(
  tx: Ask,
  { project, schedule: { name }, revision, nextAt: slot }: DueSchedule,
  { records, start, nextAt }: SlotTaking,
): Promise<TakenSlots | null> {
  // Whoever holds the row is taking these very slots: nobody waits to find them gone.
  const [held] = await tx.query<{ live: string | null }>(
    `select (select id from touchstone.runs where id = last_run_id and status in ('queued', 'running')) as live
     from touchstone.schedules where project = $1 and name = $2 and revision = $3 and next_at = $4::timestamptz for update skip locked`,
    [project, name, revision, slot],
  );
  if (held === undefined) return null;
  const slots: ScheduleSlot[] = [];
  const record = async (one: NewSlot): Promise<void> => {
    slots.push(...(await insertSlot(tx, project, name, one, null)));
  };
  for (const one of records) await record(one);
  let started: string | null = null;
  if (start !== null && held.live !== null) {
    const detail = `run ${held.live} of an earlier slot has not ended`;
    await record({ ...single(start.slot), outcome: "skipped", code: "overlap", detail });
  } else if (start !== null && !(await isRecorded(tx, project, name, start.slot))) {
    started = (await startRun(tx, start.run)).run.run.id;
    slots.push(...(await insertSlot(tx, project, name, { ...single(start.slot), outcome: "started" }, started)));
  }
  await tx.query(
    "update touchstone.schedules set next_at = $3, last_run_id = coalesce($4, last_run_id) where project = $1 and name = $2",
    [project, name, nextAt, started],
  );
  return { slots, started };
}

const single = (slot: Instant) => ({ slot, firstSlot: slot, slots: 1 });

/** True only when the clock of the database was set back: then a slot that was taken comes again. */
async function isRecorded(tx: Ask, project: string, schedule: string, slot: Instant): Promise<boolean> {
  const rows = await tx.query(
    "select 1 from touchstone.schedule_slots where project = $1 and schedule = $2 and slot = $3",
    [project, schedule, slot],
  );
  return rows.length > 0;
}

/** @returns the slot as stored; nothing when it was recorded before, which stays. */
async function insertSlot(
  tx: Ask,
  project: string,
  schedule: string,
  slot: NewSlot | (ReturnType<typeof single> & { readonly outcome: "started" }),
  run: string | null,
): Promise<ScheduleSlot[]> {
  const [code, detail] = slot.outcome === "started" ? [null, null] : [slot.code, slot.detail.slice(0, 2000)];
  const rows = await tx.query(
    `insert into touchstone.schedule_slots (project, schedule, slot, first_slot, slots, outcome, run_id, code, detail)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning ${SLOT_COLUMNS}`,
    [project, schedule, slot.slot, slot.firstSlot, slot.slots, slot.outcome, run, code, detail],
  );
  return rows.map(toSlot);
}

function toSlot(row: object): ScheduleSlot {
  const { slot, first_slot, slots, outcome, run_id, code, detail, recorded_at } = SlotRow.parse(row);
  return { slot, firstSlot: first_slot, slots, outcome, run: run_id, code, detail, recordedAt: recorded_at };
}

function toStoredSchedule(row: ScheduleRow): StoredSchedule {
  return {
    schedule: Schedule.parse(JSON.parse(row.document)),
    project: row.project,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    anchorAt: row.anchor_at,
    nextAt: row.next_at,
    lastSlot: row.last_slot === null ? null : toSlot(JSON.parse(row.last_slot) as object),
  };
}

/** @throws TouchstoneError `invalid_parameter` when the cursor is not a slot that a list gave. */
function readSlotCursor(cursor: string | null): Instant | null {
  if (cursor === null || Instant.safeParse(cursor).success) return cursor;
  throw new TouchstoneError("invalid_parameter", "cursor is not one that a list gave", {
    issues: [{ pointer: "/cursor", detail: "is not one that a list gave" }],
  });
}
