import { Worker as Thread, type ResourceLimits } from "node:worker_threads";
import type { ThreadData } from "./look-thread.ts";
import type { ProcessAnswer } from "./worker/fork-looker.ts";
import type { ThreadRequest } from "./worker/look-threads.ts";

/** What the worker tells it first. */
export interface ProcessData {
  readonly workerData: ThreadData;
  readonly resourceLimits: ResourceLimits;
}

/**
 * A process with one thread that looks, as a child of a worker. The thread leaves the main loop free, so that the process ends with its worker whatever its look does.
 */
if (process.send === undefined) throw new Error("look-process.ts runs as a child of a worker only");
const send = process.send.bind(process);
const answer = (message: ProcessAnswer, then?: () => void) => send(message, undefined, undefined, then);

// Its worker says when it ends, also where a terminal or a platform signals them both.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
// To exit would wait for what the thread is doing.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.once("message", (data: ProcessData) => {
  const thread = new Thread(new URL("./look-thread.js", import.meta.url), data);
  let failed = false;
  thread.on("message", answer);
  thread.on("error", ({ name, message }) => {
    failed = true;
    answer({ kind: "crashed", detail: `${name}: ${message}` }, () => process.exit(1));
  });
  thread.on("exit", () => {
    if (!failed) process.exit(1);
  });
  process.on("message", (request: ThreadRequest) => thread.postMessage(request));
});
