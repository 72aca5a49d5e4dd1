import { Router, type Request } from "express";
import { TouchstoneError } from "../../errors.ts";
import { fetchMetricSet, queryOf } from "../../fetch-metric-set.ts";
import { MetricSetQuestion } from "../../model/canary.ts";
import { metricSetPairsOf, type MetricSetPair } from "../../metric-set-pairs.ts";
import type { Sources } from "../../sources/source.ts";
import type { Store } from "../../store/store.ts";
import { parseAs } from "../body.ts";
import { onlyMethods } from "../problem.ts";
import { PROJECT } from "../list.ts";
import { parameterOf, parametersOf } from "./body.ts";
import { findExecution } from "./canaries.ts";
import { judgeResultOf } from "./execution-view.ts";

const PREFIX = "query-";
/** Looks whose evidence is read at once. */
const LOOKS = 20;

/**
 * One series at a time, for whoever tries a query before it goes into a config. Nothing is stored: the id of a metric set list is the question itself, and the source is asked when it is read.
 */
export function createMetricSetRoutes({
  sources,
  store,
}: {
  readonly sources: Sources;
  readonly store: Store;
}): Router {
  const router = Router();

  router
    .route("/metricSetPairList/:id")
    .get(async (request, response) => {
      response.json(await pairsOf(store, request.params.id));
    })
    .all(onlyMethods("GET"));

  router
    .route("/metricSetPairList/:id/:pair")
    .get(async (request, response) => {
      const { id, pair } = request.params;
      const found = (await pairsOf(store, id)).find((one) => one.id === pair);
      if (found === undefined) throw new TouchstoneError("not_found", `there is no metric set pair '${pair}' in ${id}`);
      response.json(found);
    })
    .all(onlyMethods("GET"));

  router
    .route("/fetch/prometheus/query")
    .post((request, response) => {
      const question = questionOf(request);
      const query = queryOf(sources, question);
      const metricSetListId = `${PREFIX}${Buffer.from(JSON.stringify(question)).toString("base64url")}`;
      response.json(parameterOf(request, "dryRun") === "true" ? { query } : { metricSetListId });
    })
    .all(onlyMethods("POST"));

  router
    .route("/metricSetList/:id")
    .get(async (request, response) => {
      const abandoned = new AbortController();
      response.on("close", () => abandoned.abort());
      response.json([await fetchMetricSet(sources, asked(request.params.id), abandoned.signal)]);
    })
    .all(onlyMethods("GET"));

  return router;
}

/** Of a run that was judged: its id is that of the list. @throws TouchstoneError `not_found`, also where the evidence was too large to be kept. */
async function pairsOf(store: Store, id: string): Promise<MetricSetPair[]> {
  const { stored, canary } = await findExecution(store, id);
  const bodies: Uint8Array[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof store.listEvidence>> = await store.listEvidence(PROJECT, id, {
      limit: LOOKS,
      cursor,
    });
    bodies.push(...page.items.flatMap(({ body }) => (body === null ? [] : [body])));
    cursor = page.nextCursor;
  } while (cursor !== null);
  if (bodies.length === 0) throw new TouchstoneError("not_found", `no evidence is kept of ${id}`);
  return metricSetPairsOf(stored.run, bodies, judgeResultOf(stored, canary)?.results ?? []);
}

function questionOf(request: Request): MetricSetQuestion {
  const metricName = parameterOf(request, "metricName");
  const step = parameterOf(request, "step") ?? "60";
  return parseAs(MetricSetQuestion, {
    account: parameterOf(request, "metricsAccountName"),
    name: parameterOf(request, "metricSetName") ?? metricName,
    metricName,
    scope: parameterOf(request, "scope") ?? "",
    location: parameterOf(request, "location") ?? parameterOf(request, "region") ?? "",
    start: parameterOf(request, "start"),
    end: parameterOf(request, "end"),
    step: /^\d{1,5}$/.test(step) ? Number(step) : step,
    resourceType: parameterOf(request, "resourceType"),
    labelBindings: parametersOf(request, "labelBindings"),
    groupByFields: parametersOf(request, "groupByFields"),
    template: parameterOf(request, "customFilter"),
  });
}

/** @throws TouchstoneError `not_found` for an id that this route did not give. */
function asked(id: string): MetricSetQuestion {
  const unknown = new TouchstoneError("not_found", `there is no metric set list '${id.slice(0, 60)}'`);
  if (!id.startsWith(PREFIX)) throw unknown;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(id.slice(PREFIX.length), "base64url").toString());
  } catch {
    throw unknown;
  }
  const parsed = MetricSetQuestion.safeParse(value);
  if (!parsed.success) throw unknown;
  return parsed.data;
}
