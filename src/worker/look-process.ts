import { fork } from "node:child_process";
import type { Looker } from "./look-threads.ts";

/**
 * Starts a process that looks, as a thread does.
 *
 * @param program  what it runs; it gets `data` as its first message, since arguments and environments can be read by others.
 */
export function startLookProcess(program: URL, data: object): Looker {
  const child = fork(program, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
  // What cannot be sent has nobody to hear it: the process has ended, which its exit tells.
  const send = (message: object) => void child.send(message, () => undefined);
  send(data);
  return {
    on(event: "message" | "error" | "exit", hear: (told: never) => void) {
      if (event === "exit") child.on(event, (code, signal) => hear((signal ?? code) as never));
      else child.on(event, hear as (told: unknown) => void);
    },
    postMessage: send,
    async terminate() {
      child.kill("SIGKILL");
    },
  };
}
