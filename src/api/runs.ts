import { Router, type Request, type Response } from "express";
import { TouchstoneError } from "../errors.ts";
import { logFieldsOf } from "../log.ts";
import { OverrideRequest, parseReport, StartRunRequest } from "../model/run.ts";
import { durationSeconds } from "../model/time.ts";
import { toHtml, HTML_STYLE_HASH } from "../report/html.ts";
import { toMarkdown } from "../report/markdown.ts";
import type { StoredRun } from "../store/runs.ts";
import { actorOf } from "./authenticate.ts";
import { parseAs, readJson } from "./body.ts";
import { PROJECT, sendList } from "./list.ts";
import { PageQuery, readIdempotency, readQuery, RunListQuery, RunQuery, toPage } from "./parameters.ts";
import { onlyMethods } from "./problem.ts";
import { toEvidenceView, toLookView, toRunListItem, toRunView } from "./run-view.ts";
import type { RunWatcher } from "./run-watcher.ts";
import { startObserved, type StartDependencies } from "./start-observed.ts";

export interface RunRoutesDependencies extends StartDependencies {
  readonly watcher: RunWatcher;
}

export function createRunRoutes(dependencies: RunRoutesDependencies): Router {
  const { store, watcher, telemetry } = dependencies;
  const router = Router();

  const find = async (request: Request): Promise<StoredRun> => {
    const id = String(request.params["id"]);
    const run = /^[\w-]{1,100}$/.test(id) ? await store.readRun(PROJECT, id) : null;
    if (run === null) throw new TouchstoneError("not_found", `there is no run ${id}`);
    request.log.setBindings(logFieldsOf(run.run, run.traceParent));
    return run;
  };

  router
    .route("/runs")
    .post(async (request, response) => {
      const body = parseAs(StartRunRequest, readJson(request));
      const idempotency = readIdempotency(request, "POST /v1/runs", body);
      const started = await startObserved(dependencies, request, response, body, { idempotency });
      response
        .status(started.outcome === "same" ? 200 : 202)
        .location(`/v1/runs/${started.run.run.id}`)
        .json(toRunView(started.run));
    })
    .get(async (request, response) => {
      const { limit, cursor, ...filter } = readQuery(RunListQuery, request);
      const listed = await store.listRuns(PROJECT, filter, toPage({ limit, cursor }));
      sendList(request, response, { items: listed.items.map(toRunListItem), nextCursor: listed.nextCursor });
    })
    .all(onlyMethods("GET", "POST"));

  router
    .route("/runs/:id")
    .get(async (request, response) => {
      const { wait } = readQuery(RunQuery, request);
      let run = await find(request);
      if (wait !== undefined && run.dueAt !== null) {
        const gone = new AbortController();
        response.once("close", () => gone.abort());
        await watcher.waitForEnd(run.run.id, durationSeconds(wait) * 1000, gone.signal);
        run = await find(request);
      }
      response.json(toRunView(run));
    })
    .all(onlyMethods("GET"));

  router
    .route("/runs/:id/looks")
    .get(async (request, response) => {
      const run = await find(request);
      const listed = await store.listLooks(PROJECT, run.run.id, toPage(readQuery(PageQuery, request)));
      sendList(request, response, { items: listed.items.map(toLookView), nextCursor: listed.nextCursor });
    })
    .all(onlyMethods("GET"));

  router
    .route("/runs/:id/evidence")
    .get(async (request, response) => {
      const { run } = await find(request);
      const listed = await store.listEvidence(PROJECT, run.id, toPage(readQuery(PageQuery, request)));
      const page = { run, items: listed.items.map(toEvidenceView), nextCursor: listed.nextCursor };
      sendList(request, response, page);
    })
    .all(onlyMethods("GET"));

  router
    .route("/runs/:id/report")
    .get(async (request, response) => {
      const { report, run, status } = await find(request);
      if (report === null) throw new TouchstoneError("not_found", `run ${run.id} is ${status} and has no report`);
      sendReport(request, response, report);
    })
    .all(onlyMethods("GET"));

  router
    .route("/runs/:id/finish")
    .post(async (request, response) => {
      const before = await find(request);
      const { id, analysis } = before.run;
      if (before.dueAt === null) throw new TouchstoneError("conflict", `run ${id} is ${before.status} and stays so`);
      if (analysis.plan.mode === "once")
        throw new TouchstoneError(
          "conflict",
          `run ${id} looks once, at ${before.dueAt}; there is nothing to finish early`,
        );
      const after = await store.finishRun(PROJECT, id, analysis.plan.settleSeconds);
      if (after === null) throw new TouchstoneError("not_found", `there is no run ${id}`);
      response.json(toRunView(after));
    })
    .all(onlyMethods("POST"));

  router
    .route("/runs/:id/override")
    .post(async (request, response) => {
      const before = await find(request);
      const { id } = before.run;
      const body = parseAs(OverrideRequest, readJson(request));
      const { by, ...override } = body;
      const after = await store.overrideRun(PROJECT, id, {
        ...override,
        actor: by === undefined ? actorOf(response) : `${by} (${actorOf(response)})`,
        idempotency: readIdempotency(request, `POST /v1/runs/${id}/override`, body),
      });
      if (after === null) throw new TouchstoneError("not_found", `there is no run ${id}`);
      telemetry.overrides.inc({ verdict: override.verdict });
      response.json(toRunView(after));
    })
    .all(onlyMethods("POST"));

  router
    .route("/runs/:id/deliveries")
    .get(async (request, response) => {
      const { run } = await find(request);
      response.json({ items: await store.listDeliveries(PROJECT, run.id), nextCursor: null });
    })
    .all(onlyMethods("GET"));

  router
    .route("/runs/:id/cancel")
    .post(async (request, response) => {
      const before = await find(request);
      if (before.dueAt === null && before.status !== "cancelled")
        throw new TouchstoneError("conflict", `run ${before.run.id} is ${before.status} and stays so`);
      const after = await store.cancelRun(PROJECT, before.run.id, "cancelled by request", actorOf(response));
      if (after === null) throw new TouchstoneError("not_found", `there is no run ${before.run.id}`);
      if (after.status !== "cancelled")
        throw new TouchstoneError("conflict", `run ${after.run.id} became ${after.status} in the meantime`);
      if (before.dueAt !== null) telemetry.runsEnded.inc({ status: "cancelled", verdict: "" });
      response.json(toRunView(after));
    })
    .all(onlyMethods("POST"));

  return router;
}

/** The stored bytes as JSON, or the same report as Markdown or as one HTML page without scripts. */
function sendReport(request: Request, response: Response, report: string): void {
  response.vary("accept");
  switch (request.accepts(["application/json", "text/markdown", "text/html"])) {
    case "application/json":
      response.type("application/json").send(report);
      return;
    case "text/markdown":
      response.type("text/markdown").send(toMarkdown(parseReport(report)));
      return;
    case "text/html":
      response
        .setHeader(
          "content-security-policy",
          `default-src 'none'; style-src '${HTML_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        )
        .type("text/html")
        .send(toHtml(parseReport(report)));
      return;
    default:
      throw new TouchstoneError("not_acceptable", "a report comes as application/json, text/markdown or text/html");
  }
}
