import { z } from "zod";
import { Name } from "./name.ts";
import { Rollout, RunArguments } from "./run.ts";
import { Verdict } from "./finding.ts";
import { Version, VersionLabel } from "./version.ts";

/** Argo's templates substitute inside strings only; whoever writes a number or a boolean means its text. */
const toText = (value: unknown): unknown =>
  typeof value === "number" || typeof value === "boolean" ? String(value) : value;
const text = <T extends z.ZodType>(schema: T) => z.preprocess(toText, schema);

/** An argument that a template declares and nobody gives arrives as "". */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === "" ? undefined : toText(value)), schema.optional());

const { namespace, name, revision, stage } = Rollout.shape;

const arm = z
  .union([text(VersionLabel), Version], { error: "must be a label, or a version with its label" })
  .transform((value): Version => (typeof value === "string" ? { label: value } : value));

/** Body of `POST /v1/argo/verdict`: what an AnalysisTemplate's `jsonBody` holds. */
export const ArgoVerdictRequest = z
  .object({
    mode: optional(z.enum(["step", "background"], { error: "must be step or background" })).describe(
      "step (default): answered once there is a verdict. background: answered always, for as long as the rollout goes on.",
    ),
    analysis: text(Name),
    namespace: text(namespace),
    service: text(name).describe("The name of the Rollout."),
    baseline: arm.describe("The pod-template hash of the stable version, or a version with its labels."),
    candidate: arm.describe("The pod-template hash of the latest version, or a version with its labels."),
    revision: optional(revision).describe(
      "Of the rollout: a newer one ends the runs of older ones. Left out or empty, the candidate's label stands for it.",
    ),
    step: optional(stage).describe("Which step asks; each step is judged by a run of its own."),
    args: z
      .preprocess(
        (value) =>
          typeof value === "object" && value !== null && !Array.isArray(value)
            ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toText(one)]))
            : value,
        RunArguments.optional(),
      )
      .describe("Arguments of the analysis."),
  })
  .meta({ id: "ArgoVerdictRequest" });
export type ArgoVerdictRequest = z.infer<typeof ArgoVerdictRequest>;

/** Answer of `POST /v1/argo/verdict`. Argo keeps what the template's `jsonPath` takes of it: the summary. */
export const ArgoVerdict = z
  .object({
    summary: z.string().describe("One line that begins with the word: promote, rollback, pause, continue or error."),
    verdict: z
      .enum([...Verdict.options, "continue", "error"])
      .describe(
        "continue: in background mode, nothing speaks against going on. error: what to mend is in the summary.",
      ),
    run: z.string().optional().describe("The id of the run that judges; absent where none could be started."),
    attempt: z.int().optional(),
    score: z.number().optional(),
  })
  .meta({ id: "ArgoVerdict" });
export type ArgoVerdict = z.infer<typeof ArgoVerdict>;
