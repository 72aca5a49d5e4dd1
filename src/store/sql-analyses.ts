import { z } from "zod";
import { TouchstoneError } from "../errors.ts";
import { AnalysisDocument } from "../model/analysis.ts";
import { canonicalJson } from "../model/canonical.ts";
import { takeKey } from "./idempotency-keys.ts";
import { toPage } from "./page.ts";
import type { Ask, Sql } from "./sql.ts";
import { appendAudit } from "./sql-audit.ts";
import type { AnalysisStore, StoredAnalysis } from "./analyses.ts";

const AnalysisRow = z.object({
  name: z.string(),
  origin: z.enum(["file", "api"]),
  document: z.string(),
  digest: z.string(),
});

/** Definitions of analyses: those of the operator's files, and those that came over the API. */
export const createAnalysisStore = (sql: Sql): AnalysisStore => ({
  putAnalysis: (project, analysis, idempotency, actor) =>
    sql.transaction(async (tx) => {
      const repeated = idempotency === null ? null : await takeKey(tx, project, idempotency);
      if (repeated !== null) return;
      const [stored] = await tx.query<{ origin: string }>(
        "select origin from touchstone.analyses where project = $1 and name = $2 for update",
        [project, analysis.name],
      );
      if (stored?.origin === "file") throw comesFromFile(analysis.name);
      await upsertAnalysis(tx, project, analysis);
      const { name: subject, digest } = analysis;
      await appendAudit(tx, project, { actor, action: "analysis.put", subject, detail: { digest } });
    }),

  async readAnalysis(project, name) {
    const [row] = await sql.query(
      "select name, origin, document, digest from touchstone.analyses where project = $1 and name = $2",
      [project, name],
    );
    return row === undefined ? null : toStoredAnalysis(row);
  },

  async listAnalyses(project, page) {
    const rows = await sql.query(
      `select name, origin, document, digest from touchstone.analyses where project = $1 and name > $2 order by name limit ${page.limit + 1}`,
      [project, page.cursor ?? ""],
    );
    return toPage(
      rows.map(toStoredAnalysis),
      page,
      ({ name }) => name,
      (analysis) => analysis,
    );
  },

  deleteAnalysis: (project, name, actor) =>
    sql.transaction(async (tx) => {
      const [stored] = await tx.query<{ origin: string }>(
        "select origin from touchstone.analyses where project = $1 and name = $2 for update",
        [project, name],
      );
      if (stored?.origin === "file") throw comesFromFile(name);
      await tx.query("delete from touchstone.analyses where project = $1 and name = $2", [project, name]);
      if (stored === undefined) return false;
      await appendAudit(tx, project, { actor, action: "analysis.deleted", subject: name, detail: {} });
      return true;
    }),

  replaceFileAnalyses: (project, analyses) =>
    sql.transaction(async (tx) => {
      const names = analyses.map(({ name }) => name);
      await tx.query(
        "delete from touchstone.analyses where project = $1 and origin = 'file' and not (name = any($2))",
        [project, names],
      );
      for (const analysis of analyses) await upsertAnalysis(tx, project, analysis);
    }),
});

function toStoredAnalysis(row: object): StoredAnalysis {
  const { name, origin, document, digest } = AnalysisRow.parse(row);
  return { name, origin, digest, document: AnalysisDocument.parse(JSON.parse(document)) };
}

async function upsertAnalysis(
  tx: Ask,
  project: string,
  { name, origin, document, digest }: StoredAnalysis,
): Promise<void> {
  await tx.query(
    `insert into touchstone.analyses (project, name, origin, document, digest) values ($1, $2, $3, $4, $5)
     on conflict (project, name) do update set origin = excluded.origin, document = excluded.document, digest = excluded.digest, updated_at = now()`,
    [project, name, origin, canonicalJson(document), digest],
  );
}

function comesFromFile(name: string): TouchstoneError {
  return new TouchstoneError("conflict", `the analysis ${name} comes from a file of the operator; change the file`);
}
