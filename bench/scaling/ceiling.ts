import { stdout } from "node:process";
import { createPostgresSql } from "../../src/store/postgres.ts";
import { createSqlStore } from "../../src/store/sql-store.ts";
import { readStoredState } from "../../src/model/look-state.ts";
import { difference, perOne, readCounters, toText } from "./counters.ts";
import type { Stack } from "./stack.ts";

const CLAIMERS = 16;
const SECONDS = 20;
const EVIDENCE_BYTES = 600;

/** How many looks a second the record itself takes in while so many runs are live: claims and stored looks, without anybody who judges. */
export async function measureCeiling(stack: Stack): Promise<void> {
  const { database } = stack;
  const sql = createPostgresSql({ connectionString: database.url, poolSize: CLAIMERS, onError: () => undefined });
  const store = createSqlStore(sql);
  await database.query(
    "update touchstone.runs set due_at = now() + random() * interval '60 seconds' - interval '60 seconds'",
  );
  await database.query("vacuum analyze touchstone.runs");
  const { rows } = await database.query("select state, report from touchstone.runs where state is not null limit 1");
  const { state, report } = rows[0] as { state: string; report: string };
  const hot = async () =>
    (
      await database.query(
        "select n_tup_upd::int as updated, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'runs'",
      )
    ).rows[0] as { updated: number; hot: number };
  const [before, updatesBefore] = [await readCounters(stack, []), await hot()];
  const late = performance.now() + SECONDS * 1000;
  let looks = 0;
  const claimer = async (n: number): Promise<void> => {
    while (performance.now() < late) {
      const claim = await store.claimRun(`bench-${n}`, 6);
      if (claim === null) throw new Error("there was nothing due");
      const stored = await store.storeLook(claim, {
        at: claim.now,
        decision: "continue",
        summary: "continue",
        score: null,
        report,
        state: readStoredState(state),
        nextAt: new Date(Date.parse(claim.now) + 60_000).toISOString(),
        evidence: { engine: "bench", bytes: EVIDENCE_BYTES, limitBytes: 4e6, body: new Uint8Array(EVIDENCE_BYTES) },
      });
      if (stored) looks += 1;
    }
  };
  await Promise.all(Array.from({ length: CLAIMERS }, (_, n) => claimer(n)));
  const spent = difference(await readCounters(stack, []), before);
  const updates = await hot();
  stdout.write(
    `\nclaims and stored looks alone, ${CLAIMERS} at once: ${((1000 * looks) / spent.wallMs).toFixed(0)} looks/s\n  a look: ${toText(perOne(spent, looks))}\n` +
      `  ${(((updates.hot - updatesBefore.hot) / (updates.updated - updatesBefore.updated)) * 100).toFixed(0)} % of ${updates.updated - updatesBefore.updated} updates of runs touched no index\n`,
  );
  await sql.close();
}
