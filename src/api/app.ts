import express, { type Express, type RequestHandler } from "express";
import helmet from "helmet";
import { pinoHttp } from "pino-http";
import type { Logger } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Telemetry } from "../telemetry.ts";
import { createAnalysisRoutes } from "./analyses.ts";
import { createAuditRoutes } from "./audit.ts";
import { createArgoRoutes } from "./argo.ts";
import { authenticate, takeTokenFromPath } from "./authenticate.ts";
import { readBytes, readSmallBytes } from "./body.ts";
import { createFlaggerRoutes } from "./flagger.ts";
import { createHealthRoutes } from "./health.ts";
import { createJudgeRoute } from "./judge.ts";
import type { JudgeMetricSets } from "./judge-threads.ts";
import { handleKayentaError } from "./kayenta/problem.ts";
import { createKayentaRoutes } from "./kayenta/routes.ts";
import { handleError, handleUnknownRoute } from "./problem.ts";
import { createPrometheusRoutes } from "./prometheus-query.ts";
import { createRolloutRoutes } from "./rollouts.ts";
import { createRunPage } from "./run-page.ts";
import { createRunRoutes, type RunRoutesDependencies } from "./runs.ts";
import { createScheduleRoutes } from "./schedules.ts";
import { createTargetRoutes } from "./targets.ts";

export interface AppDependencies extends RunRoutesDependencies {
  readonly telemetry: Telemetry;
  readonly log: Logger;
  /** Null: no token is needed, and only this machine may call. */
  readonly token: string | null;
  /** The contract as it is served. */
  readonly openapi: string;
  readonly judgeMetricSets: JudgeMetricSets;
  readonly isStopping: () => boolean;
  readonly newRequestId: () => string;
  readonly newConfigId: () => string;
}

/** Of what a caller asked for; servers take URLs of many kilobytes. */
const MAX_LOGGED_URL = 500;

/** The HTTP door. */
export function createApp(dependencies: AppDependencies): Express {
  const { store, sources, targets, doorbell, token, openapi, isStopping } = dependencies;
  const app = createFront(dependencies);
  app.use(createHealthRoutes({ store, doorbell, isStopping }));
  app.use(authenticate(token));
  app.use(["/v1/argo", "/v1/flagger", "/flagger"], readSmallBytes);
  app.use(createJudgeRoute(dependencies.judgeMetricSets));
  app.use(readBytes);
  app.use("/v1", createRunRoutes(dependencies));
  app.use("/v1", createRolloutRoutes({ store }));
  app.use("/v1", createAnalysisRoutes({ store, sources }));
  app.use("/v1", createAuditRoutes({ store }));
  app.use("/v1", createScheduleRoutes(dependencies));
  app.use("/v1", createTargetRoutes({ targets }));
  app.use("/v1/argo", createArgoRoutes(dependencies));
  app.use("/v1/flagger", createFlaggerRoutes(dependencies));
  app.use("/flagger", createPrometheusRoutes({ store }));
  app.use("/kayenta", createKayentaRoutes(dependencies));
  app.get("/metrics", sendMetrics(dependencies));
  app.get("/openapi.yaml", (_request, response) => {
    response.type("application/yaml").send(openapi);
  });
  app.use(createRunPage(store));
  app.use("/kayenta", handleKayentaError);
  app.use(handleUnknownRoute);
  app.use(handleError);
  return app;
}

export type WorkerAppDependencies = Pick<
  AppDependencies,
  "store" | "doorbell" | "telemetry" | "log" | "token" | "isStopping" | "newRequestId"
>;

/** What a worker alone serves: its health and its metrics. */
export function createWorkerApp(dependencies: WorkerAppDependencies): Express {
  const { store, doorbell, token, isStopping } = dependencies;
  const app = createFront(dependencies);
  app.use(createHealthRoutes({ store, doorbell, isStopping }));
  app.use(authenticate(token));
  app.get("/metrics", sendMetrics(dependencies));
  app.use(handleUnknownRoute);
  app.use(handleError);
  return app;
}

/** What every request passes before its route: log, metrics, headers. */
function createFront({
  telemetry,
  log,
  newRequestId,
}: Pick<AppDependencies, "telemetry" | "log" | "newRequestId">): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.set("query parser", "simple");
  app.use(takeTokenFromPath);
  app.use(
    pinoHttp({
      logger: log,
      genReqId: newRequestId,
      // One line per request; health checks would drown the rest.
      autoLogging: { ignore: (request) => request.url === "/livez" || request.url === "/readyz" },
      customLogLevel: (_request, response) => (response.statusCode >= 500 ? "warn" : "debug"),
      serializers: {
        req: ({ id, method, url }: { id: unknown; method: string; url: string }) => ({
          id,
          method,
          url: url.slice(0, MAX_LOGGED_URL),
        }),
        res: ({ statusCode }: { statusCode: number }) => ({ statusCode }),
      },
    }),
  );
  app.use((request, response, next) => {
    const end = telemetry.httpRequestSeconds.startTimer({ method: request.method });
    response.once("finish", () => {
      const route: unknown = request.route?.path;
      end({
        route: typeof route === "string" ? `${request.baseUrl}${route}` : "unknown",
        status: String(response.statusCode),
      });
    });
    next();
  });
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { "default-src": ["'none'"], "frame-ancestors": ["'none'"] },
      },
      // Plain http on loopback is the first minute; whoever terminates TLS sets this header there.
      strictTransportSecurity: false,
    }),
  );
  app.use((_request, response, next) => {
    response.setHeader("cache-control", "no-store");
    next();
  });
  return app;
}

const sendMetrics =
  ({ store, telemetry, log }: Pick<AppDependencies, "store" | "telemetry" | "log">): RequestHandler =>
  async (_request, response) => {
    await measureRecord(store, telemetry, log);
    response.type(telemetry.registry.contentType).send(await telemetry.registry.metrics());
  };

/**
 * What is of all processes is asked of the record when somebody wants to know: workers that are all gone tell nothing. NaN while the record is away, since the other
 * metrics are wanted most then.
 */
async function measureRecord(store: Store, telemetry: Telemetry, log: Logger): Promise<void> {
  const { scheduleLagSeconds, outboxWaiting, outboxLagSeconds } = telemetry;
  try {
    const [lag, { waiting, oldestSeconds }] = await Promise.all([store.slotLagSeconds(), store.outboxLag()]);
    scheduleLagSeconds.set(lag);
    outboxWaiting.set(waiting);
    outboxLagSeconds.set(oldestSeconds);
  } catch (error) {
    log.warn({ err: error }, "the record could not be measured");
    for (const gauge of [scheduleLagSeconds, outboxWaiting, outboxLagSeconds]) gauge.set(Number.NaN);
  }
}
