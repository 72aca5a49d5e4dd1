import { z } from "zod";
import { AuditHead } from "./audit.ts";
import { Example, Flip, Reason, Verdict } from "./finding.ts";
import { Name } from "./name.ts";
import { LookView, Override, Report, Rollout, RunStatus } from "./run.ts";
import { Instant } from "./time.ts";
import { Version } from "./version.ts";

export const EventType = z.enum(["run.done", "run.failed", "run.cancelled", "run.overridden"]);
export type EventType = z.infer<typeof EventType>;

/** How much it matters to whoever is on call: a candidate that was rolled back, or a fault of Touchstone's own, is critical. */
export const Severity = z.enum(["info", "warning", "critical"]);
export type Severity = z.infer<typeof Severity>;

/** How far a candidate has been in use when its run ended. */
export const Exposure = z
  .object({
    units: z
      .number()
      .nullable()
      .describe("Of the candidate that had most, in the metric that saw most of them; null where none were counted."),
    seconds: z.number().describe("From when the run was posted until this happened."),
  })
  .meta({ id: "Exposure" });
export type Exposure = z.infer<typeof Exposure>;

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
      severity: Severity.optional().describe("Absent in events that an older version stored."),
      exposure: Exposure.optional().describe("Absent in events that an older version stored."),
    }),
  })
  .meta({ id: "RunEvent" });
export type RunEvent = z.infer<typeof RunEvent>;

/** By what hooks answer now: the override where there is one. */
export function severityOf({
  status,
  effectiveVerdict,
}: Pick<RunEvent["data"], "status" | "effectiveVerdict">): Severity {
  if (status === "failed" || effectiveVerdict === "rollback") return "critical";
  return effectiveVerdict === "pause" ? "warning" : "info";
}

/** What people need who ask how a bad candidate came so far: everything that its last look says, what the looks before it said, and the units that drove it. */
export const EvidencePack = z
  .object({
    report: Report.describe("Of the last look."),
    looks: z.array(LookView).describe("All looks, the first one first."),
    drivers: z
      .array(
        z.object({
          candidate: z.string(),
          metric: z.string(),
          finding: z.string(),
          flips: z.array(Flip).nullable(),
          examples: z.array(Example).nullable(),
        }),
      )
      .describe("The metrics that are the reasons, with the units that differ most and the links to their traces."),
  })
  .meta({ id: "EvidencePack" });
export type EvidencePack = z.infer<typeof EvidencePack>;

/** What a post-mortem target gets when a candidate was rolled back after it had been exposed further than the target allows. */
export const PostMortem = z
  .object({
    id: z.string().describe("Receivers know a repeated delivery by it."),
    type: z.literal("run.postmortem"),
    timestamp: Instant,
    data: RunEvent.shape.data,
    bound: z
      .object({ units: z.number().optional(), seconds: z.number().optional() })
      .describe("What the exposure exceeded: either is enough."),
    pack: EvidencePack,
  })
  .meta({ id: "PostMortem" });
export type PostMortem = z.infer<typeof PostMortem>;

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
