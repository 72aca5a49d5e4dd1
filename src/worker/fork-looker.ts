import { fork } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Looker, ThreadAnswer } from "./look-threads.ts";

/** From a process that looks. */
export type ProcessAnswer =
  | ThreadAnswer
  /** Once: its thread is dead, and so will it be. */
  | { readonly kind: "crashed"; readonly detail: string };

/**
 * Starts a process that looks as a thread does.
 *
 * @param program  what it runs; it gets `data` as its first message, since arguments can be read by others.
 * @throws Error where the system has no room for one; some lacks come as an `error` a moment later.
 */
export function forkLooker(program: URL, data: object): Looker {
  const told = new EventEmitter<{ message: [ThreadAnswer]; error: [Error]; exit: [code: number | string | null] }>();
  const child = fork(program, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.on("message", (answer: ProcessAnswer) =>
    answer.kind === "crashed" ? told.emit("error", new Error(answer.detail)) : told.emit("message", answer),
  );
  child.on("error", (error) => told.emit("error", error));
  child.on("exit", (code, signal) => told.emit("exit", signal ?? code));
  const send = (message: object) => {
    // A process that could not be started has no channel. What cannot be sent has nobody to hear it: the process has ended, which its exit tells.
    if (child.connected) child.send(message, () => undefined);
  };
  send(data);
  return Object.assign(told, {
    postMessage: send,
    async terminate() {
      child.kill("SIGKILL");
    },
  });
}
