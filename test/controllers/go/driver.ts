import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** A manifest that we ship. */
export function deployed(path: string): string {
  return fileURLToPath(new URL(`../../../deploy/${path}`, import.meta.url));
}

/** What Argo would show of an analysis run; see argo.go. */
export const ARGO_STATE = z.object({
  run: z.int(),
  measurement: z.string(),
  phase: z.string(),
  value: z.string(),
  message: z.string(),
  errors: z.int(),
  waitSeconds: z.number(),
});
/** How Flagger reads the answer to a hook; see flagger.go. */
export const HOOK_ANSWER = z.object({ error: z.string().nullable() });
export const QUERY_ANSWER = z.object({
  online: z.boolean(),
  onlineError: z.string().nullable(),
  value: z.number().nullable(),
  error: z.string().nullable(),
});

/** The controllers' own code in its process: one command, one answer. */
export interface Driver {
  /** @throws Error with what the controller's code said, beginning with "panic: " where it would have crashed. */
  ask<T>(schema: z.ZodType<T>, command: Readonly<Record<string, unknown>>): Promise<T>;
  close(): Promise<void>;
}

const Answer = z.union([z.strictObject({ ok: z.unknown() }), z.strictObject({ error: z.string() })]);

export function startDriver(program: string): Driver {
  const child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let previous: Promise<unknown> = Promise.resolve();

  const exchange = async (command: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await answers.next();
    if (line.done === true) throw new Error("the conformance program has ended");
    const answer = Answer.parse(JSON.parse(line.value));
    if ("error" in answer) throw new Error(answer.error);
    return answer.ok;
  };
  return {
    async ask(schema, command) {
      const mine = previous.then(() => exchange(command));
      previous = mine.catch(() => undefined);
      return schema.parse(await mine);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
