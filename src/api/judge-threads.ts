import type { Worker as Thread } from "node:worker_threads";
import { TouchstoneError } from "../errors.ts";

/** Judges the metric sets in the body of a request. In a thread, or inline in tests. */
export type JudgeMetricSets = (body: Uint8Array) => Promise<JudgeAnswer>;

/** What goes back, as it is sent. */
export interface JudgeAnswer {
  readonly status: number;
  readonly body: string;
}

export interface JudgeThreadsOptions {
  /** How many requests are judged at once. */
  readonly size: number;
  /** How many more may wait; further ones are refused. */
  readonly mostWaiting: number;
  /** For one request, waiting not counted. */
  readonly timeoutMs: number;
}

interface Job {
  readonly body: Uint8Array;
  resolve(answer: JudgeAnswer): void;
  reject(error: Error): void;
}

/**
 * Threads that judge metric sets, so that parsing tens of megabytes and the arithmetic on them never hold up the main loop. They start when they are first needed.
 *
 * @param create  starts a thread that takes a body and posts a `JudgeAnswer`, one at a time.
 */
export function createJudgeThreads(
  create: () => Thread,
  { size, mostWaiting, timeoutMs }: JudgeThreadsOptions,
): {
  /** @throws TouchstoneError `overloaded` when too many wait, or the request took too long. */
  judge: JudgeMetricSets;
  close(): Promise<void>;
} {
  const threads = new Set<Thread>();
  const idle: Thread[] = [];
  const queue: Job[] = [];

  const startNext = (): void => {
    const thread = idle.pop() ?? (threads.size < size ? create() : undefined);
    if (thread === undefined) return;
    const job = queue.shift();
    if (job === undefined) return void idle.push(thread);
    threads.add(thread);
    run(thread, job);
  };

  const run = (thread: Thread, job: Job): void => {
    const settle = (isAlive: boolean, tell: () => void): void => {
      clearTimeout(late);
      for (const [event, listener] of Object.entries(listeners)) thread.off(event, listener);
      if (isAlive) idle.push(thread);
      else threads.delete(thread);
      tell();
      if (queue.length > 0) startNext();
    };
    const listeners = {
      message: (answer: JudgeAnswer) => settle(true, () => job.resolve(answer)),
      error: (error: Error) => settle(false, () => job.reject(error)),
      exit: (code: number) =>
        settle(false, () => job.reject(new Error(`the thread of a judgement exited with ${code}`))),
    };
    const late = setTimeout(() => {
      settle(false, () =>
        job.reject(new TouchstoneError("overloaded", `the metric sets could not be judged in ${timeoutMs / 1000} s`)),
      );
      void thread.terminate();
    }, timeoutMs);
    for (const [event, listener] of Object.entries(listeners)) thread.on(event, listener);
    // Its own buffer, which the thread can take over.
    const body = Uint8Array.from(job.body);
    thread.postMessage(body, [body.buffer]);
  };

  return {
    judge: (body) =>
      new Promise((resolve, reject) => {
        if (idle.length === 0 && threads.size >= size && queue.length >= mostWaiting)
          throw new TouchstoneError("overloaded", `${mostWaiting} requests wait to be judged already`);
        queue.push({ body, resolve, reject });
        startNext();
      }),
    async close() {
      for (const job of queue.splice(0)) job.reject(new TouchstoneError("overloaded", "the server is stopping"));
      await Promise.all([...threads].map((thread) => thread.terminate()));
    },
  };
}
