import type { CanaryJudgeResult as WireResult, WireNumber } from "../model/canary.ts";
import type { CanaryJudgeResult } from "./judge.ts";
import type { KayentaStatistics } from "./statistics.ts";

/** As Kayenta writes it: NaN and infinities as strings, nothing that is null. */
export function toWireResult({ judgeName, results, groupScores, score }: CanaryJudgeResult): WireResult {
  return {
    judgeName,
    results: results.map(({ classificationReason, resultMetadata, experimentMetadata, controlMetadata, ...rest }) => ({
      ...rest,
      tags: { ...rest.tags },
      groups: [...rest.groups],
      ...(classificationReason === null ? {} : { classificationReason }),
      experimentMetadata: { stats: toWireStatistics(experimentMetadata.stats) },
      controlMetadata: { stats: toWireStatistics(controlMetadata.stats) },
      ...(resultMetadata === null ? {} : { resultMetadata: { ratio: toWireNumber(resultMetadata.ratio) } }),
    })),
    groupScores: groupScores.map((group) => ({ ...group, score: toWireNumber(group.score) })),
    score: { ...score, score: toWireNumber(score.score) },
  };
}

export function toWireStatistics({ min, max, mean, std, count }: KayentaStatistics) {
  return {
    min: toWireNumber(min),
    max: toWireNumber(max),
    mean: toWireNumber(mean),
    std: toWireNumber(std),
    count,
  };
}

export function toWireNumber(value: number): WireNumber {
  return Number.isFinite(value) ? value : (String(value) as WireNumber);
}

/** The number that a value of the wire stands for; null when it stands for none. */
export function readWireNumber(value: unknown): number | null {
  if (typeof value === "number") return value;
  return value === "NaN" || value === "Infinity" || value === "-Infinity" ? Number(value) : null;
}
