import { z } from "zod";
import { Rollout } from "./run.ts";

const { namespace, name } = Rollout.shape;

/** Body of every hook of Flagger's. */
export const FlaggerHook = z
  .object({
    name: name.describe("Of the Canary."),
    namespace,
    phase: z.string().max(64).describe("Of the Canary; most hooks are sent a fixed Progressing."),
    checksum: z
      .string()
      .regex(/^[^\s\p{C}]{0,200}$/u, "must not hold spaces or control characters")
      .optional()
      .describe("Of what is rolled out."),
    metadata: z
      .record(z.string(), z.string())
      .optional()
      .describe(
        "analysis; baseline and candidate (labels, by default NAME-primary and NAME); baseline.labels.X, candidate.labels.X; baseline.code, .model, .prompt, .tools, and of the candidate; arg.X.",
      ),
  })
  .meta({ id: "FlaggerHook" });
export type FlaggerHook = z.infer<typeof FlaggerHook>;
