import { setTimeout as pause } from "node:timers/promises";

/** How often a condition is looked at. */
const POLL_MS = 50;

/**
 * Waits for a condition, generously: the machine may be slow.
 *
 * @param what  names what never came, in the error.
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
  const late = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > late) throw new Error(`${what}: not within ${seconds} s`);
    await pause(POLL_MS);
  }
}
