import type { LookState } from "../model/look-state.ts";
import type { Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import type { RecordedLook } from "../recorded-look.ts";
import type { Admit } from "../sources/admission.ts";
import type { ObservedQuery, ObserveQuery } from "../sources/observed.ts";
import { serveTurns, type TurnAnswer, type TurnRequest } from "./admission-messages.ts";
import type { TimedPart } from "./timed-parts.ts";

/** A look with its sources bound: inline in tests and at the command line, in a thread in a worker. */
export type RunLook = (
  run: Run,
  previous: LookState | null,
  now: Instant,
  signal: AbortSignal,
  observer: LookObserver,
) => Promise<RecordedLook>;

/** Who is told what happens in a look. */
export interface LookObserver {
  /** Each question, as it ends. */
  readonly query: ObserveQuery;
  /** The parts of the judgement, once, before the look comes back. */
  readonly parts: (parts: readonly TimedPart[]) => void;
}

/** To a thread. */
export type ThreadRequest =
  | {
      readonly kind: "look";
      readonly id: number;
      readonly run: Run;
      readonly previous: LookState | null;
      readonly now: Instant;
    }
  | { readonly kind: "abort"; readonly id: number }
  | TurnAnswer;

/** From a thread. */
export type ThreadAnswer =
  /** Once: everything is loaded. */
  | { readonly kind: "ready" }
  | { readonly kind: "judged"; readonly id: number; readonly judged: RecordedLook }
  | { readonly kind: "failed"; readonly id: number; readonly error: Error }
  | { readonly kind: "query"; readonly id: number; readonly query: ObservedQuery }
  | { readonly kind: "parts"; readonly id: number; readonly parts: readonly TimedPart[] }
  | TurnRequest;

/** A thread that looks, or a process that does the same. */
export interface Looker {
  on(event: "message", hear: (answer: ThreadAnswer) => void): unknown;
  on(event: "error", hear: (error: Error) => void): unknown;
  on(event: "exit", hear: (code: number | string | null) => void): unknown;
  postMessage(request: ThreadRequest): void;
  terminate(): Promise<unknown>;
}

/** The thread that ran a look died with it, for example out of memory. The run is due again when its lease ends. */
export class LookThreadDied extends Error {
  override readonly name = "LookThreadDied";
}

/** How long a thread may take to give up before it is ended. */
const ABORT_GRACE_MS = 2_000;

interface Seat {
  readonly thread: Looker;
  /** Rejects when the thread dies before. */
  readonly ready: Promise<void>;
  /** Set before anything is awaited, so that no two looks take one seat. */
  taken: boolean;
  busy: { readonly id: number; readonly observer: LookObserver; settle(outcome: RecordedLook | Error): void } | null;
}

/**
 * Threads that run looks, so that parsing and arithmetic never hold up the main loop. Only the report, the state and the packed evidence come back.
 *
 * @param create  starts a thread that speaks ThreadRequest and ThreadAnswer.
 * @param size    how many looks run at once; more wait.
 * @param admit   the limits of the sources, which all threads share.
 */
export function createLookThreads(
  create: () => Looker,
  size: number,
  admit: Admit,
): {
  runLook: RunLook;
  /**
   * Starts all threads. A worker waits for it before it takes up a run: a run in the hands of a process that is still loading is only at risk.
   *
   * @throws LookThreadDied when one cannot start.
   */
  warmUp(): Promise<void>;
  close(): Promise<void>;
} {
  const seats = new Set<Seat>();
  const waiting: (() => void)[] = [];
  let nextId = 0;
  let closed = false;

  const addSeat = (): Seat => {
    const thread = create();
    const ready = new Promise<void>((resolve, reject) => {
      thread.on("message", (answer: ThreadAnswer) => answer.kind === "ready" && resolve());
      thread.on("error", (cause) => reject(new LookThreadDied(`a thread cannot start: ${cause.message}`, { cause })));
      thread.on("exit", (code) => reject(new LookThreadDied(`a thread cannot start: it exited with ${code}`)));
    });
    // Only who warms up wants to know.
    ready.catch(() => undefined);
    const seat: Seat = { thread, ready, taken: false, busy: null };
    const turns = serveTurns(admit, (message) => thread.postMessage(message));
    thread.on("message", (answer: ThreadAnswer) => {
      if (answer.kind === "ready") return;
      if (answer.kind === "admit" || answer.kind === "withdraw" || answer.kind === "release")
        return turns.handle(answer);
      const { busy } = seat;
      if (busy?.id !== answer.id) return;
      switch (answer.kind) {
        case "query":
          return busy.observer.query(answer.query);
        case "parts":
          return busy.observer.parts(answer.parts);
        case "judged":
          return busy.settle(answer.judged);
        case "failed":
          return busy.settle(answer.error);
      }
    });
    const die = (error: Error) => {
      seats.delete(seat);
      turns.close();
      seat.busy?.settle(new LookThreadDied(`what looked has died: ${error.message}`, { cause: error }));
    };
    seat.thread.on("error", die);
    seat.thread.on("exit", (code) => die(new Error(`it exited with ${code}`)));
    seats.add(seat);
    return seat;
  };

  const takeSeat = async (): Promise<Seat> => {
    for (;;) {
      if (closed) throw new LookThreadDied("the threads are closed");
      const free = [...seats].find((seat) => !seat.taken) ?? (seats.size < size ? addSeat() : undefined);
      if (free !== undefined) {
        free.taken = true;
        return free;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const runLook: RunLook = async (run, previous, now, signal, observer) => {
    const seat = await takeSeat();
    const id = (nextId += 1);
    let grace: NodeJS.Timeout | undefined;
    const abort = () => {
      seat.thread.postMessage({ kind: "abort", id } satisfies ThreadRequest);
      grace = setTimeout(() => void seat.thread.terminate(), ABORT_GRACE_MS);
    };
    try {
      signal.throwIfAborted();
      return await new Promise<RecordedLook>((resolve, reject) => {
        const settle = (outcome: RecordedLook | Error) =>
          outcome instanceof Error ? reject(outcome) : resolve(outcome);
        seat.busy = { id, observer, settle };
        signal.addEventListener("abort", abort, { once: true });
        seat.thread.postMessage({ kind: "look", id, run, previous, now } satisfies ThreadRequest);
      });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener("abort", abort);
      seat.busy = null;
      seat.taken = false;
      waiting.shift()?.();
    }
  };

  return {
    runLook,
    async warmUp() {
      while (seats.size < size) addSeat();
      await Promise.all([...seats].map(({ ready }) => ready));
    },
    async close() {
      closed = true;
      for (const wake of waiting.splice(0)) wake();
      await Promise.all([...seats].map(({ thread }) => thread.terminate()));
    },
  };
}
