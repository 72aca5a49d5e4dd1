import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { ENGINE } from "./model/engine.ts";

/** What Touchstone tells of itself at `/metrics`. No ids and no version labels: what callers choose never becomes a label. */
export interface Telemetry {
  readonly registry: Registry;
  readonly runsStarted: Counter<"outcome">;
  readonly runsEnded: Counter<"status" | "verdict">;
  readonly overrides: Counter<"verdict">;
  readonly looks: Counter<"decision">;
  readonly timeToVerdictSeconds: Histogram<"mode">;
  readonly lookDelaySeconds: Histogram;
  readonly lookSeconds: Histogram;
  readonly judgeSeconds: Histogram;
  readonly sourceQuerySeconds: Histogram<"source" | "outcome">;
  readonly sourceWaitSeconds: Histogram<"source">;
  readonly sourceQueriesInProgress: Gauge<"source">;
  readonly sourceRetries: Counter<"source" | "code">;
  readonly sourceThrottled: Counter<"source">;
  /** 0 closed, 1 half open, 2 open. */
  readonly sourceBreaker: Gauge<"source">;
  readonly httpRequestSeconds: Histogram<"method" | "route" | "status">;
  readonly leasesLost: Counter;
  readonly sweepErrors: Counter;
  readonly doorbellRestarts: Counter;
  readonly looksInProgress: Gauge;
  readonly scheduleSlots: Counter<"outcome">;
  readonly scheduleLagSeconds: Gauge;
  readonly deliveries: Counter<"target" | "outcome">;
  readonly targetOpen: Gauge<"target">;
  readonly outboxWaiting: Gauge;
  readonly outboxLagSeconds: Gauge;
  readonly runsDeleted: Counter;
  readonly recordBytes: Gauge<"of">;
  readonly storeSeconds: Histogram<"outcome">;
  readonly runsLive: Gauge;
  readonly runsDue: Gauge;
  readonly oldestDueSeconds: Gauge;
  readonly doorbellUp: Gauge;
  readonly doorbellDepth: Gauge;
  readonly doorbellOldestSeconds: Gauge;
}

export function createTelemetry(): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: "touchstone_build_info",
    help: "1, labelled with the engine.",
    labelNames: ["engine"],
    registers,
  });
  build.set({ engine: ENGINE }, 1);
  const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
  const telemetry: Telemetry = {
    registry,
    runsStarted: new Counter({
      name: "touchstone_runs_started_total",
      help: "Posts of runs by what came of them.",
      labelNames: ["outcome"],
      registers,
    }),
    runsEnded: new Counter({
      name: "touchstone_runs_total",
      help: "Runs that ended here.",
      labelNames: ["status", "verdict"],
      registers,
    }),
    overrides: new Counter({
      name: "touchstone_overrides_total",
      help: "Verdicts that a person put beside the computed one.",
      labelNames: ["verdict"],
      registers,
    }),
    looks: new Counter({
      name: "touchstone_looks_total",
      help: "Looks that were stored, by what they decided.",
      labelNames: ["decision"],
      registers,
    }),
    timeToVerdictSeconds: new Histogram({
      name: "touchstone_time_to_verdict_seconds",
      help: "From the post of a run to its verdict, by the mode of its plan.",
      labelNames: ["mode"],
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 21_600, 86_400],
      registers,
    }),
    lookDelaySeconds: new Histogram({
      name: "touchstone_look_delay_seconds",
      help: "From when a look was due to when a worker took it.",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    }),
    lookSeconds: new Histogram({
      name: "touchstone_look_duration_seconds",
      help: "From claim to stored report.",
      buckets: seconds,
      registers,
    }),
    judgeSeconds: new Histogram({
      name: "touchstone_judge_duration_seconds",
      help: "The judgement of one candidate, without the queries.",
      buckets: [0.001, 0.0025, ...seconds],
      registers,
    }),
    sourceQuerySeconds: new Histogram({
      name: "touchstone_source_query_duration_seconds",
      help: "One arm of one metric.",
      labelNames: ["source", "outcome"],
      buckets: seconds,
      registers,
    }),
    sourceWaitSeconds: new Histogram({
      name: "touchstone_source_wait_duration_seconds",
      help: "Until a query had its turn within the limits of its source.",
      labelNames: ["source"],
      buckets: seconds,
      registers,
    }),
    sourceQueriesInProgress: new Gauge({
      name: "touchstone_source_queries_in_progress",
      help: "Attempts at queries under way in this process.",
      labelNames: ["source"],
      registers,
    }),
    sourceRetries: new Counter({
      name: "touchstone_source_retries_total",
      help: "Attempts that failed and were followed by another, by the code of the error.",
      labelNames: ["source", "code"],
      registers,
    }),
    sourceThrottled: new Counter({
      name: "touchstone_source_throttled_total",
      help: "Answers 429.",
      labelNames: ["source"],
      registers,
    }),
    sourceBreaker: new Gauge({
      name: "touchstone_source_breaker_state",
      help: "0 closed, 1 half open: one query finds out whether the source answers again, 2 open: it is not asked.",
      labelNames: ["source"],
      registers,
    }),
    httpRequestSeconds: new Histogram({
      name: "touchstone_http_request_duration_seconds",
      help: "By route pattern.",
      labelNames: ["method", "route", "status"],
      buckets: seconds,
      registers,
    }),
    leasesLost: new Counter({
      name: "touchstone_leases_lost_total",
      help: "Looks given up because another worker or a cancellation took the run.",
      registers,
    }),
    sweepErrors: new Counter({
      name: "touchstone_sweep_errors_total",
      help: "Sweeps that the record did not answer.",
      registers,
    }),
    doorbellRestarts: new Counter({
      name: "touchstone_doorbell_restarts_total",
      help: "Times that this process had stopped hearing the bell and listened anew.",
      registers,
    }),
    looksInProgress: new Gauge({
      name: "touchstone_looks_in_progress",
      help: "Looks under way in this process.",
      registers,
    }),
    scheduleSlots: new Counter({
      name: "touchstone_schedule_slots_total",
      help: "Slots of schedules by what became of them here.",
      labelNames: ["outcome"],
      registers,
    }),
    scheduleLagSeconds: new Gauge({
      name: "touchstone_schedule_lag_seconds",
      help: "How long the longest due slot of a schedule has waited for a worker; 0 when none is due.",
      registers,
    }),
    deliveries: new Counter({
      name: "touchstone_deliveries_total",
      help: "Attempts of this process to tell a notification target, by what came of them.",
      labelNames: ["target", "outcome"],
      registers,
    }),
    targetOpen: new Gauge({
      name: "touchstone_target_breaker_open",
      help: "1 while this process spares a notification target that fails time after time.",
      labelNames: ["target"],
      registers,
    }),
    outboxWaiting: new Gauge({
      name: "touchstone_outbox_waiting",
      help: "Events that a notification target has still to be told; of all processes.",
      registers,
    }),
    outboxLagSeconds: new Gauge({
      name: "touchstone_outbox_lag_seconds",
      help: "Age of the oldest of them.",
      registers,
    }),
    runsDeleted: new Counter({
      name: "touchstone_runs_deleted_total",
      help: "Runs that retention deleted, with their looks and evidence.",
      registers,
    }),
    recordBytes: new Gauge({
      name: "touchstone_record_bytes",
      help: "Size of the record at the last hourly round: content (reports, states, evidence) and disk (tables and indexes).",
      labelNames: ["of"],
      registers,
    }),
    storeSeconds: new Histogram({
      name: "touchstone_store_duration_seconds",
      help: "One statement or transaction of the record, by ok or the code of its error.",
      labelNames: ["outcome"],
      buckets: [0.001, 0.0025, ...seconds],
      registers,
    }),
    runsLive: new Gauge({
      name: "touchstone_runs_live",
      help: "Runs in the record that have not ended.",
      registers,
    }),
    runsDue: new Gauge({
      name: "touchstone_runs_due",
      help: "Runs in the record that are due and that no worker has taken.",
      registers,
    }),
    oldestDueSeconds: new Gauge({
      name: "touchstone_oldest_due_run_seconds",
      help: "For how long the oldest of the runs that nobody has taken is due; 0 without one.",
      registers,
    }),
    doorbellUp: new Gauge({
      name: "touchstone_doorbell_up",
      help: "1 when rings probably arrive.",
      registers,
    }),
    doorbellDepth: new Gauge({
      name: "touchstone_doorbell_depth",
      help: "Rings that nobody has heard yet.",
      registers,
    }),
    doorbellOldestSeconds: new Gauge({
      name: "touchstone_doorbell_oldest_ring_seconds",
      help: "Age of the oldest of them; 0 without one.",
      registers,
    }),
  };
  // A counter that is born with its first event has not risen yet, and an alert on its rise would miss that event.
  for (const status of ["failed", "cancelled"]) telemetry.runsEnded.inc({ status, verdict: "" }, 0);
  telemetry.storeSeconds.zero({ outcome: "store_unavailable" });
  return telemetry;
}
