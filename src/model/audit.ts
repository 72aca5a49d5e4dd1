import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "./canonical.ts";
import { Instant } from "./time.ts";

/** What the audit log says happened: somebody did something to something. */
export const AuditEntry = z.object({
  actor: z
    .string()
    .describe("Who: `worker NAME`, `sweeper`, `token`, `local` (no token is set), or the name that a person gave."),
  action: z
    .string()
    .describe("What: run.done, run.failed, run.cancelled, run.overridden, analysis.put, analysis.deleted …"),
  subject: z.string().describe("To what: the id of a run, or the name of an analysis or schedule."),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** One link of the chain. */
export const AuditRecord = AuditEntry.extend({
  seq: z.int().min(1).describe("1 for the first record; no number is ever left out."),
  at: Instant,
  prev: z.string().describe("The hash of the record before; of the first one 64 zeros."),
  hash: z
    .string()
    .describe(
      "SHA-256, hexadecimal, of the canonical JSON (sorted keys, no white space) of this record without its hash.",
    ),
}).meta({ id: "AuditRecord" });
export type AuditRecord = z.infer<typeof AuditRecord>;

/** The newest link: whoever keeps it elsewhere sees later that nothing before it was changed or cut off. */
export const AuditHead = z.object({ seq: z.int().min(0), hash: z.string() }).meta({ id: "AuditHead" });
export type AuditHead = z.infer<typeof AuditHead>;

/** Before the first record. */
export const AUDIT_START: AuditHead = { seq: 0, hash: "0".repeat(64) };

/** The record that follows `head`. */
export function linkAudit(head: AuditHead, at: Instant, { actor, action, subject, detail }: AuditEntry): AuditRecord {
  const record = { actor, action, subject, detail, seq: head.seq + 1, at, prev: head.hash };
  return { ...record, hash: hashOf(record) };
}

/**
 * Follows the chain from `start` over these records.
 *
 * @returns the head after them, or the first record that does not follow and why.
 */
export function followAudit(
  start: AuditHead,
  records: readonly AuditRecord[],
): { readonly head: AuditHead } | { readonly seq: number; readonly fault: string } {
  let head = start;
  for (const { hash, ...record } of records) {
    const seq = head.seq + 1;
    if (record.seq !== seq) return { seq, fault: `is missing; record ${record.seq} stands in its place` };
    if (record.prev !== head.hash) return { seq, fault: "does not follow from the record before it" };
    if (hashOf(record) !== hash) return { seq, fault: "was changed: its hash is not that of its content" };
    head = { seq, hash };
  }
  return { head };
}

function hashOf(record: Omit<AuditRecord, "hash">): string {
  return createHash("sha256").update(canonicalJson(record)).digest("hex");
}
