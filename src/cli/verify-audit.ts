import { AUDIT_START, followAudit, type AuditHead } from "../model/audit.ts";
import type { Client } from "./client.ts";

/** What the audit log of a server turned out to be. */
export type AuditCheck =
  | { readonly sound: true; readonly head: AuditHead }
  | { readonly sound: false; readonly seq: number; readonly fault: string };

/**
 * Reads the whole audit log and follows its chain with this program's own arithmetic.
 *
 * @param known  a link that was kept elsewhere, for example from a notification: the log must still hold it.
 */
export async function verifyAudit(
  client: Pick<Client, "readAudit">,
  known: AuditHead | null,
  signal: AbortSignal,
): Promise<AuditCheck> {
  let at: AuditHead = AUDIT_START;
  let claimed: AuditHead | null = null;
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Client["readAudit"]>> = await client.readAudit(cursor, signal);
    // What is added while this reads is not missed: the log must reach at least the first head that was seen.
    claimed ??= page.head;
    for (const record of page.items) {
      const followed = followAudit(at, [record]);
      if ("fault" in followed) return { sound: false, ...followed };
      at = followed.head;
      if (known?.seq === at.seq && known.hash !== at.hash)
        return { sound: false, seq: at.seq, fault: "is not the record that was known" };
      if (claimed.seq === at.seq && claimed.hash !== at.hash)
        return { sound: false, seq: at.seq, fault: "is not the record that the head of the log names" };
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  const reached = Math.max(claimed.seq, known?.seq ?? 0);
  if (at.seq < reached) return { sound: false, seq: at.seq + 1, fault: "is missing: the end of the log was cut off" };
  return { sound: true, head: at };
}
