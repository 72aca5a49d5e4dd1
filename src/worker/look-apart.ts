import type { Admit } from "../sources/admission.ts";
import { createLookThreads, LookThreadDied, type Looker, type RunLook } from "./look-threads.ts";

/** The processes that a look had for itself ended, one after the other, and its worker lives: what ended them was the look. */
export class LookEndedItsProcess extends Error {
  override readonly name = "LookEndedItsProcess";
}

/** One may have been the choice of a system that was short of memory. */
const DEATHS_THAT_PROVE = 2;

/** A process that takes longer to be ready is none. */
const START_MS = 30_000;

/** No process was to be had for a look. */
class NoProcess extends Error {}

/**
 * Looks each in a process of its own, for runs that workers took up in vain before: whether a run kills whoever looks at it, or its workers were killed by others, shows only where the look is alone.
 *
 * @param create     starts a process that looks; it ends when its parent does.
 * @param otherwise  looks where no process is to be had, as other runs are looked at.
 */
export function createLookApart(
  create: () => Looker,
  admit: Admit,
  otherwise: RunLook,
): { runLook: RunLook; close(): Promise<void> } {
  const open = new Set<{ close(): Promise<void> }>();
  let closed = false;

  const lookOnce: RunLook = async (run, previous, now, signal, observer) => {
    const alone = createLookThreads(create, 1, admit);
    open.add(alone);
    try {
      await inTime(() => alone.warmUp(), signal);
      return await alone.runLook(run, previous, now, signal, observer);
    } finally {
      open.delete(alone);
      await alone.close();
    }
  };

  const runLook: RunLook = async (...look) => {
    for (let deaths = 1; ; deaths += 1) {
      try {
        return await lookOnce(...look);
      } catch (error) {
        if (error instanceof NoProcess) return otherwise(...look);
        if (closed || !(error instanceof LookThreadDied)) throw error;
        if (deaths >= DEATHS_THAT_PROVE)
          throw new LookEndedItsProcess(
            `the look ended both processes that it had for itself; the last: ${error.message}`,
            { cause: error },
          );
      }
    }
  };

  return {
    runLook,
    async close() {
      closed = true;
      await Promise.all([...open].map((alone) => alone.close()));
    },
  };
}

/** @throws the signal's reason, or NoProcess whatever `start` throws, also when it takes too long. */
async function inTime(start: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  let stop: () => void = () => undefined;
  try {
    await Promise.race([
      start(),
      new Promise<never>((_, reject) => {
        stop = () => reject(over.reason as Error);
        over.addEventListener("abort", stop, { once: true });
      }),
    ]);
  } catch (cause) {
    signal.throwIfAborted();
    throw new NoProcess("no process can be had for the look", { cause });
  } finally {
    over.removeEventListener("abort", stop);
  }
}
