import { z } from "zod";
import { digestOf } from "./canonical.ts";

/**
 * What queries filter by. The alphabet is that of image tags, commit ids and Kubernetes labels: a version that holds quotes, braces or
 * spaces is nearly always a templating accident, so it is refused here and never reaches a query.
 */
export const VersionLabel = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,127}$/,
    "must be 1 to 128 of letters, digits and _ . : / @ + -, and begin with a letter or digit",
  )
  .describe("What queries filter by: an image tag, a commit, a revision.");

export const VersionTuple = z
  .strictObject({
    code: z.string().max(256).optional(),
    model: z.string().max(256).optional(),
    prompt: z.string().max(256).optional(),
    tools: z.string().max(256).optional(),
  })
  .describe("What the version is made of, as far as it is known.")
  .meta({ id: "VersionTuple" });

/** What an arm runs. */
export const Version = z
  .strictObject({
    label: VersionLabel,
    labels: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "must be a label name: letters, digits and _"),
        z.string().max(256),
      )
      .refine((labels) => Object.keys(labels).length <= 32, "holds more than 32 labels")
      .optional()
      .describe("Free labels; a query may use them as {{ labels.name }} (PromQL) or :labels.name (SQL)."),
    tuple: VersionTuple.optional(),
  })
  .meta({ id: "Version" });
export type Version = z.infer<typeof Version>;

/** Versions are the same when their tuple is; where no tuple is known, when their label is. */
export function versionDigest(version: Version): string {
  return digestOf(version.tuple ?? { label: version.label });
}
