import { sharesOfRun } from "./judge/attempts.ts";
import { carriedInto } from "./judge/carry.ts";
import { firstLookAt } from "./judge/clock.ts";
import type { Doorbell } from "./doorbell/doorbell.ts";
import { isTouchstoneError, TouchstoneError, type Issue } from "./errors.ts";
import { analysisDigest, type Analysis } from "./model/analysis.ts";
import { digestOf } from "./model/canonical.ts";
import { checkAnalysis, invalidAnalysis, type ReadAnalysis } from "./model/read-analysis.ts";
import { analysisOfStage } from "./model/resolve-stages.ts";
import type { Rollout, Run, StartRunRequest, Window } from "./model/run.ts";
import type { Stage } from "./model/stage.ts";
import { epochSeconds, toInstant, type Instant } from "./model/time.ts";
import type { TraceParent } from "./model/trace-parent.ts";
import type { Version } from "./model/version.ts";
import type { Targets } from "./notify/target.ts";
import type { Sources } from "./sources/source.ts";
import type { Idempotency, NewRun, StartedRun } from "./store/runs.ts";
import type { Store } from "./store/store.ts";
import type { Attributes, Tracing } from "./tracing/tracing.ts";

export interface StartRunDependencies {
  readonly store: Store;
  readonly doorbell: Doorbell;
  readonly sources: Sources;
  readonly targets: Targets;
  readonly backlog: { refresh(): Promise<void>; admit(): void };
  readonly tracing: Tracing;
  readonly newId: () => string;
}

/** Who asks for a run, and the key by which a repetition is known. */
export interface Caller {
  readonly actor: string;
  readonly idempotency: Idempotency | null;
  /** True for those who have been told when a run of theirs ended: they get a new one, however short ago that was. */
  readonly anew?: boolean;
  /** The trace that the caller is in; the run becomes part of it. */
  readonly traceParent?: TraceParent | null;
}

/**
 * From a request to a stored run: the analysis is found and frozen, everything that can be refused now is refused now, the run is
 * committed, and only then the bell rings.
 *
 * @throws TouchstoneError `not_found` (no such analysis), `invalid_analysis`, `not_runnable`, `arms_identical`, `invalid_request`, `conflict`,
 *   `idempotency_mismatch`, `overloaded`, `store_unavailable`.
 */
export async function startRun(
  dependencies: StartRunDependencies,
  project: string,
  request: StartRunRequest,
  caller: Caller,
): Promise<StartedRun> {
  return startPrepared(dependencies, caller, () => prepareRun(dependencies, project, request, caller));
}

/** The same of a run that `prepare` gives. */
export async function startPrepared(
  dependencies: StartRunDependencies,
  caller: Caller,
  prepare: () => Promise<NewRun>,
): Promise<StartedRun> {
  const started = await startInSpan(
    dependencies.tracing,
    caller.traceParent ?? null,
    async (traceParent) => dependencies.store.startRun({ ...(await prepare()), traceParent }),
    ({ run: { run }, outcome }) => ({
      "touchstone.run": run.id,
      "touchstone.analysis": run.analysis.name,
      "touchstone.outcome": outcome,
    }),
  );
  if (started.outcome === "created") dependencies.doorbell.ring(started.run.run.id);
  return started;
}

/**
 * The span that a run's trace hangs on: its looks become children of it, long after it has ended.
 *
 * @param store    stores the run with the context.
 * @param tellOf   what the span says of what was stored.
 */
export async function startInSpan<T>(
  tracing: Tracing,
  parent: TraceParent | null,
  store: (traceParent: TraceParent | null) => Promise<T>,
  tellOf: (stored: T) => Attributes,
): Promise<T> {
  const span = tracing.start("start run", { parent, kind: "producer" });
  try {
    const stored = await store(span.traceParent);
    span.set(tellOf(stored));
    return stored;
  } catch (error) {
    span.fail(isTouchstoneError(error) ? error.code : "internal");
    throw error;
  } finally {
    span.end();
  }
}

/** Everything of a start that comes before the transaction. @throws TouchstoneError as `startRun`, but for what the record refuses. */
export async function prepareRun(
  { store, sources, targets, backlog, newId }: Omit<StartRunDependencies, "doorbell" | "tracing">,
  project: string,
  request: StartRunRequest,
  { actor, idempotency, anew = false }: Caller,
): Promise<NewRun> {
  const { analysis, digest, stage, args } = await findRunnable(
    { store, sources },
    project,
    request.analysis,
    request.args ?? {},
    request.rollout,
  );
  if (request.promotionEnds === false) refuseOneLook(analysis);
  const notify = targetsOf(request, targets);
  const candidates = request.candidates ?? (request.candidate === undefined ? [] : [request.candidate]);
  const [first] = candidates;
  if (first === undefined) throw new RangeError("a request without a candidate passed its schema");
  for (const candidate of candidates) {
    const arms = { baseline: request.baseline, candidate, window: request.window };
    refuseEqualArms(analysis, arms, args, sources, placeOf(request.analysis));
  }
  await backlog.refresh();
  return {
    project,
    requestDigest: digestOf(request),
    idempotency,
    rollout: request.rollout ?? null,
    anew,
    actor,
    admit: () => backlog.admit(),
    build(now, earlier) {
      const window = request.window ?? windowFrom(analysis, now);
      refuseShortWindow(analysis, window);
      // A window that is given means one look back at it, whatever the plan says of other runs.
      const plan = request.window === undefined ? analysis.plan : { ...analysis.plan, mode: "once" as const };
      const judged = { ...analysis, plan };
      // One look back at a given window asks what was then; several candidates are compared with each other besides, over one window.
      const goesOn = request.window === undefined && request.candidates === undefined;
      const carried =
        goesOn && stage !== null && earlier !== null
          ? carriedInto(analysis.stages ?? [], stage.name, earlier.runs, digest, window.start)
          : null;
      const run: Run = {
        id: newId(),
        analysis: judged,
        analysisDigest: digest,
        baseline: request.baseline,
        candidate: first,
        ...(request.candidates === undefined ? {} : { candidates: request.candidates }),
        window,
        args,
        rollout: request.rollout ?? null,
        ...(request.promotionEnds === false ? { promotionEnds: false } : {}),
        ...(notify.length === 0 ? {} : { notify }),
        ...(carried === null ? {} : { carried }),
        ...(earlier === null ? {} : { budgetShares: sharesOfRun(stage?.rollbackShare ?? null, earlier) }),
      };
      return {
        run,
        dueAt: toInstant(Math.max(epochSeconds(now), epochSeconds(firstLookAt(judged, window)))),
      };
    },
  };
}

/** What a run is judged under. */
export interface Runnable {
  /** As it is in force in the run's stage. */
  readonly analysis: Analysis;
  /** Of the analysis with all its stages. */
  readonly digest: string;
  /** The declared one that the run belongs to; null where none are declared, or the run belongs to no rollout. */
  readonly stage: Stage | null;
  readonly args: Record<string, string>;
}

/** An analysis that can run here, with its arguments. @throws TouchstoneError `not_found`, `invalid_analysis`, `not_runnable`, `invalid_request`. */
export async function findRunnable(
  { store, sources }: Pick<StartRunDependencies, "store" | "sources">,
  project: string,
  wanted: StartRunRequest["analysis"],
  given: Readonly<Record<string, string>>,
  rollout?: Rollout,
): Promise<Runnable> {
  const { document, analysis: declared } = await findAnalysis(store, project, wanted);
  const stage = findStage(declared, rollout);
  const analysis = stage === null ? declared : analysisOfStage(document, declared, stage.name);
  refuseFixedArguments(stage, given);
  const args = argumentsOf(analysis, given);
  refuseUnrunnable(analysis, sources, placeOf(wanted));
  return { analysis, digest: analysisDigest(declared), stage, args };
}

/** @throws TouchstoneError `invalid_request` when stages are declared and the rollout names none of them. */
function findStage({ name, stages }: Analysis, rollout: Rollout | undefined): Stage | null {
  if (stages === undefined || rollout === undefined) return null;
  const found = stages.find((stage) => stage.name === rollout.stage);
  if (found !== undefined) return found;
  const names = stages.map((stage) => stage.name).join(", ");
  const what = rollout.stage === undefined ? "is missing" : `is ${rollout.stage}, which is no stage`;
  const detail = `${what}; the analysis ${name} declares ${names}`;
  throw new TouchstoneError("invalid_request", `rollout.stage ${detail}`, {
    issues: [{ pointer: "/rollout/stage", detail }],
  });
}

/** What a stage fixes tells its evidence from that of others, so that a caller must not give something else. */
function refuseFixedArguments(stage: Stage | null, given: Readonly<Record<string, string>>): void {
  const issues = Object.entries(stage?.args ?? {}).flatMap(([name, value]): Issue[] =>
    given[name] === undefined || given[name] === value
      ? []
      : [{ pointer: `/args/${name}`, detail: `is ${given[name]}, but the stage ${stage?.name} fixes it as ${value}` }],
  );
  if (issues.length > 0)
    throw new TouchstoneError(
      "invalid_request",
      issues.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join("; "),
      { issues },
    );
}

/** JSON pointer of the analysis in a request; a named one is no part of it. */
function placeOf(wanted: StartRunRequest["analysis"]): string {
  return typeof wanted === "string" ? "" : "/analysis";
}

/** What the run gives, and the defaults of the analysis for the rest. @throws TouchstoneError `invalid_request` naming every unknown or missing argument. */
export function argumentsOf(analysis: Analysis, given: Readonly<Record<string, string>>): Record<string, string> {
  const issues: Issue[] = [];
  const declared = Object.entries(analysis.args);
  for (const name of Object.keys(given)) {
    if (declared.some(([known]) => known === name)) continue;
    const names = declared.map(([known]) => known).join(", ");
    issues.push({
      pointer: `/args/${name}`,
      detail: `is not an argument of the analysis ${analysis.name}, which declares ${names === "" ? "none" : names}`,
    });
  }
  const args: Record<string, string> = { ...given };
  for (const [name, fallback] of declared) {
    if (args[name] !== undefined) continue;
    if (fallback === null) issues.push({ pointer: `/args/${name}`, detail: "is missing and has no default" });
    else args[name] = fallback;
  }
  if (issues.length > 0)
    throw new TouchstoneError(
      "invalid_request",
      issues.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`).join("; "),
      { issues },
    );
  return args;
}

/** The targets that the request names, and those that are always told; in the order of their names. */
export function targetsOf({ notify = [] }: Pick<StartRunRequest, "notify">, targets: Targets): string[] {
  const issues = notify.flatMap((name, index): Issue[] =>
    targets.has(name)
      ? []
      : [{ pointer: `/notify/${index}`, detail: `no notification target named ${name} is configured` }],
  );
  if (issues.length > 0)
    throw new TouchstoneError("invalid_request", issues.map(({ detail }) => detail).join("; "), { issues });
  const always = [...targets].flatMap(([name, target]) => (target.always ? [name] : []));
  return [...new Set([...notify, ...always])].sort();
}

/** @throws TouchstoneError `not_found`, `invalid_analysis`. */
export async function findAnalysis(
  store: Store,
  project: string,
  wanted: StartRunRequest["analysis"],
): Promise<ReadAnalysis> {
  const document: unknown = typeof wanted === "string" ? (await store.readAnalysis(project, wanted))?.document : wanted;
  if (typeof wanted === "string" && document === undefined) {
    throw new TouchstoneError("not_found", `there is no analysis named ${wanted}`, {
      issues: [{ pointer: "/analysis", detail: "names no stored analysis" }],
    });
  }
  const checked = checkAnalysis(document);
  if ("issues" in checked) {
    const prefix = typeof wanted === "string" ? "" : "/analysis";
    throw invalidAnalysis(
      typeof wanted === "string" ? `the analysis ${wanted}` : "the inline analysis",
      checked.issues.map((issue) => ({ ...issue, pointer: prefix + issue.pointer })),
    );
  }
  return checked;
}

/** Why an analysis cannot run with the sources that are configured: nothing when it can. */
export function runnableIssues(analysis: Analysis, sources: Sources): Issue[] {
  return analysis.metrics.flatMap((metric, index) => {
    const source = sources.get(metric.source);
    if (source === undefined)
      return [{ pointer: `/spec/metrics/${index}/source`, detail: `no source named ${metric.source} is configured` }];
    return source.check(metric.query).map((fault) => ({ pointer: `/spec/metrics/${index}/query`, detail: fault }));
  });
}

/** @param place  JSON pointer of the analysis in the request. */
function refuseUnrunnable(analysis: Analysis, sources: Sources, place: string): void {
  const issues = runnableIssues(analysis, sources).map((issue) => ({ ...issue, pointer: place + issue.pointer }));
  if (issues.length > 0)
    throw new TouchstoneError(
      "not_runnable",
      `the analysis ${analysis.name} cannot run here: ${issues.map(({ detail }) => detail).join("; ")}`,
      { issues },
    );
}

/** Who watches a rollout needs looks for as long as it goes on. */
function refuseOneLook({ name, plan }: Analysis): void {
  if (plan.mode !== "once") return;
  const detail = `is false, but the analysis ${name} looks once; its plan.mode must be continuous or scheduled`;
  throw new TouchstoneError("invalid_request", `promotionEnds ${detail}`, {
    issues: [{ pointer: "/promotionEnds", detail }],
  });
}

/** A query that ignores the version compares the candidate with itself and would promote anything. */
export function refuseEqualArms(
  analysis: Analysis,
  { baseline, candidate, window }: Pick<SourceArms, "baseline" | "candidate" | "window">,
  args: Readonly<Record<string, string>>,
  sources: Sources,
  place = "",
): void {
  const issues: Issue[] = [];
  for (const [index, metric] of analysis.metrics.entries()) {
    const source = sources.get(metric.source);
    if (source === undefined) continue;
    const pointer = `${place}/spec/metrics/${index}/query`;
    const request = { metric, args, window: window ?? ANY_WINDOW, stepSeconds: analysis.plan.stepSeconds };
    try {
      if (source.render({ ...request, version: baseline }) === source.render({ ...request, version: candidate })) {
        issues.push({
          pointer,
          detail: `metric ${metric.name} asks the same question for ${baseline.label} and ${candidate.label}; let its query use {{ version }}, :version or a label`,
        });
      }
    } catch (error) {
      if (!isTouchstoneError(error)) throw error;
      throw new TouchstoneError("invalid_request", error.message, {
        cause: error,
        issues: [{ pointer, detail: error.message }],
      });
    }
  }
  if (issues.length > 0)
    throw new TouchstoneError("arms_identical", issues.map(({ detail }) => detail).join("; "), { issues });
}

interface SourceArms {
  readonly baseline: Version;
  readonly candidate: Version;
  readonly window?: Window | undefined;
}

/** Equal for both arms, so it cannot hide that nothing else differs. */
const ANY_WINDOW: Window = { start: "1970-01-01T00:00:00.000Z", end: "1970-01-02T00:00:00.000Z" };

/** The window of a run that names none: what has just passed for one look, what begins now for many. */
function windowFrom({ plan }: Analysis, now: Instant): Window {
  if (plan.mode !== "once") return { start: now, end: toInstant(epochSeconds(now) + plan.durationSeconds) };
  const end = epochSeconds(now) - plan.settleSeconds;
  return { start: toInstant(end - plan.durationSeconds), end: toInstant(end) };
}

/** @throws TouchstoneError `invalid_request` when the warm-up leaves nothing of the window. */
export function refuseShortWindow({ plan }: Analysis, { start, end }: Window): void {
  const seconds = epochSeconds(end) - epochSeconds(start);
  if (seconds > plan.warmupSeconds) return;
  const detail = `is ${seconds} s long, of which the warm-up of ${plan.warmupSeconds} s leaves nothing`;
  throw new TouchstoneError("invalid_request", `window ${detail}`, { issues: [{ pointer: "/window", detail }] });
}
