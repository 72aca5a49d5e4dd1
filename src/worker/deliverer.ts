import type { Logger } from "../log.ts";
import { RunEvent } from "../model/event.ts";
import { NotDelivered, type NotificationTarget, type Targets } from "../notify/target.ts";
import type { Delivery, DeliveryOutcome, Outbox } from "../store/outbox.ts";
import type { Telemetry } from "../telemetry.ts";
import { waitSeconds } from "./backoff.ts";
import { createBreaker, type Breaker } from "./breaker.ts";

export interface DelivererDependencies {
  readonly store: Outbox;
  readonly targets: Targets;
  readonly telemetry: Telemetry;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

export interface DelivererOptions {
  /** How long a delivery is this attempt's; one whose process was killed is due again after it. Above the longest timeout of a target. */
  readonly leaseSeconds: number;
  readonly sweepMs: number;
  /** Attempts at once to one target. */
  readonly concurrency: number;
  /** How long an event is tried. */
  readonly maxAgeSeconds: number;
}

export interface RunningDeliverer {
  /** Something may have happened that is to be told: looks at once. */
  wake(): void;
  /** Stops claiming at once, lets attempts finish for `graceMs`, then hands the rest back. */
  stop(graceMs: number): Promise<void>;
}

/** What came of an attempt, for the record and for the metrics. */
interface Attempt {
  readonly label: "delivered" | "retried" | "given_up" | "not_wanted" | "unknown_target" | "handed_back";
  readonly outcome: DeliveryOutcome;
}

interface TargetState {
  readonly breaker: Breaker;
  underWay: number;
}

const SHUTDOWN = new Error("the worker shuts down");
/** A target that this process does not know may be known to another, or to this one after its next start. */
const UNKNOWN_REST_MS = 60_000;

/**
 * Brings events from the outbox to their targets: at least once, since an attempt that is not settled is made again when its lease lapses.
 *
 * Each target has its own room and its own breaker, so that none waits for another, and judging waits for none.
 */
export function startDeliverer(
  { store, targets, telemetry, log, random, now }: DelivererDependencies,
  { leaseSeconds, sweepMs, concurrency, maxAgeSeconds }: DelivererOptions,
): RunningDeliverer {
  const states = new Map<string, TargetState>();
  const attempts = new Map<AbortController, Promise<void>>();
  let stopped = false;
  let sweepTimer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();
  let isQueued = false;

  const isRunning = () => !stopped;

  const stateOf = (name: string): TargetState => {
    const known = states.get(name);
    if (known !== undefined) return known;
    const state = { breaker: createBreaker(concurrency), underWay: 0 };
    states.set(name, state);
    return state;
  };

  const withoutRoom = (): string[] =>
    [...states].flatMap(([name, { breaker, underWay }]) => (underWay < breaker.room(now()) ? [] : [name]));

  const take = (delivery: Delivery): void => {
    const controller = new AbortController();
    const state = stateOf(delivery.target);
    state.underWay += 1;
    const work = deliver(delivery, state, controller.signal).finally(() => {
      state.underWay -= 1;
      attempts.delete(controller);
      if (isRunning()) void sweep();
    });
    attempts.set(controller, work);
  };

  const deliver = async (delivery: Delivery, { breaker }: TargetState, signal: AbortSignal): Promise<void> => {
    const { eventId: event, target: name, run, attempts: n } = delivery;
    const deliveryLog = log.child({ event, target: name, run, attempt: n });
    try {
      const target = targets.get(name);
      const { label, outcome } =
        target === undefined
          ? missTarget(delivery, breaker, deliveryLog)
          : await attempt(delivery, target, breaker, deliveryLog, signal);
      if (target !== undefined) telemetry.targetOpen.set({ target: name }, breaker.isOpen() ? 1 : 0);
      if (!(await store.settleDelivery(delivery, outcome)))
        return deliveryLog.warn("the lease lapsed before the attempt was settled; the target may be told again");
      telemetry.deliveries.inc({ target: target === undefined ? "" : name, outcome: label });
      deliveryLog.debug({ outcome: label }, "delivery");
    } catch (error) {
      deliveryLog.error({ err: error }, "the record is away; the event is delivered again when its lease lapses");
    }
  };

  const attempt = async (
    delivery: Delivery,
    target: NotificationTarget,
    breaker: Breaker,
    deliveryLog: Logger,
    signal: AbortSignal,
  ): Promise<Attempt> => {
    try {
      const event = RunEvent.parse(JSON.parse(delivery.body));
      if (!target.wants(event)) {
        const reason = `the target does not want ${event.type}${event.data.verdict === null ? "" : ` with ${event.data.verdict}`}`;
        return { label: "not_wanted", outcome: { kind: "given_up", reason } };
      }
      await target.send(event, delivery.body, signal);
      breaker.succeeded();
      return { label: "delivered", outcome: { kind: "delivered" } };
    } catch (error) {
      if (signal.aborted)
        return { label: "handed_back", outcome: { kind: "later", seconds: 0, reason: SHUTDOWN.message } };
      return fail(delivery, error, breaker, deliveryLog);
    }
  };

  const fail = (delivery: Delivery, error: unknown, breaker: Breaker, deliveryLog: Logger): Attempt => {
    const reason = error instanceof Error ? error.message : String(error);
    const { retryAfterSeconds, final } =
      error instanceof NotDelivered ? error : { retryAfterSeconds: null, final: false };
    if (!(error instanceof NotDelivered)) deliveryLog.error({ err: error }, "an attempt to deliver failed here");
    const seconds = waitSeconds(delivery.attempts, retryAfterSeconds, random);
    // A receiver that says it will never take the event is well enough to say so.
    if (final) breaker.succeeded();
    else if (breaker.failed(now())) deliveryLog.warn({ reason }, "the target fails time after time and is left alone");
    if (retryAfterSeconds !== null) breaker.rest(now() + seconds * 1000);
    if (final || delivery.ageSeconds >= maxAgeSeconds) {
      deliveryLog.error({ reason }, "given up: the target was not told");
      return { label: "given_up", outcome: { kind: "given_up", reason } };
    }
    deliveryLog.warn({ reason, retryInSeconds: Math.round(seconds) }, "not delivered");
    return { label: "retried", outcome: { kind: "later", seconds, reason } };
  };

  /** Left for a process that knows the target; this one asks again in a while. */
  const missTarget = (delivery: Delivery, breaker: Breaker, deliveryLog: Logger): Attempt => {
    const reason = `no notification target named ${delivery.target} is configured`;
    deliveryLog.error({ reason }, "not delivered");
    breaker.rest(now() + UNKNOWN_REST_MS);
    return { label: "unknown_target", outcome: { kind: "later", seconds: 0, reason } };
  };

  /** What is too old is otherwise given up at its next attempt; a target that is left alone would never come to that. */
  const giveUpOld = async (): Promise<void> => {
    const silent = [...states].flatMap(([name, { breaker }]) => (breaker.isOpen() || !targets.has(name) ? [name] : []));
    if (silent.length === 0) return;
    for (const target of await store.giveUpOldDeliveries(silent, maxAgeSeconds)) {
      telemetry.deliveries.inc({ target: targets.has(target) ? target : "", outcome: "given_up" });
      log.error({ target }, "given up: the target was not told in time");
    }
  };

  /** Claims while anything is due that has room. Sweeps never overlap, and those asked for during one become one. */
  const sweep = (): Promise<void> => {
    if (isQueued) return sweeping;
    isQueued = true;
    sweeping = sweeping.then(async () => {
      isQueued = false;
      try {
        await giveUpOld();
        while (isRunning()) {
          // One at a time: the next may have to leave this one's target out.
          const [delivery] = await store.claimDeliveries(leaseSeconds, 1, withoutRoom());
          if (delivery === undefined) return;
          take(delivery);
        }
      } catch (error) {
        telemetry.sweepErrors.inc();
        log.error({ err: error }, "the sweep for deliveries failed");
      }
    });
    return sweeping;
  };

  const loop = async (): Promise<void> => {
    await sweep();
    if (isRunning()) sweepTimer = setTimeout(() => void loop(), sweepMs);
  };
  void loop();

  return {
    wake() {
      if (isRunning()) void sweep();
    },
    async stop(graceMs) {
      stopped = true;
      clearTimeout(sweepTimer);
      await sweeping;
      const all = () => Promise.all(attempts.values());
      const grace = AbortSignal.timeout(graceMs);
      const late = new Promise<void>((resolve) => grace.addEventListener("abort", () => resolve(), { once: true }));
      await Promise.race([all(), late]);
      for (const controller of attempts.keys()) controller.abort(SHUTDOWN);
      await all();
    },
  };
}
