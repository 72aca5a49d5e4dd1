import type { Analysis } from "../model/analysis.ts";
import type { CanaryConfig } from "../model/canary.ts";
import { KAYENTA_JUDGE_NAME } from "./judge.ts";
import { TOUCHSTONE_JUDGE_NAME } from "./judge-name.ts";
import { kayentaGroupWeightsOf } from "./metric-of.ts";

/** The name under which a stored analysis asks for its scopes: whichever the caller gives. */
const SCOPE_NAME = "default";

const DIRECTIONS = { higher: "increase", lower: "decrease", either: "either" } as const;

/** A stored analysis as a canary config, for clients that know nothing else: its id is its name. It cannot be changed as one. */
export function configOfAnalysis(
  analysis: Analysis,
  applications: readonly string[],
): CanaryConfig & { id: string; name: string } {
  return {
    id: analysis.name,
    name: analysis.name,
    description: analysis.description,
    configVersion: "1",
    applications: [...applications],
    judge: { name: analysis.judge === "kayenta" ? KAYENTA_JUDGE_NAME : TOUCHSTONE_JUDGE_NAME, judgeConfigurations: {} },
    metrics: analysis.metrics.map(({ name, kind, worse, tier, source, kayenta }) => ({
      name,
      scopeName: SCOPE_NAME,
      groups: kayenta?.groups ?? [name],
      query: { type: "touchstone", serviceType: "touchstone", kind, source },
      analysisConfigurations: {
        canary: { direction: DIRECTIONS[worse], critical: tier === "critical", muted: tier === "advisory" },
      },
    })),
    templates: {},
    classifier: { groupWeights: kayentaGroupWeightsOf(analysis) },
    createdTimestamp: 0,
    updatedTimestamp: 0,
    createdTimestampIso: EPOCH,
    updatedTimestampIso: EPOCH,
  };
}

/** Analyses do not remember when they changed. */
const EPOCH = "1970-01-01T00:00:00Z";
