import pg from "pg";
import { z } from "zod";
import { readConfig } from "../../src/config.ts";
import { migrateRecord } from "../../src/wire.ts";

/**
 * What happened to every run, written by the database itself in the transaction that did it: each start, claim, look and end. No process of ours can lie about it or lose it.
 */
const HISTORY = [
  "create schema campaign",
  `create table campaign.history (n bigint generated always as identity primary key, at timestamptz not null default clock_timestamp(),
     run text not null, identity text, status text not null, epoch int not null, looks int not null, claims int not null, worker text)`,
  `create function campaign.remember() returns trigger language plpgsql as $$
     begin
       insert into campaign.history (run, identity, status, epoch, looks, claims, worker)
       values (new.id, new.identity, new.status, new.epoch, new.looks, new.claims, new.leased_by);
       return null;
     end $$`,
  `create trigger campaign_insert after insert on touchstone.runs for each row execute function campaign.remember()`,
  `create trigger campaign_update after update on touchstone.runs for each row
     when ((old.status, old.epoch, old.looks, old.claims) is distinct from (new.status, new.epoch, new.looks, new.claims)) execute function campaign.remember()`,
];

export const Entry = z.object({
  n: z.coerce.number(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  run: z.string(),
  identity: z.string().nullable(),
  status: z.enum(["queued", "running", "done", "failed", "cancelled"]),
  epoch: z.int(),
  looks: z.int(),
  claims: z.int(),
  worker: z.string().nullable(),
});
/** The state of a run after one change. */
export type Entry = z.infer<typeof Entry>;

/** The record of a campaign, looked at from beside. */
export interface CampaignRecord {
  readonly url: string;
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  history(): Promise<Entry[]>;
  /** Runs that have not ended. */
  live(): Promise<number>;
  /** Events that a target has still to be told. */
  untold(): Promise<number>;
  close(): Promise<void>;
}

/** A database of its own on the server, migrated, with the history kept. */
export async function createRecord(serverUrl: string, name: string): Promise<CampaignRecord> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = serverUrl.replace(/\/[^/]*$/, `/${name}`);
  await migrateRecord(readConfig({ DATABASE_URL: url, LOG_LEVEL: "silent" }));
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on("error", () => undefined);
  for (const statement of HISTORY) await pool.query(statement);
  const query = async <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
    (await pool.query<Row>(text, [...values])).rows;
  return {
    url,
    query,
    async history() {
      const rows = await query(
        "select n::text as n, extract(epoch from at)::float8 * 1000 as at, run, identity, status, epoch, looks, claims, worker from campaign.history order by history.n",
      );
      return rows.map((row) => Entry.parse(row));
    },
    async live() {
      const [row] = await query<{ live: number }>(
        "select count(*)::int as live from touchstone.runs where status in ('queued', 'running')",
      );
      return row?.live ?? 0;
    },
    async untold() {
      const [row] = await query<{ untold: number }>(
        "select count(*)::int as untold from touchstone.outbox where delivered_at is null and given_up_at is null",
      );
      return row?.untold ?? 0;
    },
    close: () => pool.end(),
  };
}
