import { errorsLow, rampedErrors } from "./errors-workloads.ts";
import {
  commonIncident,
  improvement,
  latencyLognormal,
  latencyTail,
  missingData,
  mixDrift,
  rainbow,
  seriesAutocorrelated,
  seriesWithHistory,
  tinyEffect,
  warmUp,
} from "./latency-workloads.ts";
import { fallibleJudge, judgeOrdinal } from "./score-workloads.ts";
import { sessionsClustered } from "./session-workloads.ts";
import { twelveMetrics } from "./twelve-metrics.ts";
import type { Workload } from "./workload.ts";

/**
 * The sixteen workloads of the decision benchmark. The first seven are those of the prototype's table, so that rates can
 * be compared with it.
 */
export const WORKLOADS: readonly Workload[] = [
  latencyLognormal,
  latencyTail,
  seriesAutocorrelated,
  errorsLow,
  judgeOrdinal,
  sessionsClustered,
  mixDrift,
  rampedErrors,
  commonIncident,
  warmUp,
  missingData,
  twelveMetrics,
  rainbow,
  fallibleJudge,
  improvement,
  tinyEffect,
];

/** Asked for by name: what no peer could use, so that it would weigh the table in our favour. */
const MORE: readonly Workload[] = [seriesWithHistory];

/** @throws RangeError when no workload has this name. */
export function workloadNamed(name: string): Workload {
  const found = [...WORKLOADS, ...MORE].find((workload) => workload.name === name);
  if (found === undefined)
    throw new RangeError(
      `no workload is named ${name}; there are ${[...WORKLOADS, ...MORE].map((workload) => workload.name).join(", ")}`,
    );
  return found;
}
