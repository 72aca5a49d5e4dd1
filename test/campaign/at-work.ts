import type { Program } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** The workers that have ended a run since they were started; none while the record is away. */
export async function atWork({ record, deployment }: Stage): Promise<readonly Program[]> {
  const rows = await record
    .query<{ pid: string }>(
      "select distinct substring(actor from 'worker ([0-9]+)-') as pid from touchstone.audit where action = 'run.done'",
    )
    .catch(() => []);
  return deployment.programs("worker").filter(({ pid }) => rows.some((row) => Number(row.pid) === pid));
}
