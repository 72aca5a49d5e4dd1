import { Router } from "express";
import { TouchstoneError } from "../../errors.ts";
import { configOfAnalysis } from "../../kayenta/config-of-analysis.ts";
import { CanaryConfig } from "../../model/canary.ts";
import { checkAnalysis } from "../../model/read-analysis.ts";
import { Name } from "../../model/name.ts";
import type { Instant } from "../../model/time.ts";
import type { Store } from "../../store/store.ts";
import type { StoredAnalysis } from "../../store/analyses.ts";
import type { StoredCanaryConfig } from "../../store/canary-configs.ts";
import { actorOf } from "../authenticate.ts";
import { PROJECT } from "../list.ts";
import { onlyMethods } from "../problem.ts";
import { parametersOf, readCanaryBody, refused } from "./body.ts";

export interface ConfigDependencies {
  readonly store: Store;
  readonly newConfigId: () => string;
}

/** Canary configs: those of Kayenta's clients, and beside them every stored analysis under its own name. */
export function createConfigRoutes({ store, newConfigId }: ConfigDependencies): Router {
  const router = Router();

  router
    .route("/canaryConfig")
    .get(async (request, response) => {
      const applications = parametersOf(request, "application");
      const configs = await store.listCanaryConfigs(PROJECT, applications);
      const names = new Set(configs.map(({ name }) => name));
      // Whoever looks for a name must find one.
      const analyses = (await allAnalyses(store)).filter(({ name }) => !names.has(name));
      response.json([...configs, ...analyses.map((stored) => toConfig(stored, applications))].map(toListItem));
    })
    .post(async (request, response) => {
      const body = readCanaryBody(CanaryConfig, request);
      const name = checkConfig(body);
      const id = body.id === undefined || body.id === "" ? newConfigId() : body.id;
      if (!ID.test(id)) throw refused(`The id '${id}' must be 1 to 100 letters, digits, dots, dashes and underscores.`);
      await store.putCanaryConfig(PROJECT, null, (now) => created({ ...body, id, name }, now), actorOf(response));
      response.json({ canaryConfigId: id });
    })
    .all(onlyMethods("GET", "POST"));

  router
    .route("/canaryConfig/:id")
    .get(async (request, response) => {
      response.json((await findConfig(store, request.params.id)).config);
    })
    .put(async (request, response) => {
      const { id } = request.params;
      const body = readCanaryBody(CanaryConfig, request);
      const name = checkConfig(body);
      await refuseAnalysis(store, id);
      const build = (now: Instant): StoredCanaryConfig => updated({ ...body, id, name }, now);
      await store.putCanaryConfig(PROJECT, id, build, actorOf(response));
      response.json({ canaryConfigId: id });
    })
    .delete(async (request, response) => {
      const { id } = request.params;
      await refuseAnalysis(store, id);
      if (!(await store.deleteCanaryConfig(PROJECT, id, actorOf(response)))) throw missing(id);
      response.status(204).end();
    })
    .all(onlyMethods("GET", "PUT", "DELETE"));

  return router;
}

/** A config by its id, and the analysis that it stands for, if it does. @throws TouchstoneError `not_found`. */
export async function findConfig(
  store: Store,
  id: string,
  applications: readonly string[] = [],
): Promise<{ config: CanaryConfig; analysis: StoredAnalysis["document"] | null }> {
  const config = await store.readCanaryConfig(PROJECT, id);
  if (config !== null) return { config, analysis: null };
  const stored = Name.safeParse(id).success ? await store.readAnalysis(PROJECT, id) : null;
  if (stored === null) throw missing(id);
  return { config: toConfig(stored, applications), analysis: stored.document };
}

const ID = /^[\w.-]{1,100}$/;
/** As Kayenta's, whose pattern lets the comma through as well. */
const CONFIG_NAME = /^[A-Za-z0-9,_-]*$/;

/** In Kayenta's order and words. @returns the name. */
function checkConfig({ name, applications = [], metrics = [] }: CanaryConfig): string {
  if (name === undefined || name === "") throw refused("Canary config must specify a name.");
  if (applications.length === 0) throw refused("Canary config must specify at least one application.");
  if (!CONFIG_NAME.test(name))
    throw refused(
      `Canary config cannot be named '${name}'. Names must contain only letters, numbers, dashes (-) and underscores (_).`,
    );
  const seen = new Set<string>();
  for (const metric of metrics) {
    if (metric.name === "") throw refused("Metric config must specify a name.");
    if (seen.has(metric.name)) throw refused(`Metric config name must be unique. '${metric.name}' is duplicated.`);
    seen.add(metric.name);
  }
  return name;
}

function created(config: StoredCanaryConfig, now: Instant): StoredCanaryConfig {
  const createdTimestamp = config.createdTimestamp ?? Date.parse(now);
  const updatedTimestamp = config.updatedTimestamp ?? createdTimestamp;
  return { ...config, createdTimestamp, updatedTimestamp, ...isoOf({ createdTimestamp, updatedTimestamp }) };
}

/** When it was created is what the client says, as in Kayenta. */
function updated(config: StoredCanaryConfig, now: Instant): StoredCanaryConfig {
  const updatedTimestamp = Date.parse(now);
  return { ...config, updatedTimestamp, updatedTimestampIso: toIso(updatedTimestamp) };
}

function isoOf({ createdTimestamp, updatedTimestamp }: { createdTimestamp: number; updatedTimestamp: number }) {
  return { createdTimestampIso: toIso(createdTimestamp), updatedTimestampIso: toIso(updatedTimestamp) };
}

function toIso(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) throw refused(`${milliseconds} is no time in milliseconds since 1970.`);
  return date.toISOString();
}

function toListItem({ id, name, updatedTimestamp, updatedTimestampIso, applications }: CanaryConfig) {
  return { id, name, updatedTimestamp: updatedTimestamp ?? 0, updatedTimestampIso, applications: applications ?? [] };
}

function toConfig({ name, document }: StoredAnalysis, applications: readonly string[]): StoredCanaryConfig {
  const checked = checkAnalysis(document);
  if ("issues" in checked) throw new RangeError(`the stored analysis ${name} is not valid`);
  return configOfAnalysis(checked.analysis, applications);
}

async function allAnalyses(store: Store): Promise<StoredAnalysis[]> {
  const all: StoredAnalysis[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Store["listAnalyses"]>> = await store.listAnalyses(PROJECT, { limit: 200, cursor });
    all.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

async function refuseAnalysis(store: Store, id: string): Promise<void> {
  if ((await store.readCanaryConfig(PROJECT, id)) !== null) return;
  if (Name.safeParse(id).success && (await store.readAnalysis(PROJECT, id)) !== null)
    throw refused(`Canary config '${id}' is a stored analysis; change it under /v1/analyses/${id}.`);
}

function missing(id: string): TouchstoneError {
  return new TouchstoneError("not_found", `Canary config '${id}' does not exist.`);
}
