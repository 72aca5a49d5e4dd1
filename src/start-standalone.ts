import { TouchstoneError } from "./errors.ts";
import { judgeNamed } from "./kayenta/judge-name.ts";
import { executionRequestOf, standalonePlanOf, type StandalonePlan } from "./kayenta/standalone-plan.ts";
import type { StandaloneCanary, StandaloneRequest } from "./model/canary.ts";
import { toDuration, type Instant } from "./model/time.ts";
import { prepareCanary, type CanaryPlan, type CanaryStart } from "./start-canary.ts";
import type { StartedRun } from "./store/runs.ts";
import { startPrepared, type Caller, type StartRunDependencies } from "./start-run.ts";

export interface StandaloneStart extends Omit<CanaryStart, "request"> {
  readonly request: StandaloneRequest;
  readonly user: string;
}

/**
 * Starts the runs behind `POST /standalone_canary_analysis`.
 *
 * A judge that looks once has a run per interval, each due when its time has passed, as Kayenta has. Touchstone's judge on a config of Kayenta's has one run with a look per
 * interval, over all that has come in since the start: many judgements of the same evidence are what its error budget is for. A stored analysis with many looks is
 * governed by its own plan.
 *
 * @returns the id of the first run, which stands for all of them, and those that this call has started or found.
 * @throws TouchstoneError as `startCanary`.
 */
export async function startStandalone(
  dependencies: StartRunDependencies,
  project: string,
  { request, user, ...canary }: StandaloneStart,
  caller: Caller,
  now: Instant,
): Promise<{ readonly id: string; readonly started: readonly StartedRun[] }> {
  const plan = standalonePlanOf(request, now);
  if ("issues" in plan) {
    const message = plan.issues.map(({ detail }) => detail).join("; ");
    throw new TouchstoneError("invalid_request", message, { issues: plan.issues });
  }
  const parts = partsOf(canary, request, plan);
  const started: StartedRun[] = [];
  const first = await start(
    parts.map(() => dependencies.newId()),
    0,
  );
  const { runs } = first.canary?.standalone ?? { runs: [first.id] };
  // A repetition after a crash between two of them starts those that are missing.
  for (let n = 1; n < parts.length; n++)
    if (runs[n] !== undefined && (await dependencies.store.readRun(project, runs[n])) === null) await start(runs, n);
  return { id: first.id, started };

  async function start(ids: readonly string[], n: number) {
    const part = parts[n];
    if (part === undefined) throw new RangeError(`there is no judgement ${n}`);
    const standalone: StandaloneCanary = { user, n: n + 1, runs: [...ids], request };
    const { execution, ...options } = part;
    const one = await startPrepared(dependencies, caller, () =>
      prepareCanary(dependencies, project, { ...canary, request: execution }, caller, {
        ...options,
        part: `-${n + 1}`,
        id: ids[n],
        standalone,
      }),
    );
    started.push(one);
    return one.run.run;
  }
}

/** What each run asks, and by which plan. */
function partsOf(
  { config, analysis }: Pick<CanaryStart, "config" | "analysis">,
  request: StandaloneRequest,
  plan: StandalonePlan,
): (Pick<CanaryPlan, "plan"> & { readonly execution: ReturnType<typeof executionRequestOf> })[] {
  const looksOnce =
    analysis === null ? judgeNamed(config.judge?.name) === "kayenta" : (analysis.spec.plan?.mode ?? "once") === "once";
  if (looksOnce) return plan.judgements.map((times) => ({ execution: executionRequestOf(request, times) }));
  const [whole] = plan.judgements.slice(-1);
  if (plan.isRetrospective && whole !== undefined)
    return [{ execution: executionRequestOf(request, { start: plan.start, end: whole.end }) }];
  if (analysis !== null) return [{ execution: executionRequestOf(request, {}) }];
  const { lifetimeMinutes, intervalMinutes, beginAfterMinutes } = plan;
  const duration = toDuration(60 * (lifetimeMinutes + beginAfterMinutes));
  const every = toDuration(60 * intervalMinutes);
  const warmup = toDuration(60 * beginAfterMinutes);
  return [{ execution: executionRequestOf(request, {}), plan: { mode: "scheduled", duration, every, warmup } }];
}
