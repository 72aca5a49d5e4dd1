import type { Sql, SqlValue } from "../../src/store/sql.ts";

/** How a statement was answered. */
export interface Plan {
  readonly ms: number;
  readonly blocks: number;
  /** What was scanned and how many rows that gave, `runs_due 1`; a table that was read as a whole says so. */
  readonly nodes: readonly string[];
}

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly Plans?: readonly Node[];
}

/** The same database, which does what it is asked, tells how, and undoes it. Nothing is ever answered. */
export function explaining(sql: Sql, tell: (plan: Plan) => void): Sql {
  const explain = async (text: string, values: readonly SqlValue[] = []): Promise<object[]> => {
    // Whoever deletes asks first whether it is alone.
    if (text.includes("pg_try_advisory_xact_lock")) return [{ alone: true }];
    await sql
      .transaction(async (tx) => {
        const [row] = await tx.query<{ "QUERY PLAN": readonly [{ Plan: Node & Blocks; "Execution Time": number }] }>(
          `explain (analyze, buffers, format json) ${text}`,
          values,
        );
        const [plan] = row?.["QUERY PLAN"] ?? [];
        if (plan !== undefined)
          tell({
            ms: plan["Execution Time"],
            blocks: plan.Plan["Shared Hit Blocks"] + plan.Plan["Shared Read Blocks"],
            nodes: nodesOf(plan.Plan),
          });
        throw UNDO;
      })
      .catch((error: unknown) => {
        if (error !== UNDO) throw error;
      });
    return [];
  };
  const query = explain as Sql["query"];
  return { query, transaction: (work) => work({ query }), close: () => sql.close() };
}

const UNDO = new Error("only explained");

interface Blocks {
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
}

/** Scans with what they read: `runs_due 1` is an index that gave one row. */
function nodesOf(node: Node): string[] {
  const inner = (node.Plans ?? []).flatMap(nodesOf);
  if (!node["Node Type"].includes("Scan")) return inner;
  const where = node["Index Name"] ?? node["Relation Name"] ?? "";
  if (where === "") return inner;
  const rows = Math.round(node["Actual Rows"] * node["Actual Loops"]);
  return [`${node["Node Type"] === "Seq Scan" ? "WHOLE TABLE " : ""}${where} ${rows}`, ...inner];
}
