import { isTouchstoneError, TouchstoneError } from "./errors.ts";
import { clockOf } from "./judge/clock.ts";
import { judge, type Judged } from "./judge/judge.ts";
import { combineCandidates, isLookedAt, pairRun, type CandidateLook } from "./judge/rainbow.ts";
import type { ArmAnswer, Gathered } from "./judge/gathered.ts";
import type { Metric } from "./model/analysis.ts";
import type { LookState } from "./model/look-state.ts";
import { judgeRunByKayenta } from "./kayenta/judge-run.ts";
import { queryForm } from "./model/query.ts";
import type { Run, Window } from "./model/run.ts";
import { canonicalJson } from "./model/canonical.ts";
import { toInstant, type Instant } from "./model/time.ts";
import type { Version } from "./model/version.ts";
import type { MetricSource, Sources } from "./sources/source.ts";

/**
 * The product on one page: gather every arm of every metric, judge, and return the report with the state that the next look continues from.
 *
 * @param previous  what the last look left behind; null at the first.
 * @param now       the time of the look. Nothing in here asks a clock.
 * @param signal    ends the gathering; then the look throws the signal's reason.
 */
export async function look(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
): Promise<Judged> {
  const once = askOnce(sources);
  if (run.candidates === undefined) return lookAtPair(once, run, previous, now, signal);
  const looks = await Promise.all(
    run.candidates.map(async (version): Promise<CandidateLook> => {
      const before = previous?.rainbow?.[version.label] ?? null;
      if (!isLookedAt(before)) return { version, before, judged: null };
      // What is compared with others is kept after its verdict too.
      const options = { keepState: true };
      const judged = await lookAtPair(once, pairRun(run, version), before?.state ?? null, now, signal, options);
      return { version, before, judged };
    }),
  );
  return combineCandidates(run, looks, previous, now);
}

async function lookAtPair(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  options: Parameters<typeof judge>[4] = {},
): Promise<Judged> {
  const gathered = await Promise.all(
    run.analysis.metrics.map((metric) => gather(sources, run, metric, previous, now, signal)),
  );
  return run.analysis.judge === "kayenta"
    ? judgeRunByKayenta(run, gathered, previous, now)
    : judge(run, gathered, previous, now, options);
}

/** The same sources, each asked only once in a look for what several candidates share: their baseline. */
function askOnce(sources: Sources): Sources {
  const asked = new Map<string, ReturnType<MetricSource["fetch"]>>();
  return new Map(
    [...sources].map(([name, source]): [string, MetricSource] => [
      name,
      {
        ...source,
        fetch(request, signal) {
          // The whole version: two arms may share a label and differ in another.
          const key = canonicalJson([name, request.metric.name, request.version, request.args, request.window]);
          const answer = asked.get(key) ?? source.fetch(request, signal);
          asked.set(key, answer);
          return answer;
        },
      },
    ]),
  );
}

/** What is new in both arms of one metric. An operating error of a source becomes data here, and nowhere else; a bug stays a bug. */
export async function gather(
  sources: Sources,
  run: Run,
  metric: Metric,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
): Promise<Gathered> {
  const window = windowToAsk(run, metric, previous, now);
  const ask = async (version: Version): Promise<ArmAnswer> => {
    if (window === "nothing_new") return { kind: "unchanged" };
    try {
      const source = sources.get(metric.source);
      if (source === undefined)
        throw new TouchstoneError("not_runnable", `no source named ${metric.source} is configured`);
      const request = { metric, version, args: run.args, window, stepSeconds: run.analysis.plan.stepSeconds };
      return { kind: "answer", answer: await source.fetch(request, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (!isTouchstoneError(error)) throw error;
      return { kind: "error", code: error.code, detail: error.message };
    }
  };
  const [baseline, candidate] = await Promise.all([ask(run.baseline), ask(run.candidate)]);
  return { metric, baseline, candidate };
}

/**
 * The time that a look asks a source for: since the last answer, in a run with many looks. Rows are asked for `followUp` further back, so that a unit which began
 * before is known as an old one. Null asks for everything.
 */
function windowToAsk(
  run: Run,
  metric: Metric,
  previous: LookState | null,
  now: Instant,
): Window | null | "nothing_new" {
  const clock = clockOf(run, now);
  if (clock === null) return null;
  const { mode, followUpSeconds } = run.analysis.plan;
  const before = previous?.metrics[metric.name];
  if (mode === "once" || before?.timeless === true) return toWindow(clock.from, clock.edge);
  const from = before?.gatheredUpTo ?? clock.from;
  if (from >= clock.edge) return before?.baseline ? "nothing_new" : toWindow(clock.from, clock.edge);
  const byStep = ["series", "histogram", "instant"].includes(queryForm(metric.query)) || isCounter(metric);
  return toWindow(byStep ? from : from - followUpSeconds, clock.edge);
}

/** Counters of Prometheus come per step; events and exposure of a file or a database come row by row. */
function isCounter({ query }: Metric): boolean {
  return queryForm(query) === "counts" && query.at === undefined && query.where === undefined;
}

const toWindow = (start: number, end: number): Window => ({ start: toInstant(start), end: toInstant(end) });
