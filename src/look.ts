import { isTouchstoneError, TouchstoneError } from "./errors.ts";
import { combineCarried, partsOfCarried } from "./judge/carried-look.ts";
import { clockOf } from "./judge/clock.ts";
import { judge, type Judged, type JudgeOptions } from "./judge/judge.ts";
import { combineCandidates, isLookedAt, pairRun, type CandidateLook } from "./judge/rainbow.ts";
import { unwatched, type Watch } from "./judge/watch.ts";
import type { ArmAnswer, Gathered } from "./judge/gathered.ts";
import { RECHECKED_STEPS, splitAnswer } from "./judge/late-data.ts";
import { withoutResets } from "./judge/reset-steps.ts";
import { TOUCH } from "./judge/steps.ts";
import type { Metric } from "./model/analysis.ts";
import type { ArmState, LookState } from "./model/look-state.ts";
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
 * @param watch     sees the parts of the judgement, to time them.
 * @param detail    false leaves out what only people read, as of `judge`.
 */
export async function look(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  watch: Watch = unwatched,
  detail = true,
): Promise<Judged> {
  const once = askOnce(sources);
  if (run.candidates === undefined) return lookAtPair(once, run, previous, now, signal, { watch, detail });
  const looks = await Promise.all(
    run.candidates.map(async (version): Promise<CandidateLook> => {
      const before = previous?.rainbow?.[version.label] ?? null;
      if (!isLookedAt(before)) return { version, before, judged: null };
      // What is compared with others is kept after its verdict too.
      const options = { watch, detail, keepState: true };
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
  options: LookOptions,
): Promise<Judged> {
  const { carried } = run;
  if (carried === undefined) return lookAtEvidence(sources, run, previous, now, signal, options);
  const parts = partsOfCarried(run, carried);
  // A part that has decided goes on with the other.
  const kept = { ...options, keepState: true };
  const [whole, own] = await Promise.all([
    lookAtEvidence(sources, parts.whole, previous, now, signal, kept),
    lookAtEvidence(sources, parts.own, previous?.own ?? null, now, signal, kept),
  ]);
  return combineCarried(run, carried, whole, own, options.keepState ?? false);
}

type LookOptions = JudgeOptions & { readonly watch: Watch };

async function lookAtEvidence(
  sources: Sources,
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  options: LookOptions,
): Promise<Judged> {
  const gathered = await Promise.all(
    run.analysis.metrics.map((metric) => gather(sources, run, metric, previous, now, signal)),
  );
  return options.watch("judge", run.candidate.label, () =>
    run.analysis.judge === "kayenta"
      ? judgeRunByKayenta(run, gathered, previous, now)
      : judge(run, gathered, previous, now, options),
  );
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
          const key = canonicalJson([
            name,
            request.metric.name,
            request.version,
            request.args,
            request.window,
            request.takenUpTo ?? null,
          ]);
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
  const asking = whatToAsk(run, metric, previous, now);
  const ask = async (version: Version): Promise<ArmAnswer> => {
    if (asking === "nothing_new") return { kind: "unchanged" };
    try {
      const source = sources.get(metric.source);
      if (source === undefined)
        throw new TouchstoneError("not_runnable", `no source named ${metric.source} is configured`);
      const request = {
        metric,
        version,
        args: run.args,
        window: asking.window,
        stepSeconds: run.analysis.plan.stepSeconds,
        ...(asking.taken === undefined ? {} : { takenUpTo: asking.taken.to }),
      };
      return { kind: "answer", answer: await source.fetch(request, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (!isTouchstoneError(error)) throw error;
      return { kind: "error", code: error.code, detail: error.message };
    }
  };
  const arms = withoutResets(...(await Promise.all([ask(run.baseline), ask(run.candidate)])));
  if (asking === "nothing_new" || asking.taken === undefined) return { metric, ...arms };
  const { taken } = asking;
  const before = previous?.metrics[metric.name];
  const split = (arm: ArmAnswer, state: ArmState | null): ArmAnswer => {
    if (arm.kind !== "answer") return arm;
    const { fresh, revised } = splitAnswer(state, arm.answer.samples, taken);
    return { ...arm, answer: { ...arm.answer, samples: fresh }, ...(revised === null ? {} : { revised }) };
  };
  return {
    metric,
    baseline: split(arms.baseline, before?.baseline ?? null),
    candidate: split(arms.candidate, before?.candidate ?? null),
  };
}

/** The window to ask a source for; null asks for everything. */
interface Asking {
  readonly window: Window | null;
  /** Of its steps those that end in (from, to], in seconds since the epoch, were taken in before and are asked for once more. */
  readonly taken?: { readonly from: number; readonly to: number };
}

/**
 * The time that a look asks a source for: since the last answer, in a run with many looks. Rows are asked for `followUp` further back, so that a unit which began
 * before is known as an old one; steps a little further back, to see whether they were complete.
 */
function whatToAsk(run: Run, metric: Metric, previous: LookState | null, now: Instant): Asking | "nothing_new" {
  const clock = clockOf(run, now);
  if (clock === null) return { window: null };
  const { mode, followUpSeconds, stepSeconds } = run.analysis.plan;
  const before = previous?.metrics[metric.name];
  const all = { window: toWindow(clock.from, clock.edge) };
  if (mode === "once" || before?.timeless === true) return all;
  const from = before?.gatheredUpTo ?? clock.from;
  if (from >= clock.edge) return before?.baseline ? "nothing_new" : all;
  const form = queryForm(metric.query);
  if (form === "instant") return { window: toWindow(from, clock.edge) };
  if (form !== "series" && form !== "histogram" && !isCounter(metric))
    return { window: toWindow(from - followUpSeconds, clock.edge) };
  const steps = Math.round((from - clock.from) / stepSeconds);
  // Steps of another grid than before would be other steps.
  if (Math.abs(clock.from + steps * stepSeconds - from) > TOUCH) return { window: toWindow(from, clock.edge) };
  // One step more, so that a gap before the first of them does not look like a change.
  const start = from - Math.min(steps, RECHECKED_STEPS + 1) * stepSeconds;
  return {
    window: toWindow(start, clock.edge),
    taken: { from: Math.max(start, from - RECHECKED_STEPS * stepSeconds), to: from },
  };
}

/** Counters of Prometheus come per step; events and exposure of a file or a database come row by row. */
function isCounter({ query }: Metric): boolean {
  return queryForm(query) === "counts" && query.at === undefined && query.where === undefined;
}

const toWindow = (start: number, end: number): Window => ({ start: toInstant(start), end: toInstant(end) });
