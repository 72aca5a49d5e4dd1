import { Router } from "express";
import type { TargetView } from "../model/target.ts";
import type { Targets } from "../notify/target.ts";
import { onlyMethods } from "./problem.ts";

/** What a run may name in `notify`. Never where it leads: that is the operator's. */
export function createTargetRoutes({ targets }: { targets: Targets }): Router {
  const router = Router();
  router
    .route("/targets")
    .get((_request, response) => {
      const items = [...targets].map(([name, { type, always }]): TargetView => ({ name, type, always }));
      response.json({ items, nextCursor: null });
    })
    .all(onlyMethods("GET"));
  return router;
}
