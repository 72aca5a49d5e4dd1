import type { Issue } from "../errors.ts";
import type { CanaryExecutionRequest, StandaloneRequest } from "../model/canary.ts";
import { epochSeconds, toInstant, type Instant } from "../model/time.ts";

/** When a standalone canary analysis judges. */
export interface StandalonePlan {
  readonly start: Instant;
  /** Each with the time that it looks back at. */
  readonly judgements: readonly { readonly start: Instant; readonly end: Instant }[];
  readonly lifetimeMinutes: number;
  readonly intervalMinutes: number;
  readonly beginAfterMinutes: number;
  /** The end was given: nothing is waited for but the end itself. */
  readonly isRetrospective: boolean;
}

/** More would be one each minute for a day and a half. */
const MOST_JUDGEMENTS = 200;

/**
 * Kayenta's plan: one judgement per interval, of all since the start, or with `lookbackMins` of the last of it. What is left of the lifetime after the last whole interval is
 * ignored.
 *
 * @param now  the start where none is given.
 */
export function standalonePlanOf(request: StandaloneRequest, now: Instant): StandalonePlan | { issues: Issue[] } {
  const [first] = request.scopes;
  const { startTimeIso = now, endTimeIso } = first ?? {};
  const { lifetimeDurationMins, beginAfterMins = 0, lookbackMins = 0, analysisIntervalMins = 0 } = request;
  const isRetrospective = endTimeIso !== undefined;
  const start = epochSeconds(startTimeIso);
  const lifetime = isRetrospective ? Math.floor((epochSeconds(endTimeIso) - start) / 60) : (lifetimeDurationMins ?? 0);
  if (lifetime < 1)
    return {
      issues: [
        {
          pointer: "/lifetimeDurationMins",
          detail: isRetrospective
            ? "the end time must lie a minute or more after the start time"
            : "lifetimeDurationMins is required, or an end time",
        },
      ],
    };
  const offset = request.scopes.findIndex(({ controlOffsetInMinutes = 0 }) => controlOffsetInMinutes !== 0);
  if (offset >= 0)
    return {
      issues: [
        {
          pointer: `/scopes/${offset}/controlOffsetInMinutes`,
          detail: "is not 0; Touchstone compares two versions over the same time",
        },
      ],
    };
  const interval = analysisIntervalMins === 0 || analysisIntervalMins > lifetime ? lifetime : analysisIntervalMins;
  const count = Math.floor(lifetime / interval);
  if (count > MOST_JUDGEMENTS)
    return {
      issues: [
        { pointer: "/analysisIntervalMins", detail: `means ${count} judgements; at most ${MOST_JUDGEMENTS} are made` },
      ],
    };
  const shift = isRetrospective ? 0 : 60 * beginAfterMins;
  const judgements = Array.from({ length: count }, (_, index) => {
    const end = start + shift + 60 * interval * (index + 1);
    return { start: toInstant(lookbackMins > 0 ? end - 60 * lookbackMins : start + shift), end: toInstant(end) };
  });
  return {
    start: startTimeIso,
    judgements,
    lifetimeMinutes: lifetime,
    intervalMinutes: interval,
    beginAfterMinutes: beginAfterMins,
    isRetrospective,
  };
}

/** What one judgement asks for, as `POST /canary` would. @param times  left out, the analysis's plan governs. */
export function executionRequestOf(
  { scopes, thresholds }: StandaloneRequest,
  times: { readonly start?: Instant; readonly end?: Instant },
): CanaryExecutionRequest {
  const step = scopes[0]?.step ?? 60;
  const pairs = scopes.map((scope) => {
    const { extendedScopeParams } = scope;
    const shared = { ...times, step, ...(extendedScopeParams === undefined ? {} : { extendedScopeParams }) };
    return [
      scope.scopeName ?? "default",
      {
        controlScope: { scope: scope.controlScope, location: scope.controlLocation ?? "", ...shared },
        experimentScope: { scope: scope.experimentScope, location: scope.experimentLocation ?? "", ...shared },
      },
    ] as const;
  });
  return {
    scopes: Object.fromEntries(pairs),
    ...(thresholds === undefined ? {} : { thresholds }),
  } as CanaryExecutionRequest;
}
