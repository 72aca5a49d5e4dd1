import { Worker as Thread } from "node:worker_threads";
import type { ThreadData } from "./look-thread.ts";
import type { ThreadRequest } from "./worker/look-threads.ts";

/**
 * A process with one thread that looks, as a child of the worker, which tells it first what the thread is born with.
 *
 * The thread leaves the main loop free, so that the process ends with its worker whatever its look does.
 */
if (process.send === undefined) throw new Error("look-process.ts runs as a child of a worker only");
const send = process.send.bind(process);

// Its worker says when it ends, also where a terminal or a platform signals them both.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
process.once("disconnect", () => process.exit());
process.once("message", (workerData: ThreadData) => {
  const thread = new Thread(new URL("./look-thread.js", import.meta.url), { workerData });
  thread.on("message", (answer: object) => send(answer));
  thread.on("error", (error) => void process.stderr.write(`${error.stack ?? error.message}\n`));
  thread.on("exit", () => process.exit(1));
  process.on("message", (request: ThreadRequest) => thread.postMessage(request));
});
