import type { Request } from "express";
import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import { digestOf } from "../model/canonical.ts";
import { Verdict } from "../model/finding.ts";
import { Name } from "../model/name.ts";
import { RunStatus } from "../model/run.ts";
import { Duration, durationSeconds, isDuration, Instant } from "../model/time.ts";
import type { Idempotency } from "../store/runs.ts";
import type { Page } from "../store/listed.ts";
import { parseAs } from "./body.ts";

const MAX_WAIT_SECONDS = 120;

const pageFields = {
  limit: z
    .string()
    .regex(/^\d{1,3}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(200))
    .optional()
    .describe("Items per page, 1 to 200. Default 50."),
  cursor: z.string().max(200).optional().describe("The nextCursor of the page before."),
};

export const PageQuery = z.strictObject(pageFields);

/** No control characters: the record could not even compare with them. */
const visible = (longest: number) =>
  z
    .string()
    .max(longest)
    .regex(/^\P{C}*$/u, "must not hold control characters");

export const RunListQuery = z.strictObject({
  ...pageFields,
  analysis: Name.optional(),
  namespace: visible(253).optional(),
  rollout: visible(253).optional(),
  status: RunStatus.optional(),
  verdict: Verdict.optional(),
  version: visible(128).optional().describe("Label of either arm."),
  since: Instant.optional(),
  until: Instant.optional(),
});

export const RolloutListQuery = z.strictObject({
  ...pageFields,
  namespace: visible(253).optional(),
  name: visible(253).optional(),
  analysis: Name.optional(),
});

export const RolloutQuery = z.strictObject({
  analysis: Name.optional().describe("Where several judge one revision. Default: that of the newest run."),
});

export const AuditQuery = z.strictObject({
  ...pageFields,
  subject: visible(253)
    .optional()
    .describe("Id of a run, or name of an analysis: only its records, which alone make no chain."),
});

export const RunQuery = z.strictObject({
  wait: Duration.refine(
    (wait) => !isDuration(wait) || durationSeconds(wait) <= MAX_WAIT_SECONDS,
    `must be at most ${MAX_WAIT_SECONDS}s`,
  )
    .optional()
    .describe("Holds the answer until the run has ended or the time is up; at most 120s."),
});

/** @throws TouchstoneError `invalid_parameter` naming every unknown or faulty parameter. */
export function readQuery<T>(schema: z.ZodType<T>, request: Request): T {
  return parseAs(schema, { ...request.query }, "invalid_parameter");
}

export function toPage({ limit, cursor }: z.infer<typeof PageQuery>): Page {
  return { limit: limit ?? 50, cursor: cursor ?? null };
}

/** The Idempotency-Key of a write, bound to its route and body. @throws TouchstoneError `invalid_parameter`. */
export function readIdempotency(request: Request, route: string, body: unknown): Idempotency | null {
  const key = request.get("idempotency-key");
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new TouchstoneError("invalid_parameter", "Idempotency-Key must be 1 to 255 visible ASCII characters", {
      issues: [{ pointer: "/headers/idempotency-key", detail: "must be 1 to 255 visible ASCII characters" }],
    });
  }
  return { route, key, bodyDigest: digestOf(body) };
}
