import { Router, type Request } from "express";
import { TouchstoneError } from "../errors.ts";
import { ArgoVerdictRequest, type ArgoVerdict } from "../model/argo.ts";
import { digestOf } from "../model/canonical.ts";
import { StartRunRequest, type Rollout } from "../model/run.ts";
import type { PolledRun } from "../store/controllers.ts";
import { parseAs, readJson, readText } from "./body.ts";
import { effectiveVerdict, isToMend, lineOf, verdictLine } from "./controller-words.ts";
import { PROJECT } from "./list.ts";
import { parseJson } from "./parse-json.ts";
import { onlyMethods } from "./problem.ts";
import { startObserved, type StartDependencies } from "./start-observed.ts";

/** A final answer is repeated this long after it was first given, since the answer may have been lost; whoever asks later begins anew. */
const REPEATED_SECONDS = 60;

/** A run that is due for longer is looked at by nobody: above the longest time that a look may take. */
const LATE_SECONDS = 600;

/**
 * The verdict as a metric of Argo Rollouts' web provider, which starts a run with its first question and asks again until it is answered.
 *
 * Released versions of Argo count a 2xx without JSON as success, so that every 2xx here is an object.
 */
export function createArgoRoutes(dependencies: StartDependencies): Router {
  const { store } = dependencies;
  const router = Router();
  router
    .route("/verdict")
    .post(async (request, response) => {
      const start = (body: StartRunRequest) =>
        startObserved(dependencies, request, response, body, { idempotency: null, anew: true });

      const ask = async (): Promise<ArgoVerdict> => {
        const asked = parseAs(ArgoVerdictRequest, readAnyJson(request));
        const mode = asked.mode ?? "step";
        const body = parseAs(StartRunRequest, toStartRequest(asked));
        const { baseline, candidate } = asked;
        const identity = { rollout: rolloutOf(asked), analysis: asked.analysis, baseline, candidate };
        const known = await store.findPolled(PROJECT, identity);
        if (known !== null && known.requestDigest === digestOf(body)) {
          const answer = answerOf(known, mode);
          if (known.dueAt !== null) return answer ?? undecided(known, mode);
          if (answer === null) throw new RangeError(`run ${known.id} has ended and says nothing`);
          // By the word of the record, so that a verdict of a person's that came later is told as new.
          const told = effectiveVerdict(known) ?? known.status;
          if ((await store.tellAnswer(known.id, told)) <= REPEATED_SECONDS) return answer;
        }
        const { run } = await start(body);
        return undecided({ ...run, id: run.run.id, lateSeconds: 0 }, mode);
      };

      try {
        response.json(await ask());
      } catch (error) {
        if (!isToMend(error)) throw error;
        // Argo shows it and pauses; a status would be asked again for an hour.
        response.json({ summary: lineOf("error", error.message), verdict: "error" } satisfies ArgoVerdict);
      }
    })
    .all(onlyMethods("POST"));
  return router;
}

/** What Argo sends from a `body` has no content type. */
function readAnyJson(request: Request): unknown {
  return request.get("content-type") === undefined ? parseJson(readText(request)) : readJson(request);
}

function rolloutOf({ mode, namespace, service, revision, step, candidate }: ArgoVerdictRequest): Rollout {
  const stage = mode === "background" ? "background" : step;
  return {
    namespace,
    name: service,
    // No number, even where the label is one: labels have no order.
    revision: revision ?? `candidate:${candidate.label}`,
    ...(stage === undefined ? {} : { stage }),
  };
}

function toStartRequest(asked: ArgoVerdictRequest): StartRunRequest {
  const { mode, analysis, baseline, candidate, args } = asked;
  return {
    analysis,
    baseline,
    candidate,
    rollout: rolloutOf(asked),
    ...(args === undefined ? {} : { args }),
    ...(mode === "background" ? { promotionEnds: false } : {}),
  };
}

/** The answer that stays as it is: of a run that has ended, or that a person has decided. Null while there is none. */
function answerOf(run: PolledRun, mode: "step" | "background"): ArgoVerdict | null {
  const { status, error } = run;
  const verdict = effectiveVerdict(run);
  if (verdict !== null) {
    // What watches in the background can stop a rollout; that it ends well is for its steps to decide.
    const word = verdict === "promote" && mode === "background" ? "continue" : verdict;
    return say(word, verdictLine(verdict, run), run);
  }
  if (status === "cancelled") return say("pause", `the run was cancelled: ${error?.detail}`, run);
  if (status === "failed") return say("error", `Touchstone could not judge (${error?.code}): ${error?.detail}`, run);
  return null;
}

/** A live run. In step mode Argo asks again after an error, and only then; in the background it wants an answer each time. */
function undecided(run: LiveRun, mode: "step" | "background"): ArgoVerdict {
  const { id, summary, dueAt, lateSeconds } = run;
  if (mode === "step")
    throw new TouchstoneError(
      "no_verdict_yet",
      `run ${id} looks next at ${dueAt}; ${summary ?? "it has not looked yet"}`,
    );
  return lateSeconds > LATE_SECONDS
    ? say("pause", `nobody has looked since ${dueAt}, when a look was due; is a worker running?`, run)
    : say("continue", summary ?? `the first look is due at ${dueAt}`, run);
}

type RunFacts = Pick<PolledRun, "id" | "attempt" | "score">;
type LiveRun = RunFacts & Pick<PolledRun, "summary" | "dueAt" | "lateSeconds">;

function say(verdict: ArgoVerdict["verdict"], text: string, run: RunFacts): ArgoVerdict {
  return { summary: lineOf(verdict, text), verdict, ...factsOf(run) };
}

function factsOf({ id, attempt, score }: RunFacts): Omit<ArgoVerdict, "summary" | "verdict"> {
  return { run: id, ...(attempt === null ? {} : { attempt }), ...(score === null ? {} : { score }) };
}
