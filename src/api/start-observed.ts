import type { Request, Response } from "express";
import { logFieldsOf } from "../log.ts";
import type { StartRunRequest } from "../model/run.ts";
import { readTraceParent } from "../model/trace-parent.ts";
import { startRun, type Caller, type StartRunDependencies } from "../start-run.ts";
import type { StartedRun } from "../store/runs.ts";
import type { Telemetry } from "../telemetry.ts";
import { actorOf } from "./authenticate.ts";
import { PROJECT } from "./list.ts";

export interface StartDependencies extends StartRunDependencies {
  readonly telemetry: Telemetry;
}

/** `startRun` for whoever sent the request, counted and logged. @throws TouchstoneError as `startRun`. */
export async function startObserved(
  dependencies: StartDependencies,
  request: Request,
  response: Response,
  body: StartRunRequest,
  caller: Pick<Caller, "idempotency" | "anew">,
): Promise<StartedRun> {
  const traceParent = readTraceParent(request.get("traceparent"));
  const started = await startRun(dependencies, PROJECT, body, { ...caller, actor: actorOf(response), traceParent });
  tellOfStart(dependencies.telemetry, request, started);
  return started;
}

/** Counts and logs a run that a request has started, whichever way it did. */
export function tellOfStart(
  { runsStarted, runsEnded }: Telemetry,
  request: Request,
  { outcome, superseded, run }: StartedRun,
): void {
  runsStarted.inc({ outcome });
  runsEnded.inc({ status: "cancelled", verdict: "" }, superseded.length);
  request.log.setBindings(logFieldsOf(run.run, run.traceParent));
  request.log.info({ outcome, superseded }, "run started");
}
