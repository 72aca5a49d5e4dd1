import { z } from "zod";
import { Name } from "./name.ts";
import { Duration } from "./time.ts";

/** A stage of a rollout as an operator writes it: what differs from the analysis while the candidate has this share of the traffic. */
export const StageInput = z
  .strictObject({
    name: Name.describe("What runs of this stage give as rollout.stage."),
    weight: z
      .string()
      .min(1)
      .max(16)
      .optional()
      .describe("The candidate's share of the traffic in this stage, for example 5%. Touchstone never sets it."),
    group: Name.optional().describe(
      "Stages of one group stand next to each other and run side by side, as rings: each fails alone, and none carries evidence.",
    ),
    duration: Duration.optional().describe("How long a run of this stage may take; of a continuous plan the longest."),
    minDuration: Duration.optional().describe("No promotion before this much of the stage itself has been seen."),
    every: Duration.optional().describe("Time between looks."),
    minUnits: z.int().min(5).max(10_000_000).optional().describe("Units per arm that the stage itself must see."),
    policy: z.enum(["any", "critical-only"]).optional(),
    args: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/), z.string().max(256))
      .optional()
      .describe("Arguments of the analysis that are fixed in this stage, for example the region of a ring."),
    carry: z
      .boolean()
      .optional()
      .describe(
        "true (default, except for units that come back, such as users, and in a group): evidence of the promoted stages right before counts too. false: the stage starts afresh.",
      ),
  })
  .meta({ id: "StageDocument" });
export type StageInput = z.infer<typeof StageInput>;

/** A stage with everything in force. */
export const Stage = z
  .strictObject({
    name: Name,
    weight: z
      .number()
      .nullable()
      .describe("The candidate's share of the traffic, in (0, 1]; null where it is not said."),
    group: Name.nullable(),
    durationSeconds: z.number(),
    minDurationSeconds: z.number(),
    everySeconds: z.number(),
    minUnits: z.number(),
    policy: z.enum(["any", "critical-only"]),
    args: z.record(z.string(), z.string()),
    carry: z.boolean(),
    rollbackShare: z.number().describe("Of the rollback budget, for all attempts of this stage together."),
  })
  .meta({ id: "Stage" });
export type Stage = z.infer<typeof Stage>;
