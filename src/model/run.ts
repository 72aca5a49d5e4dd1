import { z } from "zod";
import { Analysis, AnalysisDocument } from "./analysis.ts";
import { CanaryExecution, CanaryJudgeResult } from "./canary.ts";
import { Comparisons } from "./comparison.ts";
import { Decision, Finding, Reason, Verdict } from "./finding.ts";
import { Name } from "./name.ts";
import { createParser } from "./parser.ts";
import { Instant } from "./time.ts";
import { Version } from "./version.ts";

export const RunStatus = z.enum(["queued", "running", "done", "failed", "cancelled"]).meta({ id: "RunStatus" });
export type RunStatus = z.infer<typeof RunStatus>;

export const Window = z
  .strictObject({ start: Instant, end: Instant })
  .refine(({ start, end }) => Date.parse(start) < Date.parse(end), { error: "must end after it starts", path: ["end"] })
  .describe("Half-open: a sample belongs to it when start ≤ at < end.")
  .meta({ id: "Window" });
export type Window = z.infer<typeof Window>;

const part = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[^\s\p{C}]+$/u, "must not hold spaces or control characters");

/** Which rollout of which thing a run judges. With the analysis and the versions it identifies the run. */
export const Rollout = z
  .strictObject({
    namespace: part,
    name: part,
    revision: part.describe("Numbers are compared as numbers: a newer revision supersedes the runs of older ones."),
    stage: part.optional(),
    attempt: z.int().min(1).max(1000).optional().describe("Left out, Touchstone counts attempts itself."),
  })
  .meta({ id: "Rollout" });
export type Rollout = z.infer<typeof Rollout>;

/** What a run gives for the arguments of its analysis. */
export const RunArguments = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "must be a name of letters, digits and _"),
  z.string().max(256),
);

/** Which slot of which schedule started a run. */
export const SlotName = z
  .object({ name: Name, slot: Instant })
  .describe("The schedule that started the run, and its slot; absent where a caller did.")
  .meta({ id: "SlotName" });
export type SlotName = z.infer<typeof SlotName>;

/** Body of `POST /v1/runs`. */
export const StartRunRequest = z
  .strictObject({
    analysis: z
      .union([Name, AnalysisDocument], { error: "must be the name of an analysis, or an analysis" })
      .describe("The name of a stored analysis, or an analysis inline."),
    baseline: Version,
    candidate: Version.optional().describe("The version that is judged; or several in `candidates`."),
    candidates: z
      .array(Version)
      .min(1)
      .max(20)
      .optional()
      .describe("A rainbow run: several versions judged against one baseline, a verdict each."),
    window: Window.optional().describe(
      "One look back at this window. Left out, a plan that looks once takes the last `plan.duration` before `plan.settle` ago; any other begins now.",
    ),
    args: RunArguments.optional(),
    rollout: Rollout.optional(),
    promotionEnds: z
      .boolean()
      .optional()
      .describe(
        "false: a look that decides promote does not end the run, which is looked at until it is rolled back, paused, finished or at its end; for callers that watch a rollout while it goes on. Default true.",
      ),
    notify: z
      .array(Name)
      .max(20)
      .optional()
      .describe(
        "Names of notification targets that the operator has defined; those of the operator's choice are told in any case.",
      ),
  })
  .superRefine(({ baseline, candidate, candidates, window, promotionEnds, notify }, context) => {
    const fault = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    if (candidate === undefined && candidates === undefined)
      fault(["candidate"], "is missing; give candidate, or candidates");
    if (candidate !== undefined && candidates !== undefined)
      fault(["candidates"], "stands beside candidate; give one of them");
    if (candidates !== undefined && promotionEnds === false)
      fault(["promotionEnds"], "is false, which is for a run of one candidate; give candidate");
    if (window !== undefined && promotionEnds === false)
      fault(["promotionEnds"], "is false, but a run with a window looks once; leave one of them out");
    if (candidate !== undefined && candidate.label === baseline.label)
      fault(["candidate", "label"], `is the baseline's label, ${baseline.label}`);
    for (const [index, name] of (notify ?? []).entries())
      if (notify?.indexOf(name) !== index) fault(["notify", index], `stands twice, ${name}`);
    for (const [index, { label }] of (candidates ?? []).entries()) {
      if (label === baseline.label) fault(["candidates", index, "label"], `is the baseline's label, ${label}`);
      if (candidates?.findIndex((one) => one.label === label) !== index)
        fault(["candidates", index, "label"], `stands twice, ${label}`);
    }
  })
  .meta({ id: "StartRunRequest" });
export type StartRunRequest = z.infer<typeof StartRunRequest>;

/** A person's verdict beside the computed one, which stays. */
export const Override = z
  .object({
    verdict: Verdict,
    reason: z.string(),
    by: z.string(),
    at: Instant,
  })
  .meta({ id: "Override" });
export type Override = z.infer<typeof Override>;

/** Body of `POST /v1/runs/{id}/override`. */
export const OverrideRequest = z
  .strictObject({
    verdict: Verdict,
    reason: z
      .string()
      .trim()
      .min(10, "must say why, in at least 10 characters")
      .max(1000)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, "must not hold control characters"),
    expectedVersion: z
      .int()
      .min(0)
      .describe("The `version` of the run as you read it: the override is refused when the run has changed since."),
    by: part.max(100).optional().describe("Who decides. Recorded as given beside how the request was authenticated."),
  })
  .meta({ id: "OverrideRequest" });
export type OverrideRequest = z.infer<typeof OverrideRequest>;

/** Evidence of the stages before, which a run of a later stage goes on from. */
export const Carried = z
  .object({
    from: Instant.describe("Samples from here on count too; the run's own window begins later."),
    stages: z.array(z.string()).describe("The stages that they are from, in their order."),
  })
  .meta({ id: "Carried" });
export type Carried = z.infer<typeof Carried>;

/** What a look needs to know of a run: what was asked, with the snapshot of its analysis. It never changes. */
export const Run = z
  .object({
    id: z.string(),
    analysis: Analysis,
    analysisDigest: z.string(),
    baseline: Version,
    candidate: Version.describe("Of a rainbow run the first of the candidates."),
    candidates: z.array(Version).optional().describe("The candidates of a rainbow run."),
    window: Window.nullable().describe("Null only at the command line: all rows, whatever their time."),
    args: z.record(z.string(), z.string()),
    rollout: Rollout.nullable(),
    promotionEnds: z
      .literal(false)
      .optional()
      .describe("False: looks that decide promote do not end the run, but for its last. Absent: they do."),
    notify: z.array(Name).optional().describe("The notification targets that are told when the run ends."),
    schedule: SlotName.optional(),
    canary: CanaryExecution.optional().describe("Of a run that was asked for over Kayenta's API."),
    carried: Carried.optional().describe("Absent where the run starts afresh."),
    budgetShares: z
      .object({ rollback: z.number(), promote: z.number() })
      .optional()
      .describe(
        "How much of the analysis's error budgets this run may use, after the other stages and attempts of its rollout; all of it where absent.",
      ),
  })
  .meta({ id: "RunSnapshot" });
export type Run = z.infer<typeof Run>;

/** A snapshot as it is stored. */
export const parseRun = createParser(Run);

/** What one look says of one candidate of a rainbow run. Once there is a verdict it stays. */
export const CandidateReport = z
  .object({
    version: Version,
    look: z.int().describe("The look that this is from."),
    decision: Decision,
    verdict: Verdict.nullable(),
    summary: z.string(),
    reasons: z.array(Reason),
    findings: z.array(Finding),
    score: z.number().nullable(),
    worstMetric: z.string().nullable(),
  })
  .meta({ id: "CandidateReport" });
export type CandidateReport = z.infer<typeof CandidateReport>;

/** What the evidence of a stage says by itself, where the findings count that of the stages before too. */
export const OwnEvidence = z
  .object({
    decision: Decision.describe(
      "By the evidence of this stage alone. A rollback here rolls back; a promotion needs promote here, which asks for less proof than in the whole, and in the whole.",
    ),
    summary: z.string(),
    reasons: z.array(Reason),
    findings: z.array(Finding),
    budgets: z.object({ rollback: z.number(), promote: z.number() }),
  })
  .meta({ id: "OwnEvidence" });
export type OwnEvidence = z.infer<typeof OwnEvidence>;

/** What one look says. Equal input gives an equal report, byte for byte. */
export const Report = z
  .object({
    apiVersion: z.literal("touchstone/v1"),
    kind: z.literal("Report"),
    run: z.string(),
    analysis: z.object({ name: Name, digest: z.string() }),
    baseline: Version,
    candidate: Version.optional().describe("Absent in a rainbow run, which has candidates."),
    candidates: z.array(CandidateReport).optional(),
    best: z
      .string()
      .nullable()
      .optional()
      .describe(
        "Rainbow: the one to take of the candidates that are promoted. Proven where `comparisons.unbeaten` names it alone, else a suggestion among those; null where evidence is missing.",
      ),
    comparisons: Comparisons.nullable()
      .optional()
      .describe("Rainbow: the candidates against each other; null before the first verdict."),
    window: Window.nullable(),
    rollout: Rollout.nullable(),
    carried: Carried.optional().describe("The findings are of the stages before and of this one together."),
    ownEvidence: OwnEvidence.optional(),
    look: z.object({ n: z.int(), at: Instant }),
    decision: Decision,
    verdict: Verdict.nullable(),
    summary: z.string().describe("Begins with the decision's word."),
    reasons: z.array(Reason),
    counterfactual: z
      .string()
      .nullable()
      .optional()
      .describe("What would have to differ for another decision; null where nothing simple would."),
    findings: z.array(Finding),
    score: z
      .number()
      .nullable()
      .describe(
        "0 to 100, for people: the weighted mean confidence that each metric is within its margin. No verdict comes from it.",
      ),
    worstMetric: z.string().nullable(),
    budgets: z.object({ rollback: z.number(), promote: z.number() }),
    rollbackTarget: z.object({ label: z.string() }).nullable(),
    kayenta: CanaryJudgeResult.optional().describe("Of judge: kayenta, its own answer."),
    evidence: z.object({ digest: z.string(), engine: z.string() }),
  })
  .meta({ id: "Report" });
export type Report = z.infer<typeof Report>;

/** The bytes of a report. */
export const parseReport = createParser(Report);

/** How a rollout ended, as its controller says. */
export const RolloutOutcome = z.enum(["succeeded", "failed"]).meta({ id: "RolloutOutcome" });
export type RolloutOutcome = z.infer<typeof RolloutOutcome>;

/** What the controller of a rollout has told of it while a run watched. */
export const ToldByController = z.object({
  outcome: z.object({ outcome: RolloutOutcome, at: Instant }).nullable(),
  weights: z.array(z.object({ weight: z.int(), at: Instant })),
});
export type ToldByController = z.infer<typeof ToldByController>;

/** A run as read back. */
export const RunView = z
  .object({
    id: z.string(),
    status: RunStatus,
    version: z.int().describe("Grows with every change; what an override compares."),
    verdict: Verdict.nullable().describe("As computed. Null unless the status is done. Never rewritten."),
    effectiveVerdict: Verdict.nullable().describe(
      "The override's where there is one, else the computed one: what hooks answer.",
    ),
    override: Override.nullable(),
    summary: z.string().nullable(),
    createdAt: Instant,
    decidedAt: Instant.nullable(),
    dueAt: Instant.nullable(),
    analysis: z.object({ name: Name, digest: z.string() }),
    baseline: Version,
    candidate: Version.optional(),
    candidates: z
      .array(CandidateReport.partial().required({ version: true }))
      .optional()
      .describe("Rainbow: each version with its verdict. The run's own verdict is the worst of them."),
    best: z.string().nullable().optional(),
    comparisons: Comparisons.nullable().optional(),
    window: Window.nullable(),
    carried: Carried.optional(),
    ownEvidence: OwnEvidence.optional(),
    args: z.record(z.string(), z.string()),
    rollout: Rollout.nullable(),
    schedule: SlotName.optional(),
    lastLook: z.object({ n: z.int(), decision: Decision, at: Instant }).nullable(),
    outcome: ToldByController.shape.outcome
      .optional()
      .describe("How the rollout ended, where its controller has told anything; null while it has not ended."),
    weights: ToldByController.shape.weights
      .optional()
      .describe(
        "Which share of the traffic, in percent, the candidate has had from when on, where its controller told.",
      ),
    score: z.number().nullable(),
    worstMetric: z.string().nullable(),
    reasons: z.array(Reason),
    findings: z.array(Finding),
    rollbackTarget: z.object({ label: z.string() }).nullable(),
    evidence: z.object({ digest: z.string(), engine: z.string() }).nullable(),
    error: z
      .object({ code: z.string(), detail: z.string() })
      .nullable()
      .describe("Why the status is failed or cancelled."),
    links: z.object({ self: z.string(), looks: z.string(), report: z.string() }),
  })
  .meta({ id: "Run" });
export type RunView = z.infer<typeof RunView>;

/** A line of `GET /v1/runs`. */
export const RunListItem = RunView.pick({
  id: true,
  status: true,
  version: true,
  verdict: true,
  effectiveVerdict: true,
  override: true,
  summary: true,
  createdAt: true,
  decidedAt: true,
  analysis: true,
  baseline: true,
  candidate: true,
  candidates: true,
  best: true,
  rollout: true,
  schedule: true,
  score: true,
  links: true,
}).meta({ id: "RunListItem" });
export type RunListItem = z.infer<typeof RunListItem>;

/** A line of `GET /v1/runs/{id}/looks`. */
export const LookView = z
  .object({
    n: z.int(),
    at: Instant,
    decision: Decision,
    summary: z.string(),
    evidence: z.object({ digest: z.string(), engine: z.string() }),
  })
  .meta({ id: "Look" });
export type LookView = z.infer<typeof LookView>;

/** A look with what it was given, for judging it again. */
export const EvidenceView = z
  .object({
    n: z.int(),
    at: Instant,
    report: z.string().describe("The very bytes of the look's report."),
    engine: z.string().nullable().describe("What judged; null when no evidence was recorded."),
    bytes: z.int().nullable().describe("Size of the packed evidence, kept or not; null when none was recorded."),
    state: z
      .string()
      .nullable()
      .describe("The state before this look, where it does not follow from the evidence of the looks before."),
    body: z
      .string()
      .nullable()
      .describe("What the sources answered, packed, as base64; null when it was more than is kept of a run."),
  })
  .meta({ id: "Evidence" });
export type EvidenceView = z.infer<typeof EvidenceView>;

/** A page of `GET /v1/runs/{id}/evidence`: with the run's snapshot, all that a judge needs. */
export const EvidencePage = z
  .object({ run: Run, items: z.array(EvidenceView), nextCursor: z.string().nullable() })
  .meta({ id: "EvidencePage" });
export type EvidencePage = z.infer<typeof EvidencePage>;
