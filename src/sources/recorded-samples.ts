import type { Samples } from "../model/samples.ts";
import type { ReplayRecord } from "./replay-record.ts";

/** What the records of a metric become. */
export type RecordForm = "rows" | "series" | "counts" | "histogram";

/** Where steps lie: [start + n · step, start + (n + 1) · step), each named by its end. */
export interface StepGrid {
  readonly start: number;
  readonly stepSeconds: number;
}

export interface ArmBuilder {
  add(record: ReplayRecord): void;
  finish(grid: StepGrid): Samples;
}

/** Records this little before a step begins belong to it: clocks and roundings differ by as much, in seconds. */
const TOUCH = 1e-3;

/** Collects the records of one metric of one arm, in any order. */
export function createArmBuilder(form: RecordForm): ArmBuilder {
  switch (form) {
    case "rows":
      return createRows();
    case "series":
      return createSteps(({ value }) => [value], toSeries);
    case "counts":
      return createSteps(({ events, exposure }) => [events, exposure], toCounts);
    case "histogram":
      return createHistogram();
  }
}

export function emptySamples(form: RecordForm, stepSeconds: number): Samples {
  return createArmBuilder(form).finish({ start: 0, stepSeconds });
}

function createRows(): ArmBuilder {
  const at: number[] = [];
  const values: number[] = [];
  const units = createNames();
  const strata = createNames();
  let shape: ReplayRecord["shape"] | null = null;
  return {
    add(record) {
      shape ??= record.shape;
      at.push(record.at);
      values.push(record.value);
      if (shape.unit) units.push(record.unit);
      if (shape.stratum) strata.push(record.stratum);
    },
    finish() {
      const order = orderOf(at);
      return {
        shape: "samples",
        at: take(at, order),
        values: take(values, order),
        units: shape?.unit === true ? Int32Array.from(order, (row) => units.codes[row] ?? 0) : null,
        unitNames: units.names(),
        strata: shape?.stratum === true ? Int32Array.from(order, (row) => strata.codes[row] ?? 0) : null,
        stratumNames: strata.names(),
      };
    },
  };
}

/** Columns that add up within a step. */
function createSteps(
  cellsOf: (record: ReplayRecord) => readonly number[],
  toSamples: (steps: StepSums, stepSeconds: number) => Samples,
): ArmBuilder {
  const at: number[] = [];
  const columns: number[][] = [];
  return {
    add(record) {
      at.push(record.at);
      for (const [column, cell] of cellsOf(record).entries()) (columns[column] ??= []).push(cell);
    },
    finish: (grid) => toSamples(sumsOf(at, columns, grid), grid.stepSeconds),
  };
}

function createHistogram(): ArmBuilder {
  const at: number[] = [];
  const rows: ReadonlyMap<number, number>[] = [];
  return {
    add(record) {
      if (record.buckets === null) return;
      at.push(record.at);
      rows.push(record.buckets);
    },
    finish(grid) {
      // A bucket that a record leaves out held nothing.
      const edges = new Set<number>([Infinity]);
      for (const buckets of rows) for (const edge of buckets.keys()) edges.add(edge);
      const upperEdges = [...edges].sort((a, b) => a - b);
      const steps = sumsOf(
        at,
        upperEdges.map((edge) => rows.map((buckets) => buckets.get(edge) ?? 0)),
        grid,
      );
      const counts = new Float64Array(steps.at.length * upperEdges.length);
      for (const [bucket, column] of steps.columns.entries())
        for (let step = 0; step < column.length; step++) counts[step * upperEdges.length + bucket] = column[step] ?? 0;
      return {
        shape: "histogram",
        stepSeconds: grid.stepSeconds,
        at: steps.at,
        upperEdges: Float64Array.from(upperEdges),
        counts,
      };
    },
  };
}

interface StepSums {
  readonly at: Float64Array;
  readonly columns: readonly Float64Array[];
  /** Records in each step. */
  readonly sizes: Float64Array;
}

function sumsOf(
  at: readonly number[],
  columns: readonly (readonly number[])[],
  { start, stepSeconds }: StepGrid,
): StepSums {
  const stepOf = (time: number) => Math.floor((time - start + TOUCH) / stepSeconds);
  const numbers = [...new Set(at.map(stepOf))].filter((step) => step >= 0).sort((a, b) => a - b);
  const placeOf = new Map(numbers.map((step, place) => [step, place]));
  const sums = columns.map(() => new Float64Array(numbers.length));
  const sizes = new Float64Array(numbers.length);
  for (const [row, time] of at.entries()) {
    const place = placeOf.get(stepOf(time));
    if (place === undefined) continue;
    sizes[place] = (sizes[place] ?? 0) + 1;
    for (const [column, sum] of sums.entries()) sum[place] = (sum[place] ?? 0) + (columns[column]?.[row] ?? 0);
  }
  return { at: Float64Array.from(numbers, (step) => start + (step + 1) * stepSeconds), columns: sums, sizes };
}

/** Several values of one step become their mean. */
function toSeries({ at, columns: [sums = NONE], sizes }: StepSums, stepSeconds: number): Samples {
  return { shape: "series", stepSeconds, at, values: sums.map((sum, step) => sum / (sizes[step] ?? 1)) };
}

function toCounts({ at, columns: [events = NONE, exposure = NONE] }: StepSums, stepSeconds: number): Samples {
  return { shape: "counts", stepSeconds, at, events, exposure };
}

const NONE = new Float64Array(0);

/** Rows by time; those of one time as they stood. */
function orderOf(at: readonly number[]): Int32Array {
  const order = Int32Array.from(at, (_, row) => row);
  const isOrdered = at.every((time, row) => row === 0 || (at[row - 1] ?? 0) <= time);
  return isOrdered ? order : order.sort((a, b) => (at[a] ?? 0) - (at[b] ?? 0) || a - b);
}

const take = (column: readonly number[], order: Int32Array) => Float64Array.from(order, (row) => column[row] ?? 0);

/** Names by their numbers, so that a million rows hold each name once. */
function createNames(): { push(name: string): void; readonly codes: readonly number[]; names(): string[] } {
  const numbers = new Map<string, number>();
  const codes: number[] = [];
  return {
    codes,
    push(name) {
      const code = numbers.get(name) ?? numbers.size;
      numbers.set(name, code);
      codes.push(code);
    },
    names: () => [...numbers.keys()],
  };
}
