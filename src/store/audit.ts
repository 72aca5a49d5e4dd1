import type { AuditHead, AuditRecord } from "../model/audit.ts";
import type { Listed, Page } from "./listed.ts";

/** Who decided what: a chain of hashes that nobody can change unseen. */
export interface AuditStore {
  /** The records in their order; of one subject alone they do not make a chain. */
  listAudit(project: string, subject: string | null, page: Page): Promise<Listed<AuditRecord>>;
  readAuditHead(project: string): Promise<AuditHead>;
}
