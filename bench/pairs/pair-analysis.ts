import type { Pair, PairMetric } from "./data-pack.ts";

/**
 * The one rule by which an analysis follows from what `pairs.json` says of a pair. No pair has options of its own: what is not written here is a default.
 */
export const RULE = [
  "Every analysis follows from what the data pack says of a pair by one rule. No pair has options of its own; what is not named here is a default.",
  "",
  "- *Kind.* Quality is a `score` on the scale that its unit names. An error flag is `errors`; a task solved or not is `errors` with `worse: lower` and the margin of a score, 5 pp;",
  "  availability beside a request count is `errors`: failed requests among all, step by step. Latency in seconds or milliseconds is `latency`, cost is `cost`. Throughput is a `gauge` with",
  "  `worse: lower`, and a reading of which nobody says in which direction worse lies is a `gauge` with `worse: either`.",
  "- *Tier.* That of the kind; but a length in characters beside another metric stands for cost only roughly and is advisory.",
  "- *Unit.* What a row is: a task (prompt, question, issue, benchmark run), a request, or a step. Times are given where rows have them. Where the shorter window holds fewer than nine steps,",
  "  `minSteps` is what it holds: a plan that can never decide would be a faulty one.",
  "- *Empty cells* are missing values, as the data's authors say (an LLM judge without an answer, a cost not recorded): up to 5 % of an arm.",
  "- A preference of −1 is a draw and read as 0.5: with it every published win rate of these files is met to two decimals.",
].join("\n");

/** What a row of a folder is. */
interface Layout {
  readonly unit: "task" | "request" | "step";
  /** The column that says when, and what its text lacks to be an instant. */
  readonly at: { readonly column: string; readonly zone: "" | "Z" } | null;
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  judge_alpacaeval: { unit: "task", at: null },
  judge_arena_bench: { unit: "task", at: null },
  agent_openhands_index: { unit: "task", at: null },
  latency_llm_serving: { unit: "request", at: null },
  latency_azure_vmnoise: { unit: "task", at: { column: "started_at", zone: "Z" } },
  service_petshop: { unit: "step", at: { column: "unix_ts", zone: "" } },
  timeseries_nab: { unit: "step", at: { column: "timestamp", zone: "Z" } },
};

/** A metric of the analysis, and how its columns follow from a row of the data. */
interface DerivedMetric {
  readonly document: Readonly<Record<string, unknown>>;
  readonly cells: (row: Readonly<Record<string, string>>) => Record<string, string>;
}

export interface PairAnalysis {
  /** As an operator would write it. */
  readonly document: unknown;
  /** One record of the file that is judged, from one row of the data. */
  readonly toRecord: (row: Readonly<Record<string, string>>) => Record<string, string>;
}

/** Published preferences are 1 and 2, and 0 for a draw; the data pack holds them less one. */
const DRAW = -1;
const MAX_EMPTY = "5%";
/** What a score may lose by default: 5 % of its scale, which for solved or not is 0 to 1. */
const SUCCESS_MARGIN = "5pp";

/** @param costTier  to ask what another tier of the cost would decide. */
export function analysisOf(pair: Pair, costTier?: "advisory"): PairAnalysis {
  const layout = LAYOUTS[pair.folder];
  if (layout === undefined) throw new RangeError(`nothing is known about rows of ${pair.folder}`);
  const metrics = pair.metrics.map((metric, index) => deriveMetric(metric, index === 0, layout, costTier));
  return {
    document: {
      apiVersion: "touchstone/v1",
      kind: "Analysis",
      metadata: { name: pair.id.toLowerCase(), description: pair.note },
      spec: {
        unit: layout.unit,
        plan: { mode: "once", ...(layout.unit === "step" && { minSteps: minStepsOf(pair) }) },
        metrics: metrics.map(({ document }) => document),
      },
    },
    toRecord: (row) => ({
      ...(layout.at === null ? {} : { at: `${row[layout.at.column] ?? ""}${layout.at.zone}` }),
      ...Object.assign({}, ...metrics.map(({ cells }) => cells(row))),
    }),
  };
}

const [FEWEST_STEPS, DEFAULT_STEPS] = [3, 9];

function minStepsOf({ baseline, candidate }: Pair): number {
  return Math.max(FEWEST_STEPS, Math.min(DEFAULT_STEPS, baseline.n, candidate.n));
}

function deriveMetric(
  metric: PairMetric,
  isFirst: boolean,
  { at }: Layout,
  costTier: "advisory" | undefined,
): DerivedMetric {
  const { column, kind, direction, unit, derive } = metric;
  const name = column.toLowerCase().replaceAll(/[^a-z0-9._-]/g, "-");
  const where = Object.fromEntries(metric.where.map((condition) => [condition.column, condition.value]));
  const columns = [column, ...Object.keys(where)];
  const worse = direction === "either" ? "either" : direction === "increase-is-bad" ? "higher" : "lower";
  const time: Record<string, string> = at === null ? {} : { at: "at" };
  const filter = metric.where.length === 0 ? {} : { where };
  const common = { name, source: "files", worse, maxInvalidFraction: MAX_EMPTY };
  const value = { ...common, query: { value: column, ...time, ...filter } };
  const cells: DerivedMetric["cells"] = (row) =>
    Object.fromEntries(columns.map((one) => [one, row[one] ?? ""] as const));

  if (direction === "either") return { document: { ...value, kind: "gauge" }, cells };
  switch (kind) {
    case "quality":
      return {
        document: { ...value, kind: "score", scale: scaleOf(unit) },
        cells: (row) => ({ ...cells(row), ...(Number(row[column]) === DRAW && { [column]: "0.5" }) }),
      };
    case "success": {
      if (unit === "%") return failedRequests(common, column, time);
      return { document: { ...value, kind: "errors", margin: SUCCESS_MARGIN }, cells };
    }
    case "error": {
      if (derive !== "nonempty") return { document: { ...value, kind: "errors" }, cells };
      const flag = `${column}_nonempty`;
      return {
        document: { ...common, kind: "errors", query: { value: flag, ...time, ...filter } },
        cells: (row) => ({ ...cells(row), [flag]: row[column] === "" ? "0" : "1" }),
      };
    }
    case "latency":
      if (unit === "s" || unit === "ms")
        return { document: { ...value, kind: "latency", measurementUnit: unit }, cells };
      return { document: { ...value, kind: "gauge", measurementUnit: unit }, cells };
    case "cost": {
      const tier = costTier ?? (unit === "characters" && !isFirst ? "advisory" : undefined);
      return {
        document: { ...value, kind: "cost", measurementUnit: unit.split(" ")[0], ...(tier && { tier }) },
        cells,
      };
    }
  }
}

/** `preference 0..1` and `points 1..10` name their scale. */
function scaleOf(unit: string): [number, number] {
  const match = /(\d+)\.\.(\d+)$/.exec(unit);
  if (match === null) throw new RangeError(`${unit} names no scale`);
  return [Number(match[1]), Number(match[2])];
}

/** 99.858156 % of 705 requests are all but one. The share of a step alone would count a step of ten requests like one of a thousand. */
function failedRequests(
  common: Readonly<Record<string, unknown>>,
  availability: string,
  time: Readonly<Record<string, string>>,
): DerivedMetric {
  const requests = availability.replace(/availability\.Average$/, "requests.Sum");
  const failed = `${availability}_failed`;
  return {
    document: { ...common, kind: "errors", worse: "higher", query: { events: failed, exposure: requests, ...time } },
    cells(row) {
      const [all, share] = [row[requests] ?? "", row[availability] ?? ""];
      const events = all === "" || share === "" ? "" : String(Math.round(Number(all) * (1 - Number(share) / 100)));
      return { [failed]: events, [requests]: all };
    },
  };
}
