import { TouchstoneError } from "../../src/errors.ts";
import { clockOf, firstLookAt } from "../../src/judge/clock.ts";
import { judge, type Judged } from "../../src/judge/judge.ts";
import { gather } from "../../src/look.ts";
import { canonicalJson } from "../../src/model/canonical.ts";
import type { Decision } from "../../src/model/finding.ts";
import { readStoredState, toStoredState, type LookState } from "../../src/model/look-state.ts";
import { Report, type Run } from "../../src/model/run.ts";
import { epochSeconds, toInstant, type Instant } from "../../src/model/time.ts";
import { createReplaySource } from "../../src/sources/replay.ts";
import type { MetricSource } from "../../src/sources/source.ts";
import { ARM_NAMES, START, type BadCase, type LookAt } from "./bad-evidence.ts";

/** What a case came to, and every promise that was broken on the way. */
export interface Outcome {
  /** `continue` where no look decided, which is itself a violation. */
  readonly decision: Decision;
  readonly looks: number;
  readonly violations: readonly string[];
}

/** One case in so many is judged with all detail as well: the same decision must come out, and a report that passes its schema. */
const DETAILED = 10;
/** More looks than any plan of the cases has, those with a slow clock included. */
const MOST_LOOKS = 12;

/**
 * Plays a case look by look and holds the judge to what is known of it:
 *
 * nothing is thrown; nothing promotes where a metric that decides has no trustworthy evidence; nothing rolls back where nothing was harmed; what was clearly
 * harmed is rolled back, whatever else is bad; no unit is counted twice.
 */
export async function judgeCase(one: BadCase): Promise<Outcome> {
  const violations: string[] = [];
  const run = runOf(one);
  const detailed = one.number % DETAILED === 0;
  let at: LookAt = { look: 1, passed: 0 };
  const sources = new Map([["s", sourceOf(one, () => at)]]);
  const signal = new AbortController().signal;
  // A metric that was not asked at a look stands as it did when it last was.
  const asked = new Map<string, LookAt>();

  let previous: LookState | null = null;
  let due: Instant = run.window === null ? toInstant(START) : firstLookAt(run.analysis, run.window);
  for (let look = 1; look <= MOST_LOOKS; look++) {
    const now = toInstant(epochSeconds(due) - one.behind(look));
    const clock = clockOf(run, now);
    at = { look, passed: clock === null ? Infinity : clock.edge - START };
    let judged: Judged;
    try {
      const before: LookState | null = previous;
      const gathered = await Promise.all(
        run.analysis.metrics.map((metric) => gather(sources, run, metric, before, now, signal)),
      );
      for (const { metric, candidate } of gathered) if (candidate.kind !== "unchanged") asked.set(metric.name, at);
      judged = judge(run, gathered, before, now, { detail: false });
      if (detailed) violations.push(...differences(judge(run, gathered, before, now), judged));
    } catch (error) {
      const thrown = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { decision: "continue", looks: look, violations: [...violations, `look ${look} threw: ${thrown}`] };
    }
    violations.push(...brokenPromises(one, judged, asked).map((promise) => `look ${look}: ${promise}`));
    const { decision, verdict } = judged.report;
    if (verdict !== null) {
      if (mustRollBack(one) && verdict !== "rollback" && !isRightlyIdentical(one, judged))
        violations.push(`the harm was not rolled back but ended in ${verdict}: ${reasonsOf(judged)}`);
      return { decision, looks: look, violations };
    }
    previous = detailed ? readStoredState(toStoredState(judged.state)) : judged.state;
    if (judged.nextAt === null) break;
    due = judged.nextAt;
  }
  return { decision: "continue", looks: MOST_LOOKS, violations: [...violations, "no look decided"] };
}

function brokenPromises(one: BadCase, { report }: Judged, asked: ReadonlyMap<string, LookAt>): string[] {
  const broken: string[] = [];
  const { decision, findings } = report;
  if (decision === "promote")
    for (const [index, metric] of one.metrics.entries()) {
      const at = asked.get(metric.name);
      if (one.analysis.metrics[index]?.tier !== "advisory" && (at === undefined || metric.untrusted(at)))
        broken.push(`promoted although ${metric.name} has no trustworthy evidence`);
    }
  if (decision === "rollback") {
    const blamed = new Set(report.reasons.map(({ metric }) => metric));
    if (!one.metrics.some(({ law, name }) => law === "harm" && blamed.has(name)))
      broken.push(`rolled back without proof: ${JSON.stringify(report.reasons)}`);
  }
  if (report.reasons.length === 0) broken.push(`${decision} without a reason`);
  for (const [index, { units, recorded }] of one.metrics.entries()) {
    const counted = findings[index]?.units;
    // In another shape than was generated other things are counted.
    if (counted == null || findings[index]?.shape !== recorded.baseline.shape) continue;
    for (const arm of ARM_NAMES)
      if (counted[arm] > units) broken.push(`counted ${counted[arm]} units of ${units} in the ${arm}`);
  }
  return broken;
}

/** Clear harm beside whatever else; unless the run itself is void, and then still when the harm is an emergency that the first look can see. */
function mustRollBack({ metrics, alarmed, analysis }: BadCase): boolean {
  const harmed = analysis.metrics.filter((_, index) => metrics[index]?.law === "harm");
  if (!alarmed) return harmed.length > 0;
  return analysis.plan.mode === "once" && harmed.some(({ catastrophic }) => catastrophic !== null);
}

/**
 * Cases put their events into buckets by rank and not by chance, so that two arms of few events may begin with the very same counts. Chance would not do that: the alarm is right.
 *
 * It happens once in a million cases (779208).
 */
function isRightlyIdentical({ metrics }: BadCase, { report }: Judged): boolean {
  return report.reasons.some(({ code, metric }) => {
    const recorded = metrics.find(({ name }) => name === metric)?.recorded;
    if (code !== "arms_identical" || recorded?.baseline.shape !== "histogram") return false;
    const { candidate, baseline } = recorded;
    if (candidate.shape !== "histogram") return false;
    const { counts } = candidate;
    const cells = baseline.counts.findIndex((count, cell) => count !== counts[cell]);
    return cells === -1 || cells >= 3 * baseline.upperEdges.length;
  });
}

function differences(full: Judged, brief: Judged): string[] {
  const report: unknown = JSON.parse(canonicalJson(full.report));
  const { error } = Report.safeParse(report);
  return [
    ...(error === undefined ? [] : [`the report does not pass its schema: ${error.message}`]),
    ...(full.report.decision === brief.report.decision
      ? []
      : [`with detail ${full.report.decision}, without ${brief.report.decision}`]),
  ];
}

const reasonsOf = ({ report }: Judged): string => report.reasons.map(({ text }) => text).join("; ");

export function runOf({ analysis, window }: BadCase): Run {
  return {
    id: "run_1",
    analysis,
    analysisDigest: "sha256:0",
    baseline: { label: "baseline" },
    candidate: { label: "candidate" },
    window: window === null ? null : { start: toInstant(START), end: toInstant(START + window.seconds) },
    args: {},
    rollout: null,
  };
}

/** Plays back what the case has of each arm, through its faults. */
export function sourceOf({ metrics }: BadCase, at: () => LookAt): MetricSource {
  const byName = new Map(metrics.map((metric) => [metric.name, metric]));
  const replay = createReplaySource(
    new Map(ARM_NAMES.map((arm) => [arm, new Map(metrics.map(({ name, recorded }) => [name, recorded[arm]]))])),
  );
  return {
    ...replay,
    async fetch(request, signal) {
      const { samples } = await replay.fetch(request, signal);
      const arm = request.version.label === "baseline" ? "baseline" : "candidate";
      const answer = byName.get(request.metric.name)?.answer(arm, samples, at());
      if (answer === null || answer === undefined)
        throw new TouchstoneError("source_unavailable", "the source answered 503");
      return answer;
    },
  };
}
