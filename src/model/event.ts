import { z } from "zod";
import { AuditHead } from "./audit.ts";
import { Reason, Verdict } from "./finding.ts";
import { Name } from "./name.ts";
import { Override, Rollout, RunStatus } from "./run.ts";
import { Instant } from "./time.ts";
import { Version } from "./version.ts";

export const EventType = z.enum(["run.done", "run.failed", "run.cancelled", "run.overridden"]);
export type EventType = z.infer<typeof EventType>;

/** What is told to notification targets: once per run that ends, and once per override. Every delivery of it has the same id and the same bytes. */
export const RunEvent = z
  .object({
    id: z.string().describe("Receivers know a repeated delivery by it."),
    type: EventType,
    timestamp: Instant,
    data: z.object({
      run: z.string(),
      status: RunStatus,
      verdict: Verdict.nullable().describe("As computed; null unless the status is done."),
      effectiveVerdict: Verdict.nullable().describe("The override's where there is one."),
      override: Override.nullable(),
      summary: z.string().nullable(),
      reasons: z.array(Reason),
      error: z.object({ code: z.string(), detail: z.string() }).nullable(),
      score: z.number().nullable(),
      analysis: z.object({ name: Name, digest: z.string() }),
      baseline: Version,
      candidates: z.array(Version),
      rollout: Rollout.nullable(),
      links: z.object({ run: z.string(), report: z.string() }).describe("Paths on the server that sent this."),
      audit: AuditHead.describe("The link of the audit log that records this."),
    }),
  })
  .meta({ id: "RunEvent" });
export type RunEvent = z.infer<typeof RunEvent>;

/** A line of `GET /v1/runs/{id}/deliveries`. */
export const DeliveryView = z
  .object({
    eventId: z.string(),
    target: Name,
    type: EventType,
    attempts: z.int(),
    createdAt: Instant,
    nextAt: Instant.nullable().describe("Null once it is settled."),
    deliveredAt: Instant.nullable(),
    givenUpAt: Instant.nullable(),
    lastError: z.string().nullable(),
  })
  .meta({ id: "Delivery" });
export type DeliveryView = z.infer<typeof DeliveryView>;
