import { z } from "zod";
import { Name } from "./name.ts";
import { Duration } from "./time.ts";

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
  timeout: Duration.optional().describe("For one query, from the first byte sent to the last byte read. Default 20s."),
  maxBytes: z.int().min(1024).max(1_073_741_824).optional().describe("After decompression. Default 16777216."),
};

const PrometheusSource = z.strictObject({
  name: Name,
  type: z.literal("prometheus"),
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }),
  bearerToken: SecretRef.optional(),
  basicAuth: z.strictObject({ username: z.string(), password: SecretRef }).optional(),
  ...bounds,
  maxSeries: z.int().min(1).max(100_000).optional().describe("Series that one query may return. Default 500."),
});
const PostgresSource = z.strictObject({
  name: Name,
  type: z.literal("postgres"),
  url: SecretRef.describe("The connection URL; it holds the password, so it is a reference."),
  ...bounds,
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
    for (const [index, { name }] of sources.entries()) {
      if (seen.has(name))
        context.addIssue({
          code: "custom",
          path: ["sources", index, "name"],
          message: `another source is named ${name}`,
        });
      seen.add(name);
    }
  })
  .meta({ id: "SourcesDocument", title: "Touchstone sources" });
export type SourcesDocument = z.infer<typeof SourcesDocument>;
