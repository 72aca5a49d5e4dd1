import type pg from "pg";
import type { Verdict } from "../../src/model/finding.ts";

/**
 * What happened, kept by the database in the transaction that did it, beside the record whose rows retention deletes: each run that began, ended or was deleted, and each slot.
 */
const LEDGER = [
  "create schema soak",
  "create table soak.runs (run text not null, label text not null, at timestamptz not null default clock_timestamp())",
  "create table soak.ends (run text not null, status text not null, verdict text, code text, looks int not null)",
  "create table soak.deleted (run text not null)",
  "create table soak.slots (schedule text not null, slot timestamptz not null, slots int not null, outcome text not null, run text, code text)",
  ...[
    ["runs_begin", "after insert on touchstone.runs", "insert into soak.runs values (new.id, new.candidate_label)"],
    [
      "runs_end",
      "after update on touchstone.runs",
      "if new.status in ('done', 'failed', 'cancelled') then insert into soak.ends values (new.id, new.status, new.verdict, new.error_code, new.looks); end if",
    ],
    ["runs_gone", "after delete on touchstone.runs", "insert into soak.deleted values (old.id)"],
    [
      "slots",
      "after insert on touchstone.schedule_slots",
      "insert into soak.slots values (new.schedule, new.slot, new.slots, new.outcome, new.run_id, new.code)",
    ],
  ].flatMap(([name, when, statement]) => [
    `create function soak.${name}() returns trigger language plpgsql as $$ begin ${statement}; return null; end $$`,
    `create trigger soak_${name} ${when} for each row execute function soak.${name}()`,
  ]),
];

export type Query = (text: string, values?: unknown[]) => Promise<pg.QueryResult>;

export async function keepLedger(query: Query): Promise<void> {
  for (const statement of LEDGER) await query(statement);
}

/** What must have come of everything, and what did. */
export interface Reckoning {
  readonly counts: Readonly<Record<string, number>>;
  /** As people read them; empty when all is as it should be. */
  readonly faults: readonly string[];
}

export interface Wanted {
  /** Ids that callers were given, with what must come of them. */
  readonly posted: ReadonlyMap<string, { readonly expected: Verdict; readonly mayBeSuperseded: boolean }>;
  readonly schedules: number;
  readonly slotSeconds: number;
  /** Slots that each schedule must have had at least. */
  readonly slotsEach: number;
  /** Verdict of every scheduled run, by how the label of its candidate begins. */
  readonly expectedOf: (label: string) => Verdict;
}

/** Holds the ledger, the record and what callers were told against each other, once nothing is live any more. */
export async function reckon(query: Query, wanted: Wanted): Promise<Reckoning> {
  const faults: string[] = [];
  const rows = async <Row extends object>(text: string): Promise<Row[]> => (await query(text)).rows as Row[];
  const begun = await rows<{ run: string; label: string }>("select run, label from soak.runs");
  const slots = await rows<{ schedule: string; slot: Date; slots: number; outcome: string; run: string; code: string }>(
    "select * from soak.slots order by schedule, slot",
  );
  const ends = new Map<string, End[]>();
  for (const end of await rows<End>("select * from soak.ends")) ends.set(end.run, [...(ends.get(end.run) ?? []), end]);

  const scheduled = new Set(slots.flatMap(({ run }) => (run === null ? [] : [run])));
  let superseded = 0;
  for (const { run, label } of begun) {
    const posted = wanted.posted.get(run);
    if (posted === undefined && !scheduled.has(run)) faults.push(`run ${run} exists and nobody was told of it`);
    const [end, ...more] = ends.get(run) ?? [];
    const expected = posted?.expected ?? wanted.expectedOf(label);
    if (end === undefined) faults.push(`run ${run} never ended`);
    else if (more.length > 0) faults.push(`run ${run} ended ${1 + more.length} times`);
    else if (posted?.mayBeSuperseded === true && end.code === "superseded") superseded += 1;
    else if (end.verdict !== expected)
      faults.push(`run ${run} of ${label} should be ${expected} and is ${end.verdict ?? `${end.status}: ${end.code}`}`);
  }
  const known = new Set(begun.map(({ run }) => run));
  for (const run of [...wanted.posted.keys(), ...scheduled])
    if (!known.has(run)) faults.push(`run ${run} was promised and is nowhere`);
  faults.push(...slotFaults(slots, wanted));
  return {
    counts: {
      runs: begun.length,
      "of these posted": wanted.posted.size,
      "of these by schedules": scheduled.size,
      verdicts: [...ends.values()].flat().filter(({ verdict }) => verdict !== null).length,
      superseded,
      looks: [...ends.values()].flat().reduce((sum, { looks }) => sum + looks, 0),
      slots: slots.reduce((sum, one) => sum + one.slots, 0),
      ...skipped(slots),
    },
    faults: [...faults, ...(await rowFaults(rows))],
  };
}

/** How many slots started no run, by why. */
function skipped(slots: readonly { slots: number; outcome: string; code: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { slots: count, outcome, code } of slots)
    if (outcome === "skipped") counts[`slots skipped as ${code}`] = (counts[`slots skipped as ${code}`] ?? 0) + count;
  return counts;
}

interface End {
  readonly run: string;
  readonly status: string;
  readonly verdict: string | null;
  readonly code: string | null;
  readonly looks: number;
}

/** Every slot of every schedule once, without a gap. A slot that the schedule skipped is one; why, is printed. */
function slotFaults(
  slots: readonly { schedule: string; slot: Date; slots: number; outcome: string; code: string }[],
  { schedules, slotSeconds, slotsEach }: Wanted,
): string[] {
  const faults: string[] = [];
  const bySchedule = new Map<string, { slot: Date; slots: number; outcome: string; code: string }[]>();
  for (const { schedule, ...slot } of slots) bySchedule.set(schedule, [...(bySchedule.get(schedule) ?? []), slot]);
  if (bySchedule.size !== schedules) faults.push(`${bySchedule.size} of ${schedules} schedules had slots`);
  for (const [schedule, own] of bySchedule) {
    const count = own.reduce((sum, one) => sum + one.slots, 0);
    if (count < slotsEach) faults.push(`schedule ${schedule} had ${count} slots, and ${slotsEach} were due`);
    for (const [index, one] of own.entries()) {
      if (one.outcome === "failed") faults.push(`a slot of ${schedule} failed: ${one.code}`);
      const before = own[index - 1];
      if (before === undefined) continue;
      const passed = Math.round((one.slot.getTime() - before.slot.getTime()) / 1000 / slotSeconds);
      if (passed !== one.slots)
        faults.push(
          `schedule ${schedule}: ${passed} slots passed until ${one.slot.toISOString()}, ${one.slots} are recorded`,
        );
    }
  }
  return faults;
}

/** Rows of the record that are not exactly those of the runs that are left. */
async function rowFaults(rows: <Row extends object>(text: string) => Promise<Row[]>): Promise<string[]> {
  const checks: Readonly<Record<string, string>> = {
    "runs that are not those begun and not deleted":
      "select (select count(*) from soak.runs) - (select count(*) from soak.deleted) - (select count(*) from touchstone.runs) as n",
    "runs deleted twice": "select count(*) - count(distinct run) as n from soak.deleted",
    "runs begun twice": "select count(*) - count(distinct run) as n from soak.runs",
    "looks that their runs do not count":
      "select (select count(*) from touchstone.looks) - (select coalesce(sum(looks), 0) from touchstone.runs) as n",
    "looks without evidence":
      "select (select count(*) from touchstone.looks) - (select count(*) from touchstone.evidence) as n",
    "keys of runs that are gone":
      "select count(*) as n from touchstone.idempotency_keys k where not exists (select from touchstone.runs r where r.id = k.outcome)",
    "events of runs that are gone":
      "select count(*) as n from touchstone.outbox o where not exists (select from touchstone.runs r where r.id = o.run_id)",
    "events not delivered": "select count(*) as n from touchstone.outbox where delivered_at is null",
    "ends that the audit log tells other than once":
      "select count(*) as n from (select run from soak.ends e where (select count(*) from touchstone.audit a where a.project = 'default' and a.subject = e.run and a.action in ('run.done', 'run.failed', 'run.cancelled')) <> 1) x",
    "leases left": "select count(*) as n from touchstone.runs where lease_until is not null and status = 'running'",
  };
  const faults: string[] = [];
  for (const [what, text] of Object.entries(checks)) {
    const [row] = await rows<{ n: string }>(text);
    if (Number(row?.n) !== 0) faults.push(`${row?.n} ${what}`);
  }
  return faults;
}
