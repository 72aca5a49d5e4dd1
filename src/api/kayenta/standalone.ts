import { Router, type Request, type Response } from "express";
import { TouchstoneError } from "../../errors.ts";
import { StandaloneRequest, type CanaryExecution } from "../../model/canary.ts";
import { startStandalone } from "../../start-standalone.ts";
import type { CanaryStart } from "../../start-canary.ts";
import type { StoredRun } from "../../store/runs.ts";
import { actorOf } from "../authenticate.ts";
import { PROJECT } from "../list.ts";
import { onlyMethods } from "../problem.ts";
import { tellOfStart } from "../start-observed.ts";
import { parameterOf, readAdHoc, readCanaryBody } from "./body.ts";
import { callerOf, canaryCallerOf, findExecution, type CanaryDependencies } from "./canaries.ts";
import { findConfig } from "./configs.ts";
import { isComplete, statusOf, toExecutionView, type ExecutionStatus } from "./execution-view.ts";

const PATH = "/standalone_canary_analysis";

/** Analyses with a lifetime: several runs, or one with many looks. */
export function createStandaloneRoutes(dependencies: CanaryDependencies): Router {
  const { store, telemetry } = dependencies;
  const router = Router();

  const start = async (
    request: Request,
    response: Response,
    canary: Pick<CanaryStart, "config" | "analysis" | "caller"> & { request: StandaloneRequest },
  ): Promise<void> => {
    const user = parameterOf(request, "user") ?? "anonymous";
    const now = new Date().toISOString();
    const asked = callerOf(request, response);
    const { id, started } = await startStandalone(dependencies, PROJECT, { ...canary, user }, asked, now);
    for (const one of started) tellOfStart(telemetry, request, one);
    response.status(200).json({ canaryAnalysisExecutionId: id });
  };

  router
    .route(PATH)
    .post(async (request, response) => {
      const caller = canaryCallerOf(request);
      await start(request, response, { ...readAdHoc(StandaloneRequest, request), analysis: null, caller });
    })
    .all(onlyMethods("POST"));

  router
    .route(`${PATH}/:id`)
    .post(async (request, response) => {
      const caller = canaryCallerOf(request);
      const { id } = request.params;
      const found = await findConfig(store, id, [caller.application]);
      const body = readCanaryBody(StandaloneRequest, request);
      await start(request, response, { ...found, request: body, caller: { ...caller, canaryConfigId: id } });
    })
    .get(async (request, response) => {
      const { stored, canary } = await findExecution(store, request.params.id);
      const { standalone } = canary;
      if (standalone === undefined || standalone.n !== 1)
        throw new TouchstoneError("not_found", `Canary analysis ${request.params.id} does not exist.`);
      const all = await Promise.all(standalone.runs.map((id) => store.readRun(PROJECT, id)));
      const judged = all.flatMap((run) => (run?.run.canary === undefined ? [] : [judgementOf(run, run.run.canary)]));
      const stopped = judged.findIndex((one, index) => one.ended && one.stops && index < standalone.runs.length - 1);
      if (stopped >= 0)
        // The lifetime is over; what was to come is not judged any more.
        for (const { stored: later } of judged.slice(stopped + 1))
          if (later.dueAt !== null)
            await store.cancelRun(PROJECT, later.run.id, "an earlier judgement ended the analysis", actorOf(response));
      const counted = stopped < 0 ? judged : judged.slice(0, stopped + 1);
      response.json(toAnalysisView(stored, canary, counted, stopped < 0 ? standalone.runs.length : counted.length));
    })
    .all(onlyMethods("GET", "POST"));

  return router;
}

interface Judgement {
  readonly stored: StoredRun;
  readonly view: ReturnType<typeof toExecutionView>;
  readonly status: ExecutionStatus;
  readonly score: number | null;
  readonly ended: boolean;
  /** Nothing is judged after this one: it failed, or its score is not above the marginal one. */
  readonly stops: boolean;
}

function judgementOf(stored: StoredRun, canary: CanaryExecution): Judgement {
  const view = toExecutionView(stored, canary);
  const status = statusOf(stored);
  const score = view.result?.judgeResult.score.score;
  const number = typeof score === "number" ? score : null;
  const ended = isComplete(status);
  return {
    stored,
    view,
    status,
    score: number,
    ended,
    stops: ended && (number === null || number <= canary.thresholds.marginal),
  };
}

function toAnalysisView(stored: StoredRun, canary: CanaryExecution, judged: readonly Judgement[], expected: number) {
  const { caller, config, thresholds, standalone } = canary;
  const last = judged.at(-1);
  const complete = judged.length === expected && judged.every(({ ended }) => ended);
  const failed = judged.find(({ ended, score }) => ended && score === null);
  const outcome = complete ? outcomeOf(last?.score ?? null, thresholds) : null;
  const status: ExecutionStatus = !complete
    ? judged.every((one) => one.status === "not_started")
      ? "not_started"
      : "running"
    : (failed?.status ?? (outcome?.didPass === true ? "succeeded" : "terminal"));
  const { canaryConfigId, metricsAccountName, storageAccountName, application, parentPipelineExecutionId } = caller;
  const exception = failed?.view.exception;
  return {
    application,
    user: standalone?.user ?? "anonymous",
    ...(parentPipelineExecutionId === undefined ? {} : { parentPipelineExecutionId }),
    pipelineId: stored.run.id,
    stageStatus: judged.map((one, index) => ({
      type: "runCanary",
      name: `Run Canary #${index + 1}`,
      status: one.status,
      executionId: one.stored.run.id,
    })),
    complete,
    executionStatus: status.toUpperCase(),
    status,
    ...(exception === undefined ? {} : { exception }),
    canaryAnalysisExecutionRequest: standalone?.request ?? {},
    canaryConfig: config,
    ...(canaryConfigId === undefined ? {} : { canaryConfigId }),
    ...(metricsAccountName === undefined ? {} : { metricsAccountName }),
    ...(storageAccountName === undefined ? {} : { storageAccountName }),
    buildTimeMillis: Date.parse(stored.createdAt),
    buildTimeIso: stored.createdAt,
    startTimeMillis: Date.parse(stored.createdAt),
    startTimeIso: stored.createdAt,
    ...(complete && last?.stored.decidedAt
      ? { endTimeMillis: Date.parse(last.stored.decidedAt), endTimeIso: last.stored.decidedAt }
      : {}),
    ...(outcome === null || last?.score === null
      ? {}
      : {
          canaryAnalysisExecutionResult: {
            didPassThresholds: outcome.didPass,
            hasWarnings: judged.some((one) => warningsOf(one).length > 0),
            canaryScoreMessage: outcome.message,
            canaryScores: judged.flatMap(({ score }) => (score === null ? [] : [score])),
            canaryExecutionResults: judged.map(toResultView),
          },
        }),
  };
}

function toResultView(one: Judgement) {
  const { stored, view, status } = one;
  const { window } = stored.run;
  return {
    executionId: stored.run.id,
    executionStatus: status.toUpperCase(),
    ...(view.exception === undefined ? {} : { exception: view.exception }),
    ...(view.result === undefined ? {} : { result: view.result }),
    ...(window === null
      ? {}
      : {
          judgementStartTimeIso: window.start,
          judgementStartTimeMillis: Date.parse(window.start),
          judgementEndTimeIso: window.end,
          judgementEndTimeMillis: Date.parse(window.end),
        }),
    warnings: warningsOf(one),
    buildTimeMillis: Date.parse(stored.createdAt),
    buildTimeIso: stored.createdAt,
    ...(stored.decidedAt === null ? {} : { endTimeMillis: Date.parse(stored.decidedAt), endTimeIso: stored.decidedAt }),
  };
}

const FEW_POINTS = 50;

function warningsOf({ view }: Judgement): string[] {
  const isShort = (view.result?.judgeResult.results ?? []).some(
    ({ controlMetadata }) => controlMetadata.stats.count < FEW_POINTS,
  );
  return isShort
    ? ["One of the metrics returned fewer than 50 data points, which can reduce confidence in the final canary score."]
    : [];
}

/** In Kayenta's words; 100 is `100.0` there. */
function outcomeOf(score: number | null, { pass, marginal }: CanaryExecution["thresholds"]) {
  if (score === null) return { didPass: false, message: "There is no canary score." };
  const text = `Final canary score ${Number.isInteger(score) ? score.toFixed(1) : score}`;
  if (score <= marginal) return { didPass: false, message: `${text} is not above the marginal score threshold.` };
  if (score < pass) return { didPass: false, message: `${text} is below the pass score threshold.` };
  return { didPass: true, message: `${text} met or exceeded the pass score threshold.` };
}
