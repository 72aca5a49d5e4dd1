import { setMaxListeners } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { look } from "./look.ts";
import { observed } from "./sources/observed.ts";
import { wireSources, type SourcesSpec } from "./wire-sources.ts";
import { askForTurns } from "./worker/admission-messages.ts";
import type { ThreadAnswer, ThreadRequest } from "./worker/look-threads.ts";

/** The other end of worker/look-threads.ts: one look at a time, on a thread of its own with sources of its own. */
const port = parentPort;
if (port === null) throw new Error("look-thread.ts runs in a thread only");

const answer = (message: ThreadAnswer) => port.postMessage(message);
const turns = askForTurns(answer);
const sources = observed(wireSources(workerData as SourcesSpec, turns.admit), (source, outcome, seconds) =>
  answer({ kind: "observed", source, outcome, seconds }),
);
const controllers = new Map<number, AbortController>();

port.on("message", (request: ThreadRequest) => {
  switch (request.kind) {
    case "abort":
      controllers.get(request.id)?.abort(new Error("aborted"));
      break;
    case "look":
      void run(request);
      break;
    case "admitted":
    case "not_admitted":
      turns.handle(request);
  }
});

async function run({ id, run, previous, now }: Extract<ThreadRequest, { kind: "look" }>): Promise<void> {
  const controller = new AbortController();
  // Every query of the look listens to it.
  setMaxListeners(0, controller.signal);
  controllers.set(id, controller);
  try {
    answer({ kind: "judged", id, judged: await look(sources, run, previous, now, controller.signal) });
  } catch (error) {
    answer({ kind: "failed", id, error: error instanceof Error ? error : new Error(String(error)) });
  } finally {
    controllers.delete(id);
  }
}
