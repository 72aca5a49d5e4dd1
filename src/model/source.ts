import { z } from "zod";
import { Name } from "./name.ts";
import { Duration, durationSeconds } from "./time.ts";

/** Where a secret is kept: never in the text itself, so that a configuration can be shown and stored. */
export const SecretRef = z
  .string()
  .regex(
    /^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/,
    "must be env:NAME or file:/absolute/path; a secret itself never stands in a configuration",
  )
  .describe("env:NAME or file:/absolute/path.")
  .meta({ id: "SecretRef" });

const bounds = {
  timeout: Duration.optional().describe(
    "For one query with its retries and the pauses between them; waiting for a turn does not count. Default 20s.",
  ),
  maxBytes: z.int().min(1024).max(1_073_741_824).optional().describe("After decompression. Default 16777216."),
};

const limits = {
  attemptTimeout: Duration.optional().describe(
    "For one attempt, from the first byte sent to the last byte read. Default: all that is left of timeout.",
  ),
  retries: z.int().min(0).max(10).optional().describe("Attempts after the first. Default 3."),
  concurrency: z.int().min(1).max(1000).optional().describe("Queries at once, over all looks of a process. Default 8."),
  rate: z
    .number()
    .min(0.01)
    .max(10_000)
    .optional()
    .describe("Attempts begun per second, evenly spaced, over all looks of a process. Default: no limit."),
  breakAfter: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe("Queries in a row without an answer, after which the source is not asked for a while. Default 5."),
  breakFor: Duration.optional().describe("How long it is then not asked. Default 10s."),
};

const PrometheusSource = z.strictObject({
  name: Name,
  type: z.literal("prometheus"),
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }),
  bearerToken: SecretRef.optional(),
  basicAuth: z.strictObject({ username: z.string(), password: SecretRef }).optional(),
  ...bounds,
  ...limits,
  maxSeries: z.int().min(1).max(100_000).optional().describe("Series that one query may return. Default 500."),
});
const PostgresSource = z.strictObject({
  name: Name,
  type: z.literal("postgres"),
  url: SecretRef.describe("The connection URL; it holds the password, so it is a reference."),
  ...bounds,
  ...limits,
  maxRows: z.int().min(1).max(10_000_000).optional().describe("Default 1000000."),
});
const FileSource = z.strictObject({
  name: Name,
  type: z.literal("file"),
  root: z.string().min(1).describe("The folder that holds the files; nothing outside it is read."),
  file: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Path within root; {{ version }}, {{ labels.x }} and {{ args.x }} are filled in. Default {{ version }}.csv",
    ),
  ...bounds,
});

/** A source as the operator configures it. A request can name one, never define one. */
export const SourceConfig = z
  .discriminatedUnion("type", [PrometheusSource, PostgresSource, FileSource], {
    error: (issue) => (issue.code === "invalid_union" ? "must be prometheus, postgres or file" : undefined),
  })
  .meta({ id: "Source" });
export type SourceConfig = z.infer<typeof SourceConfig>;

/** The file behind `TOUCHSTONE_SOURCES`. */
export const SourcesDocument = z
  .strictObject({ sources: z.array(SourceConfig).max(1000) })
  .superRefine(({ sources }, context) => {
    const seen = new Set<string>();
    for (const [index, source] of sources.entries()) {
      const { name } = source;
      if (seen.has(name))
        context.addIssue({
          code: "custom",
          path: ["sources", index, "name"],
          message: `another source is named ${name}`,
        });
      seen.add(name);
      if (source.type === "file" || source.attemptTimeout === undefined || source.timeout === undefined) continue;
      if (durationSeconds(source.attemptTimeout) > durationSeconds(source.timeout))
        context.addIssue({
          code: "custom",
          path: ["sources", index, "attemptTimeout"],
          message: `must be at most the timeout, ${source.timeout}`,
        });
    }
  })
  .meta({ id: "SourcesDocument", title: "Touchstone sources" });
export type SourcesDocument = z.infer<typeof SourcesDocument>;
