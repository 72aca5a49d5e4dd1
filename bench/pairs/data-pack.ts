import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TouchstoneError } from "../../src/errors.ts";
import { readTable, type Table } from "../../src/sources/table.ts";

/** `pairs.json`: real measurements of two systems each, and what their publishers say about the change. Its README is the reference. */

const Condition = z.strictObject({ column: z.string(), op: z.enum(["eq", "ge", "lt"]), value: z.string() });

const Arm = z.strictObject({
  file: z.string(),
  filter: z.strictObject({
    where: z.array(Condition).default([]),
    slice: z.tuple([z.int(), z.int()]).optional(),
  }),
  n: z.int(),
});
export type PairArm = z.infer<typeof Arm>;

const PairMetric = z.strictObject({
  column: z.string(),
  kind: z.enum(["quality", "latency", "cost", "error", "success"]),
  direction: z.enum(["increase-is-bad", "decrease-is-bad", "either"]),
  unit: z.string(),
  where: z.array(Condition.extend({ op: z.literal("eq") })).default([]),
  derive: z.literal("nonempty").optional(),
});
export type PairMetric = z.infer<typeof PairMetric>;

const Expected = z.enum(["promote", "rollback", "pause", "neutral"]);
export type Expected = z.infer<typeof Expected>;

const Pair = z.strictObject({
  id: z.string(),
  folder: z.string(),
  baseline: Arm,
  candidate: Arm,
  metrics: z.array(PairMetric).min(1),
  expected: Expected,
  also_ok: z.array(Expected).default([]),
  basis: z.string(),
  note: z.string(),
});
export type Pair = z.infer<typeof Pair>;

export interface DataPack {
  readonly pairs: readonly Pair[];
  /** The rows that an arm's filter selects, as texts by column. */
  rowsOf(pair: Pair, arm: PairArm): Promise<Record<string, string>[]>;
}

const MAX_BYTES = 64 * 1024 * 1024;

/** @throws TouchstoneError when there is no data pack in the folder, or it is not as its README says. */
export async function openDataPack(folder: string): Promise<DataPack> {
  const path = join(folder, "pairs.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new TouchstoneError(
      "input_unavailable",
      `there is no data pack in ${folder} (${path} cannot be read); name its folder with --data DIR`,
      { cause },
    );
  }
  const tables = new Map<string, Promise<Table>>();
  const tableAt = (file: string): Promise<Table> => {
    const known = tables.get(file) ?? readTable(file, MAX_BYTES);
    tables.set(file, known);
    return known;
  };
  return {
    pairs: z.array(Pair).parse(JSON.parse(text)),
    async rowsOf(pair, { file, filter, n }) {
      const rows = select(await tableAt(join(folder, pair.folder, file)), filter);
      if (rows.length !== n)
        throw new TouchstoneError("invalid_input", `${pair.id}: ${file} has ${rows.length} such rows, not ${n}`);
      return rows;
    },
  };
}

function select(table: Table, { where, slice }: PairArm["filter"]): Record<string, string>[] {
  const cell = (name: string, row: number): string => {
    const cells = table.columns.get(name);
    if (cells === undefined) throw new TouchstoneError("invalid_input", `${table.path} lacks the column ${name}`);
    return String(cells[row]);
  };
  const selected: Record<string, string>[] = [];
  for (let row = 0; row < table.rows; row++) {
    const isWanted = where.every(({ column, op, value }) => {
      const text = cell(column, row);
      return op === "eq" ? text === value : op === "ge" ? text >= value : text < value;
    });
    if (isWanted) selected.push(Object.fromEntries([...table.columns.keys()].map((name) => [name, cell(name, row)])));
  }
  return slice === undefined ? selected : selected.slice(...slice);
}
