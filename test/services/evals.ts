import { readFileSync } from "node:fs";
import { createDatabase } from "./database.ts";

/** The database of an operator: scores and sessions of the agent's versions, from fixtures/agent. v5 has a dozen sessions. */
export async function createEvals(serverUrl: string): ReturnType<typeof createDatabase> {
  const database = await createDatabase(serverUrl);
  await database.query(`
    create table eval_scores (agent_version text, session_id text, started_at timestamptz, score numeric);
    create table agent_sessions (agent_version text, session_id text, started_at timestamptz, failed int, cost_usd double precision);`);
  for (const label of ["v1", "v2", "v3", "v4"]) await insert(database, label, rowsOf(label));
  await insert(database, "v5", rowsOf("v3").slice(0, 12));
  return database;
}

function rowsOf(label: string): string[][] {
  const text = readFileSync(new URL(`../../fixtures/agent/${label}.csv`, import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
}

async function insert(
  { query }: Awaited<ReturnType<typeof createDatabase>>,
  label: string,
  rows: string[][],
): Promise<void> {
  const column = (index: number) => rows.map((row) => row[index]);
  const sessions = [label, column(0), column(1)];
  await query(
    "insert into eval_scores select $1, unnest($2::text[]), unnest($3::timestamptz[]), unnest($4::numeric[])",
    [...sessions, column(2)],
  );
  await query(
    "insert into agent_sessions select $1, unnest($2::text[]), unnest($3::timestamptz[]), unnest($4::int[]), unnest($5::float8[])",
    [...sessions, column(3), column(5)],
  );
}
