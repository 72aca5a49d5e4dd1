import express, { Router, type RequestHandler } from "express";
import { TouchstoneError } from "../errors.ts";
import type { JudgeMetricSets } from "./judge-threads.ts";
import { handleKayentaError } from "./kayenta/problem.ts";
import { onlyMethods } from "./problem.ts";

/** Some two million points. */
const MAX_METRIC_SETS_BYTES = 32 * 1024 * 1024;

const readMetricSets: RequestHandler = express.raw({ type: () => true, limit: MAX_METRIC_SETS_BYTES, inflate: true });

/** Where a Kayenta with `kayenta.remote-judge` sends its metric sets. Stands before the reader of other bodies, which are small. */
export function createJudgeRoute(judge: JudgeMetricSets): Router {
  const router = Router();
  router
    .route("/judge")
    .post(readMetricSets, async (request, response) => {
      const bytes: unknown = request.body;
      if (!(bytes instanceof Uint8Array) || bytes.length === 0)
        throw new TouchstoneError("malformed_body", "there is no body");
      const { status, body } = await judge(bytes);
      response.status(status).type("application/json").send(body);
    })
    .all(onlyMethods("POST"));
  router.use(handleKayentaError);
  return router;
}
