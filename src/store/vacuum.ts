import type { Sql } from "./sql.ts";

/**
 * What autovacuum does elsewhere; Postgres in the process has none. One table at a time, since the process can do nothing else meanwhile.
 *
 * @param signal  ends it between two tables.
 */
export async function vacuum(sql: Sql, signal: AbortSignal): Promise<void> {
  const tables = await sql.query<{ name: string }>(
    "select quote_ident(tablename) as name from pg_tables where schemaname = 'touchstone' order by tablename",
  );
  for (const { name } of tables) {
    if (signal.aborted) return;
    await sql.query(`vacuum (analyze) touchstone.${name}`);
    // The requests that came in meanwhile go first.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
