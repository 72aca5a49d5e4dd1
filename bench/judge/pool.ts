import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RunVerdicts } from "./run-workload.ts";
import type { Slice } from "./slice.ts";

const CHILD = fileURLToPath(new URL("slice-process.ts", import.meta.url));

/** Runs slices on child processes, one slice a child at a time. */
export interface Pool {
  run(slice: Slice): Promise<RunVerdicts[][]>;
  close(): void;
}

type Answer = { readonly verdicts: RunVerdicts[][] } | { readonly fault: string };

export function createPool(workers: number): Pool {
  // The children inherit the loader of TypeScript from this process. Structured cloning keeps infinities.
  const children = Array.from({ length: workers }, () => fork(CHILD, { serialization: "advanced" }));
  const idle = [...children];
  const waiting: ((child: ChildProcess) => void)[] = [];
  const take = () => {
    const child = idle.pop();
    return child === undefined ? new Promise<ChildProcess>((resolve) => waiting.push(resolve)) : Promise.resolve(child);
  };
  const give = (child: ChildProcess) => {
    const next = waiting.shift();
    if (next === undefined) idle.push(child);
    else next(child);
  };
  return {
    async run(slice) {
      const child = await take();
      const hungUp = new AbortController();
      try {
        const answered = once(child, "message", { signal: hungUp.signal });
        const ended = once(child, "exit", { signal: hungUp.signal }).then(([code]) => {
          throw new Error(`the process that ran ${slice.workload} ended with ${String(code)}`);
        });
        // Whichever comes second is aborted below.
        answered.catch(() => {});
        ended.catch(() => {});
        child.send(slice);
        const [answer] = (await Promise.race([answered, ended])) as [Answer];
        if ("fault" in answer) throw new Error(`${slice.workload}: ${answer.fault}`);
        return answer.verdicts;
      } finally {
        hungUp.abort();
        give(child);
      }
    },
    close() {
      for (const child of children) child.disconnect();
    },
  };
}
