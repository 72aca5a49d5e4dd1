import { z } from "zod";
import { Verdict } from "./finding.ts";
import { Name } from "./name.ts";
import { RunStatus } from "./run.ts";
import { Instant } from "./time.ts";
import { Version } from "./version.ts";

/** Where a stage stands, by its newest run and the effective verdict of that. */
export const StageState = z
  .enum(["not_started", "running", "promoted", "rolled_back", "paused", "failed", "cancelled"])
  .meta({ id: "StageState" });
export type StageState = z.infer<typeof StageState>;

export const RolloutState = z
  .enum(["running", "waiting", "promoted", "rolled_back", "partly_rolled_back", "paused", "failed", "cancelled"])
  .describe(
    "waiting: every stage so far is promoted, and declared ones are to come. partly_rolled_back: rings of a group were rolled back, and others were not. promoted: every stage is.",
  )
  .meta({ id: "RolloutState" });
export type RolloutState = z.infer<typeof RolloutState>;

/** An error probability: what was promised, what runs have used up or hold, and the rest. */
export const BudgetAccount = z
  .object({ budget: z.number(), spent: z.number(), left: z.number() })
  .describe("As probabilities. A live run has spent all that it may use; what it leaves comes back when it ends.")
  .meta({ id: "BudgetAccount" });
export type BudgetAccount = z.infer<typeof BudgetAccount>;

export const RolloutStage = z
  .object({
    name: z.string().nullable().describe("Null of runs that named no stage."),
    declared: z.boolean().describe("By the analysis."),
    weight: z.number().nullable(),
    group: Name.nullable(),
    carry: z.boolean(),
    state: StageState,
    rollback: BudgetAccount,
    promote: BudgetAccount,
    deletedAttempts: z.int().describe("Attempts that retention has deleted; what they spent is counted."),
    runs: z
      .array(
        z.object({
          id: z.string(),
          attempt: z.int().nullable(),
          status: RunStatus,
          verdict: Verdict.nullable(),
          effectiveVerdict: Verdict.nullable(),
          carriedFrom: z.array(z.string()).describe("The stages whose evidence it goes on from."),
          summary: z.string().nullable(),
          createdAt: Instant,
          decidedAt: Instant.nullable(),
          links: z.object({ self: z.string(), report: z.string() }),
        }),
      )
      .describe("The attempts, the newest first."),
  })
  .meta({ id: "RolloutStage" });
export type RolloutStage = z.infer<typeof RolloutStage>;

/** What to do next, for people and controllers: nothing that Touchstone does, and nothing that any verdict comes from. */
export const NextWeight = z
  .object({
    advice: z.literal("advice only: Touchstone shifts no traffic, and no verdict depends on it"),
    stages: z.array(z.string()).describe("The next stage, or the rings of the next group."),
    weight: z
      .number()
      .nullable()
      .describe("The candidate's share of the traffic, in (0, 1]; null where none is declared or known."),
    smallestWeight: z
      .number()
      .nullable()
      .describe(
        "By the traffic and the spread so far, the smallest at which the plan of the stage could prove an unchanged candidate safe with 80 %; null where that is not known or no share would do.",
      ),
    text: z.string(),
  })
  .meta({ id: "NextWeight" });
export type NextWeight = z.infer<typeof NextWeight>;

/** The runs of one candidate through its stages and attempts, with one error budget. */
export const RolloutView = z
  .object({
    namespace: z.string(),
    name: z.string(),
    revision: z.string(),
    analysis: z.object({ name: Name, digest: z.string() }),
    baseline: Version,
    candidates: z.array(Version).describe("One, but of a rainbow run."),
    state: RolloutState,
    budgets: z.object({
      rollback: BudgetAccount.describe("Of all stages and attempts together."),
      promote: BudgetAccount.describe(
        "Of the stage that has spent most: every stage has it whole, since all must promote.",
      ),
    }),
    stages: z.array(RolloutStage).describe("The declared ones in their order, then others as they came."),
    next: NextWeight.nullable().describe("Null while a stage runs or is not promoted, and when there is none to come."),
    startedAt: Instant.describe("Of the first run that is stored."),
    updatedAt: Instant.describe("The newest start or end of a run."),
    alsoJudged: z
      .array(z.object({ analysis: Name, baseline: z.string(), candidate: z.string() }))
      .describe("Of the same revision, what is judged beside: name the analysis to read it."),
    links: z.object({ self: z.string() }),
  })
  .meta({ id: "RolloutView" });
export type RolloutView = z.infer<typeof RolloutView>;

/** A line of `GET /v1/rollouts`. */
export const RolloutListItem = RolloutView.omit({ next: true, alsoJudged: true }).meta({ id: "RolloutListItem" });
export type RolloutListItem = z.infer<typeof RolloutListItem>;
