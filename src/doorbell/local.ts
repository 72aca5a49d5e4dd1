import type { Doorbell } from "./doorbell.ts";

/** A bell that is heard in this process only; workers elsewhere find the run on their next sweep. */
export function createLocalDoorbell(): Doorbell {
  let handlers: ((id: string) => Promise<void>)[] = [];
  return {
    ring(id) {
      for (const handler of handlers) setImmediate(() => void handler(id));
    },
    onRing(handler) {
      handlers.push(handler);
    },
    // A ring is heard at once, or never.
    backlog: () => Promise.resolve({ depth: 0, oldestSeconds: 0 }),
    health: () => ({ ok: true, detail: "in this process" }),
    close() {
      handlers = [];
      return Promise.resolve();
    },
  };
}
