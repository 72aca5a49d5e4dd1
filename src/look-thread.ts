import { setMaxListeners } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { wireSources, type SourcesSpec } from "./wire-sources.ts";
import { askForTurns } from "./worker/admission-messages.ts";
import type { ThreadAnswer, ThreadRequest } from "./worker/look-threads.ts";
import { observedLook } from "./worker/observed-look.ts";

/** What a thread is born with. */
export interface ThreadData {
  readonly sources: SourcesSpec;
  /** Of evidence that is kept of one run. */
  readonly evidenceLimitBytes: number;
}

/** The other end of worker/look-threads.ts: one look at a time, on a thread of its own with sources of its own. */
const port = parentPort;
if (port === null) throw new Error("look-thread.ts runs in a thread only");

const answer = (message: ThreadAnswer, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const { sources: spec, evidenceLimitBytes } = workerData as ThreadData;
const turns = askForTurns(answer);
const sources = wireSources(spec, turns.admit);
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
answer({ kind: "ready" });

async function run({ id, run, previous, now }: Extract<ThreadRequest, { kind: "look" }>): Promise<void> {
  const controller = new AbortController();
  // Every query of the look listens to it.
  setMaxListeners(0, controller.signal);
  controllers.set(id, controller);
  try {
    const judged = await observedLook(sources, run, previous, now, controller.signal, evidenceLimitBytes, {
      query: (query) => answer({ kind: "query", id, query }),
      parts: (parts) => answer({ kind: "parts", id, parts }),
    });
    const body = judged.evidence?.body ?? null;
    answer({ kind: "judged", id, judged }, body === null ? [] : [body.buffer]);
  } catch (error) {
    answer({ kind: "failed", id, error: error instanceof Error ? error : new Error(String(error)) });
  } finally {
    controllers.delete(id);
  }
}
