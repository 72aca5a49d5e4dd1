import type { Ask, SqlValue } from "./sql.ts";

/** Ends live runs without a verdict. `condition` counts its parameters from $3. @returns their ids. */
export async function endLive(
  tx: Ask,
  status: "failed" | "cancelled",
  condition: string,
  code: string,
  detail: string,
  values: readonly SqlValue[],
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `update touchstone.runs set status = '${status}', error_code = $1, error_detail = $2, epoch = epoch + 1, lease_until = null
     where status in ('queued', 'running') and ${condition} returning id`,
    [code, detail.slice(0, 2000), ...values],
  );
  return rows.map(({ id }) => id);
}
