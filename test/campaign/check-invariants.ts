import { z } from "zod";
import { AUDIT_START, followAudit } from "../../src/model/audit.ts";
import { AuditPage } from "../../src/api/audit.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import { EvidencePage, Report, RunView } from "../../src/model/run.ts";
import { Version } from "../../src/model/version.ts";
import { rejudge } from "../../src/rejudge.ts";
import { MOST_CLAIMS, SUSPECT_CLAIMS } from "../../src/store/work.ts";
import { Event, TARGET, type CallbackReceiver } from "./callbacks.ts";
import type { Callers } from "./callers.ts";
import type { Kill } from "./processes.ts";
import type { RunRequest } from "./requests.ts";
import type { CampaignRecord, Entry } from "./record.ts";
import { byRun, claimsIn, isExplained, type Span } from "./timeline.ts";

/** What a scenario leaves behind for the checker: a stage. */
export interface Evidence {
  readonly record: CampaignRecord;
  readonly callers: Callers;
  readonly deployment: { readonly kills: readonly Kill[] };
  /** When the record was away. */
  readonly outages: readonly Span[];
  readonly receiver: Pick<CallbackReceiver, "received">;
}

/** What became of the runs. */
export interface Outcome {
  /** Broken promises, as people read them; each begins with the invariant's name. Empty when all were kept. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

interface Row {
  readonly id: string;
  readonly status: string;
  readonly verdict: string | null;
  readonly summary: string | null;
  readonly report: string | null;
  readonly error_code: string | null;
  readonly error_detail: string | null;
  readonly snapshot: string;
  readonly looks: number;
  readonly stored_looks: number;
}

/**
 * The invariants I1 to I10 over everything that was accepted, once all faults are healed and the backlog is drained (I9 is that draining, and asserted by whoever waits for it).
 *
 */
export async function checkInvariants(evidence: Evidence): Promise<Outcome> {
  const { record, callers } = evidence;
  const violations: string[] = [];
  const counts: Record<string, number> = { accepted: callers.accepted.size };
  const count = (what: string) => void (counts[what] = (counts[what] ?? 0) + 1);
  const rows = await record.query<Row>(
    `select id, status, verdict, summary, report, error_code, error_detail, snapshot, looks,
       (select count(*)::int from touchstone.looks l where l.run_id = runs.id) as stored_looks from touchstone.runs order by runs.seq`,
  );
  const history = await record.history();
  const entries = byRun(history);

  for (const id of callers.accepted.keys())
    if (!rows.some((row) => row.id === id)) violations.push(`I1: run ${id} was accepted and is gone`);
  for (const row of rows) {
    const request = callers.accepted.get(row.id)?.request;
    if (request === undefined) {
      violations.push(`I7: run ${row.id} exists and nobody was told of it`);
      continue;
    }
    violations.push(...checkEnds(row, entries.get(row.id) ?? []));
    if (row.looks !== row.stored_looks)
      violations.push(`I2: run ${row.id} counts ${row.looks} looks and has ${row.stored_looks}`);
    count(row.verdict ?? row.error_code ?? row.status);
    if (row.status === "done") {
      count("verdicts");
      if (row.verdict !== request.expected)
        violations.push(`I3: run ${row.id} should be ${request.expected} and is ${row.summary}`);
      violations.push(...checkReport(row));
    } else if (row.status === "cancelled" && row.error_code === "cancelled") {
      if (!callers.cancelled.has(row.id)) violations.push(`I1: run ${row.id} is cancelled and nobody asked for it`);
    } else if (row.error_code === "crash_loop") violations.push(...checkCrashLoop(row.id, request, history, evidence));
    else if (row.error_code !== "superseded")
      violations.push(
        `I1: run ${row.id} (${JSON.stringify(request.body["candidate"])}, ${row.looks} looks) is ${row.status}: ${row.error_code}, ${row.error_detail}`,
      );
  }
  violations.push(...checkOneLive(entries));
  violations.push(...(await checkAnswers(callers, rows)));
  violations.push(
    ...(await checkAudit(
      callers,
      rows.map(({ id }) => id),
    )),
  );
  violations.push(...(await checkEvents(evidence, rows)));
  violations.push(...(await checkReplay(callers, rows)));
  violations.push(...callers.faults);
  return { violations, counts };
}

/** I1 and I2 in the record itself: one end, and nothing after it. */
function checkEnds({ id }: Row, entries: readonly Entry[]): string[] {
  const end = entries.findIndex(({ status }) => ["done", "failed", "cancelled"].includes(status));
  if (end < 0) return [`I1: run ${id} never ended`];
  return end === entries.length - 1
    ? []
    : [`I2: run ${id} ended as ${entries[end]?.status} and changed ${entries.length - 1 - end} times after that`];
}

/** I3 and I4 of a report that decided. */
function checkReport({ id, verdict, report: text, snapshot }: Row): string[] {
  const faults: string[] = [];
  const report = Report.parse(JSON.parse(text ?? "null"));
  const run = JSON.parse(snapshot) as { analysisDigest: string; window: unknown };
  if (report.verdict !== verdict || report.run !== id)
    faults.push(`I3: the report of run ${id} is of ${report.run}, ${report.verdict}`);
  if (report.analysis.digest !== run.analysisDigest) faults.push(`I3: run ${id} was judged by another analysis`);
  if (canonicalJson(report.window) !== canonicalJson(run.window))
    faults.push(`I3: run ${id} was judged over another window`);
  if (verdict === "pause" && report.reasons.length === 0) faults.push(`I4: run ${id} pauses without a reason`);
  if (verdict === "promote")
    for (const { metric, finding, units } of report.findings)
      if (
        !["safe", "better"].includes(finding) ||
        units === null ||
        !Object.values(units).every((n) => Number.isFinite(n) && n > 0)
      )
        faults.push(`I3: run ${id} promotes although ${metric} is ${finding} with ${JSON.stringify(units)} units`);
  return faults;
}

/** A run may end as a crash loop only where it kills who looks at it, or where its last ten workers were killed, or lost the record. */
function checkCrashLoop(
  id: string,
  { body }: RunRequest,
  history: readonly Entry[],
  { deployment, outages }: Evidence,
): string[] {
  const claims = claimsIn(history).filter(({ run }) => run === id);
  if (Version.parse(body["candidate"]).label.startsWith("poison") && claims.length >= SUSPECT_CLAIMS) return [];
  const last = claims.slice(-MOST_CLAIMS);
  const unexplained = last.filter((claim) => !isExplained(claim, deployment.kills, outages));
  return last.length === MOST_CLAIMS && unexplained.length === 0
    ? []
    : [`I1: run ${id} is a crash loop, and nobody killed ${JSON.stringify(unexplained)}`];
}

/** I8 by the clock of the record: the lives of runs with one identity do not overlap. */
function checkOneLive(entries: ReadonlyMap<string, readonly Entry[]>): string[] {
  const lives = new Map<string, { run: string; from: number; to: number }[]>();
  for (const [run, ofRun] of entries) {
    const [first] = ofRun;
    const last = ofRun.at(-1);
    if (first?.identity == null || last === undefined) continue;
    lives.set(first.identity, [...(lives.get(first.identity) ?? []), { run, from: first.n, to: last.n }]);
  }
  return [...lives.values()].flatMap((ofOne) =>
    ofOne
      .sort((a, b) => a.from - b.from)
      .flatMap(({ run, from }, index) => {
        const before = ofOne[index - 1];
        return before !== undefined && before.to > from
          ? [`I8: runs ${before.run} and ${run} of one identity were live at once`]
          : [];
      }),
  );
}

/** I4 and I7 as a caller sees them: every run reads back, and its key finds it again. */
async function checkAnswers(callers: Callers, rows: readonly Row[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { id } of rows) {
    const accepted = callers.accepted.get(id);
    if (accepted === undefined) continue;
    const { request, key } = accepted;
    const view = await callers.read(id);
    if ((view.verdict !== null) !== (view.status === "done"))
      faults.push(`I4: run ${id} is ${view.status} with the verdict ${view.verdict}`);
    if ((view.error !== null) !== (view.status === "failed" || view.status === "cancelled"))
      faults.push(`I4: run ${id} is ${view.status} with the error ${JSON.stringify(view.error)}`);
    const again = await callers.ask("POST", "/v1/runs", request.body, { "idempotency-key": key });
    const found = again.status === 202 || again.status === 200 ? RunView.parse(JSON.parse(again.text)).id : again.text;
    if (found !== id) faults.push(`I7: the key of run ${id} finds ${found}`);
  }
  return faults;
}

/** I10, and one record of the end of each run. */
export async function checkAudit(callers: Callers, ids: readonly string[]): Promise<string[]> {
  const pages = await readPages(callers, "/v1/audit", AuditPage);
  const records = pages.flatMap(({ items }) => items);
  const followed = followAudit(AUDIT_START, records);
  if ("fault" in followed) return [`I10: record ${followed.seq} of the audit log ${followed.fault}`];
  const { head } = pages.at(-1) ?? { head: AUDIT_START };
  if (canonicalJson(head) !== canonicalJson(followed.head))
    return [`I10: the audit log ends at ${followed.head.seq} and its head is ${head.seq}`];
  const ends = records.filter(({ action }) => /^run\.(?:done|failed|cancelled)$/.test(action));
  return ids.flatMap((id) => {
    const told = ends.filter(({ subject }) => subject === id).length;
    return told === 1 ? [] : [`I10: the audit log tells ${told} ends of run ${id}`];
  });
}

/** A list to its end. */
export async function readPages<T extends { readonly nextCursor: string | null }>(
  callers: Callers,
  path: string,
  schema: z.ZodType<T>,
): Promise<T[]> {
  const pages: T[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { text } = await callers.ask("GET", `${path}?limit=100${query}`);
    const page = schema.parse(JSON.parse(text));
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return pages;
}

const Snapshot = z.object({ notify: z.array(z.string()).optional() });

/** Judging a run again takes some 30 ms; more of them prove no more. */
const MOST_REJUDGED = 300;

/** I6: what was stored of a run, judged again, gives the very bytes of its reports. */
async function checkReplay(callers: Callers, rows: readonly Row[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { id } of rows.filter(({ status }) => status === "done").slice(-MOST_REJUDGED)) {
    const pages = await readPages(callers, `/v1/runs/${id}/evidence`, EvidencePage);
    const [first] = pages;
    if (first === undefined) throw new RangeError("a list has a page at least");
    const looks = pages.flatMap(({ items }) =>
      items.map((item) => ({ ...item, body: item.body === null ? null : Buffer.from(item.body, "base64") })),
    );
    const { outcome, difference } = await rejudge(first.run, looks, new AbortController().signal);
    if (outcome !== "identical") faults.push(`I6: run ${id} judged again ${outcome}: ${canonicalJson(difference)}`);
  }
  return faults;
}

/** I5: each end is one event, and whatever was sent of it has that id and those bytes. */
async function checkEvents({ record, receiver }: Evidence, rows: readonly Row[]): Promise<string[]> {
  const faults: string[] = [];
  const stored = await record.query<{ event_id: string; run_id: string; body: string; delivered: boolean }>(
    "select event_id, run_id, body, delivered_at is not null as delivered from touchstone.outbox where target = $1 and type <> 'run.overridden'",
    [TARGET],
  );
  for (const { id, snapshot } of rows) {
    if (!(Snapshot.parse(JSON.parse(snapshot)).notify ?? []).includes(TARGET)) continue;
    const events = stored.filter((event) => event.run_id === id);
    const [event] = events;
    if (event === undefined || events.length > 1) {
      faults.push(`I5: run ${id} has ${events.length} events of its end`);
      continue;
    }
    const bodies = receiver.received.get(event.event_id) ?? [];
    if (!event.delivered || bodies.length === 0) faults.push(`I5: event ${event.event_id} was never delivered`);
    if (bodies.some((body) => body !== event.body))
      faults.push(`I5: event ${event.event_id} came with different bodies`);
  }
  const known = new Set(stored.map(({ event_id }) => event_id));
  for (const [id, [body]] of receiver.received)
    if (!known.has(id))
      faults.push(`I5: event ${id} of run ${Event.parse(JSON.parse(body ?? "")).data.run} is not in the outbox`);
  return faults;
}
