import { Router, type Request, type Response } from "express";
import { TouchstoneError } from "../../errors.ts";
import { CanaryCaller, CanaryExecutionRequest, type CanaryExecution } from "../../model/canary.ts";
import { readTraceParent } from "../../model/trace-parent.ts";
import { startCanary, toNamespace, type CanaryStart } from "../../start-canary.ts";
import type { Caller, StartRunDependencies } from "../../start-run.ts";
import type { Store } from "../../store/store.ts";
import type { StoredRun } from "../../store/runs.ts";
import type { Telemetry } from "../../telemetry.ts";
import { actorOf } from "../authenticate.ts";
import { PROJECT } from "../list.ts";
import { onlyMethods } from "../problem.ts";
import { tellOfStart } from "../start-observed.ts";
import { parameterOf, readAdHoc, readCanaryBody, refused } from "./body.ts";
import { findConfig } from "./configs.ts";
import { statusOf, toExecutionView } from "./execution-view.ts";

export interface CanaryDependencies extends StartRunDependencies {
  readonly telemetry: Telemetry;
}

/** Under which application Kayenta files what names none. */
export const AD_HOC = "ad-hoc";

/** Executions: a run each. */
export function createCanaryRoutes(dependencies: CanaryDependencies): Router {
  const { store, telemetry } = dependencies;
  const router = Router();

  /** Exactly 200, as Argo Rollouts wants it. */
  const start = async (request: Request, response: Response, canary: CanaryStart): Promise<void> => {
    const started = await startCanary(dependencies, PROJECT, canary, callerOf(request, response));
    tellOfStart(telemetry, request, started);
    response.status(200).json({ canaryExecutionId: started.run.run.id });
  };

  router
    .route("/canary")
    .post(async (request, response) => {
      const caller = canaryCallerOf(request);
      await start(request, response, { ...readAdHoc(CanaryExecutionRequest, request), analysis: null, caller });
    })
    .all(onlyMethods("POST"));

  router
    .route("/canary/executions")
    .get(async (request, response) => {
      const application = parameterOf(request, "application") ?? AD_HOC;
      const limit = countOf(request, "limit", 20);
      const page = countOf(request, "page", 1);
      const statuses = (parameterOf(request, "statuses") ?? "")
        .toLowerCase()
        .split(",")
        .filter((one) => one !== "");
      const wanted = limit * page;
      const found: { stored: StoredRun; canary: CanaryExecution }[] = [];
      for await (const one of executionsOf(store, application)) {
        if (statuses.length > 0 && !statuses.includes(statusOf(one.stored))) continue;
        found.push(one);
        if (found.length === wanted) break;
      }
      const shown = await Promise.all(
        // The report is not read for lists.
        found.slice(wanted - limit).map(async ({ stored, canary }) => {
          const whole = await store.readRun(PROJECT, stored.run.id);
          return toExecutionView(whole ?? stored, canary);
        }),
      );
      response.json(shown);
    })
    .all(onlyMethods("GET"));

  // The same place for both: a config when it is posted to, an execution when it is read.
  router
    .route("/canary/:id")
    .post(async (request, response) => {
      const caller = canaryCallerOf(request);
      const { id } = request.params;
      const found = await findConfig(store, id, [caller.application]);
      const body = readCanaryBody(CanaryExecutionRequest, request);
      await start(request, response, { ...found, request: body, caller: { ...caller, canaryConfigId: id } });
    })
    .get(async (request, response) => {
      const { stored, canary } = await findExecution(store, request.params.id);
      response.status(200).json(toExecutionView(stored, canary));
    })
    .all(onlyMethods("GET", "POST"));

  router
    .route("/pipelines/:id/cancel")
    .put(async (request, response) => {
      const { stored } = await findExecution(store, request.params.id);
      const others = stored.run.canary?.standalone?.runs ?? [];
      for (const id of new Set([stored.run.id, ...others])) {
        const before = await store.readRun(PROJECT, id);
        if (before === null || before.dueAt === null) continue;
        const after = await store.cancelRun(PROJECT, id, "cancelled by request", actorOf(response));
        if (after?.status === "cancelled") telemetry.runsEnded.inc({ status: "cancelled", verdict: "" });
      }
      response.status(202).end();
    })
    .all(onlyMethods("PUT"));

  return router;
}

/** @throws TouchstoneError `not_found` for what is no run, or none of Kayenta's clients. */
export async function findExecution(store: Store, id: string): Promise<{ stored: StoredRun; canary: CanaryExecution }> {
  const stored = /^[\w-]{1,100}$/.test(id) ? await store.readRun(PROJECT, id) : null;
  const canary = stored?.run.canary;
  if (stored === null || canary === undefined)
    throw new TouchstoneError("not_found", `Canary execution ${id} does not exist.`);
  return { stored, canary };
}

/** Who asks, in Kayenta's words. */
export function canaryCallerOf(request: Request): CanaryCaller {
  const given = Object.fromEntries(
    Object.keys(CanaryCaller.shape).map((name) => [name, parameterOf(request, name)?.slice(0, 256)]),
  );
  return CanaryCaller.parse({ ...given, application: given["application"] ?? AD_HOC });
}

export function callerOf(request: Request, response: Response): Caller {
  return { actor: actorOf(response), idempotency: null, traceParent: readTraceParent(request.get("traceparent")) };
}

/** The newest first. */
async function* executionsOf(store: Store, application: string) {
  let cursor: string | null = null;
  do {
    const filter = { namespace: toNamespace(application) };
    const page: Awaited<ReturnType<Store["listRuns"]>> = await store.listRuns(PROJECT, filter, { limit: 100, cursor });
    for (const stored of page.items) {
      const { canary } = stored.run;
      if (canary?.caller.application === application) yield { stored, canary };
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
}

const MOST_LISTED = 200;

function countOf(request: Request, name: string, fallback: number): number {
  const given = parameterOf(request, name);
  if (given === undefined) return fallback;
  if (!/^\d{1,4}$/.test(given) || Number(given) < 1) throw refused(`${name} is ${given}, not a whole number above 0`);
  return Math.min(Number(given), MOST_LISTED);
}
