import type { Estimate, Measures } from "./run-workload.ts";
import { ROC_RATES, type RocPoint, type TunedOnce } from "./tune.ts";
import type { Workload } from "./workload.ts";

/** Everything measured on one workload. */
export interface WorkloadTable {
  readonly workload: Workload;
  readonly runs: { readonly harmless: number; readonly harmful: number; readonly margin: number };
  readonly measures: ReadonlyMap<string, Measures>;
  /** By judge, a point for each of `ROC_RATES`: null where no setting keeps to it. Empty where curves were not asked for. */
  readonly roc: ReadonlyMap<string, readonly (RocPoint | null)[]>;
}

const HEADER = [
  "judge",
  "false rollback %",
  "rollback of harmful %",
  "look, median / p90",
  "promote at margin %",
  "promote harmful %",
  "promote harmless %",
  "median look",
  "paused harmless / harmful %",
  "loss",
];

/** One workload as Markdown, which a terminal shows as well. */
export function workloadMarkdown({ workload, runs, measures }: WorkloadTable): string {
  const rows = [...measures].map(([judge, measured]) => [
    judge,
    percent(measured.falseRollback),
    percent(measured.power),
    measured.detection === null ? "–" : `${measured.detection.median} / ${measured.detection.p90}`,
    percent(measured.promoteAtMargin),
    percent(measured.promoteHarmful),
    percent(measured.promoteHarmless),
    String(measured.promotionLook ?? "–"),
    `${plain(measured.undecidedHarmless)} / ${plain(measured.undecidedHarmful)}`,
    `${measured.loss.value.toFixed(2)} ± ${measured.loss.error.toFixed(2)}`,
  ]);
  const parts = [
    `### ${workload.name}`,
    `${workload.text}. Runs: ${runs.harmless} harmless, ${runs.harmful} harmful, ${runs.margin} at the margin.`,
    markdownTable(HEADER, rows),
  ];
  return parts.join("\n\n");
}

/** The curves of one workload. */
export function rocMarkdown({ workload, runs, roc }: WorkloadTable): string {
  const rows = ROC_RATES.map((rate, i) => [
    `≤ ${100 * rate} %`,
    ...[...roc.values()].map((points) => {
      const point = points[i];
      return point === null ? "–" : `${plain(point.power)} @${point.medianLook ?? "–"} (${plain(point.falseRollback)})`;
    }),
  ]);
  return [
    `### ${workload.name}: curves`,
    `${runs.harmless} harmless and ${runs.harmful} harmful runs.`,
    markdownTable(["false rollback", ...roc.keys()], rows),
  ].join("\n\n");
}

/** All workloads on one page: false rollback / power @ median look, and the mean loss. */
export function summaryMarkdown(tables: readonly WorkloadTable[]): string {
  const judges = [...(tables[0]?.measures.keys() ?? [])];
  const measured = (table: WorkloadTable, judge: string): Measures => {
    const found = table.measures.get(judge);
    if (found === undefined) throw new RangeError(`${judge} was not measured on ${table.workload.name}`);
    return found;
  };
  const rows = tables.map((table) => [
    table.workload.name,
    ...judges.map((judge) => {
      const { falseRollback, power, detection } = measured(table, judge);
      return `${plain(falseRollback)} / ${plain(power)} @${detection?.median ?? "–"}`;
    }),
  ]);
  const loss = judges.map((judge) => meanLoss(tables.map((table) => measured(table, judge))));
  return markdownTable(["workload", ...judges], [...rows, ["**mean loss**", ...loss]]);
}

/** The peers, each with the one setting that suits all workloads best. */
export function tunedMarkdown(tuned: readonly TunedOnce[]): string {
  const mean = (of: (measures: Measures) => Estimate, all: readonly Measures[]) =>
    ((100 * all.reduce((sum, measures) => sum + of(measures).value, 0)) / all.length).toFixed(1);
  const rows = tuned.map(({ judge, meaning, parameter, measures }) => [
    judge,
    `${meaning}: ${Number(parameter.toPrecision(3))}`,
    mean(({ falseRollback }) => falseRollback, measures),
    mean(({ power }) => power, measures),
    meanLoss(measures),
  ]);
  return markdownTable(["judge", "setting", "mean false rollback %", "mean rollback of harmful %", "mean loss"], rows);
}

function meanLoss(measures: readonly Measures[]): string {
  const mean = measures.reduce((sum, { loss }) => sum + loss.value, 0) / measures.length;
  const error = Math.hypot(...measures.map(({ loss }) => loss.error)) / measures.length;
  return `**${mean.toFixed(2)}** ± ${error.toFixed(2)}`;
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, i) => Math.max(3, cell.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function percent({ value, error }: Estimate): string {
  if (Number.isNaN(value)) return "–";
  return Number.isNaN(error) ? plain({ value, error }) : `${(100 * value).toFixed(1)} ± ${(100 * error).toFixed(1)}`;
}

function plain({ value }: Estimate): string {
  return Number.isNaN(value) ? "–" : (100 * value).toFixed(1);
}
