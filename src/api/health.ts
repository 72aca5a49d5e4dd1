import { Router } from "express";
import type { Doorbell } from "../doorbell/doorbell.ts";
import type { Store } from "../store/store.ts";
import { sendProblem } from "./problem.ts";

/** Health is for whoever starts and stops processes: it needs no token and tells no secret. */
export function createHealthRoutes({
  store,
  doorbell,
  isStopping,
}: {
  store: Store;
  doorbell: Doorbell;
  isStopping: () => boolean;
}): Router {
  const router = Router();
  router.get("/livez", (_request, response) => {
    response.json({ status: "ok" });
  });
  router.get("/readyz", async (_request, response) => {
    if (isStopping()) return sendProblem(response, "server_unavailable", "this process is shutting down");
    try {
      await store.ping();
    } catch (error) {
      return sendProblem(response, "store_unavailable", error instanceof Error ? error.message : String(error));
    }
    // Without a bell runs start on the next sweep: slower, not broken.
    const bell = doorbell.health();
    response.json({ status: "ok", degraded: !bell.ok, record: "ok", doorbell: bell.detail });
  });
  return router;
}
