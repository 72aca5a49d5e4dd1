import type { AnalysisStore } from "./analyses.ts";
import type { AuditStore } from "./audit.ts";
import type { CanaryConfigStore } from "./canary-configs.ts";
import type { ControllerStore } from "./controllers.ts";
import type { KeepingStore } from "./keeping.ts";
import type { Outbox } from "./outbox.ts";
import type { RunStore } from "./runs.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { WorkStore } from "./work.ts";

/**
 * The port of the record. Whatever is here survives any process; whatever is not may be lost at any moment.
 *
 * Every time is the database's. Every method may throw TouchstoneError `store_unavailable`. Each part is a file beside this one, and its adapter one of the same name that begins with `sql-`.
 */
export interface Store
  extends
    RunStore,
    WorkStore,
    AnalysisStore,
    ScheduleStore,
    AuditStore,
    Outbox,
    KeepingStore,
    ControllerStore,
    CanaryConfigStore {
  /** Resolves when the record answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
