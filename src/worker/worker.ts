import type { Doorbell } from "../doorbell/doorbell.ts";
import { isTouchstoneError } from "../errors.ts";
import { logFieldsOf, type Logger } from "../log.ts";
import { canonicalJson } from "../model/canonical.ts";
import type { ScheduleSlot } from "../model/schedule.ts";
import { epochSeconds, type Instant } from "../model/time.ts";
import type { RecordedLook } from "../recorded-look.ts";
import { SUSPECT_CLAIMS, type Claim, type NewLook } from "../store/work.ts";
import type { Store } from "../store/store.ts";
import type { Telemetry } from "../telemetry.ts";
import type { Span, Tracing } from "../tracing/tracing.ts";
import { LookEndedItsProcess } from "./look-apart.ts";
import { LookThreadDied, type RunLook } from "./look-threads.ts";
import { errorType, observeLook, startLookSpan } from "./observe-look.ts";

export interface WorkerDependencies {
  readonly store: Store;
  readonly doorbell: Doorbell;
  readonly runLook: RunLook;
  /** The same in a process of its own, for runs that workers took up in vain. */
  readonly runLookApart: RunLook;
  /** Starts the runs of schedules whose slot has come, and tells what became of each slot. */
  readonly takeDueSlots: (onTaken: (schedule: string, slot: ScheduleSlot) => void) => Promise<void>;
  readonly telemetry: Telemetry;
  readonly tracing: Tracing;
  readonly log: Logger;
}

export interface WorkerOptions {
  /** Names the process in the record. */
  readonly id: string;
  /** Looks at once. */
  readonly concurrency: number;
  /** How long a run is mine without a renewal; a killed worker's run is due again after it. */
  readonly leaseSeconds: number;
  readonly sweepMs: number;
  /** A look that takes longer is ended, and its run fails. Far above the time budgets of the sources. */
  readonly lookTimeoutMs: number;
}

export interface RunningWorker {
  /** Stops claiming at once, lets looks finish for `graceMs`, then hands their runs back. */
  stop(graceMs: number): Promise<void>;
}

const SHUTDOWN = new Error("the worker shuts down");
const LEASE_LOST = new Error("the run is no longer this worker's");

/**
 * Hears the bell and sweeps: a bell brings one run at once, and the sweep finds every due run even if no bell ever rings.
 */
export function startWorker(
  { store, doorbell, runLook, runLookApart, takeDueSlots, telemetry, tracing, log }: WorkerDependencies,
  options: WorkerOptions,
): RunningWorker {
  const looks = new Map<AbortController, Promise<void>>();
  let stopped = false;
  let sweepTimer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();

  const hasRoom = () => !stopped && looks.size < options.concurrency;

  const take = (claim: Claim): Promise<void> => {
    const controller = new AbortController();
    const work = handle(claim, controller).finally(() => {
      looks.delete(controller);
      telemetry.looksInProgress.set(looks.size);
      // Whoever has just finished looks for the next one without waiting for the clock.
      if (hasRoom()) void sweep();
    });
    looks.set(controller, work);
    telemetry.looksInProgress.set(looks.size);
    return work;
  };

  const handle = async (claim: Claim, controller: AbortController): Promise<void> => {
    const span = startLookSpan(tracing, claim);
    const runLog = log.child({ ...logFieldsOf(claim.run, span.traceParent), epoch: claim.epoch });
    const started = performance.now();
    telemetry.lookDelaySeconds.observe(secondsBetween(claim.dueAt, claim.now));
    const renewal = setInterval(() => void renew(claim, controller, runLog), (options.leaseSeconds * 1000) / 3);
    const timeout = setTimeout(
      () => controller.abort(new Error(`the look took longer than ${options.lookTimeoutMs / 1000} s`)),
      options.lookTimeoutMs,
    );
    try {
      const observer = observeLook(telemetry, span);
      const isSuspect = claim.claims >= SUSPECT_CLAIMS;
      if (isSuspect) runLog.warn({ claims: claim.claims }, "taken up in vain before; it gets a process of its own");
      const judged = await (isSuspect ? runLookApart : runLook)(
        claim.run,
        claim.state,
        claim.now,
        controller.signal,
        observer,
      );
      const stored = await store.storeLook(claim, toNewLook(claim, judged));
      if (!stored) return loseLease(runLog, span);
      const seconds = (performance.now() - started) / 1000;
      telemetry.lookSeconds.observe(seconds);
      const { decision, verdict, summary } = judged.report;
      telemetry.looks.inc({ decision });
      span.set({ "touchstone.outcome": "stored", "touchstone.decision": decision });
      if (verdict === null) {
        runLog.info({ summary, nextAt: judged.nextAt }, "looked");
        return;
      }
      telemetry.runsEnded.inc({ status: "done", verdict });
      const { mode } = claim.run.analysis.plan;
      telemetry.timeToVerdictSeconds.observe({ mode }, secondsBetween(claim.createdAt, claim.now) + seconds);
      span.event("verdict", { "touchstone.verdict": verdict });
      runLog.info({ verdict, summary }, "verdict");
    } catch (error) {
      await giveUp(claim, error, runLog, span);
    } finally {
      span.end();
      clearInterval(renewal);
      clearTimeout(timeout);
    }
  };

  const renew = async (claim: Claim, controller: AbortController, runLog: Logger): Promise<void> => {
    try {
      if (!(await store.renewLease(claim, options.leaseSeconds))) controller.abort(LEASE_LOST);
    } catch (error) {
      // The record is away: the lease may lapse, and then the epoch decides who may write.
      runLog.warn({ err: error }, "the lease could not be renewed");
    }
  };

  const loseLease = (runLog: Logger, span: Span): void => {
    telemetry.leasesLost.inc();
    span.set({ "touchstone.outcome": "lease_lost" });
    runLog.warn("the run was cancelled or taken over; this look is dropped");
  };

  const giveUp = async (claim: Claim, error: unknown, runLog: Logger, span: Span): Promise<void> => {
    if (error === LEASE_LOST) return loseLease(runLog, span);
    try {
      if (error === SHUTDOWN) {
        span.set({ "touchstone.outcome": "handed_back" });
        await store.handBack(claim);
        runLog.info("handed back");
        return;
      }
      span.set({ "touchstone.outcome": "failed" });
      span.fail(errorType(error));
      if (error instanceof LookThreadDied || (isTouchstoneError(error) && error.code === "store_unavailable")) {
        runLog.error({ err: error }, "the look did not end; the run is due again when its lease lapses");
        return;
      }
      const isCrashLoop = error instanceof LookEndedItsProcess;
      runLog.error(
        { err: error },
        isCrashLoop ? "the run ends what looks at it" : "a fault in Touchstone ended the run",
      );
      const detail = error instanceof Error ? error.message : String(error);
      const code = isCrashLoop ? "crash_loop" : "internal";
      if (await store.failRun(claim, code, detail)) telemetry.runsEnded.inc({ status: "failed", verdict: "" });
    } catch (storeError) {
      runLog.error({ err: storeError }, "the record is away; the run is due again when its lease lapses");
    }
  };

  /** Claims while there is room and anything is due. Sweeps never overlap, and neither half of one keeps the other from its work. */
  const sweep = (): Promise<void> => {
    sweeping = sweeping.then(async () => {
      await sweepStep(endCrashLoops);
      await sweepStep(claimDue);
    });
    return sweeping;
  };

  const takeSlots = (): Promise<void> =>
    takeDueSlots((schedule, { slot, slots, outcome, run, code, detail }) => {
      telemetry.scheduleSlots.inc({ outcome }, slots);
      log[outcome === "failed" ? "error" : "info"]({ schedule, slot, slots, run, code, detail }, `slot ${outcome}`);
    });

  const sweepStep = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      telemetry.sweepErrors.inc();
      log.error({ err: error }, "the sweep failed");
    }
  };

  const endCrashLoops = async (): Promise<void> => {
    for (const id of await store.endCrashLoops()) {
      telemetry.runsEnded.inc({ status: "failed", verdict: "" });
      log.error({ run: id }, "worker after worker took up the run, and none made progress");
    }
  };

  const claimDue = async (): Promise<void> => {
    while (hasRoom()) {
      const claim = await store.claimRun(options.id, options.leaseSeconds);
      if (claim === null) return;
      void take(claim);
    }
  };

  const loop = async (): Promise<void> => {
    // Before the sweep, so that it finds the runs that begin now.
    sweeping = sweeping.then(() => sweepStep(takeSlots));
    await sweep();
    if (!stopped) sweepTimer = setTimeout(() => void loop(), options.sweepMs);
  };

  doorbell.onRing(async (id) => {
    if (!hasRoom()) return;
    try {
      const claim = await store.claimRun(options.id, options.leaseSeconds, id);
      // Not awaited: the bell is free again for the next ring while the look goes on.
      if (claim !== null) void take(claim);
    } catch (error) {
      log.warn({ run: id, err: error }, "the bell rang, but the record did not answer; the next sweep tries again");
    }
  });
  void loop();

  return {
    async stop(graceMs) {
      stopped = true;
      clearTimeout(sweepTimer);
      await sweeping;
      const all = () => Promise.all(looks.values());
      const grace = AbortSignal.timeout(graceMs);
      const late = new Promise<void>((resolve) => grace.addEventListener("abort", () => resolve(), { once: true }));
      await Promise.race([all(), late]);
      for (const controller of looks.keys()) controller.abort(SHUTDOWN);
      await all();
    },
  };
}

function secondsBetween(from: Instant, to: Instant): number {
  return Math.max(0, epochSeconds(to) - epochSeconds(from));
}

function toNewLook(claim: Claim, { report, state, nextAt, evidence }: RecordedLook): NewLook {
  if ((report.verdict === null) !== (nextAt !== null))
    throw new RangeError("a look decides, or it says when the next one is due");
  return {
    at: claim.now,
    decision: report.decision,
    summary: report.summary,
    score: report.score,
    report: canonicalJson(report),
    state,
    nextAt,
    ...(evidence === undefined ? {} : { evidence }),
  };
}
