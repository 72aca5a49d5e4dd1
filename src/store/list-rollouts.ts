import { z } from "zod";
import { ROLLOUT_KEY } from "./earlier-runs.ts";
import { readCursor, toPage } from "./page.ts";
import { LIST_COLUMNS, RunRow, toStoredRun } from "./run-row.ts";
import type { Ask, SqlValue } from "./sql.ts";
import type { Listed, Page } from "./listed.ts";
import type { RolloutFilter, StoredRollout } from "./runs.ts";

const NewestRow = z.object({ key: z.string(), seq: z.string() });
const DeletedRow = z.object({
  key: z.string(),
  stage: z.string().nullable(),
  attempts: z.int(),
  rollback: z.number(),
  promote: z.number(),
});
const KeyedRow = RunRow.extend({ key: z.string() });

/** Rollouts by their newest run; a rollout that gets another run while its list is read moves to the front of it. */
export async function listRollouts(
  sql: Ask,
  project: string,
  filter: RolloutFilter,
  page: Page,
): Promise<Listed<StoredRollout>> {
  const newest = await newestRuns(sql, project, filter, page);
  const listed = toPage(
    newest,
    page,
    ({ seq }) => seq,
    ({ key }) => key,
  );
  const rows = await sql.query(
    `select ${LIST_COLUMNS}, ${ROLLOUT_KEY} as key from touchstone.runs
     where project = $1 and ${ROLLOUT_KEY} = any($2) and identity is not null order by runs.seq desc`,
    [project, listed.items],
  );
  const runs = rows.map((row) => KeyedRow.parse(row));
  const gone = await sql.query(
    `select ${ROLLOUT_KEY} as key, stage, attempts, spent_rollback::float8 as rollback, spent_promote::float8 as promote
     from touchstone.deleted_attempts where project = $1 and ${ROLLOUT_KEY} = any($2) order by identity`,
    [project, listed.items],
  );
  const deleted = gone.map((row) => DeletedRow.parse(row));
  return {
    // A rollout whose runs retention deleted in between is no longer there.
    items: listed.items.flatMap((key): StoredRollout[] => {
      const own = runs.filter((run) => run.key === key);
      if (own.length === 0) return [];
      return [
        {
          runs: own.map(toStoredRun),
          deleted: deleted
            .filter((one) => one.key === key)
            .map(({ stage, attempts, rollback, promote }) => ({ stage, attempts, used: { rollback, promote } })),
        },
      ];
    }),
    nextCursor: listed.nextCursor,
  };
}

async function newestRuns(
  sql: Ask,
  project: string,
  { namespace, name, revision, analysis }: RolloutFilter,
  page: Page,
): Promise<z.infer<typeof NewestRow>[]> {
  const values: SqlValue[] = [project];
  const parts: string[] = [];
  const add = (column: string, value: string | undefined) => {
    if (value === undefined) return;
    values.push(value);
    parts.push(`and r.${column} = $${values.length}`);
  };
  add("namespace", namespace);
  add("rollout_name", name);
  add("revision", revision);
  add("analysis_name", analysis);
  if (page.cursor !== null) {
    values.push(String(readCursor(page.cursor, 0)));
    parts.push(`and r.seq < $${values.length}::bigint`);
  }
  const rows = await sql.query(
    `select coalesce(r.rollout_key, r.identity) as key, r.seq::text as seq from touchstone.runs r
     where r.project = $1 and r.identity is not null ${parts.join(" ")}
       and not exists (select from touchstone.runs n where n.project = r.project
         and coalesce(n.rollout_key, n.identity) = coalesce(r.rollout_key, r.identity) and n.identity is not null and n.seq > r.seq)
     order by r.seq desc limit ${page.limit + 1}`,
    values,
  );
  return rows.map((row) => NewestRow.parse(row));
}
