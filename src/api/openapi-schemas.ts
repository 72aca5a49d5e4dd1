import { z } from "zod";
import { ERRORS } from "../errors.ts";
import { AnalysisDocument } from "../model/analysis.ts";
import { ArgoVerdict, ArgoVerdictRequest } from "../model/argo.ts";
import {
  CanaryConfig,
  CanaryExecutionRequest,
  CanaryJudgeRequest,
  CanaryJudgeResult,
  StandaloneRequest,
} from "../model/canary.ts";
import { DeliveryView, PostMortem, RunEvent } from "../model/event.ts";
import { FlaggerHook } from "../model/flagger.ts";
import { RolloutListItem, RolloutView } from "../model/rollout.ts";
import {
  EvidencePage,
  LookView,
  OverrideRequest,
  Report,
  RunListItem,
  RunView,
  StartRunRequest,
} from "../model/run.ts";
import { Schedule, ScheduleListItem, ScheduleSlot, ScheduleView } from "../model/schedule.ts";
import { TargetView } from "../model/target.ts";
import { AnalysisListItem, AnalysisView, ValidationView } from "./analyses.ts";
import { AuditPage } from "./audit.ts";
import { KayentaErrorView } from "./kayenta/problem.ts";

/** Requests as callers may write them, answers as they will read them. */
export function componentSchemas(): Record<string, object> {
  const requests = {
    StartRunRequest,
    OverrideRequest,
    AnalysisDocument,
    Schedule,
    ArgoVerdictRequest,
    FlaggerHook,
    CanaryJudgeRequest,
    CanaryExecutionRequest,
    CanaryConfig,
    StandaloneRequest,
  };
  const answers = {
    Run: RunView,
    RunListItem,
    RolloutView,
    RolloutListItem,
    Look: LookView,
    EvidencePage,
    Report,
    Delivery: DeliveryView,
    RunEvent,
    PostMortem,
    TargetView,
    AuditPage,
    AnalysisView,
    AnalysisListItem,
    Validation: ValidationView,
    ScheduleView,
    ScheduleListItem,
    ScheduleSlot,
    ArgoVerdict,
    CanaryJudgeResult,
    KayentaErrorView,
  };
  const schemas: Record<string, object> = {};
  for (const [io, group] of [
    ["input", requests],
    ["output", answers],
  ] as const) {
    for (const schema of Object.values(group)) {
      const {
        $schema: _,
        $defs = {},
        id: __,
        ...own
      } = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "throw" });
      const name = z.globalRegistry.get(schema)?.id ?? "";
      for (const [id, definition] of Object.entries($defs)) schemas[id] ??= relinked(definition);
      // A schema with an id may be only a reference to its own definition.
      schemas[name] = relinked($defs[name] ?? own);
    }
  }
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...sorted, Problem: PROBLEM };
}

/** `#/$defs/X` of a schema that stands alone becomes `#/components/schemas/X`. */
function relinked(schema: object): object {
  return JSON.parse(
    JSON.stringify(schema, (key, value: unknown) =>
      key === "$ref" && typeof value === "string"
        ? value.replace("#/$defs/", "#/components/schemas/")
        : key === "id" && typeof value === "string" && !value.startsWith("#")
          ? undefined
          : value,
    ),
  ) as object;
}

const PROBLEM = {
  type: "object",
  required: ["type", "title", "status", "detail", "code"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string", enum: Object.keys(ERRORS) },
    issues: {
      type: "array",
      items: {
        type: "object",
        required: ["pointer", "detail"],
        properties: { pointer: { type: "string" }, detail: { type: "string" } },
      },
    },
  },
};
