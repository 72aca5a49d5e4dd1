import { ref } from "../openapi-parts.ts";

/** The routes that Kayenta's clients call. Their errors are Kayenta's: a message. */
export function kayentaPaths(): Readonly<Record<string, object>> {
  return {
    "/judge": {
      post: operation(
        "judgeMetricSets",
        "Judge metric sets as Kayenta's remote judge: by Touchstone's judge, or by Kayenta's where the config names NetflixACAJudge-v1.0.",
        { body: ref("CanaryJudgeRequest"), answer: ref("CanaryJudgeResult"), errors: [400, 413, 503] },
      ),
    },
    "/kayenta/canaryConfig": {
      get: operation("listCanaryConfigs", "List canary configs, and every stored analysis under its own name.", {
        parameters: [query("application", "Only configs of this application. May be repeated.")],
        answer: { type: "array", items: OBJECT },
        errors: [503],
      }),
      post: operation("createCanaryConfig", "Store a canary config. Its name is unique within its applications.", {
        body: ref("CanaryConfig"),
        answer: keyOf("canaryConfigId"),
        errors: [400, 413, 503],
      }),
    },
    "/kayenta/canaryConfig/{id}": {
      get: operation("getCanaryConfig", "Read a canary config, or a stored analysis as one.", {
        parameters: [ID],
        answer: ref("CanaryConfig"),
        errors: [404, 503],
      }),
      put: operation("updateCanaryConfig", "Replace a canary config.", {
        parameters: [ID],
        body: ref("CanaryConfig"),
        answer: keyOf("canaryConfigId"),
        errors: [400, 413, 503],
      }),
      delete: operation("deleteCanaryConfig", "Delete a canary config.", {
        parameters: [ID],
        status: 204,
        errors: [400, 404, 503],
      }),
    },
    "/kayenta/canary": {
      post: operation(
        "startAdHocCanary",
        "Start a run of a config that is sent along: {canaryConfig, executionRequest}.",
        {
          parameters: ACCOUNTS,
          body: OBJECT,
          answer: keyOf("canaryExecutionId"),
          errors: [400, 413, 503],
        },
      ),
    },
    "/kayenta/canary/{id}": {
      post: operation("startCanary", "Start a run of the canary config, or of the stored analysis, with this id.", {
        parameters: [ID, ...ACCOUNTS],
        body: ref("CanaryExecutionRequest"),
        answer: keyOf("canaryExecutionId"),
        errors: [400, 404, 413, 503],
      }),
      get: operation("getCanary", "Read an execution: complete or not, and its score.", {
        parameters: [ID],
        answer: OBJECT,
        errors: [404, 503],
      }),
    },
    "/kayenta/canary/executions": {
      get: operation("listCanaries", "List the executions of an application, the newest first.", {
        parameters: [
          query("application", "Default ad-hoc."),
          query("limit", "Default 20, at most 200."),
          query("page", "Default 1."),
          query("statuses", "Only these, separated by commas: RUNNING,SUCCEEDED …"),
        ],
        answer: { type: "array", items: OBJECT },
        errors: [400, 503],
      }),
    },
    "/kayenta/pipelines/{id}/cancel": {
      put: operation("cancelCanary", "Cancel an execution. Repeating it changes nothing.", {
        parameters: [ID],
        status: 202,
        errors: [404, 503],
      }),
    },
    "/kayenta/standalone_canary_analysis": {
      post: operation(
        "startAdHocCanaryAnalysis",
        "Start an analysis with a lifetime, of a config that is sent along: {canaryConfig, executionRequest}.",
        {
          parameters: [query("user", "Default anonymous."), ...ACCOUNTS],
          body: OBJECT,
          answer: keyOf("canaryAnalysisExecutionId"),
          errors: [400, 413, 503],
        },
      ),
    },
    "/kayenta/standalone_canary_analysis/{id}": {
      post: operation(
        "startCanaryAnalysis",
        "Start an analysis with a lifetime: a run per interval, or one with many looks.",
        {
          parameters: [ID, query("user", "Default anonymous."), ...ACCOUNTS],
          body: ref("StandaloneCanaryRequest"),
          answer: keyOf("canaryAnalysisExecutionId"),
          errors: [400, 404, 413, 503],
        },
      ),
      get: operation("getCanaryAnalysis", "Read an analysis with a lifetime, with its judgements.", {
        parameters: [ID],
        answer: OBJECT,
        errors: [404, 503],
      }),
    },
    "/kayenta/credentials": catalogue(
      "listCanaryAccounts",
      "List the accounts: each Prometheus source is one for metrics.",
    ),
    "/kayenta/metricsServices": catalogue("listMetricsServices", "List the Prometheus sources."),
    "/kayenta/judges": catalogue("listJudges", "List the judges that a config may name."),
    "/kayenta/fetch/prometheus/query": {
      post: operation(
        "fetchMetricSet",
        "Try one query. The id holds the question; the source is asked when it is read.",
        {
          parameters: [
            query("metricsAccountName", "The Prometheus source that is asked. Default: the only one."),
            query("metricSetName", "Default: the metric's name."),
            { ...query("metricName", "What is averaged."), required: true },
            query("scope", "For ${scope}."),
            query("location", "For ${location}."),
            { ...query("start", "An instant, ISO 8601."), required: true },
            { ...query("end", "An instant, ISO 8601."), required: true },
            query("step", "Seconds. Default 60."),
            query("resourceType", "gce_instance or aws_ec2_instance."),
            query("labelBindings", "A label matcher. May be repeated."),
            query("customFilter", "A template in place of a resource type; PromQL: before it sends it as it stands."),
            query("dryRun", "true: answer {query}, the PromQL, and ask nothing."),
          ],
          answer: keyOf("metricSetListId"),
          errors: [400],
        },
      ),
    },
    "/kayenta/metricSetPairList/{id}": {
      get: operation("getMetricSetPairList", "Read both sides of every metric of an execution, step by step.", {
        parameters: [ID],
        answer: { type: "array", items: OBJECT },
        errors: [404, 503],
      }),
    },
    "/kayenta/metricSetPairList/{id}/{pair}": {
      get: operation("getMetricSetPair", "Read one of them, by the id of its result.", {
        parameters: [ID, { name: "pair", in: "path", required: true, schema: { type: "string" } }],
        answer: OBJECT,
        errors: [404, 503],
      }),
    },
    "/kayenta/metricSetList/{id}": {
      get: operation("getMetricSetList", "Ask the source what the id asks: a list of one metric set.", {
        parameters: [ID],
        answer: { type: "array", items: OBJECT },
        errors: [400, 404, 502, 503, 504],
      }),
    },
  };
}

const OBJECT = { type: "object" };
const ID = { name: "id", in: "path", required: true, schema: { type: "string" } };
const ACCOUNTS = [
  query("application", "Default ad-hoc."),
  query("metricsAccountName", "Of a canary config: the Prometheus source that it asks. Default: the only one."),
  ...["storageAccountName", "configurationAccountName", "parentPipelineExecutionId"].map((name) =>
    query(name, "Told back as it was given."),
  ),
];

interface Parts {
  readonly parameters?: readonly object[];
  readonly body?: object;
  readonly answer?: object;
  readonly status?: number;
  readonly errors: readonly number[];
}

function operation(
  operationId: string,
  summary: string,
  { parameters, body, answer, status = 200, errors }: Parts,
): object {
  const json = (schema: object) => ({ "application/json": { schema } });
  const faults = errors.map((fault) => [
    String(fault),
    { description: FAULTS[fault], content: json(ref("KayentaError")) },
  ]);
  return {
    operationId,
    tags: ["kayenta"],
    summary,
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: {
      [status]: { description: "The answer.", ...(answer === undefined ? {} : { content: json(answer) }) },
      ...Object.fromEntries(faults),
    },
  };
}

function catalogue(operationId: string, summary: string): object {
  return { get: operation(operationId, summary, { answer: { type: "array", items: OBJECT }, errors: [] }) };
}

function query(name: string, description: string): object {
  return { name, in: "query", description, schema: { type: "string" } };
}

function keyOf(key: string): object {
  return { type: "object", required: [key], properties: { [key]: { type: "string" } } };
}

const FAULTS: Readonly<Record<number, string>> = {
  400: "Something in the request is not valid; the message says what",
  404: "Not found",
  413: "The body is too large",
  503: "Too much is waiting already, or the record is unavailable",
};
