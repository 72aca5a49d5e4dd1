import { z } from "zod";
import { toStoredState } from "../model/look-state.ts";
import { Instant } from "../model/time.ts";
import { readCursor, toPage } from "./page.ts";
import type { Ask } from "./sql.ts";
import type { Claim, NewLook } from "./work.ts";
import type { Listed, Page } from "./listed.ts";
import type { StoredEvidence } from "./runs.ts";

/**
 * Keeps what look `n` was given, in the look's own transaction. When the run would have more than its limit, the evidence of the looks before is dropped and the
 * state that they came to stands in their place: the latest looks, and so the verdict, can always be judged again unless one alone is too large.
 */
export async function keepEvidence(tx: Ask, claim: Claim, n: number, { evidence }: NewLook): Promise<void> {
  if (evidence === undefined) return;
  const { engine, bytes, limitBytes, body } = evidence;
  let state: string | null = null;
  if (body !== null && n > 1) {
    const [before] = await tx.query<{ kept: number; follows: boolean }>(
      `select coalesce(sum(octet_length(body) + coalesce(octet_length(state), 0)), 0)::float8 as kept, coalesce(bool_or(n = $2 and body is not null), false) as follows
       from touchstone.evidence where run_id = $1`,
      [claim.run.id, n - 1],
    );
    const { kept, follows } = before ?? { kept: 0, follows: false };
    const fits = kept + body.length <= limitBytes;
    if (!fits)
      await tx.query("update touchstone.evidence set body = null, state = null where run_id = $1", [claim.run.id]);
    if (!(fits && follows) && claim.state !== null) state = toStoredState(claim.state);
  }
  // As text: an embedded record takes bytes ten times slower.
  await tx.query(
    "insert into touchstone.evidence (run_id, n, engine, bytes, state, body) values ($1, $2, $3, $4, $5, decode($6, 'base64'))",
    [claim.run.id, n, engine, bytes, state, body === null ? null : Buffer.from(body).toString("base64")],
  );
}

const EvidenceRow = z.object({
  n: z.int(),
  at: Instant,
  report: z.string(),
  engine: z.string().nullable(),
  bytes: z.int().nullable(),
  state: z.string().nullable(),
  body: z.string().nullable(),
});

/** The looks of a run in their order, each with what it was given. */
export async function listEvidence(sql: Ask, project: string, id: string, page: Page): Promise<Listed<StoredEvidence>> {
  const rows = await sql.query(
    `select l.n, touchstone.iso(l.at) as at, l.report, e.engine, e.bytes, e.state, encode(e.body, 'base64') as body
     from touchstone.looks l join touchstone.runs r on r.id = l.run_id left join touchstone.evidence e on e.run_id = l.run_id and e.n = l.n
     where r.project = $1 and r.id = $2 and l.n > $3 order by l.n limit ${page.limit + 1}`,
    [project, id, readCursor(page.cursor, 0)],
  );
  return toPage(
    rows.map((row) => EvidenceRow.parse(row)),
    page,
    ({ n }) => String(n),
    ({ body, ...rest }): StoredEvidence => ({ ...rest, body: body === null ? null : Buffer.from(body, "base64") }),
  );
}
