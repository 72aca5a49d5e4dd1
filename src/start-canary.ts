import { firstLookAt } from "./judge/clock.ts";
import { TouchstoneError, type Issue } from "./errors.ts";
import { analysisOfConfig } from "./kayenta/analysis-of-config.ts";
import { armsOfScopes, namedBy, type ScopedArms } from "./kayenta/arms-of-scopes.ts";
import { judgeNamed } from "./kayenta/judge-name.ts";
import { toName } from "./kayenta/metric-names.ts";
import type { Analysis, AnalysisDocument } from "./model/analysis.ts";
import { digestOf } from "./model/canonical.ts";
import type {
  CanaryCaller,
  CanaryConfig,
  CanaryExecutionRequest,
  CanaryScopePair,
  CanaryThresholds,
} from "./model/canary.ts";
import { toPath } from "./model/read-analysis.ts";
import type { Run, Window } from "./model/run.ts";
import { epochSeconds, toDuration, toInstant, type Instant } from "./model/time.ts";
import type { Sources } from "./sources/source.ts";
import { prepareRun, refuseShortWindow, startPrepared, type Caller, type StartRunDependencies } from "./start-run.ts";
import type { NewRun, StartedRun } from "./store/runs.ts";

/** What is to be judged, as Kayenta's API names it. */
export interface CanaryStart {
  /** Of Kayenta's clients, or a stored analysis. */
  readonly config: CanaryConfig;
  /** The stored analysis that the config stands for; null for a config of Kayenta's. */
  readonly analysis: AnalysisDocument | null;
  readonly request: CanaryExecutionRequest;
  readonly caller: CanaryCaller;
}

/**
 * Starts the run behind `POST /canary`.
 *
 * A repetition is known by config, scopes and thresholds, whatever the end of the time that is asked about: a controller that lost an answer asks again, later. It finds the
 * live run, or within a minute of its verdict that one; afterwards it opens another attempt.
 *
 * @throws TouchstoneError as `startRun`; `invalid_request` with what of the config or the scopes cannot be carried.
 */
export async function startCanary(
  dependencies: StartRunDependencies,
  project: string,
  start: CanaryStart,
  caller: Caller,
): Promise<StartedRun> {
  return startPrepared(dependencies, caller, () => prepareCanary(dependencies, project, start, caller));
}

export interface CanaryPlan {
  /** Instead of one look. */
  readonly plan?: NonNullable<AnalysisDocument["spec"]["plan"]>;
  /** Told from other runs of the same request, for example by the interval. */
  readonly part?: string;
  readonly id?: string;
  readonly standalone?: NonNullable<Run["canary"]>["standalone"];
}

/** Everything of such a start that comes before the transaction. @throws TouchstoneError as `startCanary`. */
export async function prepareCanary(
  dependencies: Omit<StartRunDependencies, "doorbell" | "tracing">,
  project: string,
  { config, analysis: stored, request, caller: canaryCaller }: CanaryStart,
  caller: Caller,
  { plan, part = "", id, standalone }: CanaryPlan = {},
): Promise<NewRun> {
  const thresholds = thresholdsOf(request);
  const [scopeName, pair] = pairOf(config, request);
  const pointer = `/scopes/${scopeName}`;
  const declared = new Set(Object.keys(stored?.spec.args ?? {}));
  const arms = armsOfScopes(pair, declared, pointer);
  if ("issues" in arms) throw faultsOf(arms.issues);
  const document =
    stored ?? carry(config, { arms, pair, thresholds, sources: dependencies.sources, caller: canaryCaller, plan });
  const identity = identityOf(config, document, request, canaryCaller, standalone?.request ?? null);
  const { baseline, candidate, args } = arms;
  const prepared = await prepareRun(
    dependencies,
    project,
    {
      analysis: document,
      baseline,
      candidate,
      args: { ...args },
      rollout: {
        namespace: toNamespace(canaryCaller.application),
        name: `kayenta-${identity.slice("sha256:".length, "sha256:".length + 20)}${part}`,
        revision: "1",
      },
    },
    caller,
  );
  return {
    ...prepared,
    requestDigest: identity,
    build(now, earlier) {
      const built = prepared.build(now, earlier);
      const run = { ...built.run, ...(id === undefined ? {} : { id }) };
      const window = windowOf(arms, run.analysis, now);
      const judged = window === null ? run : atOnce(run, window);
      const taken = window ?? run.window;
      if (taken !== null) refuseShortWindow(judged.analysis, taken);
      const filled = { ...request, scopes: { ...request.scopes, [scopeName]: filledIn(pair, taken, judged.analysis) } };
      const canary = {
        caller: canaryCaller,
        config,
        request: filled,
        thresholds,
        ...(standalone === undefined ? {} : { standalone }),
      };
      const dueAt =
        window === null
          ? built.dueAt
          : toInstant(Math.max(epochSeconds(now), epochSeconds(firstLookAt(judged.analysis, window))));
      return { run: { ...judged, canary }, dueAt };
    },
  };
}

function thresholdsOf({ thresholds }: CanaryExecutionRequest): CanaryThresholds {
  if (thresholds === undefined)
    throw faultsOf([{ pointer: "/thresholds", detail: "Execution request must contain thresholds" }]);
  const { pass, marginal } = thresholds;
  return { pass, marginal };
}

/** One run compares two versions: the metrics of a config must all be of one scope. */
function pairOf(config: CanaryConfig, { scopes }: CanaryExecutionRequest): [string, CanaryScopePair] {
  const metrics = config.metrics ?? [];
  const unscoped = metrics.find(({ scopeName }) => scopeName === undefined);
  if (unscoped !== undefined)
    throw faultsOf([{ pointer: "/metrics", detail: `Canary scope for metric named '${unscoped.name}' is null.` }]);
  if (scopes === undefined)
    throw faultsOf([
      {
        pointer: "/scopes",
        detail: "Canary metrics require scopes, but no scopes were provided in the execution request.",
      },
    ]);
  const names = [...new Set(metrics.map(({ scopeName = "" }) => scopeName))];
  // A stored analysis asks for none by name.
  const [wanted = "", another] = names.length === 0 ? Object.keys(scopes) : names;
  if (another !== undefined && names.length > 0)
    throw faultsOf([
      {
        pointer: "/metrics",
        detail: `the metrics are of the scopes ${names.join(", ")}; one run compares two versions, of one scope`,
      },
    ]);
  const [, pair] = Object.entries(scopes).find(([name]) => name === wanted) ?? [];
  if (pair === undefined)
    throw faultsOf([
      {
        pointer: "/scopes",
        detail: `Canary metrics require scopes which were not provided in the execution request: [${wanted}]`,
      },
    ]);
  return [wanted, pair];
}

interface Carrying {
  readonly arms: ScopedArms;
  readonly pair: CanaryScopePair;
  readonly thresholds: CanaryThresholds;
  readonly sources: Sources;
  readonly caller: CanaryCaller;
  readonly plan: CanaryPlan["plan"];
}

/** A config of Kayenta's as the analysis that this request runs. */
function carry(config: CanaryConfig, { arms, pair, thresholds, sources, caller, plan }: Carrying): AnalysisDocument {
  const { controlScope, experimentScope } = pair;
  const parameters = [controlScope, experimentScope].flatMap(({ extendedScopeParams = {} }) =>
    Object.keys(extendedScopeParams),
  );
  const step = toDuration(arms.stepSeconds ?? 60);
  // Kayenta asks at once; Touchstone's judge waits until what is late has come.
  const settle = judgeNamed(config.judge?.name) === "kayenta" ? { settle: "0s" } : {};
  const carried = analysisOfConfig(config, {
    name: toName(config.name ?? "ad-hoc"),
    source: prometheusNamed(caller.metricsAccountName, sources),
    words: { scope: "{{ labels.scope }}", labels: new Set(["location", ...parameters]) },
    plan: plan === undefined ? { mode: "once", step, ...settle } : { ...plan, step },
    thresholds,
  });
  if ("issues" in carried) throw faultsOf(carried.issues);
  return carried.document;
}

/** The account for metrics is a source of the operator's. Left out, there must be only one that it could be. */
export function prometheusNamed(account: string | undefined, sources: Sources): string {
  const known = [...sources].flatMap(([name, { type }]) => (type === "prometheus" ? [name] : []));
  const [only, ...others] = known;
  if (account !== undefined && account !== "") {
    if (known.includes(account)) return account;
    const detail = sources.has(account)
      ? `Unable to resolve account ${account}: it is not a Prometheus source.`
      : `Unable to resolve account ${account}.`;
    throw faultsOf([{ pointer: "/metricsAccountName", detail }]);
  }
  if (only !== undefined && others.length === 0) return only;
  const detail =
    known.length === 0 ? "there is no Prometheus source" : `is missing; the sources are ${known.join(", ")}`;
  throw faultsOf([{ pointer: "/metricsAccountName", detail }]);
}

/** Without the end: a controller that asks again asks up to a later now. */
function identityOf(
  config: CanaryConfig,
  document: AnalysisDocument,
  { scopes = {}, thresholds }: CanaryExecutionRequest,
  caller: CanaryCaller,
  standalone: unknown,
): string {
  const pairs = Object.entries(scopes).map(([name, pair]) => [
    name,
    ...[pair.controlScope, pair.experimentScope].map((scope) => ({ ...namedBy(scope), start: scope.start ?? null })),
  ]);
  const { application, metricsAccountName = "" } = caller;
  return digestOf({
    config: config.id ?? "",
    document,
    pairs,
    thresholds,
    application,
    metricsAccountName,
    standalone,
  });
}

/** Under which namespace the runs of an application are found again. */
export function toNamespace(application: string): string {
  return application.replaceAll(/[\s\p{C}]+/gu, "_").slice(0, 253) || "_";
}

/** How long ago the end of a window must lie for a run to look back at it, beside what late samples take. */
const PAST_SECONDS = 120;

/** The window of one look back; null where the analysis's plan governs. */
function windowOf({ start, end }: ScopedArms, { plan }: Analysis, now: Instant): Window | null {
  const isPast = end !== null && epochSeconds(now) - epochSeconds(end) > plan.settleSeconds + PAST_SECONDS;
  if (plan.mode !== "once" && !isPast) return null;
  if (start === null && end === null) return null;
  const until = end ?? now;
  const from = start ?? toInstant(epochSeconds(until) - plan.durationSeconds);
  if (epochSeconds(from) >= epochSeconds(until))
    throw faultsOf([{ pointer: "/scopes", detail: `the start, ${from}, does not lie before ${until}` }]);
  return { start: from, end: until };
}

function atOnce(run: Run, window: Window): Run {
  return { ...run, window, analysis: { ...run.analysis, plan: { ...run.analysis.plan, mode: "once" } } };
}

/** What was left to Touchstone is told, since clients read it back. */
function filledIn(
  { controlScope, experimentScope }: CanaryScopePair,
  window: Window | null,
  { plan }: Analysis,
): CanaryScopePair {
  const fill = (scope: CanaryScopePair["controlScope"]) => ({
    ...scope,
    location: scope.location ?? scope.region ?? "",
    start: scope.start ?? window?.start,
    end: scope.end ?? window?.end,
    step: scope.step ?? plan.stepSeconds,
  });
  return { controlScope: fill(controlScope), experimentScope: fill(experimentScope) };
}

export function faultsOf(issues: readonly Issue[]): TouchstoneError {
  return new TouchstoneError("invalid_request", issues.map(toSentence).join("; "), { issues });
}

/** Kayenta's own sentences stand alone; ours need the place. */
function toSentence({ pointer, detail }: Issue): string {
  return /^[a-z]/.test(detail) && !detail.startsWith("the ") ? `${toPath(pointer)} ${detail}` : detail;
}
