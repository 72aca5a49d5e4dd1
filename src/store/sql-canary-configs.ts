import { TouchstoneError } from "../errors.ts";
import { CanaryConfig } from "../model/canary.ts";
import { canonicalJson, digestOf } from "../model/canonical.ts";
import { Instant } from "../model/time.ts";
import { appendAudit } from "./sql-audit.ts";
import type { Ask, Sql } from "./sql.ts";
import type { CanaryConfigStore, StoredCanaryConfig } from "./canary-configs.ts";

/** More than anybody keeps, and few enough to be listed at once: Kayenta's clients know no pages. */
const MOST_CONFIGS = 5_000;

/** Canary configs, unique by id, and by name within an application. */
export const createCanaryConfigStore = (sql: Sql): CanaryConfigStore => ({
  putCanaryConfig: (project, id, build, actor) =>
    sql.transaction(async (tx) => {
      // Writers take turns, so that two of them cannot both find a name free.
      await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`${project}/canary-configs`]);
      const [clock] = await tx.query<{ now: string; configs: number }>(
        "select touchstone.iso(now()) as now, (select count(*)::int from touchstone.canary_configs where project = $1) as configs",
        [project],
      );
      const config = build(Instant.parse(clock?.now));
      const key = id ?? config.id;
      const stored = await readConfig(tx, project, key);
      if (id === null && stored !== null)
        throw new TouchstoneError("conflict", `Canary config '${key}' already exists.`);
      if (id !== null && stored === null)
        throw new TouchstoneError("conflict", `Canary config '${key}' does not exist.`);
      if (id === null && (clock?.configs ?? 0) >= MOST_CONFIGS)
        throw new TouchstoneError("conflict", `There are ${MOST_CONFIGS} canary configs already; delete some.`);
      await refuseTakenName(tx, project, key, config);
      await tx.query(
        `insert into touchstone.canary_configs (project, id, name, document) values ($1, $2, $3, $4)
         on conflict (project, id) do update set name = excluded.name, document = excluded.document, updated_at = now()`,
        [project, key, config.name, canonicalJson(config)],
      );
      const detail = { name: config.name, digest: digestOf(config) };
      await appendAudit(tx, project, { actor, action: "canary_config.put", subject: key, detail });
      return config;
    }),

  readCanaryConfig: (project, id) => readConfig(sql, project, id),

  async listCanaryConfigs(project, applications) {
    const rows = await sql.query<{ document: string }>(
      "select document from touchstone.canary_configs where project = $1 order by seq",
      [project],
    );
    const configs = rows.map(toConfig);
    return applications.length === 0 ? configs : configs.filter((config) => sharesApplication(config, applications));
  },

  deleteCanaryConfig: (project, id, actor) =>
    sql.transaction(async (tx) => {
      const deleted = await tx.query(
        "delete from touchstone.canary_configs where project = $1 and id = $2 returning id",
        [project, id],
      );
      if (deleted.length === 0) return false;
      await appendAudit(tx, project, { actor, action: "canary_config.deleted", subject: id, detail: {} });
      return true;
    }),
});

async function readConfig(tx: Ask, project: string, id: string): Promise<StoredCanaryConfig | null> {
  const [row] = await tx.query<{ document: string }>(
    "select document from touchstone.canary_configs where project = $1 and id = $2",
    [project, id],
  );
  return row === undefined ? null : toConfig(row);
}

async function refuseTakenName(tx: Ask, project: string, id: string, config: StoredCanaryConfig): Promise<void> {
  const namesakes = await tx.query<{ document: string }>(
    "select document from touchstone.canary_configs where project = $1 and name = $2 and id <> $3",
    [project, config.name, id],
  );
  const { name, applications = [] } = config;
  if (!namesakes.map(toConfig).some((other) => sharesApplication(other, applications))) return;
  throw new TouchstoneError(
    "conflict",
    `Canary config with name '${name}' already exists in the scope of applications [${applications.join(", ")}].`,
  );
}

function sharesApplication({ applications = [] }: CanaryConfig, wanted: readonly string[]): boolean {
  return applications.some((application) => wanted.includes(application));
}

function toConfig({ document }: { readonly document: string }): StoredCanaryConfig {
  const { id = "", name = "", ...rest } = CanaryConfig.parse(JSON.parse(document));
  return { ...rest, id, name };
}
