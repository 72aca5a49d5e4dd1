import { TouchstoneError } from "../errors.ts";
import { formatNumber } from "../judge/format.ts";
import { joinedSeries } from "../judge/joined-series.ts";
import { pairSeries, stepDifference } from "../judge/step-evidence.ts";
import { LEAST_HISTORY, type Analysis, type Metric } from "../model/analysis.ts";
import { samplesGiven } from "../model/look-evidence.ts";
import { readAnalysis } from "../model/read-analysis.ts";
import type { Series } from "../model/samples.ts";
import { toDuration } from "../model/time.ts";
import { readBody } from "../recorded-look.ts";
import { studentTSf } from "../stats/distributions/student-t.ts";
import type { PairedSteps } from "../stats/pair-by-step.ts";
import type { ReplayDependencies } from "./backtest.ts";
import type { Client } from "./client.ts";
import { toColumns } from "./columns.ts";
import { decidedRuns } from "./decided-runs.ts";
import { readText } from "./judge-files.ts";

export interface HistoryRequest {
  readonly analysis: string;
  /** Records of both arms, or the decided runs of an analysis on the server. */
  readonly from:
    | { readonly samples: string; readonly by: string | null; readonly baseline: string; readonly candidate: string }
    | { readonly runsOf: string; readonly limit: number };
  readonly output: "table" | "json";
}

/** The series of both arms of one recording, by metric. */
type Recorded = ReadonlyMap<string, { readonly baseline: Series; readonly candidate: Series }>;

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
const EVIDENCE_TIMEOUT_MS = 120_000;

/**
 * Measures from runs without a change of version how much two equal versions differ: over T steps their means lie d apart, and the sum of T² d² over the runs, divided by all their steps, is the long-run variance of a
 * step, with as many degrees of freedom as there are runs (fewer where they differ in length). Nothing is assumed of how steps resemble their neighbours, and what differs from run to run (where the pods
 * were placed) is in it. Runs that ended early because of what they saw do not bias it (Wald's second identity).
 *
 * @throws TouchstoneError for a faulty analysis, a line of the file that is no record, fewer runs than a history needs, or as the client.
 */
export async function history(
  { readRecordings, client, stdout, stderr }: Omit<ReplayDependencies, "wireReplay"> & { client: () => Client },
  { analysis: path, from, output }: HistoryRequest,
): Promise<void> {
  const { analysis } = readAnalysis(await readText(path), path);
  const { plan } = analysis;
  const metrics = analysis.metrics.filter(({ kind, query }) => kind !== "errors" && query.instant === undefined);
  const runSteps = Math.max(plan.minSteps, Math.floor(plan.durationSeconds / plan.stepSeconds + 1e-9));
  const recordings =
    "samples" in from
      ? fromFile(readRecordings, analysis, from, (text) => stderr(`warning: ${text}\n`))
      : fromServer(client(), from);
  const differences = new Map<string, Difference[]>(metrics.map(({ name }) => [name, []]));
  for await (const recorded of recordings)
    for (const metric of metrics) {
      const arms = recorded.get(metric.name);
      if (arms === undefined) continue;
      for (const window of windowsOf(pairSeries(arms.baseline, arms.candidate), runSteps, plan.minSteps))
        differences.get(metric.name)?.push({ steps: window.steps.length, difference: stepDifference(window, metric) });
    }
  const measured = metrics.flatMap((metric) => {
    const runs = differences.get(metric.name) ?? [];
    return runs.length === 0 ? [] : [toHistory(metric, runs)];
  });
  const origin = "samples" in from ? from.samples : `the server, of the analysis ${from.runsOf},`;
  if (measured.length === 0)
    throw new TouchstoneError(
      "invalid_input",
      `${origin} holds no run in which both arms have ${plan.minSteps} steps of a series in common`,
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
        `warning: ${metric} of the candidate lies ${formatNumber(mean)} from that of the baseline in the mean of all runs (p ${p.toPrecision(2)}): are the versions equal?\n`,
      );
  stdout(output === "json" ? `${JSON.stringify({ analysis: analysis.name, metrics: measured })}\n` : toText(measured));
}

async function* fromFile(
  readRecordings: ReplayDependencies["readRecordings"],
  { metrics, plan }: Analysis,
  { samples, by, baseline, candidate }: Extract<HistoryRequest["from"], { samples: string }>,
  warn: (text: string) => void,
): AsyncGenerator<Recorded> {
  if (baseline === candidate)
    throw new TouchstoneError("invalid_request", `--baseline and --candidate are both ${baseline}`);
  const arms = [baseline, candidate];
  const request = { path: samples, by, metrics, arms, stepSeconds: plan.stepSeconds, start: null };
  for await (const { recording } of readRecordings(request, warn)) {
    const [b, c] = arms.map((label) => recording.get(label));
    yield bothOf(metrics, (metric) =>
      [b, c].map((arm) => {
        const samples = arm?.get(metric.name);
        return joinedSeries(samples === undefined ? [] : [samples], metric, plan.stepSeconds);
      }),
    );
  }
}

/** What the looks of decided runs were given, the newest run first. */
async function* fromServer(
  client: Client,
  { runsOf, limit }: Extract<HistoryRequest["from"], { runsOf: string }>,
): AsyncGenerator<Recorded> {
  for await (const id of decidedRuns(client, { analysis: runsOf, limit })) {
    const { run, items } = await client.readEvidence(id, AbortSignal.timeout(EVIDENCE_TIMEOUT_MS));
    const answers = items.flatMap(({ body }) => (body === null ? [] : readBody(Buffer.from(body, "base64")).answers));
    const { metrics, plan } = run.analysis;
    yield bothOf(metrics, (metric) =>
      [run.baseline, run.candidate].map(({ label }) =>
        joinedSeries(samplesGiven(answers, metric.name, label), metric, plan.stepSeconds),
      ),
    );
  }
}

function bothOf(metrics: readonly Metric[], armsOf: (metric: Metric) => (Series | null)[]): Recorded {
  return new Map(
    metrics.flatMap((metric) => {
      const [baseline, candidate] = armsOf(metric);
      return baseline && candidate ? [[metric.name, { baseline, candidate }]] : [];
    }),
  );
}

interface Difference {
  readonly steps: number;
  readonly difference: number;
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

function toHistory(metric: Metric, runs: readonly Difference[]): MetricHistory {
  const sumOf = (of: (run: Difference) => number) => runs.reduce((sum, run) => sum + of(run), 0);
  const steps = sumOf((run) => run.steps);
  const variance = sumOf((run) => (run.steps * run.difference) ** 2) / steps;
  const mean = sumOf((run) => run.steps * run.difference) / steps;
  const about = sumOf((run) => run.steps * (run.difference - mean) ** 2) / (runs.length - 1);
  const statistic = about === 0 ? 0 : Math.abs(mean) / Math.sqrt(about / steps);
  return {
    metric: metric.name,
    runs: Math.floor(steps ** 2 / sumOf((run) => run.steps ** 2) + 1e-9),
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
