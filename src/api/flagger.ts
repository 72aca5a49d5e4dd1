import { Router, type ErrorRequestHandler, type Request, type RequestHandler, type Response } from "express";
import { z } from "zod";
import { TouchstoneError, type Issue } from "../errors.ts";
import { FlaggerHook } from "../model/flagger.ts";
import { Name } from "../model/name.ts";
import { RolloutOutcome, StartRunRequest } from "../model/run.ts";
import { toPointer } from "../model/issues.ts";
import type { WatchedRun } from "../store/controllers.ts";
import { parseAs, readJson } from "./body.ts";
import { isToMend, oneLine } from "./controller-words.ts";
import { actorOf } from "./authenticate.ts";
import { PROJECT } from "./list.ts";
import { onlyMethods } from "./problem.ts";
import { startObserved, type StartDependencies } from "./start-observed.ts";
import { standingOf, whyNotAdvance, whyNotPromote, whyNotRollBack } from "./watch-standing.ts";

/**
 * Flagger's webhooks, one path for each role: to `rollback` a 200 means "roll back now", to the others "go on".
 *
 * What is refused is a 409 with one sentence. Our own faults are 5xx: only those does Flagger ask again by itself, where `retries` is set.
 */
export function createFlaggerRoutes(dependencies: StartDependencies): Router {
  const { store } = dependencies;
  const router = Router();

  /** What a hook is asked about: the newest run of its canary, if it is the one that `start` began for this checksum. */
  const findWatch = async (hook: FlaggerHook): Promise<WatchedRun> => {
    const { namespace, name } = hook;
    const analysis = analysisOf(hook);
    const [watch] = await store.listWatches(PROJECT, { namespace, name, analysis });
    if (watch === undefined)
      throw new TouchstoneError(
        "not_found",
        `${namespace}/${name} has no run under ${analysis}; start has not been asked for`,
      );
    if (!isOf(watch, hook))
      throw new TouchstoneError(
        "conflict",
        `the newest run of ${namespace}/${name} under ${analysis} is not for ${revisionOf(hook)}; start has not been asked for`,
      );
    return watch;
  };

  const start = async (hook: FlaggerHook, request: Request, response: Response): Promise<string> => {
    const body = toStartRequest(hook);
    const { namespace, name } = hook;
    const [before] = await store.listWatches(PROJECT, { namespace, name, analysis: analysisOf(hook) });
    // A rollout that begins anew does not wait for what is left of the last one.
    if (
      before !== undefined &&
      before.stored.dueAt !== null &&
      before.stored.told?.outcome != null &&
      isOf(before, hook)
    )
      await store.cancelRun(PROJECT, before.stored.run.id, "the rollout began anew", actorOf(response));
    const { run } = await startObserved(dependencies, request, response, body, { idempotency: null, anew: true });
    // Flagger asks for a start only while the candidate has no traffic: without a first step there is nothing to look at.
    await store.grantFreeAdvance(run.run.id);
    return `run ${run.run.id} watches ${namespace}/${name}`;
  };

  const advance = async (hook: FlaggerHook): Promise<string> => {
    const watch = await findWatch(hook);
    const standing = standingOf(watch);
    const mayBegin = standing.kind === "waiting" || standing.kind === "look";
    if (mayBegin && (await store.takeFreeAdvance(watch.stored.run.id)))
      return "the first step needs no evidence: the candidate has no traffic yet";
    return granted(whyNotAdvance(standing), standing.why);
  };

  const promote = async (hook: FlaggerHook): Promise<string> => {
    const standing = standingOf(await findWatch(hook));
    return granted(whyNotPromote(standing), standing.why);
  };

  const rollback = async (hook: FlaggerHook): Promise<string> => {
    const standing = standingOf(await findWatch(hook));
    return granted(whyNotRollBack(standing), standing.why);
  };

  /** The runs of the canary, under one analysis or under each, that this hook may be about; none is no fault. */
  const listOwn = async (hook: FlaggerHook): Promise<WatchedRun[]> => {
    const { namespace, name, metadata } = hook;
    const analysis = metadata?.["analysis"] === undefined ? undefined : analysisOf(hook);
    const watches = await store.listWatches(PROJECT, { namespace, name, analysis });
    return watches.filter((watch) => isOf(watch, hook) && watch.stored.told?.outcome == null);
  };

  const finish = async (hook: FlaggerHook): Promise<string> => {
    const { phase: outcome } = parseAs(Finished, { phase: hook.phase.toLowerCase() });
    const own = await listOwn(hook);
    for (const { stored } of own)
      await store.closeWatch(PROJECT, stored.run.id, outcome, stored.run.analysis.plan.settleSeconds);
    return own.length === 0 ? "no run watched it" : `the rollout ${outcome}`;
  };

  const event = async (hook: FlaggerHook): Promise<string> => {
    const weight = weightIn(hook.metadata?.["eventMessage"] ?? "");
    if (weight === null) return "noted nothing";
    for (const { stored } of await listOwn(hook)) await store.addWeight(stored.run.id, weight);
    return `weight ${weight}`;
  };

  for (const [role, answer] of Object.entries({ start, rollback, advance, promote, finish, event }))
    router.route(`/${role}`).post(sayingOf(answer)).all(onlyMethods("POST"));
  router.use(refuseInWords);
  return router;
}

/** 200 with the sentence that the role gives. */
const sayingOf =
  (answer: (hook: FlaggerHook, request: Request, response: Response) => Promise<string>): RequestHandler =>
  async (request, response) => {
    const said = await answer(parseAs(FlaggerHook, readJson(request)), request, response);
    response.type("text/plain").send(`${oneLine(said)}\n`);
  };

/** @throws TouchstoneError `conflict` with the reason, where there is one. */
function granted(whyNot: string | null, why: string): string {
  if (whyNot !== null) throw new TouchstoneError("conflict", whyNot);
  return why;
}

/** Flagger puts the body of a 4xx into its events. */
const refuseInWords: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (!isToMend(error)) return next(error);
  response
    .status(409)
    .type("text/plain")
    .send(`${oneLine(error.message)}\n`);
};

/** No number, whatever the checksum: checksums have no order. */
function revisionOf({ checksum = "" }: FlaggerHook): string {
  return `checksum:${checksum}`;
}

function isOf({ stored }: WatchedRun, hook: FlaggerHook): boolean {
  return stored.run.rollout?.revision === revisionOf(hook);
}

/** @throws TouchstoneError `invalid_request`. */
function analysisOf({ metadata = {} }: FlaggerHook): string {
  return parseAs(Naming, { metadata }).metadata.analysis;
}

const Naming = z.object({ metadata: z.object({ analysis: Name }) });

const Finished = z.object({
  phase: z.enum(RolloutOutcome.options, { error: "must be Succeeded or Failed, as Flagger sends after a rollout" }),
});

/** Flagger sends no versions: by its custom the stable one is the Deployment NAME-primary, the new one NAME. */
function toStartRequest(hook: FlaggerHook): StartRunRequest {
  const { namespace, name, metadata = {} } = hook;
  return parseAs(StartRunRequest, {
    analysis: analysisOf(hook),
    baseline: toVersion(metadata, "baseline", `${name}-primary`),
    candidate: toVersion(metadata, "candidate", name),
    args: partsOf(metadata, "arg."),
    rollout: { namespace, name, revision: revisionOf(hook) },
    promotionEnds: false,
  });
}

/** `candidate`, `candidate.labels.zone`, `candidate.model`: metadata is flat. */
function toVersion(
  metadata: Readonly<Record<string, string>>,
  arm: "baseline" | "candidate",
  fallback: string,
): object {
  const labels = partsOf(metadata, `${arm}.labels.`);
  const others = Object.entries(partsOf(metadata, `${arm}.`)).filter(([key]) => !key.startsWith("labels."));
  const unknown = others.flatMap(([key]): Issue[] =>
    TUPLE.has(key)
      ? []
      : [
          {
            pointer: toPointer(["metadata", `${arm}.${key}`]),
            detail: `is not understood; there are ${arm}, ${arm}.labels.NAME, ${[...TUPLE].map((part) => `${arm}.${part}`).join(", ")}`,
          },
        ],
  );
  const [first] = unknown;
  if (first !== undefined)
    throw new TouchstoneError("invalid_request", `${first.pointer} ${first.detail}`, { issues: unknown });
  return {
    label: metadata[arm] ?? fallback,
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(others.length === 0 ? {} : { tuple: Object.fromEntries(others) }),
  };
}

const TUPLE: ReadonlySet<string> = new Set(["code", "model", "prompt", "tools"]);

function partsOf(metadata: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
    ),
  );
}

/** The share of the traffic that the candidate has after an event, in percent of Flagger's total; null where the event moves none. */
function weightIn(message: string): number | null {
  const advanced = /^Advance \S+ canary weight (\d{1,6})$/.exec(message);
  if (advanced !== null) return Number(advanced[1]);
  return /^(?:Routing all traffic to primary|Canary failed! Scaling down \S+)$/.test(message) ? 0 : null;
}
