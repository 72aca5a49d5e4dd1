import { z } from "zod";
import { AUDIT_START, AuditRecord, linkAudit, type AuditEntry, type AuditHead } from "../model/audit.ts";
import { canonicalJson } from "../model/canonical.ts";
import { Instant } from "../model/time.ts";
import { readCursor, toPage } from "./page.ts";
import type { Ask, Sql } from "./sql.ts";
import type { AuditStore } from "./audit.ts";

const Head = z.object({ seq: z.coerce.number(), hash: z.string(), now: Instant });
const Row = AuditRecord.extend({ seq: z.coerce.number(), detail: z.string() });

/** The chain of what was decided and by whom. */
export const createAuditStore = (sql: Sql): AuditStore => ({
  async listAudit(project, subject, page) {
    const rows = await sql.query(
      `select seq::text as seq, touchstone.iso(at) as at, actor, action, subject, detail, prev, hash from touchstone.audit
       where project = $1 and seq > $2 and ($3::text is null or subject = $3) order by audit.seq limit ${page.limit + 1}`,
      [project, readCursor(page.cursor, 0), subject],
    );
    return toPage(
      rows.map((row) => Row.parse(row)),
      page,
      ({ seq }) => String(seq),
      ({ detail, ...row }) => AuditRecord.parse({ ...row, detail: JSON.parse(detail) }),
    );
  },

  async readAuditHead(project) {
    const [row] = await sql.query("select seq::text as seq, hash from touchstone.audit_heads where project = $1", [
      project,
    ]);
    return row === undefined ? AUDIT_START : Head.omit({ now: true }).parse(row);
  },
});

/**
 * Adds a link, in the transaction of what it tells of. Writers of one project take turns from here to their commit, so this comes last in a transaction.
 *
 * @returns the new head.
 */
export async function appendAudit(tx: Ask, project: string, entry: AuditEntry): Promise<AuditHead> {
  // The update that changes nothing locks the head, whether or not it was there.
  const [row] = await tx.query(
    `insert into touchstone.audit_heads (project, seq, hash) values ($1, $2, $3)
     on conflict (project) do update set seq = audit_heads.seq returning seq::text as seq, hash, touchstone.iso(now()) as now`,
    [project, AUDIT_START.seq, AUDIT_START.hash],
  );
  const { now, ...head } = Head.parse(row);
  const record = linkAudit(head, now, entry);
  await tx.query(
    "insert into touchstone.audit (project, seq, at, actor, action, subject, detail, prev, hash) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    [
      project,
      record.seq,
      record.at,
      record.actor,
      record.action,
      record.subject,
      canonicalJson(record.detail),
      record.prev,
      record.hash,
    ],
  );
  await tx.query("update touchstone.audit_heads set seq = $2, hash = $3 where project = $1", [
    project,
    record.seq,
    record.hash,
  ]);
  return { seq: record.seq, hash: record.hash };
}
