import { z } from "zod";
import { canonicalJson, digestOfText } from "../model/canonical.ts";
import { severityOf, type EventType, type Exposure, type RunEvent } from "../model/event.ts";
import { Finding, Reason } from "../model/finding.ts";
import { epochSeconds, type Instant } from "../model/time.ts";
import { RUN_COLUMNS, RunRow, toStoredRun } from "./run-row.ts";
import type { Ask } from "./sql.ts";
import { appendAudit } from "./sql-audit.ts";
import type { StoredRun } from "./runs.ts";

/** Of a stored report only what an event tells. */
const Counted = z.array(z.object({ units: Finding.shape.units }));
const Told = z.object({
  reasons: z.array(Reason),
  findings: Counted.default([]),
  candidates: z.array(z.object({ findings: Counted })).optional(),
});

/**
 * What belongs to the end of a run, in the transaction that ends it: a link of the audit log, and an event for each target that is to be told.
 *
 * The id of an event follows from the run, so that no run can have two ends.
 */
export async function tellOfEnd(tx: Ask, ids: readonly string[], actor: string): Promise<void> {
  if (ids.length === 0) return;
  const rows = await tx.query(`select ${RUN_COLUMNS} from touchstone.runs where id = any($1) order by id`, [ids]);
  for (const row of rows) {
    const run = toStoredRun(RunRow.parse(row));
    await tell(tx, run, { type: typeOf(run), suffix: "end", actor, detail: endOf(run) });
  }
}

/** The same for the newest override of a run. */
export async function tellOfOverride(tx: Ask, run: StoredRun, n: number, actor: string): Promise<void> {
  const { override } = run;
  if (override === null) throw new RangeError(`run ${run.run.id} has no override to tell of`);
  const { verdict, reason } = override;
  const detail = { verdict, reason, computed: run.verdict };
  await tell(tx, run, { type: "run.overridden", suffix: `override_${n}`, actor, detail });
}

async function tell(
  tx: Ask,
  stored: StoredRun,
  {
    type,
    suffix,
    actor,
    detail,
  }: { type: EventType; suffix: string; actor: string; detail: Record<string, string | null> },
): Promise<void> {
  const { run, project } = stored;
  const audit = await appendAudit(tx, project, { actor, action: type, subject: run.id, detail });
  const targets = run.notify ?? [];
  if (targets.length === 0) return;
  const [clock] = await tx.query<{ now: string }>("select touchstone.iso(now()) as now");
  const timestamp = clock?.now ?? "";
  const told = stored.report === null ? null : Told.parse(JSON.parse(stored.report));
  const effectiveVerdict = stored.override?.verdict ?? stored.verdict;
  const event: RunEvent = {
    id: `evt_${run.id.replace(/^run_/, "")}_${suffix}`,
    type,
    timestamp,
    data: {
      run: run.id,
      status: stored.status,
      verdict: stored.verdict,
      effectiveVerdict,
      override: stored.override,
      summary: stored.summary,
      reasons: told?.reasons ?? [],
      error: stored.error,
      score: stored.score,
      analysis: { name: run.analysis.name, digest: run.analysisDigest },
      baseline: run.baseline,
      candidates: run.candidates ?? [run.candidate],
      rollout: run.rollout,
      links: { run: `/v1/runs/${run.id}`, report: `/v1/runs/${run.id}/report` },
      audit,
      severity: severityOf({ status: stored.status, effectiveVerdict }),
      exposure: exposureOf(told, stored.createdAt, timestamp),
    },
  };
  await tx.query(
    `insert into touchstone.outbox (event_id, target, project, run_id, type, body)
     select $1, target, $2, $3, $4, $5 from unnest($6::text[]) as target`,
    [event.id, project, run.id, type, canonicalJson(event), targets],
  );
}

function exposureOf(told: z.infer<typeof Told> | null, from: Instant, to: Instant): Exposure {
  const findings = told === null ? [] : (told.candidates?.flatMap((one) => one.findings) ?? told.findings);
  const counts = findings.flatMap(({ units }) => (units === null ? [] : [units.candidate]));
  return { units: counts.length === 0 ? null : Math.max(...counts), seconds: epochSeconds(to) - epochSeconds(from) };
}

function typeOf({ status, run }: StoredRun): EventType {
  if (status === "done" || status === "failed" || status === "cancelled") return `run.${status}`;
  throw new RangeError(`run ${run.id} is ${status} and has not ended`);
}

/** What a person must be able to prove later: what was judged, and what came of it. */
function endOf({ run, verdict, error, report }: StoredRun): Record<string, string | null> {
  return {
    analysis: run.analysis.name,
    analysisDigest: run.analysisDigest,
    baseline: run.baseline.label,
    candidate: (run.candidates ?? [run.candidate]).map(({ label }) => label).join(","),
    verdict,
    report: report === null ? null : digestOfText(report),
    error: error?.code ?? null,
  };
}
