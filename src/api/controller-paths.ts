import { json, operation, ref } from "./openapi-parts.ts";

/** What the controllers ask: Argo Rollouts' web metric, Flagger's webhooks and its metric templates. */
export function controllerPaths(): Readonly<Record<string, object>> {
  return {
    "/v1/argo/verdict": {
      post: operation(
        "argoVerdict",
        "controllers",
        "Judge a rollout for Argo Rollouts' web metric. The first question starts a run; 425 until it has a verdict (step), or an answer each time (background). What a template must mend is a 200 with error.",
        {
          body: { "application/json": ref("ArgoVerdictRequest") },
          responses: { "200": json("The verdict, with one line that begins with it.", "ArgoVerdict") },
          errors: [400, 401, 413, 415, 425, 503],
        },
      ),
    },
    ...flaggerPaths(),
    "/flagger/api/v1/query": {
      get: operation("query", "controllers", QUERY_SUMMARY, {
        parameters: [{ name: "query", in: "query", required: true, schema: { type: "string" } }],
        responses: QUERY_RESPONSES,
        errors: [401],
      }),
      post: operation("queryByForm", "controllers", QUERY_SUMMARY, {
        body: {
          "application/x-www-form-urlencoded": {
            type: "object",
            required: ["query"],
            properties: { query: { type: "string" } },
          },
        },
        responses: QUERY_RESPONSES,
        errors: [401],
      }),
    },
  };
}

/** What Flagger's webhooks are to be pointed at, by role. */
const FLAGGER_ROLES = {
  start: "pre-rollout: starts the run that watches the canary, and grants a first step without evidence.",
  rollback: "rollback: 200 means roll back now, and only a rollback that is stored gives it.",
  advance: "confirm-traffic-increase: may the candidate have more traffic?",
  promote: "confirm-promotion: may the candidate take over?",
  finish: "post-rollout: the canary has ended, as its phase says; so does the run.",
  event: "event: takes the weights of the candidate out of Flagger's messages.",
};

function flaggerPaths(): Record<string, object> {
  const sentence = (description: string) => ({
    description,
    content: { "text/plain": { schema: { type: "string" } } },
  });
  return Object.fromEntries(
    Object.entries(FLAGGER_ROLES).map(([role, summary]) => [
      `/v1/flagger/${role}`,
      {
        post: operation(`flagger-${role}`, "controllers", `Flagger's webhook of type ${summary}`, {
          body: { "application/json": ref("FlaggerHook") },
          responses: { "200": sentence("Yes, and why."), "409": sentence("No, and why, in one sentence.") },
          errors: [400, 401, 413, 415, 503],
        }),
      },
    ]),
  );
}

const QUERY_SUMMARY =
  "As much of Prometheus' query API as Flagger's metric templates need: vector(1), touchstone_verdict{namespace,name,analysis} and touchstone_score{…}. An empty vector where nothing is known.";
const PROMETHEUS_ANSWER = { "application/json": { schema: { type: "object" } } };
const QUERY_RESPONSES = {
  "200": { description: "As Prometheus answers: a vector.", content: PROMETHEUS_ANSWER },
  "400": { description: "The query is not understood.", content: PROMETHEUS_ANSWER },
  "503": { description: "The record is unavailable.", content: PROMETHEUS_ANSWER },
};
