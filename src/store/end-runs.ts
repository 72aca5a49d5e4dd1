import type { Ask, SqlValue } from "./sql.ts";
import { tellOfEnd } from "./tell-of-runs.ts";

interface Ending {
  readonly status: "failed" | "cancelled";
  readonly code: string;
  readonly detail: string;
  /** Who ends them. */
  readonly actor: string;
}

/** Ends live runs without a verdict, and tells of it. `condition` counts its parameters from $3. @returns their ids. */
export async function endLive(
  tx: Ask,
  { status, code, detail, actor }: Ending,
  condition: string,
  values: readonly SqlValue[],
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `update touchstone.runs set status = '${status}', error_code = $1, error_detail = $2, epoch = epoch + 1, lease_until = null
     where status in ('queued', 'running') and ${condition} returning id`,
    [code, detail.slice(0, 2000), ...values],
  );
  const ids = rows.map(({ id }) => id);
  await tellOfEnd(tx, ids, actor);
  return ids;
}
