import type { Analysis } from "../model/analysis.ts";
import type { Decision, Finding, LimitFinding, Reason, ReasonCode } from "../model/finding.ts";
import { describeEffect, describeLimit } from "./words.ts";

/** What a look decides, and why. */
export interface Decided {
  readonly decision: Decision;
  readonly reasons: readonly Reason[];
}

/** Where the look stands, and what is wrong with the run as a whole. */
export interface Circumstances {
  /** No look comes after this one. */
  readonly final: boolean;
  /** The shortest time before a promotion has passed. */
  readonly longEnough: boolean;
  /** Alarms about the run itself: arms identical, sample ratio, units in both arms, baseline unhealthy. */
  readonly alarms: readonly Reason[];
  /** What keeps the run as a whole from promoting at this look. */
  readonly doubts: readonly Reason[];
}

/**
 * The rule of one look, in its order. The first step that speaks decides:
 *
 * 0. emergency: a critical metric proven catastrophic, or a critical limit proven breached, rolls back whatever else is in doubt;
 * 1. an alarm about the run itself pauses; faulty metrics are neither safe nor worse, the others still decide;
 * 2. a critical metric worse rolls back;
 * 3. a required metric worse or beyond its limit rolls back, or pauses under `critical-only`;
 * 4. every critical and required metric safe, every limit held, nothing in the way: promote;
 * 5. otherwise more evidence is needed: continue, and at the end pause, with everything that stands in the way.
 */
export function decide(
  { policy, superiority }: Analysis,
  findings: readonly Finding[],
  { final, longEnough, alarms, doubts }: Circumstances,
): Decided {
  const deciding = findings.filter(({ tier }) => tier !== "advisory");
  const critical = deciding.filter(({ tier }) => tier === "critical");
  const required = deciding.filter(({ tier }) => tier === "required");

  const emergency = [
    ...critical.flatMap(catastrophe),
    ...critical.flatMap((finding) => breaches(finding, "critical_limit_breached")),
  ];
  if (emergency.length > 0)
    return {
      decision: "rollback",
      reasons: [...emergency, ...critical.filter(isWorse).map((finding) => worse(finding, "critical_metric_worse"))],
    };

  if (alarms.length > 0) return { decision: "pause", reasons: alarms };

  const harmed = critical.filter(isWorse).map((finding) => worse(finding, "critical_metric_worse"));
  const alsoHarmed = [
    ...required.filter(isWorse).map((finding) => worse(finding, "required_metric_worse")),
    ...required.flatMap((finding) => breaches(finding, "required_limit_breached")),
  ];
  if (harmed.length > 0) return { decision: "rollback", reasons: [...harmed, ...(policy === "any" ? alsoHarmed : [])] };
  if (alsoHarmed.length > 0 && policy === "any") return { decision: "rollback", reasons: alsoHarmed };

  const obstacles = [
    ...alsoHarmed.map((reason): Reason => ({ ...reason, code: "worse_under_critical_only" })),
    ...deciding.flatMap(obstaclesOf),
    ...doubts,
    ...deciding.flatMap((finding) => (superiority.includes(finding.metric) ? unlessBetter(finding) : [])),
  ];
  // Under critical-only a required metric that is worse ends the run: no later look could promote it.
  if (alsoHarmed.length > 0) return { decision: "pause", reasons: obstacles };
  if (obstacles.length > 0) return { decision: final ? "pause" : "continue", reasons: obstacles };
  if (!longEnough)
    return {
      decision: final ? "pause" : "continue",
      reasons: [
        { code: "too_early", metric: null, text: "every metric is safe, but the shortest duration has not passed" },
      ],
    };
  const names = deciding.map(({ metric }) => metric).join(", ");
  return {
    decision: "promote",
    reasons: [{ code: "all_safe", metric: null, text: `every critical and required metric is safe: ${names}` }],
  };
}

function unlessBetter(finding: Finding): Reason[] {
  if (finding.finding !== "safe") return [];
  return [
    {
      code: "not_better",
      metric: finding.metric,
      text: `${finding.metric} is safe but not proven better: ${describeEffect(finding)}`,
    },
  ];
}

function isWorse({ finding }: Finding): boolean {
  return finding === "worse";
}

function worse(finding: Finding, code: ReasonCode): Reason {
  return { code, metric: finding.metric, text: `${finding.metric} is worse: ${describeEffect(finding)}` };
}

function catastrophe(finding: Finding): Reason[] {
  if (!finding.components.some(({ catastrophic }) => catastrophic)) return [];
  return [
    {
      code: "critical_metric_catastrophic",
      metric: finding.metric,
      text: `${finding.metric} is proven worse than its catastrophic level: ${describeEffect(finding)}`,
    },
  ];
}

function breaches(finding: Finding, code: ReasonCode): Reason[] {
  return finding.limits
    .filter(({ state }) => state === "breached")
    .map((limit) => limitReason(finding, limit, code, "is beyond its limit"));
}

/** Everything that keeps one metric from being safe, in words. */
function obstaclesOf(finding: Finding): Reason[] {
  // Of a metric that is worse nothing more needs to be said.
  const own = isWorse(finding) ? [] : finding.reasons;
  const limits = finding.limits.flatMap((limit): Reason[] => {
    if (limit.state === "baseline_breached")
      return [limitReason(finding, limit, "baseline_beyond_limit", "is beyond its limit, and so is the baseline")];
    return limit.state === "open"
      ? [limitReason(finding, limit, "limit_not_proven", "is not proven to keep its limit")]
      : [];
  });
  const isSafe = finding.finding === "safe" || finding.finding === "better";
  const unproven: Reason[] =
    isSafe || finding.finding !== "unclear" || finding.components.length === 0
      ? []
      : [
          {
            code: "not_proven_safe",
            metric: finding.metric,
            text: `${finding.metric} is neither proven safe nor worse: ${describeEffect(finding)}`,
          },
        ];
  const all = [...own, ...unproven, ...limits];
  if (all.length > 0 || isSafe || isWorse(finding)) return all;
  return [{ code: "not_proven_safe", metric: finding.metric, text: `${finding.metric} is not proven safe` }];
}

function limitReason(finding: Finding, limit: LimitFinding, code: ReasonCode, what: string): Reason {
  return { code, metric: finding.metric, text: `${finding.metric} ${what}: ${describeLimit(finding, limit)}` };
}
