import type { Analysis, Metric } from "../model/analysis.ts";
import type { CandidatePair, MetricComparison } from "../model/comparison.ts";
import { REASONS, type ComponentFinding, type Effect, type Reason, type ReasonCode } from "../model/finding.ts";
import type { MetricState } from "../model/look-state.ts";
import type { Run } from "../model/run.ts";
import type { Instant } from "../model/time.ts";
import { sharesOf } from "./budget.ts";
import { openClaims, type ClaimClock } from "./claim.ts";
import { clean } from "./clean.ts";
import { clockOf, type Clock } from "./clock.ts";
import { decisiveComponent, judgeComponent } from "./find.ts";
import { formatEffect } from "./format.ts";
import type { ArmAnswer } from "./gathered.ts";
import { metricDoubts, runAlarms, staleArm, type MetricArms } from "./integrity.ts";
import { evidenceOf, isEnough } from "./metric-evidence.ts";
import { PARTS } from "./words.ts";

/**
 * The candidates of a rainbow run against each other, by the same evidence as a candidate against the baseline: docs/decisions/0007 says why.
 *
 * Whoever asks chooses the look, by what the verdicts are, so that a claim must hold at whichever look it is made: a run with many looks uses the e-values of
 * continuous plans here, whatever its own plan is. They keep nothing between looks.
 */

/** P(any claimed difference that is not there), over all pairs, metrics and looks of a run; and the same for equivalence. */
export const COMPARISON_ERROR = 0.05;

/** A candidate with its evidence so far, by metric. */
export interface Contender {
  readonly label: string;
  readonly metrics: Readonly<Record<string, MetricState>>;
}

/**
 * Each with each, the later one against the earlier one.
 *
 * @param contenders  those to compare, in the order of the run's candidates. The error is shared by all pairs of the run, so that it may depend on the evidence
 *                    who they are.
 * @param look        this look's number, from 1.
 */
export function compareEach(run: Run, contenders: readonly Contender[], look: number, now: Instant): CandidatePair[] {
  const clock = clockOf(run, now);
  const once = clock === null || run.analysis.plan.mode === "once";
  const context: Context = {
    analysis: analysisOfPairs(run, once),
    clock,
    claimClock: {
      mode: once ? "once" : "continuous",
      fraction: clock?.fraction ?? 1,
      fractionBefore: 0,
      look,
      looksPlanned: 1,
    },
  };
  return contenders.flatMap((version, index) =>
    contenders.slice(0, index).map((against) => comparePair(version, against, context)),
  );
}

interface Context {
  readonly analysis: Analysis;
  readonly clock: Clock | null;
  readonly claimClock: ClaimClock;
}

/** Bonferroni over all pairs that the run could have. Inside a pair differences share their part like a rollback does; equivalence needs every part of a metric. */
function analysisOfPairs({ analysis, candidates = [] }: Run, once: boolean): Analysis {
  const metrics = analysis.metrics.filter(isCompared);
  const pairs = Math.max(1, (candidates.length * (candidates.length - 1)) / 2);
  // An e-value's level is that of one side. Half of the level of both is a little less than the level of each, so over many looks each side has half the budget.
  const sides = once ? 1 : 2;
  return {
    ...analysis,
    metrics,
    policy: "any",
    budgets: {
      rollback: COMPARISON_ERROR / (pairs * sides),
      promote: COMPARISON_ERROR / (pairs * Math.max(1, metrics.length)),
    },
  };
}

/** A limit has nothing to compare, and the tail is compared towards harm only. */
function isCompared({ tier, query, components }: Metric): boolean {
  return tier !== "advisory" && query.instant === undefined && components.some((component) => component !== "tail");
}

function comparePair(version: Contender, against: Contender, context: Context): CandidatePair {
  const metrics = context.analysis.metrics.map((metric) =>
    compareMetric(metric, version.metrics[metric.name], against.metrics[metric.name], context),
  );
  return {
    version: version.label,
    against: against.label,
    finding: findingOfPair(metrics),
    metrics,
    text: textOf(version.label, against.label, metrics),
  };
}

/**
 * Better in one metric and worse in none. Where nothing is proven the difference counts for neither: there both have been proven safe against the baseline. But on
 * missing evidence nobody is better.
 */
function findingOfPair(metrics: readonly MetricComparison[]): CandidatePair["finding"] {
  const has = (wanted: MetricComparison["finding"]) => metrics.some(({ finding }) => finding === wanted);
  if (has("better") && has("worse")) return "trade_off";
  if (metrics.some(({ reason }) => reason !== null)) return "unclear";
  if (has("better")) return "better";
  if (has("worse")) return "worse";
  return metrics.length > 0 && metrics.every(({ finding }) => finding === "equivalent") ? "equivalent" : "unclear";
}

function compareMetric(
  metric: Metric,
  version: MetricState | undefined,
  against: MetricState | undefined,
  { analysis, clock, claimClock }: Context,
): MetricComparison {
  const blank: MetricComparison = {
    metric: metric.name,
    measurementUnit: metric.measurementUnit,
    finding: "unclear",
    withinMargin: false,
    component: null,
    effect: null,
    advantage: null,
    reason: null,
  };
  const because = (code: ReasonCode): MetricComparison => ({ ...blank, reason: reasonOf(metric, code) });
  if (!version?.candidate || !against?.candidate) return because("no_data");
  if (version.gatheredUpTo !== against.gatheredUpTo) return because("not_concurrent");
  const arms: MetricArms = { metric, baseline: against.candidate, candidate: version.candidate };
  const [doubt] = [
    ...(clock === null ? [] : [staleArm(arms, clock) ?? []].flat()),
    ...runAlarms([arms], [], null, { allocation: null }, true),
    ...metricDoubts(arms),
  ];
  if (doubt !== undefined) return because(doubt.code);
  // Neither is the new one: every difference counts, in both directions, and of any size.
  const even: Metric = { ...metric, worse: "either", strict: false, catastrophic: null, limits: [] };
  const cleaned = clean({ metric: even, baseline: UNCHANGED, candidate: UNCHANGED }, arms, {
    slice: null,
    compact: false,
    stepSeconds: analysis.plan.stepSeconds,
    blocks: null,
    // Limits, which alone look at windows of time, are not compared.
    cells: { from: 0, seconds: 1, followUp: 0, edge: null },
  });
  if (cleaned.kind === "faulty") return because(cleaned.code);
  const { components, leftOut, untestable, units } = evidenceOf(even, cleaned.baseline, cleaned.candidate, analysis);
  if (untestable !== null || components.length === 0) return because("not_testable");
  if (cleaned.baseline.shape === "units" && !isEnough(units.baseline, units.candidate)) return because("too_few_units");
  const shares = sharesOf(even, analysis, [...components.map(({ component }) => component), ...leftOut], 0);
  const book = openClaims({}, claimClock, true);
  const parts = components.map((one): ComponentFinding => {
    const share = shares.component[one.component];
    const { component } = judgeComponent(one, even, share, analysis.budgets.promote, book, claimClock.mode, true);
    return { ...component, gained: false };
  });
  const proven = parts.filter(({ component }) => (book.states[`${component}:worse`]?.provenAt ?? null) !== null);
  return { ...blank, ...conclude(metric, parts, proven) };
}

const UNCHANGED: ArmAnswer = { kind: "unchanged" };

/** From the parts of a metric to what is said of it. */
function conclude(
  metric: Metric,
  parts: readonly ComponentFinding[],
  proven: readonly ComponentFinding[],
): Pick<MetricComparison, "finding" | "withinMargin" | "component" | "effect" | "advantage" | "reason"> {
  const [first] = proven;
  const ahead = (part: ComponentFinding) => aheadInMargins(part.effect, metric.worse);
  const withinMargin = parts.every(({ safe }) => safe);
  const shown = first ?? decisiveComponent(parts);
  const told = {
    withinMargin,
    component: shown?.component ?? null,
    effect: shown?.effect ?? null,
    advantage: parts.reduce((sum, part) => sum + ahead(part), 0) / parts.length,
    reason: null,
  };
  if (first === undefined) return { ...told, finding: withinMargin ? "equivalent" : "unclear" };
  if (metric.worse === "either") return { ...told, finding: "different" };
  // A part that is proven to lie the other way, or seems to by as much as the margin.
  const contradicts = (part: ComponentFinding): boolean =>
    ahead(part) * ahead(first) < 0 && (proven.includes(part) || Math.abs(ahead(part)) >= 1);
  if (parts.some(contradicts)) return { ...told, finding: "unclear", reason: reasonOf(metric, "conflicting") };
  return { ...told, finding: ahead(first) > 0 ? "better" : "worse" };
}

/** Above 0 where the version is better, in margins. Where no direction is worse nobody is ahead. */
function aheadInMargins({ estimate, margin }: Effect, worse: Metric["worse"]): number {
  if (worse === "either" || !(margin > 0)) return 0;
  return ((worse === "higher" ? -1 : 1) * estimate) / margin;
}

/** Its text is that of the code: the usual sentences speak of a baseline and a candidate. */
function reasonOf({ name }: Metric, code: ReasonCode): Reason {
  return { code, metric: name, text: `${name}: ${REASONS[code]}` };
}

const SAID: readonly { readonly finding: MetricComparison["finding"]; readonly words: string }[] = [
  { finding: "better", words: "proven better in" },
  { finding: "worse", words: "proven worse in" },
  { finding: "different", words: "proven different in" },
  { finding: "equivalent", words: "equivalent in" },
  { finding: "unclear", words: "nothing is proven in" },
];

function textOf(version: string, against: string, metrics: readonly MetricComparison[]): string {
  const parts = SAID.flatMap(({ finding, words }) => {
    const named = metrics.filter((one) => one.finding === finding);
    return named.length === 0 ? [] : [`${words} ${named.map(describe).join(", ")}`];
  });
  return `${version} against ${against}: ${parts.length === 0 ? "no metric compares them" : parts.join("; ")}`;
}

/** `cost (mean −8.1%, interval −11% to −5.2%; margin 5%)` */
function describe({
  metric,
  effect,
  component,
  measurementUnit,
  finding,
  withinMargin,
  reason,
}: MetricComparison): string {
  if (reason !== null) return `${metric} (${REASONS[reason.code]})`;
  if (effect === null || component === null) return metric;
  const small = withinMargin && finding !== "equivalent" ? ", and the difference stays within it" : "";
  return `${metric} (${PARTS[component]} ${formatEffect(effect, measurementUnit)}${small})`;
}
