import type { Issue } from "../errors.ts";
import { AmountFault, readLevel, type Measure } from "./amount.ts";
import type { AnalysisDocument, Limit, MetricInput } from "./analysis.ts";
import { queryForm } from "./query.ts";
import { durationSeconds } from "./time.ts";

type Input = Extract<MetricInput, { kind: "errors" }>;

/** Windows end at looks, so they are counted in looks; a run that looks once counts steps. */
interface Cell {
  readonly key: "every" | "step";
  readonly seconds: number;
}

/** The burn limits of an errors metric, one per pair of windows, or every fault in them with its place. */
export function resolveBurn(
  input: Input,
  at: string,
  measure: Measure,
  { plan, design }: AnalysisDocument["spec"],
  issues: Issue[],
): Limit[] {
  const burn = input.limit?.burn;
  if (burn === undefined) return [];
  const pointer = `${at}/limit/burn`;
  const fault = (key: string, detail: string) => void issues.push({ pointer: `${pointer}${key}`, detail });
  if (design === "paired") fault("", "does not go with design: paired, where items have no times");
  if (input.worse === "either") fault("", "needs bad events, and with worse: either no event is bad");
  issues.push(...queryIssues(input, at));
  const level = readLevel(burn.objective, measure);
  if (level instanceof AmountFault) {
    fault("/objective", level.detail);
    return [];
  }
  // 99.9 / 100 is not quite 0.999.
  const objective = Number(level.toPrecision(12));
  if (!(objective > 0 && objective < 1)) {
    fault("/objective", `is ${burn.objective}, not between 0% and 100%: an objective leaves some events to fail`);
    return [];
  }
  const key = plan === undefined || plan.mode === "once" ? "step" : "every";
  const cell: Cell = { key, seconds: durationSeconds(plan?.[key] ?? "1m") };
  return burn.windows.map(({ rate, long, short }, index): Limit => {
    const own = `/windows/${index}`;
    const [longSeconds, shortSeconds] = [durationSeconds(long), durationSeconds(short)];
    if (rate < 1) fault(`${own}/rate`, `is ${rate}, below 1, which the error budget sustains`);
    if (rate * (1 - objective) >= 1 - 1e-9)
      fault(
        `${own}/rate`,
        `is ${rate}, which of an objective of ${burn.objective} would take more bad events than there are events`,
      );
    if (shortSeconds >= longSeconds) fault(`${own}/short`, `is ${short}, not shorter than long, which is ${long}`);
    for (const [name, seconds, text] of [
      ["long", longSeconds, long],
      ["short", shortSeconds, short],
    ] as const) {
      const detail = cellFault(seconds, text, cell);
      if (detail !== null) fault(`${own}/${name}`, detail);
    }
    if (burn.windows.slice(0, index).some((other) => isSame(other, { long, short })))
      fault(own, `stands twice: another pair has a long window of ${long} and a short one of ${short}`);
    return {
      statistic: "burn",
      max: rate,
      min: null,
      check: burn.check ?? "proven",
      burn: { objective, longSeconds, shortSeconds },
    };
  });
}

function cellFault(seconds: number, text: string, { key, seconds: cell }: Cell): string | null {
  // Where the plan's own length of time is faulty, that is said there.
  if (!(cell > 0)) return null;
  const cells = seconds / cell;
  if (cells < 1 - 1e-9) return `is ${text}, shorter than plan.${key} of ${cell} s`;
  return Math.abs(cells - Math.round(cells)) > 1e-9 ? `is ${text}, not a multiple of plan.${key} of ${cell} s` : null;
}

function isSame(a: { long: string; short: string }, b: { long: string; short: string }): boolean {
  return durationSeconds(a.long) === durationSeconds(b.long) && durationSeconds(a.short) === durationSeconds(b.short);
}

/** Only events with their number and their time can be counted in windows. */
function queryIssues({ query }: Input, at: string): Issue[] {
  const form = queryForm(query);
  if (form === "series" || form === "histogram" || form === "instant")
    return [
      {
        pointer: `${at}/limit/burn`,
        detail: `needs bad events and all events with their times, and a query of ${form} gives none; query events and exposure, or rows of 0 and 1`,
      },
    ];
  // Counters have times of their own; the columns of a file are known by `where` or `value`.
  const isFile = form === "value" || (form === "counts" && query.where !== undefined);
  return isFile && query.at === undefined
    ? [{ pointer: `${at}/query/at`, detail: "is missing: a burn limit needs the time of every row" }]
    : [];
}
