import { z } from "zod";
import { EventType } from "./event.ts";
import { Verdict } from "./finding.ts";
import { Name } from "./name.ts";
import { SecretRef } from "./source.ts";
import { Duration, durationSeconds, isDuration } from "./time.ts";

/** Below the lease of a delivery, so that no attempt outlives its lease. */
const LONGEST_TIMEOUT_SECONDS = 30;

const shared = {
  name: Name,
  always: z.boolean().optional().describe("Told of every run, whether the run names it or not. Default false."),
  events: z.array(EventType).min(1).optional().describe("Only these. Default all."),
  verdicts: z.array(Verdict).min(1).optional().describe("Of run.done only those with these verdicts. Default all."),
  allowPrivate: z
    .boolean()
    .optional()
    .describe(
      "Private and loopback addresses may be connected to; link-local and metadata addresses never. Default false.",
    ),
  timeout: Duration.refine(
    (text) => !isDuration(text) || (durationSeconds(text) > 0 && durationSeconds(text) <= LONGEST_TIMEOUT_SECONDS),
    `must be more than 0s and at most ${LONGEST_TIMEOUT_SECONDS}s`,
  )
    .optional()
    .describe("For one attempt, from the first byte sent to the last byte read. Default 10s."),
};

/** Headers that the protocol or the signature sets. */
const OWN_HEADERS =
  /^(?:webhook-.*|content-.*|host|connection|transfer-encoding|keep-alive|upgrade|expect|te|trailer)$/i;

const HeaderName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, "is not the name of a header")
  .refine((name) => !OWN_HEADERS.test(name), "is a header that Touchstone sets itself");

const WebhookTarget = z.strictObject({
  ...shared,
  type: z.literal("webhook"),
  url: z
    .url({ protocol: /^https?$/, error: "must be an http or https URL" })
    .refine((url) => !hasCredentials(url), "holds a user or password; give them as a header, by reference"),
  secrets: z
    .array(SecretRef)
    .min(1)
    .max(5)
    .describe(
      "Each whsec_ and 24 to 64 bytes in base64. Every event is signed with each of them, so that one can replace another.",
    ),
  headers: z.record(HeaderName, SecretRef).optional().describe("Sent along; each value by reference."),
});
const SlackTarget = z.strictObject({
  ...shared,
  type: z.literal("slack"),
  url: SecretRef.describe("The URL of an incoming webhook; whoever has it can post, so it is a reference."),
});

/** Where the end of a run is told, as the operator configures it. A request can name one, never define one. */
export const TargetConfig = z
  .discriminatedUnion("type", [WebhookTarget, SlackTarget], {
    error: (issue) => (issue.code === "invalid_union" ? "must be webhook or slack" : undefined),
  })
  .superRefine(({ events, verdicts }, context) => {
    if (verdicts !== undefined && events !== undefined && !events.includes("run.done"))
      context.addIssue({
        code: "custom",
        path: ["verdicts"],
        message: "chooses among run.done, which events leaves out",
      });
  })
  .meta({ id: "Target" });
export type TargetConfig = z.infer<typeof TargetConfig>;
export type WebhookTarget = z.infer<typeof WebhookTarget>;
export type SlackTarget = z.infer<typeof SlackTarget>;

/** The file behind `TOUCHSTONE_TARGETS`. */
export const TargetsDocument = z
  .strictObject({ targets: z.array(TargetConfig).max(100) })
  .superRefine(({ targets }, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of targets.entries()) {
      if (seen.has(name))
        context.addIssue({
          code: "custom",
          path: ["targets", index, "name"],
          message: `another target is named ${name}`,
        });
      seen.add(name);
    }
  })
  .meta({ id: "TargetsDocument", title: "Touchstone notification targets" });
export type TargetsDocument = z.infer<typeof TargetsDocument>;

/** What callers may know of a target: enough to name it in `notify`. */
export const TargetView = z
  .object({
    name: Name,
    type: z.string(),
    always: z.boolean().describe("Told of every run, whether the run names it or not."),
  })
  .meta({ id: "TargetView" });
export type TargetView = z.infer<typeof TargetView>;

function hasCredentials(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username !== "" || password !== "";
}
