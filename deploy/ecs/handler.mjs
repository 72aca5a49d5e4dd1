// A lifecycle hook of Amazon ECS deployments: the deployment goes on when Touchstone promotes, and is rolled back otherwise. Node 20 or newer, no dependencies.
// Set TOUCHSTONE_URL and TOUCHSTONE_TOKEN; what is judged by what stands in the hook's own hookDetails: {"analysis": …, "baseline": …}. See docs/controllers/ecs.md.
const WAIT_SECONDS = 30;

export async function handler({ executionId, lifecycleStage, resourceArn, executionDetails, hookDetails }) {
  const waiting = { hookStatus: "IN_PROGRESS", callBackDelay: WAIT_SECONDS, hookDetails };
  // The same key each time is the same run, so that nothing has to be remembered between two invocations.
  const started = await ask(
    "POST",
    "/v1/runs",
    {
      analysis: hookDetails.analysis,
      baseline: { label: hookDetails.baseline },
      candidate: { label: hookDetails.candidate ?? lastPart(executionDetails.targetServiceRevisionArn) },
      rollout: { namespace: "ecs", name: lastPart(resourceArn), revision: executionId, stage: lifecycleStage },
    },
    `${executionId}/${lifecycleStage}`,
  );
  if (started === null) return waiting;
  const run = await ask("GET", `/v1/runs/${started.id}`);
  if (run === null || run.status === "queued" || run.status === "running") return waiting;
  console.log(`${run.id}: ${run.summary ?? run.status}`);
  return { hookStatus: run.effectiveVerdict === "promote" ? "SUCCEEDED" : "FAILED", hookDetails };
}

/** The answer; null while Touchstone is away or busy, which is asked again. A request that it refuses ends the deployment, since no repetition mends it. */
async function ask(method, path, body, key) {
  const response = await fetch(new URL(path, process.env.TOUCHSTONE_URL), {
    method,
    headers: {
      authorization: `Bearer ${process.env.TOUCHSTONE_TOKEN}`,
      "content-type": "application/json",
      ...(key && { "idempotency-key": key }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  }).catch((error) => console.log(String(error)));
  if (response === undefined || response.status >= 500 || response.status === 429) return null;
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const lastPart = (arn) => arn.split("/").at(-1);
