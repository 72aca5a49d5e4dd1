import { backtest } from "../../src/backtest.ts";
import type { Analysis } from "../../src/model/analysis.ts";
import { checkAnalysis, invalidAnalysis } from "../../src/model/read-analysis.ts";
import { createReplaySource } from "../../src/sources/replay.ts";
import type { Judge } from "./judgement.ts";
import { LOOK_MINUTES, REPLAY, START, type ArmSamples, type Workload } from "./workload.ts";

/**
 * Our judge, look by look as in a live run.
 *
 * @param rollbackBudget  in place of the workload's own; null leaves it.
 */
export function judgeByOurs(rollbackBudget: number | null): Judge {
  const analyses = new Map<Workload, Analysis>();
  return async ({ baseline, candidate, gold, history }, workload) => {
    const analysis = analyses.get(workload) ?? resolve(workload, rollbackBudget);
    analyses.set(workload, analysis);
    const informed =
      history === undefined
        ? analysis
        : { ...analysis, metrics: analysis.metrics.map((metric) => ({ ...metric, history })) };
    const recording = new Map([
      ["baseline", gold === null ? baseline : withGold(baseline, gold.baseline)],
      ["candidate", gold === null ? candidate : withGold(candidate, gold.candidate)],
    ]);
    const sources = new Map([[REPLAY, createReplaySource(recording)]]);
    // Past a promotion the looks go on, so that a later false alarm is counted all the same.
    const options = { start: START, pastPromotion: true, detail: false };
    const { verdict, minutes, rollbackLook } = await backtest(sources, informed, options);
    return {
      verdict,
      look: Math.round(minutes / LOOK_MINUTES),
      minutes,
      everRolledBack: rollbackLook !== null,
      rollbackLook,
    };
  };
}

/** The samples with people's labels as a column, where a unit has one. */
function withGold(samples: ArmSamples, gold: ArmSamples): ArmSamples {
  return new Map(
    Array.from(samples, ([metric, rows]) => {
      const labels = gold.get(metric);
      if (rows.shape !== "samples" || labels?.shape !== "samples") return [metric, rows];
      const labelOf = new Map(
        Array.from(labels.values, (label, row) => [labels.unitNames[labels.units?.[row] ?? 0], label] as const),
      );
      const column = Float64Array.from(
        rows.values,
        (_, row) => labelOf.get(rows.unitNames[rows.units?.[row] ?? 0]) ?? Number.NaN,
      );
      return [metric, { ...rows, gold: column }];
    }),
  );
}

/** @throws TouchstoneError `invalid_analysis` when the analysis of the workload is not valid. */
function resolve(workload: Workload, rollbackBudget: number | null): Analysis {
  const read = checkAnalysis(workload.analysis);
  if ("issues" in read) throw invalidAnalysis(`the analysis of ${workload.name}`, read.issues);
  if (rollbackBudget === null) return read.analysis;
  return { ...read.analysis, budgets: { ...read.analysis.budgets, rollback: rollbackBudget } };
}
