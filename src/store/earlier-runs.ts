import { z } from "zod";
import { Verdict } from "../model/finding.ts";
import { Instant } from "../model/time.ts";
import type { Ask } from "./sql.ts";
import type { EarlierRuns } from "./runs.ts";

/**
 * What a run has used up of its budgets: all that it might have while it lives, and where its evidence ended it early. Those that would have been rolled back later are
 * among the runs that were not promoted before, so that a promotion leaves nothing of the rollback budget to others; and the other way round.
 */
export const USED_ROLLBACK =
  "case when status in ('queued', 'running') or verdict = 'promote' then share_rollback else spent_rollback end";
export const USED_PROMOTE =
  "case when status in ('queued', 'running') or verdict = 'rollback' then share_promote else spent_promote end";

/** All runs of one rollout, analysis, baseline and candidate. The expression of the index; runs from before it was kept have only their identity. */
export const ROLLOUT_KEY = "coalesce(rollout_key, identity)";

/** More runs than anyone carries evidence through. */
const MOST_RUNS = 200;

const SpentRow = z.object({
  stage_rollback: z.number(),
  stage_promote: z.number(),
  rollout_rollback: z.number(),
  rollout_promote: z.number(),
});
const EarlierRow = z.object({
  stage: z.string().nullable(),
  verdict: Verdict.nullable(),
  start: Instant.nullable(),
  digest: z.string(),
});

/** One statement for what was spent, so that runs which retention deletes at this moment are counted once. */
export async function readEarlierRuns(
  tx: Ask,
  project: string,
  rolloutKey: string,
  identity: string,
): Promise<EarlierRuns> {
  const [row] = await tx.query(
    `select coalesce(sum(rollback) filter (where identity = $3), 0)::float8 as stage_rollback,
       coalesce(sum(promote) filter (where identity = $3), 0)::float8 as stage_promote,
       coalesce(sum(rollback), 0)::float8 as rollout_rollback,
       coalesce(sum(case when identity = $3 then promote else unpromoted end), 0)::float8 as rollout_promote
     from (
       select identity, ${USED_ROLLBACK} as rollback, ${USED_PROMOTE} as promote,
         case when verdict = 'promote' then 0 else ${USED_PROMOTE} end as unpromoted
         from touchstone.runs where project = $1 and ${ROLLOUT_KEY} = $2 and identity is not null
       union all select identity, spent_rollback, spent_promote, coalesce(spent_unpromoted, spent_promote)
         from touchstone.deleted_attempts where project = $1 and ${ROLLOUT_KEY} = $2) earlier`,
    [project, rolloutKey, identity],
  );
  const spent = SpentRow.parse(row);
  const rows = await tx.query(
    `select stage, verdict, snapshot::json #>> '{window,start}' as start, snapshot::json ->> 'analysisDigest' as digest
     from touchstone.runs where project = $1 and ${ROLLOUT_KEY} = $2 and identity is not null order by seq desc limit ${MOST_RUNS}`,
    [project, rolloutKey],
  );
  return {
    stage: { rollback: spent.stage_rollback, promote: spent.stage_promote },
    rollout: { rollback: spent.rollout_rollback, promote: spent.rollout_promote },
    runs: rows.map((one) => {
      const { stage, verdict, start, digest } = EarlierRow.parse(one);
      return { stage, verdict, start, analysisDigest: digest };
    }),
  };
}
