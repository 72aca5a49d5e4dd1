import { parentPort } from "node:worker_threads";
import { answerJudgeRequest } from "./api/answer-judge-request.ts";

/** The other end of api/judge-threads.ts: one body at a time. */
const port = parentPort;
if (port === null) throw new Error("judge-thread.ts runs in a thread only");

port.on("message", (body: Uint8Array) => port.postMessage(answerJudgeRequest(body)));
