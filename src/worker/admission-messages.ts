import { isTouchstoneError, TouchstoneError, type ErrorCode } from "../errors.ts";
import type { Admit, AttemptOutcome, Release } from "../sources/admission.ts";

/**
 * Turns for queries, across threads: looks run in threads with sources of their own, but the limits of a source hold for the process, so its main thread keeps them.
 */

/** From a thread: a turn is wanted, no longer wanted, or over. */
export type TurnRequest =
  | { readonly kind: "admit"; readonly ticket: number; readonly source: string }
  | { readonly kind: "withdraw"; readonly ticket: number }
  | { readonly kind: "release"; readonly ticket: number; readonly outcome: AttemptOutcome };

/** To the thread. */
export type TurnAnswer =
  | { readonly kind: "admitted"; readonly ticket: number }
  | {
      readonly kind: "not_admitted";
      readonly ticket: number;
      readonly code: ErrorCode;
      readonly detail: string;
      readonly retryAt: number | null;
    };

/** The main thread's end for one thread. `close` gives back the turns of a thread that died. */
export function serveTurns(
  admit: Admit,
  answer: (message: TurnAnswer) => void,
): { handle(request: TurnRequest): void; close(): void } {
  const waiting = new Map<number, AbortController>();
  const running = new Map<number, Release>();

  const wait = async (ticket: number, source: string): Promise<void> => {
    const controller = new AbortController();
    waiting.set(ticket, controller);
    try {
      const release = await admit(source, controller.signal);
      if (controller.signal.aborted) return release({ kind: "cancelled" });
      running.set(ticket, release);
      answer({ kind: "admitted", ticket });
    } catch (error) {
      if (controller.signal.aborted) return;
      if (!isTouchstoneError(error)) throw error;
      answer({ kind: "not_admitted", ticket, code: error.code, detail: error.message, retryAt: error.retryAt });
    } finally {
      waiting.delete(ticket);
    }
  };

  const end = (ticket: number, outcome: AttemptOutcome): void => {
    running.get(ticket)?.(outcome);
    running.delete(ticket);
  };

  return {
    handle(request) {
      switch (request.kind) {
        case "admit":
          return void wait(request.ticket, request.source);
        case "withdraw":
          waiting.get(request.ticket)?.abort();
          return end(request.ticket, { kind: "cancelled" });
        case "release":
          return end(request.ticket, request.outcome);
      }
    },
    close() {
      for (const controller of waiting.values()) controller.abort();
      for (const ticket of running.keys()) end(ticket, { kind: "cancelled" });
    },
  };
}

/** The thread's end: asks the main thread for each turn. */
export function askForTurns(send: (message: TurnRequest) => void): {
  readonly admit: Admit;
  handle(answer: TurnAnswer): void;
} {
  const waiting = new Map<number, (answer: TurnAnswer) => void>();
  let nextTicket = 0;
  return {
    admit: (source, signal) =>
      new Promise<Release>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        const ticket = (nextTicket += 1);
        const abort = (): void => {
          waiting.delete(ticket);
          send({ kind: "withdraw", ticket });
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", abort, { once: true });
        waiting.set(ticket, (answer) => {
          waiting.delete(ticket);
          signal.removeEventListener("abort", abort);
          if (answer.kind === "admitted") return resolve((outcome) => send({ kind: "release", ticket, outcome }));
          const { code, detail, retryAt } = answer;
          reject(new TouchstoneError(code, detail, { retryAt }));
        });
        send({ kind: "admit", ticket, source });
      }),
    handle(answer) {
      waiting.get(answer.ticket)?.(answer);
    },
  };
}
