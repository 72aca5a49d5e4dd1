import type { Admit } from "../sources/admission.ts";
import { createLookThreads, LookThreadDied, type Looker, type RunLook } from "./look-threads.ts";

/** The process that a look had for itself ended, and its worker lives: what ended it was the look. */
export class LookEndedItsProcess extends Error {
  override readonly name = "LookEndedItsProcess";
}

/**
 * Looks each in a process of its own, for runs that workers took up in vain before: whether a run kills whoever looks at it, or its workers were killed by others, shows only where the look is alone.
 *
 * @param create  starts a process that looks; it ends when its parent does.
 */
export function createLookApart(create: () => Looker, admit: Admit): { runLook: RunLook; close(): Promise<void> } {
  const open = new Set<{ close(): Promise<void> }>();
  let closed = false;
  return {
    async runLook(...look) {
      const alone = createLookThreads(create, 1, admit);
      open.add(alone);
      try {
        // A process that cannot even start says nothing about the run.
        await alone.warmUp();
        return await alone.runLook(...look).catch((error: unknown) => {
          if (closed || !(error instanceof LookThreadDied)) throw error;
          throw new LookEndedItsProcess(`the look ended the process that it had for itself: ${error.message}`, {
            cause: error,
          });
        });
      } finally {
        open.delete(alone);
        await alone.close();
      }
    },
    async close() {
      closed = true;
      await Promise.all([...open].map((alone) => alone.close()));
    },
  };
}
