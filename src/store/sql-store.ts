import { createAnalysisStore } from "./sql-analyses.ts";
import { createAuditStore } from "./sql-audit.ts";
import { createControllerStore } from "./sql-controllers.ts";
import { createCanaryConfigStore } from "./sql-canary-configs.ts";
import { createOutbox } from "./sql-outbox.ts";
import { createKeepingStore } from "./sql-keeping.ts";
import { createRunStore } from "./sql-runs.ts";
import { createScheduleStore } from "./sql-schedules.ts";
import { createWorkStore } from "./sql-work.ts";
import type { Sql } from "./sql.ts";
import type { Store } from "./store.ts";

/** The record on either database. */
export const createSqlStore = (sql: Sql): Store => ({
  ...createRunStore(sql),
  ...createWorkStore(sql),
  ...createAnalysisStore(sql),
  ...createAuditStore(sql),
  ...createOutbox(sql),
  ...createScheduleStore(sql),
  ...createKeepingStore(sql),
  ...createControllerStore(sql),
  ...createCanaryConfigStore(sql),

  async ping() {
    await sql.query("select 1");
  },

  close: () => sql.close(),
});
