import { z } from "zod";

/** Names of analyses, sources and metrics: safe in a URL, a file name and a metric label. */
export const Name = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/,
    "must be 1 to 63 of a-z, 0-9, '.', '_' and '-', and begin and end with a letter or digit",
  )
  .describe("1 to 63 of a-z, 0-9, '.', '_' and '-'.")
  .meta({ id: "Name" });
