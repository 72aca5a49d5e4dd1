import { TouchstoneError } from "../errors.ts";
import { formatNumber } from "../judge/format.ts";
import { pairSeries, stepDifference } from "../judge/step-evidence.ts";
import { LEAST_HISTORY, type Metric } from "../model/analysis.ts";
import { readAnalysis } from "../model/read-analysis.ts";
import type { Samples, Series } from "../model/samples.ts";
import { toDuration } from "../model/time.ts";
import { studentTSf } from "../stats/distributions/student-t.ts";
import type { PairedSteps } from "../stats/pair-by-step.ts";
import type { ReplayDependencies } from "./backtest.ts";
import { toColumns } from "./columns.ts";
import { readText } from "./judge-files.ts";

export interface HistoryRequest {
  readonly analysis: string;
  readonly samples: string;
  readonly by: string | null;
  readonly baseline: string;
  readonly candidate: string;
  readonly output: "table" | "json";
}

/** How much a metric by steps differed between two equal versions. */
export interface MetricHistory {
  readonly metric: string;
  /** As `history.runs` of the analysis wants it. */
  readonly runs: number;
  /** As `history.stepDeviation` of the analysis wants it: a fraction where the margin is relative, else in the measurement unit. */
  readonly stepDeviation: number;
  /** Mean difference over all runs, which equal versions do not have, and its two-sided p-value. */
  readonly mean: number;
  readonly p: number;
  readonly isFraction: boolean;
  readonly measurementUnit: string | null;
}

/** Two equal versions differ by this much less often than once in a thousand measurements. */
const UNEQUAL_BELOW = 0.001;

/**
 * Measures from runs without a change of version how much two equal versions differ: over T steps their means lie d apart, and T d², averaged over the runs, is the
 * long-run variance of a step with as many degrees of freedom as there are runs. Nothing is assumed of how steps resemble their neighbours, and what differs from run
 * to run (where the pods were placed) is in it.
 *
 * @throws TouchstoneError for a faulty analysis, a line of the file that is no record, or fewer runs than a history needs.
 */
export async function history(
  { readRecordings, stdout, stderr }: Omit<ReplayDependencies, "wireReplay">,
  { analysis: path, samples, by, baseline, candidate, output }: HistoryRequest,
): Promise<void> {
  if (baseline === candidate)
    throw new TouchstoneError("invalid_request", `--baseline and --candidate are both ${baseline}`);
  const { analysis } = readAnalysis(await readText(path), path);
  const { plan } = analysis;
  const runSteps = Math.max(plan.minSteps, Math.floor(plan.durationSeconds / plan.stepSeconds + 1e-9));
  const metrics = analysis.metrics.filter(({ kind, query }) => kind !== "errors" && query.instant === undefined);
  const request = {
    path: samples,
    by,
    metrics: analysis.metrics,
    arms: [baseline, candidate],
    stepSeconds: plan.stepSeconds,
    start: null,
  };
  const differences = new Map<string, { steps: number; difference: number }[]>();
  for await (const { recording } of readRecordings(request, (text) => stderr(`warning: ${text}\n`)))
    for (const metric of metrics) {
      const [b, c] = [baseline, candidate].map((label) => seriesOf(recording.get(label)?.get(metric.name)));
      if (b === null || c === null || b === undefined || c === undefined) continue;
      const pairs = pairSeries(b, c);
      for (const window of windowsOf(pairs, runSteps, plan.minSteps))
        differences.set(metric.name, [
          ...(differences.get(metric.name) ?? []),
          { steps: window.steps.length, difference: stepDifference(window, metric) },
        ]);
    }
  const measured = metrics.flatMap((metric) => {
    const runs = differences.get(metric.name) ?? [];
    return runs.length === 0 ? [] : [toHistory(metric, runs)];
  });
  if (measured.length === 0)
    throw new TouchstoneError(
      "invalid_input",
      `${samples} holds no run in which ${baseline} and ${candidate} have ${plan.minSteps} steps of a series in common`,
    );
  const few = measured.find(({ runs }) => runs < LEAST_HISTORY);
  if (few !== undefined)
    throw new TouchstoneError(
      "invalid_input",
      `${few.metric} has ${few.runs} runs of ${toDuration(plan.durationSeconds)}, and a history needs at least ${LEAST_HISTORY}`,
    );
  for (const { metric, mean, p } of measured)
    if (p < UNEQUAL_BELOW)
      stderr(
        `warning: ${metric} of ${candidate} lies ${formatNumber(mean)} from that of ${baseline} in the mean of all runs (p ${p.toPrecision(2)}): are the versions equal?\n`,
      );
  stdout(output === "json" ? `${JSON.stringify({ analysis: analysis.name, metrics: measured })}\n` : toText(measured));
}

function seriesOf(samples: Samples | undefined): Series | null {
  return samples?.shape === "series" && samples.at.length > 0 ? samples : null;
}

/** The paired steps in stretches as long as a run; what is left over counts where a run could be judged by it. */
function windowsOf(pairs: PairedSteps, runSteps: number, minSteps: number): PairedSteps[] {
  const windows: PairedSteps[] = [];
  const first = pairs.steps[0] ?? 0;
  for (let low = 0, high = 0; low < pairs.steps.length; low = high) {
    const end = first + (Math.floor(((pairs.steps[low] ?? 0) - first) / runSteps) + 1) * runSteps;
    while (high < pairs.steps.length && (pairs.steps[high] ?? 0) < end) high += 1;
    if (high - low < minSteps) continue;
    windows.push({
      ...pairs,
      steps: pairs.steps.subarray(low, high),
      candidate: pairs.candidate.subarray(low, high),
      baseline: pairs.baseline.subarray(low, high),
      candidateWeights: pairs.candidateWeights.subarray(low, high),
      baselineWeights: pairs.baselineWeights.subarray(low, high),
    });
  }
  return windows;
}

function toHistory(metric: Metric, runs: readonly { steps: number; difference: number }[]): MetricHistory {
  const sumOf = (of: (run: { steps: number; difference: number }) => number) =>
    runs.reduce((sum, run) => sum + of(run), 0);
  const variance = sumOf(({ steps, difference }) => steps * difference * difference) / runs.length;
  const steps = sumOf((run) => run.steps);
  const mean = sumOf((run) => run.steps * run.difference) / steps;
  const about = sumOf((run) => run.steps * (run.difference - mean) ** 2) / (runs.length - 1);
  const statistic = about === 0 ? 0 : Math.abs(mean) / Math.sqrt(about / steps);
  return {
    metric: metric.name,
    runs: runs.length,
    stepDeviation: Math.sqrt(variance),
    mean,
    p: runs.length < 2 ? 1 : 2 * studentTSf(statistic, runs.length - 1),
    isFraction: metric.margin.relative !== null,
    measurementUnit: metric.measurementUnit,
  };
}

function toText(measured: readonly MetricHistory[]): string {
  const rows = measured.map((one) => [
    one.metric,
    String(one.runs),
    amountOf(one, one.stepDeviation),
    amountOf(one, one.mean),
  ]);
  return [
    ...toColumns([["metric", "runs", "deviation of a step", "mean difference"], ...rows]),
    "",
    "for the metric in the analysis:",
    ...measured.map(
      (one) => `  ${one.metric}:  history: { stepDeviation: ${amountOf(one, one.stepDeviation)}, runs: ${one.runs} }`,
    ),
    "",
  ].join("\n");
}

/** As an analysis writes it. */
function amountOf({ isFraction, measurementUnit }: MetricHistory, value: number): string {
  if (isFraction) return `${Number((100 * value).toPrecision(3))}%`;
  return `${Number(value.toPrecision(3))}${measurementUnit === null || measurementUnit === "points" ? "" : measurementUnit}`;
}
