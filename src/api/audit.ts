import { Router } from "express";
import { z } from "zod";
import { AuditHead, AuditRecord } from "../model/audit.ts";
import type { Store } from "../store/store.ts";
import { PROJECT, sendList } from "./list.ts";
import { AuditQuery, readQuery, toPage } from "./parameters.ts";
import { onlyMethods } from "./problem.ts";

/** A page of the audit log with its newest link, which a reader may keep elsewhere. */
export const AuditPage = z
  .object({ items: z.array(AuditRecord), nextCursor: z.string().nullable(), head: AuditHead })
  .meta({ id: "AuditPage" });

export function createAuditRoutes({ store }: { store: Store }): Router {
  const router = Router();
  router
    .route("/audit")
    .get(async (request, response) => {
      const { subject, ...page } = readQuery(AuditQuery, request);
      // The head first: a page that is read after it holds at least the records up to it.
      const head = await store.readAuditHead(PROJECT);
      const listed = await store.listAudit(PROJECT, subject ?? null, toPage(page));
      const auditPage = { ...listed, head };
      sendList(request, response, auditPage);
    })
    .all(onlyMethods("GET"));
  return router;
}
