import { z } from "zod";
import { EventType, Severity } from "./event.ts";
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
  minSeverity: Severity.optional().describe(
    "Only events of at least this severity: critical are rollback and failed, warning is pause, all else is info. Default info.",
  ),
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

const PlainUrl = z
  .url({ protocol: /^https?$/, error: "must be an http or https URL" })
  .refine((url) => !hasCredentials(url), "holds a user or password; give them as a header, by reference");
const Headers = z.record(HeaderName, SecretRef).describe("Sent along; each value by reference.");
const Secrets = z
  .array(SecretRef)
  .min(1)
  .max(5)
  .describe(
    "Each whsec_ and 24 to 64 bytes in base64. Every event is signed with each of them, so that one can replace another.",
  );
const ServerUrl = PlainUrl.describe("Where people reach this server; links begin with it. Without it there are none.");

const WebhookTarget = z.strictObject({
  ...shared,
  type: z.literal("webhook"),
  url: PlainUrl,
  secrets: Secrets,
  headers: Headers.optional(),
});
const CloudEventsTarget = z.strictObject({
  ...shared,
  type: z.literal("cloudevents"),
  url: PlainUrl,
  source: z
    .string()
    .regex(/^[!#$%&'()*+,./0-9:;=?@A-Z[\]_a-z~-]{1,300}$/, "must be a URI, or the end of one")
    .optional()
    .describe("What the events say they come from, a URI-reference. Default /touchstone."),
  headers: Headers.optional(),
});
const AlertmanagerTarget = z.strictObject({
  ...shared,
  type: z.literal("alertmanager"),
  url: PlainUrl.describe("Of the Alertmanager, without /api/v2/alerts."),
  lasts: Duration.optional().describe("How long the alert fires. Default 1h."),
  labels: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "is not the name of a label"), z.string().max(300))
    .optional()
    .describe("Added to those of every alert."),
  server: ServerUrl.optional(),
  headers: Headers.optional(),
});
const GrafanaTarget = z.strictObject({
  ...shared,
  type: z.literal("grafana"),
  url: PlainUrl.describe("Of the Grafana, without /api/annotations."),
  token: SecretRef.describe("Of a service account that may write annotations."),
  dashboard: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("The uid of the one dashboard that shows it. Default all that query its tags."),
  tags: z
    .array(z.string().min(1).max(100))
    .max(20)
    .optional()
    .describe("Beside touchstone, the analysis and the outcome."),
  server: ServerUrl.optional(),
});
const PostMortemTarget = z.strictObject({
  name: shared.name,
  always: shared.always,
  allowPrivate: shared.allowPrivate,
  timeout: shared.timeout,
  type: z.literal("postmortem"),
  url: PlainUrl,
  secrets: Secrets,
  headers: Headers.optional(),
  exposure: z
    .strictObject({
      units: z.int().min(0).optional().describe("Of the candidate, for example sessions."),
      duration: Duration.optional().describe("Since the run was posted."),
    })
    .refine(({ units, duration }) => units !== undefined || duration !== undefined, "give units, duration, or both")
    .describe("A rollback after more than this, in either, is told with its evidence."),
});
const SlackTarget = z.strictObject({
  ...shared,
  type: z.literal("slack"),
  url: SecretRef.describe("The URL of an incoming webhook; whoever has it can post, so it is a reference."),
});

/** Where the end of a run is told, as the operator configures it. A request can name one, never define one. */
export const TargetConfig = z
  .discriminatedUnion(
    "type",
    [WebhookTarget, SlackTarget, CloudEventsTarget, AlertmanagerTarget, GrafanaTarget, PostMortemTarget],
    {
      error: (issue) =>
        issue.code === "invalid_union"
          ? "must be webhook, slack, cloudevents, alertmanager, grafana or postmortem"
          : undefined,
    },
  )
  .superRefine((target, context) => {
    if (target.type === "postmortem") return;
    const { events, verdicts } = target;
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
export type PostMortemTarget = z.infer<typeof PostMortemTarget>;
/** A target that is told of events as they are; a post-mortem chooses by exposure. */
export type EventTarget = Exclude<TargetConfig, PostMortemTarget>;
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
