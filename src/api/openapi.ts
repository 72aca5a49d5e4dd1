import { stringify } from "yaml";
import { z } from "zod";
import { ENGINE } from "../model/engine.ts";
import { controllerPaths } from "./controller-paths.ts";
import { kayentaPaths } from "./kayenta/openapi.ts";
import { json, list, operation, pathPart, plain, queryParameters, ref } from "./openapi-parts.ts";
import { componentSchemas } from "./openapi-schemas.ts";
import { AuditQuery, PageQuery, RolloutListQuery, RolloutQuery, RunListQuery, RunQuery } from "./parameters.ts";

/** The contract, made from the very schemas that requests are checked with. `npm run openapi` writes it to openapi.yaml; a test finds drift. */
export function toOpenApi(): string {
  const document = {
    openapi: "3.1.0",
    info: {
      title: "Touchstone",
      version: ENGINE.split(" ")[1],
      description:
        "The statistical judge for rollouts of AI agents and services. Every error is application/problem+json with a code from the closed list of the Problem schema.",
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { basic: [] }, {}],
    tags: [
      { name: "runs" },
      { name: "rollouts" },
      { name: "analyses" },
      { name: "schedules" },
      { name: "audit" },
      { name: "controllers" },
      { name: "kayenta" },
      { name: "service" },
    ],
    paths: {
      "/v1/runs": {
        post: operation("startRun", "runs", "Start a run: it is stored before the answer is sent.", {
          parameters: [IDEMPOTENCY_KEY],
          body: { "application/json": ref("StartRunRequest") },
          responses: {
            "202": {
              ...json("The run was stored, or this Idempotency-Key stored it before.", "Run"),
              headers: LOCATION,
            },
            "200": { ...json("This rollout has the run already.", "Run"), headers: LOCATION },
          },
          errors: [400, 401, 404, 409, 413, 415, 422, 503],
        }),
        get: operation("listRuns", "runs", "List runs, the newest first.", {
          parameters: queryParameters(RunListQuery),
          responses: { "200": list("A page of runs.", "RunListItem") },
          errors: [400, 401, 503],
        }),
      },
      "/v1/runs/{id}": {
        get: operation(
          "getRun",
          "runs",
          "Read a run; with wait, hold the answer until it has ended or the time is up.",
          {
            parameters: [RUN_ID, ...queryParameters(RunQuery)],
            responses: { "200": json("The run.", "Run") },
            errors: [400, 401, 404, 503],
          },
        ),
      },
      "/v1/runs/{id}/looks": {
        get: operation("listLooks", "runs", "List the looks of a run in their order.", {
          parameters: [RUN_ID, ...queryParameters(PageQuery)],
          responses: { "200": list("A page of looks.", "Look") },
          errors: [400, 401, 404, 503],
        }),
      },
      "/v1/runs/{id}/evidence": {
        get: operation(
          "listEvidence",
          "runs",
          "List the looks of a run with what each was given: enough for anyone with the same engine to judge them again, as `touchstone verify` does.",
          {
            parameters: [RUN_ID, ...queryParameters(PageQuery)],
            responses: { "200": json("A page of looks with their evidence, and the run's snapshot.", "EvidencePage") },
            errors: [400, 401, 404, 503],
          },
        ),
      },
      "/v1/runs/{id}/report": {
        get: operation(
          "getReport",
          "runs",
          "Read the report of the last look, by Accept as JSON (the stored bytes), Markdown or a page without scripts.",
          {
            parameters: [RUN_ID],
            responses: {
              "200": {
                description: "The report.",
                content: {
                  "application/json": { schema: ref("Report") },
                  "text/markdown": { schema: { type: "string" } },
                  "text/html": { schema: { type: "string" } },
                },
              },
            },
            errors: [401, 404, 406, 503],
          },
        ),
      },
      "/v1/runs/{id}/finish": {
        post: operation(
          "finishRun",
          "runs",
          "End the window of a run with many looks now. Its last look comes when late samples have arrived, and decides.",
          {
            parameters: [RUN_ID],
            responses: { "200": json("The run, due for its last look.", "Run") },
            errors: [401, 404, 409, 503],
          },
        ),
      },
      "/v1/runs/{id}/cancel": {
        post: operation("cancelRun", "runs", "Cancel a run that has not ended. Repeating it changes nothing.", {
          parameters: [RUN_ID, IDEMPOTENCY_KEY],
          responses: { "200": json("The cancelled run.", "Run") },
          errors: [401, 404, 409, 503],
        }),
      },
      "/v1/runs/{id}/override": {
        post: operation(
          "overrideRun",
          "runs",
          "Put a person's verdict beside the computed one, which stays. Hooks answer the newest override.",
          {
            parameters: [RUN_ID, IDEMPOTENCY_KEY],
            body: { "application/json": ref("OverrideRequest") },
            responses: { "200": json("The run with the override.", "Run") },
            errors: [400, 401, 404, 409, 413, 415, 422, 503],
          },
        ),
      },
      "/v1/runs/{id}/deliveries": {
        get: operation(
          "listDeliveries",
          "runs",
          "What was told of a run to which notification target, and what waits.",
          {
            parameters: [RUN_ID],
            responses: { "200": list("All deliveries.", "Delivery") },
            errors: [401, 404, 503],
          },
        ),
      },
      "/v1/rollouts": {
        get: operation("listRollouts", "rollouts", "List rollouts, the one with the newest run first.", {
          parameters: queryParameters(RolloutListQuery),
          responses: { "200": list("A page of rollouts.", "RolloutListItem") },
          errors: [400, 401, 503],
        }),
      },
      "/v1/rollouts/{namespace}/{name}": {
        get: operation("getRollout", "rollouts", "Read the newest revision of a rollout: stages, attempts, budgets.", {
          parameters: [pathPart("namespace"), pathPart("name"), ...queryParameters(RolloutQuery)],
          responses: { "200": json("The rollout.", "RolloutView") },
          errors: [400, 401, 404, 503],
        }),
      },
      "/v1/rollouts/{namespace}/{name}/{revision}": {
        get: operation("getRolloutRevision", "rollouts", "Read one revision of a rollout.", {
          parameters: [pathPart("namespace"), pathPart("name"), pathPart("revision"), ...queryParameters(RolloutQuery)],
          responses: { "200": json("The rollout.", "RolloutView") },
          errors: [400, 401, 404, 503],
        }),
      },
      "/v1/audit": {
        get: operation(
          "listAudit",
          "audit",
          "Read the audit log: a chain of hashes over everything that was decided, overridden, cancelled or changed.",
          {
            parameters: queryParameters(AuditQuery),
            responses: { "200": json("A page of records with the newest link.", "AuditPage") },
            errors: [400, 401, 503],
          },
        ),
      },
      ...kayentaPaths(),
      "/v1/targets": {
        get: operation("listTargets", "service", "List the notification targets that a run may name in notify.", {
          responses: { "200": list("All targets.", "TargetView") },
          errors: [401],
        }),
      },
      "/v1/analyses": {
        get: operation("listAnalyses", "analyses", "List analyses by name.", {
          parameters: queryParameters(PageQuery),
          responses: { "200": list("A page of analyses.", "AnalysisListItem") },
          errors: [400, 401, 503],
        }),
      },
      "/v1/analyses/validate": {
        post: operation(
          "validateAnalysis",
          "analyses",
          "Check an analysis without storing it, and show what is in force.",
          {
            body: ANALYSIS_BODY,
            responses: { "200": json("It is valid; runnable says whether its sources are configured.", "Validation") },
            errors: [400, 401, 413, 415, 422],
          },
        ),
      },
      "/v1/analyses/{name}": {
        get: operation("getAnalysis", "analyses", "Read an analysis.", {
          parameters: [NAME],
          responses: { "200": json("The analysis.", "AnalysisView") },
          errors: [401, 404, 503],
        }),
        put: operation("putAnalysis", "analyses", "Store an analysis under its name.", {
          parameters: [NAME, IDEMPOTENCY_KEY],
          body: ANALYSIS_BODY,
          responses: { "200": json("The analysis as stored.", "AnalysisView") },
          errors: [400, 401, 409, 413, 415, 422, 503],
        }),
        delete: operation("deleteAnalysis", "analyses", "Delete an analysis. Runs keep their snapshot of it.", {
          parameters: [NAME],
          responses: { "204": { description: "It is gone." } },
          errors: [401, 404, 409, 503],
        }),
      },
      "/v1/schedules": {
        get: operation("listSchedules", "schedules", "List schedules by name.", {
          parameters: queryParameters(PageQuery),
          responses: { "200": list("A page of schedules.", "ScheduleListItem") },
          errors: [400, 401, 503],
        }),
      },
      "/v1/schedules/{name}": {
        get: operation("getSchedule", "schedules", "Read a schedule, its next slots and what became of the last.", {
          parameters: [NAME],
          responses: { "200": json("The schedule.", "ScheduleView") },
          errors: [401, 404, 503],
        }),
        put: operation("putSchedule", "schedules", "Store a schedule under its name. It holds from the next slot on.", {
          parameters: [NAME, IDEMPOTENCY_KEY],
          body: { "application/json": ref("Schedule"), "application/yaml": { type: "string" } },
          responses: { "200": json("The schedule as stored.", "ScheduleView") },
          errors: [400, 401, 404, 413, 415, 422, 503],
        }),
        delete: operation(
          "deleteSchedule",
          "schedules",
          "Delete a schedule and the list of its slots. The runs that it started stay.",
          {
            parameters: [NAME],
            responses: { "204": { description: "It is gone." } },
            errors: [401, 404, 503],
          },
        ),
      },
      "/v1/schedules/{name}/slots": {
        get: operation("listScheduleSlots", "schedules", "List what became of the slots, the newest first.", {
          parameters: [NAME, ...queryParameters(PageQuery)],
          responses: { "200": list("A page of slots.", "ScheduleSlot") },
          errors: [400, 401, 404, 503],
        }),
      },
      ...controllerPaths(),
      "/livez": {
        get: operation("livez", "service", "The process is alive.", {
          responses: { "200": plain("Alive.", "application/json") },
          security: [],
        }),
      },
      "/readyz": {
        get: operation("readyz", "service", "The record answers. A missing Redis is degraded, not unready.", {
          responses: { "200": plain("Ready.", "application/json") },
          errors: [503],
          security: [],
        }),
      },
      "/metrics": {
        get: operation("metrics", "service", "Prometheus metrics of Touchstone itself.", {
          responses: { "200": plain("Text exposition format.", "text/plain") },
          errors: [401],
        }),
      },
      "/openapi.yaml": {
        get: operation("openapi", "service", "This document.", {
          responses: { "200": plain("OpenAPI 3.1.", "application/yaml") },
          errors: [401],
        }),
      },
      "/": {
        get: operation("runPage", "service", "A page for people: the newest runs and their reports.", {
          parameters: queryParameters(PageQuery),
          responses: { "200": plain("HTML.", "text/html") },
          errors: [400, 401, 503],
        }),
      },
    },
    webhooks: {
      runEvent: signedWebhook("runEvent", "What a webhook target gets", "RunEvent"),
      postMortem: signedWebhook(
        "postMortem",
        "What a postmortem target gets when a candidate was rolled back after it had been exposed further than the target allows",
        "PostMortem",
      ),
    },
    components: {
      schemas: componentSchemas(),
      securitySchemes: { bearer: { type: "http", scheme: "bearer" }, basic: { type: "http", scheme: "basic" } },
    },
  };
  return `# Written by "npm run openapi" from the schemas in src/model and src/api. Do not edit.\n${stringify(document, { lineWidth: 160, aliasDuplicateObjects: false })}`;
}

/** JSON Schema for editors: `# yaml-language-server: $schema=…` at the top of an analysis file. */
export function toEditorSchema(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" }), null, 2)}\n`;
}

function signedWebhook(operationId: string, what: string, schema: string) {
  return {
    post: {
      operationId,
      summary: `${what}: signed as Standard Webhooks has it, at least once, always with the same id and bytes.`,
      parameters: [
        webhookHeader("webhook-id", "The id of the event; a repeated delivery has the same."),
        webhookHeader("webhook-timestamp", "Of this attempt, seconds since the epoch."),
        webhookHeader("webhook-signature", "For each secret v1, and the HMAC-SHA256 of id.timestamp.body in base64."),
      ],
      requestBody: { required: true, content: { "application/json": { schema: ref(schema) } } },
      responses: {
        "2XX": { description: "Taken." },
        "410": { description: "Gone: this event is not sent again." },
        default: { description: "Sent again later; with 429 and 503, after Retry-After." },
      },
    },
  };
}

function webhookHeader(name: string, description: string): object {
  return { name, in: "header", required: true, description, schema: { type: "string" } };
}

const RUN_ID = { name: "id", in: "path", required: true, schema: { type: "string" } };
const NAME = { name: "name", in: "path", required: true, schema: { type: "string" } };
const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  description: "Makes a repeated request the same request. With another body it is refused.",
  schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
};
const LOCATION = { Location: { schema: { type: "string" } } };
const ANALYSIS_BODY = { "application/json": ref("AnalysisDocument"), "application/yaml": { type: "string" } };
